"""The door to nutpie: a ``pm.Model`` compiled and sampled, statistics under ArviZ's names, interruptions marked.

The contract with nutpie (settings, names of statistics, what an aborted run returns) is kept in this file and tested.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm.errors import SamplingError
from bayesglmm.fit.provenance import Settings
from bayesglmm.sampler.start import Start
from bayesglmm.types import FloatArray, IntArray

STATISTICS = {
    "diverging": "diverging",
    "maxdepth_reached": "reached_max_treedepth",
    "depth": "tree_depth",
    "mean_tree_accept": "acceptance_rate",
    "logp": "lp",
    "energy": "energy",
    "n_steps": "n_steps",
    "step_size": "step_size",
}
"""nutpie's names of sampler statistics and ArviZ's, the ones that are kept."""

NO_BLAS = "PyTensor could not link to a BLAS installation"
"""PyTensor's C back end says so at the first compile; numba, which compiles here, brings its own."""


FLAT = "flat"
LOW_RANK_UP_TO = 50
"""Largest number of parameters for which the low-rank mass matrix pays; at some 500 it is a hundred times slower than the diagonal."""


@dataclass(frozen=True, slots=True)
class FlatDensity:
    """A compiled density as a sampler takes it.

    Attributes
    ----------
    density, expand
        Objects with an ``address``: the log density with its gradient, and the copy of the flat vector.
    record
        uint64 array that both get; whoever holds this must hold the arrays that it points to.
    start, spread
        Shape (d,): where chains start, and the SD of their scatter.
    """

    density: Any
    expand: Any
    record: IntArray
    start: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True)
class RawDraws:
    """What a sampler gives back: posterior and statistics with dims (chain, draw, ...), all chains of one length."""

    posterior: xr.Dataset
    sample_stats: xr.Dataset


def sample(model: Any, start: Start, settings: Settings, *, keep: Sequence[str], progress: bool) -> RawDraws:
    """Compile a PyMC model with numba and draw from it with NUTS.

    Parameters
    ----------
    model
        A ``pymc.Model`` made by :mod:`bayesglmm.model`.
    start
        Starting values and their scatter.
    settings
        Draws, warm-up, chains, seed, target acceptance, tree depth, cores.
    keep
        Variables of the model that a fit stores.
    progress
        Whether nutpie shows its bar.

    Raises
    ------
    SamplingError
        If no chain could start, or the run was interrupted before the first draw after warm-up.
    """
    import nutpie

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=NO_BLAS)
        compiled = nutpie.compile_pymc_model(model, initial_points=dict(start.values), jitter_rvs=set(), var_names=list(keep))
    compiled = replace(compiled, initial_point_func=_scatter(compiled.initial_point_func, _spread_vector(model, start)))
    raw = _run(compiled, settings, adaptation="diag", progress=progress)
    return RawDraws(raw.posterior[list(keep)], raw.sample_stats)


def sample_flat(density: FlatDensity, settings: Settings, *, progress: bool) -> RawDraws:
    """Draw from a compiled density of a flat vector; nothing is compiled here.

    Parameters
    ----------
    density
        Function pointers, their record, and where the chains start.
    settings
        Draws, warm-up, chains, seed, target acceptance, tree depth, cores.
    progress
        Whether nutpie shows its bar.

    Returns
    -------
    RawDraws
        ``posterior`` holds one variable ``FLAT`` with dims (chain, draw, parameter).

    Raises
    ------
    SamplingError
        As for :func:`sample`.
    """
    from nutpie.compile_pymc import CompiledPyMCModel

    d = len(density.start)
    compiled = CompiledPyMCModel(
        compiled_logp_func=density.density,
        compiled_expand_func=density.expand,
        initial_point_func=_scatter(lambda _: density.start, density.spread),
        shared_data={},
        shared_var_keys={},
        user_data=density.record,
        n_expanded=d,
        shape_info=([FLAT], [slice(0, d)], [(d,)]),
        logp_func=None,
        expand_func=None,
        _n_dim=d,
        _shapes={FLAT: (d,)},
        _coords={"parameter": np.arange(d)},
        dims={FLAT: ("parameter",)},
        reparameterized_names=[],
    )
    adaptation = "low_rank" if d <= LOW_RANK_UP_TO else "diag"
    return _run(compiled, settings, adaptation=adaptation, progress=progress)


def _run(compiled: Any, settings: Settings, *, adaptation: str, progress: bool) -> RawDraws:
    import nutpie

    try:
        background = nutpie.sample(
            compiled,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            seed=settings.seed,
            target_accept=settings.target_accept,
            maxdepth=settings.max_treedepth,
            adaptation=adaptation,
            save_warmup=False,
            progress_bar=progress,
            blocking=False,
        )
        tree = _wait(background)
    except (RuntimeError, ValueError) as error:
        fix = "check the priors and the response for impossible values; bg.pymc_model(spec, data).debug() shows which part is not finite"
        raise SamplingError(f"the sampler stopped: {error}", fix=fix) from error
    return trim(RawDraws(tree["posterior"].to_dataset(), _rename(tree["sample_stats"].to_dataset())))


def trim(raw: RawDraws) -> RawDraws:
    """Keep the chains, and the draws that they all have, that give the most draws; an interrupted run pads the shorter chains.

    Raises
    ------
    SamplingError
        If no draw is left.
    """
    finite = np.isfinite(raw.sample_stats["lp"].transpose("chain", "draw").to_numpy())
    lengths = np.where(finite.all(axis=1), finite.shape[1], finite.argmin(axis=1))
    longest_first = np.argsort(-lengths, kind="stable")
    totals = lengths[longest_first] * np.arange(1, len(lengths) + 1)
    if not len(totals) or totals.max() == 0:
        fix = "let it run longer, or ask for fewer warm-up draws with tune="
        raise SamplingError("the run was interrupted before any chain had a draw after warm-up", fix=fix)
    chains = np.sort(longest_first[: int(totals.argmax()) + 1])
    keep = {"chain": chains, "draw": slice(0, int(lengths[chains].min()))}
    numbered = {"chain": np.arange(len(chains))}
    return RawDraws(raw.posterior.isel(keep).assign_coords(numbered), raw.sample_stats.isel(keep).assign_coords(numbered))


def _wait(background: Any) -> xr.DataTree:
    """Return the finished trace, or on an interrupt what there is so far."""
    try:
        return background.wait()
    except KeyboardInterrupt:
        return background.abort()


def _spread_vector(model: Any, start: Start) -> np.ndarray:
    """SD of the scatter for the flat unconstrained vector, in the order of the model's free variables."""
    point = model.initial_point()
    parts = []
    for variable in model.free_RVs:
        size = np.size(point[model.rvs_to_values[variable].name])
        scale = np.asarray(start.spread.get(variable.name, 0.2), dtype=float).reshape(-1)
        parts.append(np.broadcast_to(scale, size) if scale.size in (1, size) else np.full(size, scale.mean()))
    return np.concatenate(parts)


def _scatter(base: Callable[[Any], np.ndarray], spread: np.ndarray) -> Callable[[Any], np.ndarray]:
    def initial_point(seed: Any = None) -> np.ndarray:
        return base(seed) + spread * np.random.default_rng(seed).standard_normal(len(spread))

    return initial_point


def _rename(stats: xr.Dataset) -> xr.Dataset:
    """Only the statistics of ``STATISTICS``, under ArviZ's names; one that nutpie no longer writes stays missing."""
    return stats[[n for n in STATISTICS if n in stats]].rename({n: a for n, a in STATISTICS.items() if n in stats})
