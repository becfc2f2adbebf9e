r"""Replicated data: what the fitted model would have observed in the rows of the data, once per posterior draw.

.. math:: y^{rep}_s \sim \text{family}(h(\eta_s), \text{auxiliary parameters}_s), \qquad
          \eta_s = o + x'\beta_s + \textstyle\sum_t z_t' b_{t, j_t, s}

The effects are those of the observed levels; for levels that count as new they are drawn from :math:`N(0, D_s)` instead. Data sets come a
block of draws after the other, and no array of all draws by all rows is made.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import CHAIN, DRAW
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.conditional import effect_root
from bayesglmm.post.hierarchy import parent_levels
from bayesglmm.post.linear_predictor import GroupParameters, Parameters, draw_blocks, fit_parameters, fixed_eta, group_eta
from bayesglmm.post.new_groups import block_name, check_seed, level_generator
from bayesglmm.post.rows import Rows, build_rows
from bayesglmm.post.simulate import observation_parameters
from bayesglmm.types import BoolArray, FloatArray, IntArray

LEAST_DRAWS = 20
"""Replicated data sets that an interval is made of at least."""
AS_MANY = "as_many_outside"
"""Attribute of a result's draws: see :func:`chance_of`."""
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Data sets of some draws.

    Attributes
    ----------
    draws
        Which of the draws that are used.
    eta, y
        Shape (d, n): predictors and replicated responses; a binomial response is a number of successes.
    auxiliary
        Parameters of the family besides the mean, broadcasting with (d, n).
    """

    draws: slice
    eta: FloatArray
    y: FloatArray
    auxiliary: Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """Where replicated data come from.

    Attributes
    ----------
    fit
        A fit.
    rows
        Its n rows.
    parameters
        The k draws that are used, with effects of the terms that are not renewed.
    auxiliary
        Parameters of the family besides the mean, (k, 1), or known standard errors (n,).
    renewed
        Positions of the group terms whose levels count as new.
    seed, stream
        Of the random numbers.
    """

    fit: Fit
    rows: Rows
    parameters: Parameters
    auxiliary: Mapping[str, FloatArray]
    renewed: tuple[int, ...]
    seed: int
    stream: str

    @property
    def n_draws(self) -> int:
        """Number of replicated data sets k."""
        return self.parameters.n_draws

    def blocks(self) -> Iterator[Block]:
        """Replicated data in the order of the draws; random numbers do not depend on the size of the blocks."""
        design, family = self.fit.design, self.fit.family
        rng = level_generator(self.seed, self.stream)
        sources = {t: level_generator(self.seed, self.stream, block_name(design.groups[t])) for t in self.renewed}
        for draws in draw_blocks(self.n_draws, self.rows.n_rows):
            part = self.parameters.take(draws)
            groups = tuple(_renew(g, len(design.groups[t].levels), sources[t]) if t in sources else g for t, g in enumerate(part.groups))
            eta = fixed_eta(part, self.rows) + group_eta(Parameters(part.beta, groups), self.rows, self.rows.index)
            auxiliary = {name: v[draws] if v.ndim == 2 else v for name, v in self.auxiliary.items()}
            yield Block(draws, eta, family.sample(rng, eta, self.fit.link, trials=design.trials, **auxiliary), auxiliary)


def make_replicates(fit: Fit, draws: int, seed: int, *, stream: str, renewed: Collection[int] = ()) -> Replicates:
    """Prepare replicated data.

    Parameters
    ----------
    fit
        A fit; random effects are read for the factors that keep theirs.
    draws
        How many posterior draws, equally spaced; all when there are fewer.
    seed, stream
        Seed and name of the random numbers.
    renewed
        Positions of group terms whose levels count as new.

    Raises
    ------
    ArgumentError
        If ``draws`` or ``seed`` is not what it must be, there are fewer than ``LEAST_DRAWS`` draws, or the fit keeps no random effects.
    """
    which = spaced_draws(fit, draws)
    if len(which) < LEAST_DRAWS:
        raise ArgumentError(
            f"an interval of replicated data needs at least {LEAST_DRAWS} posterior draws",
            where=f"{len(which)} are there or asked for",
            fix="ask for more, or fit with more draws",
        )
    kept = {g.name for t, g in enumerate(fit.design.groups) if t not in renewed}
    parameters = chosen_draws(fit_parameters(fit, effects=kept), which)
    auxiliary = observation_parameters(fit, fit.design.se, which)
    return Replicates(fit, build_rows(fit, None, target="group"), parameters, auxiliary, tuple(renewed), check_seed(seed), stream)


def spaced_draws(fit: Fit, draws: int) -> IntArray:
    """Positions of so many posterior draws, equally spaced; of all when there are fewer.

    Raises
    ------
    ArgumentError
        If ``draws`` is not a whole number from 1.
    """
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise ArgumentError(f"draws={draws!r} is not a number of posterior draws", fix="give a whole number from 1")
    total = fit.posterior.sizes[CHAIN] * fit.posterior.sizes[DRAW]
    used = min(int(draws), total)
    return (np.arange(used) * total // used).astype(np.int64)


def chosen_draws(parameters: Parameters, which: IntArray) -> Parameters:
    """Take some draws, shape (k,), by position."""
    groups = tuple(
        GroupParameters(g.sd[which], None if g.corr is None else g.corr[which], None if g.b is None else g.b[which])
        for g in parameters.groups
    )
    return Parameters(parameters.beta[which], groups)


def nested_in(fit: Fit, factor: str) -> tuple[int, ...]:
    """Positions of the terms of a factor and of all factors nested in it: each of their levels occurs in one level of it."""
    outer = next(g for g in fit.design.groups if g.name == factor)
    return tuple(at for at, group in enumerate(fit.design.groups) if parent_levels(group, outer) is not None)


def is_outside(observed: FloatArray, lower: FloatArray, upper: FloatArray) -> BoolArray:
    """Whether numbers lie outside their interval by more than rounding."""
    slack = _ROUNDING * np.maximum(np.abs(observed), np.maximum(np.abs(lower), np.abs(upper)))
    return np.asarray((observed < lower - slack) | (observed > upper + slack), dtype=np.bool_)


def chance_of(table: pd.DataFrame, replicated: FloatArray) -> xr.Dataset:
    """Share of the model's own data sets that have as many places outside: neighbours go together, so their number tells little by itself.

    Parameters
    ----------
    table
        V places with ``ci_lower``, ``ci_upper`` and ``outside``.
    replicated
        Shape (k, V).

    Returns
    -------
    xarray.Dataset
        Without draws; the share is the attribute :data:`AS_MANY`, where reports find it.
    """
    lower, upper = table["ci_lower"].to_numpy(), table["ci_upper"].to_numpy()
    counts, observed = is_outside(replicated, lower, upper).sum(axis=1), int(table["outside"].sum())
    return xr.Dataset(attrs={AS_MANY: float(np.mean(counts >= observed))})


def chance_note(table: pd.DataFrame, chance: xr.Dataset) -> str:
    """Tell how many places are outside, and how many data sets of the model itself have as many.

    Parameters
    ----------
    table
        As for :func:`chance_of`.
    chance
        What that returned.
    """
    return (
        f"{int(table['outside'].sum())} of {len(table)} places outside their interval; {100 * chance.attrs[AS_MANY]:.3g} % of the data "
        "sets that the model itself makes have as many outside (each interval holds for its place alone, and neighbours are in or out "
        "together)."
    )


def chosen_factors(fit: Fit, factor: str | None) -> tuple[str, ...]:
    """Return the grouping factor named, or all.

    Raises
    ------
    ArgumentError
        If there is none of that name, or none at all.
    """
    known = tuple(dict.fromkeys(g.name for g in fit.design.groups))
    if not known:
        raise ArgumentError("the model has no grouping factor", where=fit.spec.formula, fix="add one, such as (1 | subject)")
    if factor is not None and factor not in known:
        raise ArgumentError(f"factor={factor!r} is no grouping factor of the model", fix=f"the factors are: {', '.join(known)}")
    return known if factor is None else (factor,)


def replicate_notes(fit: Fit, n_draws: int, seed: int) -> tuple[str, ...]:
    """How the replicated data were made, and how to read them."""
    notes = [
        f"Replicated data: one data set from each of {n_draws} posterior draws, seed {seed}. The data that are checked also made the fit, "
        "so that a quantity which the fit was free to match is inside more often than the level of the interval says."
    ]
    if fit.design.weights is not None:
        notes.append("Likelihood weights: every row counts once here, observed and replicated, and is drawn with weight 1.")
    if fit.family.needs_trials:
        notes.append("The response of a row is its number of successes; replicated rows have the observed numbers of trials.")
    return tuple(notes)


def _renew(group: GroupParameters, n_levels: int, rng: np.random.Generator) -> GroupParameters:
    """Draw effects of new levels from N(0, D), one set per draw."""
    root = effect_root(group.sd, group.corr)
    normal = rng.standard_normal((len(root), n_levels, root.shape[2]))
    return GroupParameters(group.sd, group.corr, np.einsum("sqr,slr->slq", root, normal))
