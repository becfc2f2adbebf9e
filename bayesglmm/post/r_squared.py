r"""What the covariates explain: marginal and conditional R2, and the change in variance from one fit to another."""

import numpy as np
import pandas as pd

from bayesglmm import naming
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import auxiliary_draws, flatten, sd_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.naming import SIGMA
from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.partition import mean_predictor_variance, row_variance
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, fixed_eta, group_variance
from bayesglmm.post.result import Result, draws_dataset, run_notes
from bayesglmm.post.rows import build_rows, distinct_rows
from bayesglmm.post.variance_partition import latent_residual, residual_note, variance_function, weights_note
from bayesglmm.types import FloatArray

R_SQUARED, CHANGE = "r_squared", "change"
KINDS = ("marginal", "conditional")
PAIRING_SEED = 20170213


@takes_fit
def r_squared(fit: Fit, *, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Marginal and conditional R2 on the latent scale, with posteriors.

    .. math:: R^2_m = \frac{s^2_f}{s^2_f + \bar v + d}, \qquad R^2_c = \frac{s^2_f + \bar v}{s^2_f + \bar v + d}

    per draw, with :math:`s^2_f` the variance (divisor n - 1) of :math:`x_i'\beta` over the rows of the data, offsets left out;
    :math:`\bar v` the mean over these rows of :math:`\sum_t z_i' D_t z_i`; d the variance of the latent residual, as for
    :func:`bayesglmm.post.variance_partition.variance_partition`. For a Poisson response d is :math:`\log(1 + 1/\lambda)` at one
    lambda for all rows: the mean over the rows of the data of the population mean :math:`E_b\,\mu_i`, offsets included.

    Parameters
    ----------
    fit
        A fit; without a grouping factor the two are one.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, one row each (its index) for ``marginal`` and ``conditional``: ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``.
        ``draws``: variable ``r_squared`` with dims (chain, draw, kind).

    Raises
    ------
    FamilyError
        If there is no latent residual variance (cauchit; a Gaussian response under the log link).
    ArgumentError
        If known standard errors differ between rows.

    References
    ----------
    Nakagawa, S., Johnson, P. C. D. and Schielzeth, H. (2017). *Journal of the Royal Society Interface* 14, 20170213. Johnson, P. C. D.
    (2014). *Methods in Ecology and Evolution* 5, 944-946 (random slopes).
    """
    choice = make_interval(ci_prob, ci_kind)
    parameters, variance = fit_parameters(fit, effects=False), variance_function(fit)
    residual = latent_residual(fit, _log_overall_mean(fit, parameters), variance)[:, 0]
    fixed = row_variance(fit.design.X, parameters.beta) if fit.design.labels else np.zeros(parameters.n_draws)
    random = np.zeros(parameters.n_draws)
    for group, design in zip(parameters.groups, fit.design.groups, strict=True):
        random += mean_predictor_variance(design.Z, group.sd, group.corr)
    whole = fixed + random + residual
    draws = np.stack([fixed / whole, (fixed + random) / whole], axis=1)
    table = pd.DataFrame(summarise(draws, choice), index=pd.Index(KINDS, name="kind"))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    dataset = draws_dataset({R_SQUARED: draws}, sizes, "kind", {"kind": np.array(KINDS, dtype=object)})
    target = "share of the variance on the latent scale, over the rows of the data: fixed effects (marginal), and with random effects"
    notes = (
        residual_note(fit, "the mean over the rows of the data of their population means"),
        "marginal: fixed effects; conditional: fixed and random effects. Every row of the data counts once.",
        *(("Offsets are left out of the variance of the fixed part.",) if fit.spec.offsets else ()),
        *weights_note(fit),
        *run_notes(fit),
    )
    return Result("Marginal and conditional R2, latent scale", target, table, dataset, notes, choice)


@takes_fit
def variance_change(null_fit: Fit, fit: Fit, *, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Proportional change in each variance from one fit to another on the same data.

    .. math:: \frac{\sigma^2_0 - \sigma^2_1}{\sigma^2_0}

    for the variance of every random effect that both models have, and the residual variance: what the covariates that the second model adds
    explain at each level.

    Parameters
    ----------
    null_fit
        The base: the smaller model. If it is the larger one the notes say so.
    fit
        The larger model.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, one row per variance (its index, ``1|patient``, ``sigma``): ``null_variance`` and ``variance``, posterior medians in
        the two fits; ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper`` of the change. ``draws``: variable ``change`` with dims
        (chain, draw, component), one chain of paired draws.

    Raises
    ------
    ArgumentError
        If response, trials, weights, known standard errors, family, link, groups or a column that both fits read differ, the fits share no
        variance, or a variance is zero in the first.

    Notes
    -----
    The two posteriors come from separate runs, so their draws are independent: each is put in a fixed random order and the n-th draws are
    paired. That is the posterior of the two as if from independent data; as both use the same data, the interval is no joint posterior.

    References
    ----------
    Raudenbush, S. W. and Bryk, A. S. (2002). *Hierarchical Linear Models*, 2nd ed., chapter 4. Merlo, J. et al. (2005). *Journal of
    Epidemiology and Community Health* 59, 1022-1029.
    """
    choice = make_interval(ci_prob, ci_kind)
    _check_same_data(null_fit, fit)
    null, new = _variances(null_fit), _variances(fit)
    common = [name for name in null if name in new]
    if not common:
        raise ArgumentError(
            "the two fits have no variance in common",
            where=f"{null_fit.spec.formula}; {fit.spec.formula}",
            fix="give both a random effect of the same grouping factor, (1 | g)",
        )
    before, after = _paired(np.stack([null[n] for n in common], axis=1), np.stack([new[n] for n in common], axis=1))
    zero = [name for name, smallest in zip(common, before.min(axis=0), strict=True) if smallest <= 0.0]
    if zero:
        raise ArgumentError(
            "a variance of the first fit is zero, so there is no proportional change",
            where=", ".join(zero),
            fix="leave this effect out of the first model; compare the standard deviations themselves, summary(fit)",
        )
    change = 1.0 - after / before
    medians = {"null_variance": np.median(before, axis=0), "variance": np.median(after, axis=0)}
    table = pd.DataFrame({**medians, **summarise(change, choice)}, index=pd.Index(common, name="component"))
    dataset = draws_dataset({CHANGE: change}, (1, len(change)), "component", {"component": np.array(common, dtype=object)})
    change_is = "(variance in the first fit - variance in the second) / variance in the first"
    target = f"{change_is}, for each variance that both have; the first fit is the base"
    title = f"Proportional change in variance: {null_fit.spec.formula} (base) to {fit.spec.formula}"
    notes = (
        *_change_notes(null_fit, fit, len(change), [n for n in (*null, *new) if n not in common]),
        *(f"first fit: {n}" for n in run_notes(null_fit)),
        *(f"second fit: {n}" for n in run_notes(fit)),
    )
    return Result(title, target, table, dataset, notes, choice)


def _log_overall_mean(fit: Fit, parameters: Parameters) -> FloatArray:
    """Logarithm of the population mean averaged over the rows of the data, (S, 1); zeros unless the link is the logarithm."""
    found = np.zeros((parameters.n_draws, 1))
    if fit.link is not LINKS["log"]:
        return found
    rows, which = distinct_rows(build_rows(fit, None, target="population"), levels=False)
    log_weight = np.log(np.bincount(which) / len(which))
    for block in draw_blocks(parameters.n_draws, rows.n_rows):
        part = parameters.take(block)
        log_mean = fixed_eta(part, rows) + 0.5 * group_variance(part, rows)
        found[block, 0] = np.logaddexp.reduce(log_mean + log_weight, axis=1)
    return found


def _check_same_data(first: Fit, second: Fit) -> None:
    """Two models of one response, row by row, with the same groups."""
    a, b = first.design, second.design
    if (first.spec.family, first.spec.link) != (second.spec.family, second.spec.link):
        shown = " and ".join(f"{fit.spec.family} ({fit.spec.link} link)" for fit in (first, second))
        raise ArgumentError("the two fits differ in family or link", where=shown, fix="fit both with one family and link")
    given = {
        "response": (a.y, b.y),
        "numbers of trials": (a.trials, b.trials),
        "weights": (a.weights, b.weights),
        "known standard errors": (a.se, b.se),
    }
    rows = "fit both to the same rows in one order"
    for what, (one, other) in given.items():
        if (where := _difference(one, other)) is not None:
            fix = rows if what == "response" else f"{rows}, with the same {what}"
            raise ArgumentError(f"the two fits differ in their {what}", where=where, fix=fix)
    groups = {g.name: g for g in a.groups}
    for group in b.groups:
        known = groups.get(group.name, group)
        where = _difference(known.index, group.index)
        if known.levels != group.levels:
            where = f"{len(known.levels)} and {len(group.levels)} levels, not all of the same names"
        if where is not None:
            raise ArgumentError("the two fits differ in the groups of their rows", where=f"{group.name}: {where}", fix=rows)
    _check_same_columns(first.frame, second.frame, rows)


def _check_same_columns(first: pd.DataFrame, second: pd.DataFrame, fix: str) -> None:
    """Refuse columns of one name with different values."""
    for name in (c for c in first.columns if c in second.columns):
        where = _difference(np.asarray(first[name], dtype=object), np.asarray(second[name], dtype=object))
        if where is not None:
            raise ArgumentError("the two fits differ in a column that both read", where=f"column {name!r}: {where}", fix=fix)


def _difference(one: np.ndarray | None, other: np.ndarray | None) -> str | None:
    """Say in how many rows two columns differ; None where they are alike."""
    if one is None or other is None:
        return None if one is other else f"only the {'first' if other is None else 'second'} fit has them"
    if len(one) != len(other):
        return f"{len(one)} and {len(other)} rows"
    n_differing = int(np.sum(one != other))
    return f"{n_differing} of {len(one)} rows" if n_differing else None


def _variances(fit: Fit) -> dict[str, FloatArray]:
    """Draws (S,) of every variance, by the name of its effect."""
    found: dict[str, FloatArray] = {}
    for group in fit.design.groups:
        draws = np.square(flatten(sd_draws(fit.posterior, group)))
        found |= {naming.effect(label, group.name): draws[:, k] for k, label in enumerate(group.labels)}
    sigma = auxiliary_draws(fit.posterior, fit.family.auxiliary).get(SIGMA)
    return found if sigma is None else {**found, SIGMA: np.square(flatten(sigma))}


def _paired(before: FloatArray, after: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Draws (S, k) of two separate runs in two fixed random orders, as many as the shorter run has."""
    rng, n = np.random.default_rng(PAIRING_SEED), min(len(before), len(after))
    return before[rng.permutation(len(before))[:n]], after[rng.permutation(len(after))[:n]]


def _terms_alone(fit: Fit, other: Fit) -> list[str]:
    """Name the fixed terms that only the first of two fits has."""
    known = {term.name for term in other.design.fixed}
    return [term.name for term in fit.design.fixed if term.name not in known]


def _change_notes(null_fit: Fit, fit: Fit, n_pairs: int, alone: list[str]) -> tuple[str, ...]:
    notes = [
        f"Draws of two separate runs are independent: {n_pairs} pairs after fixed permutations, not draws of a joint posterior.",
        "A negative change is possible: a covariate can make a variance larger.",
        "Where the first variance may be close to zero the mean of the ratio need not exist: read the median and the interval.",
    ]
    if fit.link.onto_unit_interval:
        notes.append(
            "The latent residual variance is fixed by the link, so a covariate that varies within groups stretches the scale: variances "
            "between groups then grow even if nothing is explained at their level."
        )
    if alone:
        notes.append(f"In one of the fits only, left out: {', '.join(alone)}.")
    if null_fit is fit:
        notes.append("Both are the same fit.")
    more, fewer = _terms_alone(null_fit, fit), _terms_alone(fit, null_fit)
    if more and not fewer:
        notes.append(
            f"The first fit, the base, is the larger model: only it has {', '.join(more)}. The change is that of leaving terms out; "
            "give the smaller model first to see what they explain."
        )
    return tuple(notes)
