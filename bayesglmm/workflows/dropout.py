r"""Who stays matters: GEE and the mixed model when subjects leave depending on what was last observed of them.

.. math:: y_{jt} \mid b_j \sim \text{family}(h(\beta_0 + \beta_1 t + \beta_2 a_j + \beta_3 t a_j + b_{0j} + b_{1j} t)), \qquad
          P(\text{leave after } t) = \operatorname{expit}(a + c\,y_{jt})

Given what was observed, leaving tells nothing more, so visits are missing at random, and the likelihood of the mixed model needs no model
of it. They are not missing completely at random, so the estimating equations of a marginal model are biased: with independence much, with a
working correlation the less the nearer it is to the true one (random intercepts make an exchangeable one, random slopes do not).

References
----------
Laird, N. M. (1988). Missing data in longitudinal studies. *Statistics in Medicine* 7, 305-315. Robins, J. M., Rotnitzky, A. and Zhao, L. P.
(1995). Analysis of semiparametric regression models for repeated outcomes in the presence of missing data. *JASA* 90, 106-121.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.api import glmm
from bayesglmm.design.prepare import family_and_link
from bayesglmm.errors import ArgumentError, DesignError, QualityWarning
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.dropout import leaving_probability, observed_visits
from bayesglmm.numerics.marginal import marginal_coefficients, population_predictor
from bayesglmm.post.gee import FIXED, gee
from bayesglmm.post.intervals import IntervalChoice, interval_ends, make_interval
from bayesglmm.post.means import MEAN, means
from bayesglmm.post.new_groups import check_seed
from bayesglmm.post.result import Result
from bayesglmm.types import BoolArray, FloatArray

COEFFICIENTS = ("Intercept", "time", "arm", "time:arm")
COMPLETE, MIXED = "gee_complete", "mixed_model"
ESTIMATORS = (COMPLETE, "gee_independence", "gee_exchangeable", MIXED)
"""A marginal model of the complete data, from before anybody left, stands first: what it misses is not due to drop-out."""
DIGITS = 9
"""Decimals of the truth: the bound on the quadrature's error is 1e-10 on the response scale."""
SAMPLER: Final[Mapping[str, Any]] = MappingProxyType({"draws": 300, "tune": 300, "chains": 2, "progress": False})


@dataclass(frozen=True, slots=True)
class Scenario:
    """A trial with two arms whose subjects may leave: ``Scenario.binary()``, ``Scenario.gaussian()``, or one of your own.

    Attributes
    ----------
    family, link
        Of the response; the family's default link when None.
    n_subjects
        J; every other one is in the second arm.
    visits
        T, at times 0, 1, ..., T - 1.
    beta
        Intercept, slope of time, difference between the arms at time 0, and difference between their slopes: subject-specific.
    sd
        SDs of the random intercepts and of the random slopes of time, independent; without slopes when the second is 0.
    sigma
        Residual SD of a Gaussian response.
    leaving
        Level and slope of the logit of the chance to leave after a visit, in the response at that visit.
    """

    family: str = "bernoulli"
    link: str | None = None
    n_subjects: int = 200
    visits: int = 5
    beta: tuple[float, float, float, float] = (-0.5, 0.5, 0.0, -0.3)
    sd: tuple[float, float] = (2.0, 0.0)
    sigma: float = 1.0
    leaving: tuple[float, float] = (-3.0, 2.6)

    @classmethod
    def binary(cls) -> Self:
        """Return a trial with a yes-or-no response; subjects differ in their level. :func:`dataclasses.replace` changes parts of it."""
        return cls()

    @classmethod
    def gaussian(cls) -> Self:
        """Return a trial with a measurement for the response; subjects also differ in how they change."""
        return cls("gaussian", beta=(0.0, 0.5, 0.0, -0.3), sd=(2.0, 0.5), leaving=(-2.5, 1.0))

    @property
    def formula(self) -> str:
        """The mixed model that the data come from."""
        return f"y ~ time * arm + ({'time' if self.sd[1] > 0.0 else '1'} | subject)"

    @property
    def design(self) -> pd.DataFrame:
        """All J x T visits, subject by subject: ``subject``, ``time``, ``arm``."""
        subject, time = np.divmod(np.arange(self.n_subjects * self.visits), self.visits)
        return pd.DataFrame({"subject": subject, "time": time, "arm": subject % 2})


BINARY, GAUSSIAN = Scenario.binary(), Scenario.gaussian()
"""The two trials as constants."""


def dropout(scenario: Scenario | None = None, *, repeats: int = 100, seed: int | None = 1, ci_prob: float = 0.95, **options: Any) -> Result:
    r"""Simulate trials with drop-out and compare estimators of the population's coefficients with the truth.

    .. math:: \text{bias} = \bar{\hat\beta} - \beta_M, \qquad \text{mc\_se} = \text{sd}(\hat\beta) / \sqrt{R}

    Parameters
    ----------
    scenario
        The trial; ``Scenario.binary()`` when None, ``Scenario.gaussian()`` is another.
    repeats
        R, at least 2.
    seed
        Whole number from 0; a fresh one when None. The notes name it; with one seed repeat r is the same whatever R.
    ci_prob
        Level of the intervals whose coverage is counted.
    **options
        For :func:`glmm`; by default short runs, 2 chains of 300 + 300 draws.

    Returns
    -------
    Result
        ``table``, one row per estimator and coefficient: ``estimator`` (``gee_complete``, from the data before anybody left;
        ``gee_independence`` and ``gee_exchangeable``, from the data observed; ``mixed_model``, the marginal coefficients of the mixed model
        from the same data), ``coefficient``, ``truth``, ``estimate`` (mean over repeats), ``bias``, ``mc_se``, ``coverage``, ``repeats``
        (those with an estimate). ``draws``: variables ``estimate``, ``lower``, ``upper`` with dims (repeat, estimator, coefficient) and
        ``truth``.

    Raises
    ------
    ArgumentError
        If the scenario, the number of repeats or the seed is impossible.

    Notes
    -----
    The truth is the projection of the population's predictor, by quadrature at the true parameters, on all visits; that of the mixed model
    is made on all visits too. GEE projects on the visits it is given and in its own metric: where the population's predictor is not quite
    linear (every link but identity and, with random intercepts, log and probit) a part of its distance from the truth is due to that, and
    ``gee_complete`` shows how much.
    """
    choice = make_interval(ci_prob, "eti")
    plan, seed = _checked(BINARY if scenario is None else scenario, repeats), check_seed(seed)
    truth = true_coefficients(plan)
    runs = [_repeat(plan, np.random.default_rng([seed, r]), choice, {**SAMPLER, **options}) for r in range(repeats)]
    values, verdicts = np.stack([run.values for run in runs]), [run.verdict for run in runs]
    title = f"Drop-out that depends on the last response: {plan.formula}, {plan.family}, {plan.n_subjects} subjects, {plan.visits} visits"
    staying = 100 * float(np.mean([run.staying for run in runs]))
    notes = (
        f"{repeats} simulated trials, seed {seed}; {staying:.0f} % of subjects are still there at the last visit.",
        "Visits are missing at random, not completely at random. gee_complete saw the visits before anybody left.",
        "mc_se: Monte Carlo standard error of the bias. A bias beyond 3 of them is no accident of the simulation.",
        f"Verdicts on the runs of the mixed model: {', '.join(f'{verdicts.count(v)} {v}' for v in dict.fromkeys(verdicts))}.",
        f"coverage: share of repeats whose {100 * ci_prob:g} % interval holds the truth.",
    )
    target = "population: coefficients of the population mean on all visits, projected as in marginal_coefficients"
    return Result(title, target, _table(values, truth), _dataset(values, truth), notes)


def true_coefficients(scenario: Scenario) -> FloatArray:
    """Marginal coefficients (4,) at the true parameters on all visits, by quadrature."""
    X, counts = _cells(scenario)
    link = family_and_link(scenario.family, scenario.link)[1]
    variance = scenario.sd[0] ** 2 + (scenario.sd[1] * X[:, 1]) ** 2
    eta = population_predictor(link.name, X @ np.array(scenario.beta), variance).value
    return np.round(marginal_coefficients(X, eta, weights=counts), DIGITS) + 0.0


def simulate(scenario: Scenario, rng: np.random.Generator) -> tuple[pd.DataFrame, BoolArray]:
    """Draw one trial.

    Parameters
    ----------
    scenario
        The trial.
    rng
        Source of randomness.

    Returns
    -------
    tuple
        All visits with their response ``y``, and which are observed, shape (J * T,).
    """
    family, link = family_and_link(scenario.family, scenario.link)
    frame, shape = scenario.design, (scenario.n_subjects, scenario.visits)
    b = (rng.standard_normal((scenario.n_subjects, 2)) * scenario.sd)[frame["subject"]]
    eta = design_matrix(frame) @ np.array(scenario.beta) + b[:, 0] + b[:, 1] * frame["time"].to_numpy()
    y = family.sample(rng, eta, link, **dict.fromkeys(family.auxiliary, np.asarray(scenario.sigma)))
    leaving = leaving_probability(y.reshape(shape), *scenario.leaving)
    return frame.assign(y=y), observed_visits(leaving, rng.random(shape)).ravel()


def design_matrix(frame: pd.DataFrame) -> FloatArray:
    """Columns of :data:`COEFFICIENTS` for rows with ``time`` and ``arm``, shape (n, 4)."""
    time, arm = frame["time"].to_numpy(dtype=np.float64), frame["arm"].to_numpy(dtype=np.float64)
    return np.stack([np.ones_like(time), time, arm, time * arm], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One trial: estimates and interval ends (estimator, 3, coefficient), verdict on the mixed model's run, share of subjects who stay."""

    values: FloatArray
    verdict: str
    staying: float


def _checked(scenario: Scenario, repeats: int) -> Scenario:
    if not isinstance(scenario, Scenario):
        raise ArgumentError(f"{scenario!r} is no Scenario", fix="use Scenario.binary(), Scenario.gaussian(), or make one, Scenario(...)")
    family = family_and_link(scenario.family, scenario.link)[0]
    if family.needs_trials:
        raise ArgumentError(f"the {family.name} family has trials, this simulation has none", fix="use family='bernoulli'")
    if scenario.n_subjects < 10 or scenario.visits < 2:
        raise ArgumentError("a trial needs at least 10 subjects and 2 visits", where=f"{scenario.n_subjects} and {scenario.visits}")
    if min(*scenario.sd, scenario.sigma) < 0.0 or scenario.sd[0] == 0.0:
        raise ArgumentError("SDs must not be negative, and subjects must differ", where=f"sd={scenario.sd}, sigma={scenario.sigma}")
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 2:
        raise ArgumentError(f"repeats={repeats!r} is not a number of repeats of at least 2")
    return scenario


def _cells(scenario: Scenario) -> tuple[FloatArray, FloatArray]:
    """Distinct rows of the complete design and how often they occur."""
    X, counts = np.unique(design_matrix(scenario.design), axis=0, return_counts=True)
    return X, counts.astype(np.float64)


def _repeat(scenario: Scenario, rng: np.random.Generator, choice: IntervalChoice, options: Mapping[str, Any]) -> _Run:
    """Simulate one trial and estimate its coefficients in every way."""
    frame, seen = simulate(scenario, rng)
    data = frame[seen]
    model: dict[str, Any] = {"family": scenario.family, "link": scenario.link}
    tables = {COMPLETE: (frame, "independence"), **{f"gee_{s}": (data, s) for s in ("independence", "exchangeable")}}
    rows = [_gee(scenario.formula, table, {**model, "structure": s, "ci_prob": choice.prob}) for table, s in tables.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QualityWarning)  # runs are short; the verdicts are counted in the notes
        fit = glmm(scenario.formula, data, **model, **{"seed": int(rng.integers(2**31)), **options})
    values = np.stack([*rows, _mixed(scenario, fit, choice)])
    return _Run(values, fit.quality.verdict, float(seen.reshape(-1, scenario.visits)[:, -1].mean()))


def _gee(formula: str, data: pd.DataFrame, options: Mapping[str, Any]) -> FloatArray:
    """Estimates and interval ends (3, 4) of a marginal model; missing where it has no solution, which the table counts."""
    try:
        table = gee(formula, data, **options).table
    except DesignError:
        return np.full((3, len(COEFFICIENTS)), np.nan)
    return table.loc[table["kind"] == FIXED, ["estimate", "ci_lower", "ci_upper"]].to_numpy().T


def _mixed(scenario: Scenario, fit: Fit, choice: IntervalChoice) -> FloatArray:
    """Posterior means and interval ends (3, 4) of the marginal coefficients on all visits."""
    X, counts = _cells(scenario)
    cells = pd.DataFrame({"time": X[:, 1], "arm": X[:, 2]})
    eta = means(fit, cells, target="population", scale="link").draws[MEAN].to_numpy()
    beta = marginal_coefficients(X, eta.reshape(-1, len(X)), weights=counts)
    return np.stack([beta.mean(axis=0), *interval_ends(beta, choice)])


def _dataset(values: FloatArray, truth: FloatArray) -> xr.Dataset:
    dims = ("repeat", "estimator", "coefficient")
    arrays = {name: (dims, values[:, :, at]) for at, name in enumerate(("estimate", "lower", "upper"))}
    coords = {"repeat": np.arange(len(values)), "estimator": list(ESTIMATORS), "coefficient": list(COEFFICIENTS)}
    return xr.Dataset({**arrays, "truth": ("coefficient", truth)}, coords=coords)


def _table(values: FloatArray, truth: FloatArray) -> pd.DataFrame:
    lines = []
    for e, estimator in enumerate(ESTIMATORS):
        for k, coefficient in enumerate(COEFFICIENTS):
            estimate, lower, upper = values[np.isfinite(values[:, e, 0, k])][:, e, :, k].T
            n = len(estimate)
            bias = float(estimate.mean() - truth[k]) if n else np.nan
            error = float(estimate.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
            coverage = float(np.mean((lower <= truth[k]) & (truth[k] <= upper))) if n else np.nan
            lines.append((estimator, coefficient, truth[k], truth[k] + bias, bias, error, coverage, n))
    return pd.DataFrame(lines, columns=["estimator", "coefficient", "truth", "estimate", "bias", "mc_se", "coverage", "repeats"])
