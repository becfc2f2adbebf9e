r"""Odds ratios, ratios of means and hazard ratios of the coefficients: within one subject, and between populations."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesglmm import naming
from bayesglmm.errors import DesignError, FamilyError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.elementwise import exp
from bayesglmm.numerics.spread import RATIO_NAMES
from bayesglmm.post.cells import row_weights
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.linear_predictor import fit_parameters
from bayesglmm.post.marginal import marginal_draws
from bayesglmm.post.result import Result, draws_dataset, run_notes, target_sentence
from bayesglmm.post.rows import build_rows, distinct_rows
from bayesglmm.types import IntArray

QUANTITIES: Final = ("subject_specific", "marginal", "marginal_over_subject_specific")
SAME_SUBJECT = "the same subject, one unit more"
ALIKE = "two subjects with equal random effects, one unit apart"
POPULATIONS = "two populations, one unit apart"
CHANGE = "the second ratio, in units of the first"


def odds_ratios(fit: Fit, *, weights: Any = None, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Odds ratios of the coefficients: within one subject, and between populations.

    .. math:: \exp(\beta_k), \qquad \exp(\beta_{M,k}), \qquad \exp(\beta_{M,k} - \beta_k)

    per draw, with :math:`\beta_M` the marginal coefficients on the data (:func:`bayesglmm.post.marginal.marginal_coefficients`). Under the
    log link they are ratios of means (of rates, where there is an exposure), under cloglog hazard ratios.

    Parameters
    ----------
    fit
        A fit under the logit, log or cloglog link.
    weights
        Name of a column, or one number per row of the data, for the marginal coefficients; equal when None.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, three rows per coefficient, the intercept left out: ``coefficient``, ``quantity`` (``subject_specific``, ``marginal``,
        ``marginal_over_subject_specific``), ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``, and ``compares``, who is compared
        with whom. ``draws``: variables of these names with dims (chain, draw, coefficient).

    Raises
    ------
    FamilyError
        If the exponential of a coefficient is no ratio under the link; gives the reason.
    DesignError
        If the model has no coefficient but the intercept.
    ColumnError, ArgumentError
        If the weights are not what they must be.

    References
    ----------
    Hedeker, D., du Toit, S. H. C., Demirtas, H. and Gibbons, R. D. (2018). A note on marginalization of regression parameters from mixed
    models of binary outcomes. *Biometrics* 74, 354-361.
    """
    choice = make_interval(ci_prob, ci_kind)
    name, kept = ratio_name(fit), slopes_of(fit)
    rows = build_rows(fit, None, target="population")
    weight = row_weights(rows, weights)
    unique, which = distinct_rows(rows, levels=False)
    parameters = fit_parameters(fit, effects=False)
    marginal, bound = marginal_draws(fit.link.name, parameters, unique, np.bincount(which, weights=weight).astype(np.float64))
    logs = parameters.beta[:, kept], marginal[:, kept], marginal[:, kept] - parameters.beta[:, kept]
    values = dict(zip(QUANTITIES, (exp(x) for x in logs), strict=True))
    coefficients = np.array(fit.design.labels, dtype=object)[kept]
    index = {"coefficient": np.repeat(coefficients, 3), "quantity": np.tile(QUANTITIES, len(kept))}
    summary = summarise(np.stack(list(values.values()), axis=2).reshape(parameters.n_draws, -1), choice)
    table = pd.DataFrame({**index, **summary, "compares": _compared(fit, kept)})
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    return Result(
        f"{name.capitalize()}s, subject-specific and marginal",
        f"subject_specific: {name} at equal random effects, exp(beta). marginal: {target_sentence('population', factors)}",
        table,
        draws_dataset(values, sizes, "coefficient", {"coefficient": coefficients}),
        (*_notes(fit, bound), *run_notes(fit)),
        choice,
    )


def ratio_name(fit: Fit) -> str:
    """Name the ratio that the exponential of a coefficient is.

    Raises
    ------
    FamilyError
        If it is none under the link.
    """
    name = RATIO_NAMES.get(fit.link.name)
    if name is None:
        raise FamilyError(
            f"the exponential of a coefficient is no ratio of odds, means or hazards under the {fit.link.name} link",
            fix="use marginal_coefficients, or means and heterogeneity on the response scale",
        )
    return name


def slopes_of(fit: Fit) -> IntArray:
    """Positions of the coefficients without the intercept.

    Raises
    ------
    DesignError
        If there is none.
    """
    kept = np.flatnonzero([label != naming.INTERCEPT for label in fit.design.labels])
    if not kept.size:
        raise DesignError("the model has no coefficient but the intercept", where=fit.spec.formula, fix="add a predictor")
    return kept.astype(np.int64)


def _compared(fit: Fit, kept: IntArray) -> NDArray[np.object_]:
    """Say who is compared with whom, three texts per coefficient; subjects are the combinations of levels of all factors."""
    X = pd.DataFrame(fit.design.X[:, kept])
    varies = np.ones(len(kept), dtype=bool)
    if fit.design.groups:
        index = np.stack([g.index for g in fit.design.groups], axis=1)
        subject = np.unique(index, axis=0, return_inverse=True)[1].reshape(-1)
        varies = (X.groupby(subject).nunique() > 1).any(axis=0).to_numpy()
    texts = [(SAME_SUBJECT if v else ALIKE, POPULATIONS, CHANGE) for v in varies]
    return np.array(texts, dtype=object).ravel()


def _notes(fit: Fit, bound: float) -> tuple[str, ...]:
    how = f"integration error of the population means <= {bound:.0e}" if bound > 0.0 else "population means in closed form"
    notes = [f"marginal: least-squares projection on the rows of the data; {how}."]
    if any(":" in label for label in fit.design.labels):
        notes.append("The ratio of a product (a:b) is a ratio of ratios.")
    return tuple(notes)
