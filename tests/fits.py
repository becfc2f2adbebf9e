"""Fits from hand-made draws: the real spec and design, a posterior simulated around a given truth, no sampler.

``make_fit`` goes through the same stages as a real fit, except that the draws are noise around the truth that a test gives. With
``spread=0`` every draw is the truth, so that a number computed from the fit has a known value.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.design.prepare import family_and_link, prepare
from bayesglmm.errors import DesignWarning
from bayesglmm.fit.draws import CHAIN, DRAW, make_tree, stored_variables
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.provenance import Provenance, Settings, hash_frame, package_versions
from bayesglmm.fit.quality import Quality, RunStatistics, judge
from bayesglmm.spec.model_spec import make_spec

type Blocks = Mapping[str, Any] | Sequence[float] | float | np.ndarray | None


def make_fit(
    formula: str,
    data: Any,
    *,
    family: str = "gaussian",
    link: str | None = None,
    beta: Mapping[str, float] | Sequence[float] | None = None,
    sd: Blocks = None,
    corr: Blocks = None,
    b: Blocks = None,
    aux: Mapping[str, float] | None = None,
    spread: float = 0.05,
    n_chains: int = 2,
    n_draws: int = 50,
    seed: int = 0,
    **options: Any,
) -> Fit:
    """Make a fit whose draws scatter around a truth.

    Parameters
    ----------
    formula, data, family, link, **options
        As for ``bayesglmm.glmm``; ``options`` go to ``make_spec``.
    beta
        Fixed effects, by label (others zero) or all in order; zeros when None.
    sd, corr, b
        Per covariance block (``naming.block``: ``g``, ``g.2``, ``g:h``): standard deviations (q,), correlation matrix (q, q), random
        effects (levels, q). Without a mapping, of the only block. Defaults: ones; no correlation; one draw from N(0, D).
    aux
        Auxiliary parameters; one when not named.
    spread
        SD of the draws around the truth: of beta as it is, of log sd, of b in units of sd; correlations are pulled towards zero by up to
        this share.
    n_chains, n_draws, seed
        Chains, draws per chain, seed of the noise.
    """
    record, function = family_and_link(family, link)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DesignWarning)
        ready = prepare(make_spec(formula, family=record.name, link=function.name, **options), data)
    noise = Noise(np.random.default_rng(seed), (n_chains, n_draws), spread)
    variables = {**fixed_variables(ready.design, beta, noise), **auxiliary_variables(record.auxiliary, aux or {}, noise)}
    for group in ready.design.groups:
        variables |= group_variables(group, truth_of(group, ready.design, sd, corr, b), noise)
    kept = {name: variables[name] for name in stored_variables(ready.design, record.auxiliary)}
    settings = Settings(n_draws, n_draws, n_chains, seed, 0.8, 10, None)
    constant = {"offset": ready.design.offset, "weights": ready.design.weights, "trials": ready.design.trials, "se": ready.design.se}
    observed = {ready.design.response: ready.design.y}
    given = {k: v for k, v in constant.items() if v is not None}
    tree = make_tree(
        xr.Dataset(kept, coords=coordinates(ready.design, noise.shape)), sampler_statistics(noise), observed, given, {"made": "by hand"}
    )
    return Fit(
        ready.spec, ready.design, ready.frame, ready.priors, tree, good_quality(settings), provenance(settings, hash_frame(ready.frame))
    )


class Noise:
    """Draws of shape (chain, draw, ...) around given values."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int], spread: float) -> None:
        self.rng, self.shape, self.spread = rng, shape, spread

    def normal(self, size: tuple[int, ...] = ()) -> np.ndarray:
        return self.spread * self.rng.standard_normal((*self.shape, *size))

    def around(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values, dtype=float) + self.normal(np.shape(values))

    def scaled(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values, dtype=float) * np.exp(self.normal(np.shape(values)))

    def pulled(self, correlation: np.ndarray) -> np.ndarray:
        share = self.spread * self.rng.random((*self.shape, 1, 1))
        return (1.0 - share) * correlation + share * np.eye(len(correlation))


class Truth:
    """SDs (q,), correlation (q, q) and random effects (levels, q) of one block; effects are drawn from N(0, D) when not given."""

    def __init__(self, sd: np.ndarray, corr: np.ndarray, b: np.ndarray | None) -> None:
        self.sd, self.corr, self.b = sd, corr, b


def truth_of(group: GroupDesign, design: Design, sd: Blocks, corr: Blocks, b: Blocks) -> Truth:
    q, name, alone = len(group.labels), naming.block(group.name, group.position), len(design.groups) == 1

    def pick(given: Blocks, default: Any) -> Any:
        if isinstance(given, Mapping):
            return given.get(name, default)
        assert given is None or alone, "several blocks need a mapping by block name"
        return default if given is None else given

    effects = pick(b, None)
    scale = np.broadcast_to(np.asarray(pick(sd, 1.0), dtype=float), (q,))
    return Truth(
        scale, np.asarray(pick(corr, np.eye(q)), dtype=float), None if effects is None else np.asarray(effects, dtype=float).reshape(-1, q)
    )


def fixed_variables(design: Design, beta: Mapping[str, float] | Sequence[float] | None, noise: Noise) -> dict[str, Any]:
    if isinstance(beta, Mapping):
        unknown = set(beta) - set(design.labels)
        assert not unknown, f"{unknown} not among {design.labels}"
        values = np.array([beta.get(label, 0.0) for label in design.labels])
    else:
        values = np.zeros(len(design.labels)) if beta is None else np.asarray(beta, dtype=float)
    assert values.shape == (len(design.labels),), design.labels
    draws = noise.around(values)
    return {naming.variable(t.name): term_variable(draws, t, (), naming.level_dim(t.name)) for t in design.fixed}


def auxiliary_variables(names: Sequence[str], aux: Mapping[str, float], noise: Noise) -> dict[str, Any]:
    return {name: ((CHAIN, DRAW), noise.scaled(np.array(aux.get(name, 1.0)))) for name in names}


def group_variables(group: GroupDesign, truth: Truth, noise: Noise) -> dict[str, Any]:
    sd, corr, levels = noise.scaled(truth.sd), noise.pulled(truth.corr), (naming.factor_dim(group.name),)
    drawn = noise.rng.standard_normal((len(group.levels), len(truth.sd))) @ np.linalg.cholesky(truth.corr).T * truth.sd
    effects = drawn if truth.b is None else truth.b
    b = effects + noise.normal(effects.shape) * truth.sd
    block = naming.block(group.name, group.position)
    found: dict[str, Any] = {naming.correlation(block): ((CHAIN, DRAW, *naming.correlation_dims(block)), corr)}
    for term in group.effects:
        dim = naming.effect_level_dim(term.name)
        found[naming.effect_sd(term.name, group.name)] = term_variable(sd, term, (), dim)
        found[naming.effect(term.name, group.name)] = term_variable(b, term, levels, dim)
    return found


def term_variable(draws: np.ndarray, term: TermColumns, dims: tuple[str, ...], level_dim: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The columns of one term as a variable: with a dim of its own when it is categorical."""
    if term.levels is None:
        return (CHAIN, DRAW, *dims), draws[..., term.start]
    return (CHAIN, DRAW, *dims, level_dim), draws[..., term.start : term.stop]


def coordinates(design: Design, shape: tuple[int, int]) -> dict[str, Any]:
    found: dict[str, Any] = {CHAIN: np.arange(shape[0]), DRAW: np.arange(shape[1])}
    found |= {naming.level_dim(t.name): list(t.levels) for t in design.fixed if t.levels is not None}
    for group in design.groups:
        found[naming.factor_dim(group.name)] = list(group.levels)
        found |= {naming.effect_level_dim(t.name): list(t.levels) for t in group.effects if t.levels is not None}
        if group.term.covariance == "us" and len(group.labels) > 1:
            found |= {dim: list(group.labels) for dim in naming.correlation_dims(naming.block(group.name, group.position))}
    return found


def sampler_statistics(noise: Noise) -> xr.Dataset:
    dims, shape = (CHAIN, DRAW), noise.shape
    values = {
        "diverging": np.zeros(shape, dtype=bool),
        "reached_max_treedepth": np.zeros(shape, dtype=bool),
        "tree_depth": np.full(shape, 3),
        "acceptance_rate": np.full(shape, 0.8),
        "energy": noise.rng.standard_normal(shape),
        "lp": noise.rng.standard_normal(shape),
    }
    coords = {CHAIN: np.arange(shape[0]), DRAW: np.arange(shape[1])}
    return xr.Dataset({name: (dims, v) for name, v in values.items()}, coords=coords)


def good_quality(settings: Settings) -> Quality:
    """The verdict on a run of four chains whose every statistic is good."""
    one, many = np.ones(1), np.full(1, 5000.0)
    sampler = {
        "diverging": np.zeros((4, 1)),
        "reached_max_treedepth": np.zeros((4, 1)),
        "acceptance_rate": np.full((4, 1), settings.target_accept),
    }
    run = RunStatistics(
        ("beta",), one, many, many, 0.01 * one, sampler, np.ones(4), 4, settings.draws, 4, settings.draws, settings.target_accept
    )
    return judge(run)


def provenance(settings: Settings, data_hash: str) -> Provenance:
    return Provenance(
        engine="none",
        engine_reason="draws made by hand",
        parameterization=(),
        settings=settings,
        seed_given=True,
        chains_obtained=settings.chains,
        draws_obtained=settings.draws,
        data_hash=data_hash,
        versions=package_versions(),
        created="2026-01-01T00:00:00+00:00",
        seconds=0.0,
    )
