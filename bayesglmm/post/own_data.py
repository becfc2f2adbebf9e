r"""What the data of a new subject say about its effects and about the parameters of the fit.

The posterior after new data y* is that of the fit times :math:`p(y^* \mid b, \theta)`. A posterior draw of theta (fixed effects, SDs,
correlations, sigma, effects of known levels) counts in proportion to :math:`p(y^* \mid \theta) = \int p(y^* \mid b, \theta)\,p(b \mid
\theta)\,db`, and given theta the new effects follow :math:`p(b \mid y^*, \theta)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesglmm.design.checks import check_positive
from bayesglmm.design.encoding import evaluate_column
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.conditional import RowDensity, effect_root, laplace, normal_draws, normal_posterior, propose
from bayesglmm.numerics.importance import effective_size, log_mean, pareto_shape, systematic_choice
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, fixed_eta, term_eta
from bayesglmm.post.new_groups import GroupRows, block_name, listed, names_known_level, read_group_rows
from bayesglmm.post.rows import read_new_table
from bayesglmm.post.simulate import check_observation_columns, observation_parameters
from bayesglmm.spec.gate import names_in
from bayesglmm.types import FloatArray, IntArray

PROPOSALS = 16
"""Proposals of the effects per posterior draw."""
MOST_EFFECTS = 12
"""Effects of new levels that are updated together; importance sampling gets poor in many dimensions."""
NORMAL = "Normal", "identity"
"""Distribution and link under which the effects' posterior is normal."""


@dataclass(frozen=True, slots=True)
class OwnData:
    """Rows of new subjects with their responses.

    Attributes
    ----------
    rows
        n rows.
    y, weights
        Shape (n,): responses, and multipliers of their log densities.
    """

    rows: GroupRows
    y: FloatArray
    weights: FloatArray


@dataclass(frozen=True, slots=True)
class Updated:
    """Draws of equal weight from the posterior after a subject's own data.

    Attributes
    ----------
    which
        Shape (k,): the posterior draws, in increasing order, repeated where one counts for several.
    effects
        Shape (k, q) of each new level, by covariance block and label.
    effective, pareto
        How many draws the weights of the posterior draws are worth, and the shape of their tail.
    proposals_effective
        Share of the proposals that their weights are worth, averaged over draws; None where the effects' law is exact.
    """

    which: IntArray
    effects: dict[tuple[str, str], FloatArray]
    effective: float
    pareto: float
    proposals_effective: float | None


@dataclass(frozen=True, slots=True)
class _Problem:
    """The rows as arrays, for S draws: predictors without new effects (S, n), and columns of the standard-normal effects (S, n, Q)."""

    eta0: FloatArray
    A: FloatArray
    slots: tuple[tuple[int, str], ...]
    roots: tuple[FloatArray, ...]


def read_own_data(fit: Fit, newdata: Any) -> OwnData:
    """Read rows and responses of subjects that the fit has not seen.

    Raises
    ------
    ArgumentError
        If no level is new, too many are, or a row names known levels only: the fit may have counted it already.
    ColumnError, LevelError, MissingValueError, ResponseError, DesignError
        If a row is not what it must be.
    """
    rows = read_group_rows(fit, newdata, new_groups="population")
    _check_new(fit, rows)
    check_observation_columns(fit, rows)
    response = fit.design.encoding.response
    texts = [response.expression, *([response.weights] if response.weights else ())]
    table = read_new_table(newdata, [name for text in texts for name in names_in(text)])
    y = evaluate_column(response.expression, table)
    fit.family.check_response(y, rows.trials)
    weights = np.ones(len(y)) if response.weights is None else evaluate_column(response.weights, table)
    check_positive(weights, "weights", None)
    return OwnData(rows, y, weights)


def update(fit: Fit, own: OwnData, rng: np.random.Generator) -> Updated:
    """Draw posterior draws and new effects given the subjects' own data: exact for normal responses, else by importance sampling.

    Raises
    ------
    ArgumentError
        If the data have no probability under any draw.
    """
    parameters = fit_parameters(fit, effects=names_known_level(fit, own.rows))
    problem = _problem(fit, parameters, own.rows)
    exact = (fit.family.pymc_name, fit.link.name) == NORMAL
    return (_update_normal if exact else _update_sampled)(fit, own, problem, rng)


def _check_new(fit: Fit, rows: GroupRows) -> None:
    """Refuse rows that name no new level, all of them or some, and more effects than are updated together."""
    check_new_level(fit, rows, "newdata", "fit again to add data to known levels")
    known = np.logical_and.reduce([index < len(g.levels) for index, g in zip(rows.rows.index, fit.design.groups, strict=True)])
    if known.any():
        raise ArgumentError(
            "rows of newdata name no new level: the fit may hold them already",
            where=_numbered(np.flatnonzero(known)),
            fix="give the new subject's rows only",
        )
    count = sum(len(levels) * z.shape[1] for levels, z in zip(rows.new_levels, rows.rows.Z, strict=True))
    if count > MOST_EFFECTS:
        raise ArgumentError(
            f"newdata has new levels with {count} effects in all; {MOST_EFFECTS} can be updated together",
            where=_named(fit, rows),
            fix="give one subject at a time",
        )


def check_new_level(fit: Fit, rows: GroupRows, what: str, instead: str) -> None:
    """Refuse rows without any new level, and models without groups.

    Parameters
    ----------
    fit
        A fit.
    rows
        Rows with their levels.
    what
        Name of the argument that the rows came by.
    instead
        What else the user may want, besides ``predict``.

    Raises
    ------
    ArgumentError
    """
    if not fit.design.groups:
        raise ArgumentError(
            "the model has no grouping factor, so it knows no subjects",
            where=fit.spec.formula,
            fix="use predict() for the mean of new rows, or fit the model with a group term, such as (1 | subject)",
        )
    if not any(rows.new_levels):
        raise ArgumentError(
            f"every level in {what} is one that the fit has seen, so there is no new subject",
            where=", ".join(dict.fromkeys(g.name for g in fit.design.groups)),
            fix=f"name the subject anew; use predict() for known levels, or {instead}",
        )


def _named(fit: Fit, rows: GroupRows) -> str:
    """List new levels by factor."""
    found = {g.name: levels for g, levels in zip(fit.design.groups, rows.new_levels, strict=True) if levels}
    return "; ".join(f"{name}: {listed(levels)} ({len(levels)} in all)" for name, levels in found.items())


def _numbered(rows: IntArray) -> str:
    """Show the first few rows."""
    return f"{'row' if len(rows) == 1 else 'rows'} {listed([str(r) for r in rows])} (counted from 0)"


def _check_possible(own: OwnData, log_weights: FloatArray) -> None:
    """Refuse data without a probability under every draw, of which no weights can be made."""
    largest = float(np.max(log_weights))
    if not np.isfinite(largest):
        impossible = "the subject's data are impossible under every draw"
        raise ArgumentError(
            impossible if largest == -np.inf else "the probability of the subject's data is not a number in some draw",
            where=f"{_numbered(np.arange(len(own.y)))} of newdata",
            fix="check the responses and predictors of these rows: they lie far from all that the fit has seen",
        )


def _problem(fit: Fit, parameters: Parameters, own: GroupRows) -> _Problem:
    """Separate what is known of the predictor from the new effects."""
    rows, eta0 = own.rows, fixed_eta(parameters, own.rows)
    roots = tuple(effect_root(g.sd, g.corr) for g in parameters.groups)
    slots, columns = [], []
    for term, (group, known, z) in enumerate(zip(parameters.groups, fit.design.groups, rows.Z, strict=True)):
        index, n_known = rows.index[term], len(known.levels)
        seen = index < n_known
        if seen.any():
            eta0 += term_eta(group, np.where(seen[:, None], z, 0.0), np.where(seen, index, 0))
        for place, label in enumerate(own.new_levels[term]):
            slots.append((term, label))
            columns.append(np.where((index == n_known + place)[:, None], z, 0.0) @ roots[term])
    return _Problem(eta0, np.concatenate(columns, axis=2), tuple(slots), roots)


def _update_normal(fit: Fit, own: OwnData, problem: _Problem, rng: np.random.Generator) -> Updated:
    """Update by normal responses: the weights of draws and the law of the effects in closed form."""
    sigma = observation_parameters(fit, own.rows.se, np.arange(len(problem.eta0), dtype=np.int64))["sigma"]
    law, log_weights = normal_posterior(own.y - problem.eta0, problem.A, sigma, own.weights)
    _check_possible(own, log_weights)
    which = systematic_choice(rng, log_weights, len(log_weights))
    e = normal_draws(rng, type(law)(law.location[which], law.precision[which]))
    return Updated(which, _split(fit, problem, which, e), effective_size(log_weights), pareto_shape(log_weights), None)


def _update_sampled(fit: Fit, own: OwnData, problem: _Problem, rng: np.random.Generator) -> Updated:
    """Update by other responses: proposals around each draw's mode; draws and proposals are chosen together by their weights."""
    n_draws, _, q = problem.A.shape
    e, log_weights = np.empty((n_draws, PROPOSALS, q)), np.empty((n_draws, PROPOSALS))
    for block in draw_blocks(n_draws, len(own.y) * max(q, PROPOSALS)):
        density = _row_density(fit, own, np.arange(block.start, block.stop, dtype=np.int64))
        eta0, A = problem.eta0[block], problem.A[block]
        proposals = propose(rng, laplace(density, eta0, A), density, eta0, A, size=PROPOSALS)
        e[block], log_weights[block] = proposals.effects, proposals.log_weights
    _check_possible(own, log_weights)
    pair = systematic_choice(rng, log_weights.reshape(-1), n_draws)
    which, chosen = np.divmod(pair, PROPOSALS)
    of_draws = log_mean(log_weights, axis=1)
    effects = _split(fit, problem, which, e[which, chosen])
    return Updated(which, effects, effective_size(of_draws), pareto_shape(of_draws), _share(log_weights, of_draws))


def _row_density(fit: Fit, own: OwnData, draws: IntArray) -> RowDensity:
    """Weighted log densities of the rows at predictors (..., draws, n)."""
    auxiliary = observation_parameters(fit, own.rows.se, draws)

    def density(eta: FloatArray) -> FloatArray:
        return own.weights * fit.family.log_prob(own.y, eta, fit.link, trials=own.rows.trials, **auxiliary)

    return density


def _share(log_weights: FloatArray, of_draws: FloatArray) -> float:
    """Effective share of the proposals of a draw, averaged over draws by their weights."""
    possible = np.flatnonzero(np.isfinite(of_draws))
    sizes = [effective_size(log_weights[s]) / log_weights.shape[1] for s in possible]
    return float(np.average(sizes, weights=np.exp(of_draws[possible] - of_draws[possible].max())))


def _split(fit: Fit, problem: _Problem, which: IntArray, e: FloatArray) -> dict[tuple[str, str], FloatArray]:
    """Effects of each new level from standard-normal ones (k, Q)."""
    found, start = {}, 0
    for term, label in problem.slots:
        root = problem.roots[term][which]
        stop = start + root.shape[2]
        found[block_name(fit.design.groups[term]), label] = np.einsum("sqr,sr->sq", root, e[:, start:stop])
        start = stop
    return found


def effect_labels(fit: Fit, keys: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Factor, level and effect of each column of the effects, in their order."""
    groups = {block_name(g): g for g in fit.design.groups}
    return [(groups[block].name, label, name) for block, label in keys for name in groups[block].labels]
