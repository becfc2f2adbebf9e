r"""Marginal models by generalized estimating equations (GEE), solved by statsmodels on our design matrix.

.. math:: \sum_j D_j' V_j^{-1} (y_j - \mu_j) = 0, \qquad \mu = h(o + x'\beta), \qquad
          V_j = A_j^{1/2} R(\rho) A_j^{1/2}, \qquad A_j = \operatorname{diag}\{V(\mu_i) / m_i\}

with m the row's weight times its trials. The working structure is our own class, because in statsmodels the autoregressive correlation goes
by the order of rows whatever times are given and is never negative, and row weights make an asymmetric equation unless rows are
independent. The columns are orthonormalised first, so that the rule for the end of the search does not depend on units.

References
----------
Liang, K.-Y. and Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. *Biometrika* 73, 13-22.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import numpy as np
import pandas as pd
import xarray as xr
from scipy import linalg, special
from statsmodels.genmod import families
from statsmodels.genmod.cov_struct import CovStruct
from statsmodels.genmod.families import links
from statsmodels.genmod.generalized_estimating_equations import GEE

from bayesglmm.design.design import build_design
from bayesglmm.design.factors import Functions
from bayesglmm.design.prepare import expression_of, family_and_link
from bayesglmm.design.table import DroppedRows, column_names, read_table
from bayesglmm.errors import ArgumentError, DesignError, MissingValueError, NotBuiltError
from bayesglmm.numerics.working import FORMS, Form
from bayesglmm.post.gee_problem import Problem, crossing, fixed_contrasts, make_problem, sorted_rows, with_groups
from bayesglmm.post.intervals import IntervalChoice, check_probability
from bayesglmm.post.result import Result
from bayesglmm.spec.built import check_built
from bayesglmm.spec.model_spec import ModelSpec, expand_spec, make_spec
from bayesglmm.spec.names import unquoted
from bayesglmm.types import FloatArray, IntervalKind, Missing, check_choice

type Structure = Literal["independence", "exchangeable", "ar1"]

TARGET = "population: marginal model, no random effects"
FIXED, WORKING = "fixed", "working"
WALD: Final = "wald"
"""Kind of the intervals, which are those of no posterior."""

ITERATIONS = 200
CLOSE = 1e-7
"""Length of the score at which the search ends, in standard deviations of its sum over groups."""
STILL = 1e-4
"""Largest change of the linear predictor, on its own scale, that a last step may make."""
FEW_GROUPS = 40
"""Below so many groups sandwich errors are known to be too small (Mancl and DeRouen 2001, *Biometrics* 57, 126-134)."""

SANDWICH_NOTE = "se: sandwich, valid whatever the correlation within groups; the interval is the confidence interval from it."
VALID_NOTE = "Valid when visits are missing completely at random; a mixed model also when they are missing at random."

_FAMILIES: Final[Mapping[str, Any]] = MappingProxyType(
    {"gaussian": families.Gaussian, "bernoulli": families.Binomial, "binomial": families.Binomial, "poisson": families.Poisson}
)
_LINKS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "identity": links.Identity,
        "log": links.Log,
        "logit": links.Logit,
        "probit": links.Probit,
        "cloglog": links.CLogLog,
        "loglog": links.LogLog,
        "cauchit": links.Cauchy,
    }
)


class ConfidenceInterval(IntervalChoice):
    """The level of Wald confidence intervals: an estimate plus and minus a normal quantile of its standard error."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """``95 % Wald confidence interval``."""
        return f"{100 * self.prob:g} % Wald confidence interval"


def gee(  # noqa: PLR0913 (one public call; all but two are keywords)
    formula: str,
    data: Any,
    *,
    family: str = "gaussian",
    link: str | None = None,
    groups: str | None = None,
    structure: Structure = "independence",
    time: str | None = None,
    correlation: float | None = None,
    weights: str | None = None,
    offset: str | None = None,
    contrasts: Mapping[str, str] | None = None,
    functions: Functions | None = None,
    missing: Missing = "error",
    ci_prob: float = 0.95,
) -> Result:
    r"""Fit the marginal model :math:`g(E\,y) = o + x'\beta` of a formula's fixed part by generalized estimating equations.

    Parameters
    ----------
    formula
        As for :func:`glmm`. Its group terms are not fitted: the first one names the groups, and the notes say what was dropped.
    data
        A table.
    family, link, weights, offset, contrasts, functions, missing
        As for :func:`glmm`: columns are coded and labelled alike, and ``missing="drop"`` leaves out the rows that a mixed model would.
    groups
        Grouping column, or ``"g:h"``, back-quoted or not, instead of the formula's first group term. Rows of different groups count as
        independent.
    structure
        Working correlation within a group: ``independence``; ``exchangeable``, one correlation for all pairs; ``ar1``,
        :math:`\rho^{|t_s - t_t|}`.
    time
        For ``ar1``: a column of whole numbers, different within a group. Without it the rows of a group are taken as successive visits in
        the order of the table, which must then be complete: where rows were left out, a gap would count as one visit.
    correlation
        Hold the correlation at this value instead of estimating it.
    ci_prob
        Level of the confidence intervals.

    Returns
    -------
    Result
        ``table``, one row per coefficient (kind ``fixed``): ``estimate``, ``se`` (sandwich), ``se_naive`` (as if the working correlation
        were true), ``ci_lower``, ``ci_upper`` (estimate plus and minus a normal quantile of ``se``); then, of kind ``working``,
        ``correlation`` (not for independence) and ``dispersion``. ``draws`` is empty.

    Raises
    ------
    ArgumentError, ColumnError
        If the groups, times or the correlation are not what they must be.
    MissingValueError
        If values are missing, or rows were left out and ``ar1`` has no times.
    DesignError
        If there are not more groups than coefficients, no group has two rows to tell a correlation from, the estimated correlation is none,
        or the equations have no finite solution (separation).
    NotBuiltError
        If the response has known standard errors, or its family or link has no counterpart here.
    BayesglmmError
        As for :func:`glmm`, about the formula and the table.

    Notes
    -----
    Dispersion is the mean of the squared Pearson residuals. The exchangeable correlation is the mean of their products over all pairs
    over the dispersion, the autoregressive one fits the powers of rho to these products by least squares; neither subtracts the number of
    coefficients. R's geepack computes the same. GEE is valid when visits are missing completely at random.
    """
    choice = ConfidenceInterval(check_probability("ci_prob", ci_prob), cast(IntervalKind, WALD))
    time = unquoted(time) if isinstance(time, str) else time
    check_choice("structure", structure, Structure)
    _check_correlation(structure, correlation, time)
    record, function = family_and_link(family, link)
    beside = {"weights": expression_of(weights, data), "offset": expression_of(offset, data)}
    options: Any = {**beside, "contrasts": contrasts, "functions": tuple(functions or ())}
    asked = make_spec(formula, family=record.name, link=function.name, **options)
    spec = expand_spec(with_groups(asked, groups, column_names(data)), column_names(data))
    check_built(spec)
    table, dropped = read_table(data, (*spec.columns, *([time] if time else ())), missing=missing)
    _check_gaps(structure, time, dropped)
    plain = replace(spec, groups=(), contrasts=fixed_contrasts(spec, table, functions or {}))
    rows = sorted_rows(spec.groups[0], table, time)
    problem = make_problem(build_design(plain, table, record, function, functions=functions, dropped=dropped), record, function, rows)
    solution = _solve(problem, structure, correlation)
    left_out = () if not dropped.dropped else (f"{_shown(dropped)}.",)
    notes = (*_notes(problem, solution, time), *left_out, *_dropped_notes(asked, crossing(asked.groups, table, rows)))
    title = f"Generalized estimating equations, {structure}: {plain.formula}, {spec.family} ({spec.link} link)"
    return Result(title, TARGET, _table(problem, solution, choice), xr.Dataset(), notes, choice)


@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    """Estimates (p,), sandwich and naive covariances (p, p), correlation (None without one), whether it was held, and dispersion."""

    beta: FloatArray
    robust: FloatArray
    naive: FloatArray
    structure: Structure
    correlation: float | None
    held: bool
    dispersion: float


class _Working(CovStruct):  # type: ignore[misc]
    """A working structure in statsmodels' terms; it reads the model that it is given to, whose rows are sorted by group."""

    def __init__(self, form: Form, problem: Problem, held: float | None) -> None:
        super().__init__()
        self.form, self.problem, self.held = form, problem, held
        self.clusters, self.root = problem.rows.clusters, np.sqrt(problem.size)
        self.dep_params = 0.0 if held is None else held

    def update(self, params: FloatArray) -> None:
        """Estimate the correlation at the current means."""
        if self.held is None:
            residuals = self.residuals()
            scaled = residuals / np.sqrt(np.mean(residuals**2))
            self.dep_params = _checked(self.form.estimate(scaled, self.clusters), self.form.least(self.clusters))

    def covariance_matrix_solve(self, expval: FloatArray, index: int, stdev: FloatArray, rhs: Sequence[FloatArray]) -> list[FloatArray]:
        """Solve with the working covariance of one group, for each right-hand side (k,) or (k, c)."""
        rows = slice(self.clusters.start[index], self.clusters.start[index + 1])
        sd, gaps = (stdev / self.root[rows])[:, None], np.diff(self.clusters.time[rows])
        solved = [self.form.solve(x.reshape(len(x), -1) / sd, self.dep_params, gaps) / sd for x in rhs]
        return [s.reshape(x.shape) for s, x in zip(solved, rhs, strict=True)]

    def residuals(self) -> FloatArray:
        """Pearson residuals (n,) at the current means."""
        mu = np.concatenate([mean for mean, _ in self.model.cached_means])
        return np.asarray((self.problem.y - mu) * self.root / np.sqrt(self.model.family.variance(mu)))


def _check_correlation(structure: Structure, correlation: float | None, time: str | None) -> None:
    if structure != "ar1" and time is not None:
        raise ArgumentError(f"time= has no meaning for structure={structure!r}", fix="leave it out, or use structure='ar1'")
    if correlation is None:
        return
    if structure == "independence":
        raise ArgumentError("independence has no correlation to hold", where=f"correlation={correlation}", fix="leave it out")
    if not isinstance(correlation, int | float | np.number) or not -1.0 < correlation < 1.0:
        raise ArgumentError(
            f"correlation={correlation!r} is no number between -1 and 1", fix="give one, correlation=0.5, or leave it out to estimate it"
        )


def _check_gaps(structure: Structure, time: str | None, dropped: DroppedRows) -> None:
    """Refuse successive visits some of which were left out."""
    if structure == "ar1" and time is None and dropped.dropped:
        fix = "number the visits in a column and name it, time='visit', or fill in the values"
        what = "rows were left out, so that visits that follow each other in the table need not be neighbours in time"
        raise MissingValueError(what, where=_shown(dropped), fix=fix)


def _shown(dropped: DroppedRows) -> str:
    """Tell how many rows were left out, and for the missing values of which columns."""
    columns = ", ".join(f"{name} ({count})" for name, count in dropped.by_column)
    return f"{dropped.dropped} of {dropped.total} rows left out: missing {columns}"


def _solve(problem: Problem, structure: Structure, held: float | None) -> _Solution:
    form, clusters = FORMS[structure], problem.rows.clusters
    if structure != "independence" and clusters.largest == 1:
        raise DesignError("no group has two rows, so there is no correlation", where=problem.rows.name, fix="use structure='independence'")
    if held is not None:
        _checked(held, form.least(clusters))
    working, twin = _Working(form, problem, held), _twin(problem)
    estimated = structure != "independence" and held is None
    model = GEE(
        problem.y, problem.Q, groups=clusters.code, family=twin, cov_struct=working, offset=problem.offset, update_dep=estimated
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they would say is checked: whether the search ended well, and whether all is finite
        found = model.fit(maxiter=ITERATIONS, ctol=_score_length(problem, twin), start_params=problem.start, scale=1.0)
    _check_solution(found, problem)
    dispersion = float(np.mean(working.residuals() ** 2))
    back = linalg.solve_triangular(problem.R, np.eye(len(problem.R)))
    robust, naive = (back @ np.asarray(c) @ back.T for c in (found.cov_robust, dispersion * found.cov_naive))
    rho = None if structure == "independence" else float(working.dep_params)
    return _Solution(back @ np.asarray(found.params), robust, naive, structure, rho, held is not None, dispersion)


def _twin(problem: Problem) -> Any:
    """Return statsmodels' family of the same variance function, with the same link."""
    family, link = _FAMILIES.get(problem.family.name), _LINKS.get(problem.link.name)
    if family is None or link is None:
        pair = f"{problem.family.name} family, {problem.link.name} link"
        known = f"use a family among {', '.join(_FAMILIES)} and a link among {', '.join(_LINKS)}"
        raise NotBuiltError("there are no estimating equations for this response", where=pair, fix=known)
    return family(link=link())


def _score_length(problem: Problem, twin: Any) -> float:
    """Length of the score at which the search ends: a small share of its standard deviation at the start, if groups are independent."""
    eta = problem.offset + problem.Q @ problem.start
    slope, mu = problem.link.derivative(eta), problem.link.inverse(eta)
    rows = problem.Q * (problem.size * slope * (problem.y - mu) / np.asarray(twin.variance(mu)))[:, None]
    return CLOSE * float(np.linalg.norm(np.add.reduceat(rows, problem.rows.clusters.start[:-1], axis=0)))


def _checked(rho: float, least: float) -> float:
    """Refuse a correlation that makes no correlation matrix."""
    if not least < rho < 1.0:
        what = f"the working correlation {rho:.3g} is impossible for groups of this size: it must lie between {least:.3g} and 1"
        raise DesignError(what, fix="use structure='independence', whose sandwich errors are valid too")
    return rho


def _check_solution(found: Any, problem: Problem) -> None:
    """Refuse what did not converge, is not finite, or was on its way to infinity when the score had vanished."""
    fix = "leave out the term whose coefficient grows; structure='independence' is the easiest to solve"
    if found is None or not found.converged or not np.isfinite(found.cov_robust).all():
        raise DesignError("no solution of the estimating equations was found", where=f"{ITERATIONS} iterations", fix=fix)
    path = [problem.start, *found.fit_history["params"]]
    step, eta = problem.Q @ (path[-1] - path[-2]), problem.Q @ path[-1]
    if float(np.abs(step).max()) > STILL * max(1.0, float(np.ptp(eta))):
        raise DesignError("the estimating equations have no finite solution: the columns separate the responses", fix=fix)


def _table(problem: Problem, solution: _Solution, choice: IntervalChoice) -> pd.DataFrame:
    se, width = np.sqrt(np.diag(solution.robust)), float(special.ndtri(0.5 * (1.0 + choice.prob)))
    working = {"correlation": solution.correlation, "dispersion": solution.dispersion}
    shown = {name: value for name, value in working.items() if value is not None}
    empty = np.full(len(shown), np.nan)
    columns = {
        "kind": [FIXED] * len(se) + [WORKING] * len(shown),
        "estimate": np.array([*solution.beta, *shown.values()]),
        "se": np.concatenate([se, empty]),
        "se_naive": np.concatenate([np.sqrt(np.diag(solution.naive)), empty]),
        "ci_lower": np.concatenate([solution.beta - width * se, empty]),
        "ci_upper": np.concatenate([solution.beta + width * se, empty]),
    }
    return pd.DataFrame(columns, index=pd.Index([*problem.labels, *shown], name="parameter"))


def _notes(problem: Problem, solution: _Solution, time: str | None) -> tuple[str, ...]:
    sizes = problem.rows.clusters.sizes
    size = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    notes = [f"{len(sizes)} groups of {problem.rows.name} with {size} rows; rows of different groups count as independent."]
    notes.append(SANDWICH_NOTE)
    if solution.structure == "ar1":
        order = "rows of a group are successive visits in the order of the table" if time is None else f"times from {time}"
        notes.append(f"Autoregressive correlation, {order}.")
    if solution.held:
        notes.append("The correlation was held at the value given.")
    if len(sizes) < FEW_GROUPS:
        notes.append(f"With {len(sizes)} groups the sandwich errors are probably too small.")
    notes.append(VALID_NOTE)
    return tuple(notes)


def _dropped_notes(asked: ModelSpec, crossed: Sequence[str]) -> tuple[str, ...]:
    """Tell which group terms of the formula are no part of a marginal model, and which of them make its groups dependent."""
    notes = [f"Group terms are not fitted: {', '.join(g.text for g in asked.groups)}."] if asked.groups else []
    if crossed:
        notes.append(f"Groups share levels of {', '.join(crossed)}, so they are not independent, and the sandwich errors may be too small.")
    return tuple(notes)
