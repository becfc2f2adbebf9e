"""The door to nutpie: a ``pm.Model`` compiled and sampled, statistics under ArviZ's names, interruptions marked.

The contract with nutpie (settings, names of statistics, what an aborted run returns) is kept in this file and tested.
"""

import importlib
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
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
STOP = 1
"""Last number of the record of a run that is to stop."""
WORKER = "nutpie-worker"
PATIENCE = 10.0
"""Longest wait in seconds for the chains that an error in another one left behind; each ends within one evaluation of the density."""
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
        uint64 array that both get. Its last number is zero; with another the density gives up at its next call.
    holder
        What the record points to. The sampler's threads keep it: they may still read it after an error has come back from one of them.
    start, spread
        Shape (d,): where chains start, and the SD of their scatter.
    kept
        How many numbers ``expand`` writes for each draw.
    """

    density: Any
    expand: Any
    record: IntArray
    holder: Any
    start: FloatArray
    spread: FloatArray
    kept: int


@dataclass(frozen=True, slots=True)
class FlatDraws:
    """What a sampler gives back for a flat density: (chain, draw, kept) numbers, and statistics."""

    values: FloatArray
    sample_stats: xr.Dataset


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
    nutpie = import_nutpie()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=NO_BLAS)
        compiled = nutpie.compile_pymc_model(model, initial_points=dict(start.values), jitter_rvs=set(), var_names=list(keep))
    compiled = replace(compiled, initial_point_func=_scatter(compiled.initial_point_func, _spread_vector(model, start)))
    tree = _run(compiled, settings, adaptation="diag", progress=progress)
    raw = trim(RawDraws(tree["posterior"].to_dataset(), _rename(tree["sample_stats"].to_dataset())))
    return RawDraws(raw.posterior[list(keep)], raw.sample_stats)


def sample_flat(density: FlatDensity, settings: Settings, *, progress: bool) -> FlatDraws:
    """Draw from a compiled density of a flat vector; nothing is compiled here.

    Parameters
    ----------
    density
        Function pointers, their record, and where the chains start.
    settings
        Draws, warm-up, chains, seed, target acceptance, tree depth, cores.
    progress
        Whether nutpie shows its bar.

    Raises
    ------
    SamplingError
        As for :func:`sample`.
    """
    record = density.record.copy()  # this run's own: only it is stopped
    adaptation = "low_rank" if len(density.start) <= LOW_RANK_UP_TO else "diag"
    try:
        trace = _run(_flat_model(density, record), settings, adaptation=adaptation, progress=progress, raw=True)
        return _from_arrow(*trace.get_arrow_trace())
    except SamplingError:
        record[-1] = STOP
        _let_workers_end()
        raise


def _flat_model(density: FlatDensity, record: IntArray) -> Any:
    """Return a density as nutpie takes it."""
    import_nutpie()
    kept = density.kept
    return importlib.import_module("nutpie.compile_pymc").CompiledPyMCModel(
        compiled_logp_func=density.density,
        compiled_expand_func=density.expand,
        initial_point_func=_scatter(lambda _: density.start, density.spread),
        shared_data={"holder": density.holder},  # nutpie keeps it as long as a thread of its own runs
        shared_var_keys={},
        user_data=record,
        n_expanded=kept,
        shape_info=([FLAT], [slice(0, kept)], [(kept,)]),
        logp_func=None,
        expand_func=None,
        _n_dim=len(density.start),
        _shapes={FLAT: (kept,)},
        _coords={"parameter": np.arange(kept)},
        dims={FLAT: ("parameter",)},
        reparameterized_names=[],
    )


def _let_workers_end() -> None:
    """Wait for the chains that an error in another one left behind: a thread that still runs while Python ends takes it down."""
    until = time.monotonic() + PATIENCE
    while count_workers() and time.monotonic() < until:
        time.sleep(0.005)


def count_workers() -> int:
    """Return how many threads of nutpie's this process has, zero where the system does not tell their names."""
    names = []
    for task in Path("/proc/self/task").glob("*/comm"):
        with suppress(OSError):  # it ended meanwhile
            names.append(task.read_text())
    return sum(name.startswith(WORKER) for name in names)


class _Later(ModuleType):
    """Stands for a module that is imported when one of its names is first asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def import_nutpie() -> Any:
    """Import nutpie without ArviZ.

    ArviZ is most of nutpie's own import time and only wraps draws, which are read here as they are. While nutpie is imported a stand-in
    takes ArviZ's place; afterwards ``import arviz`` does what it always does, and nutpie finds the real one when it asks for it.
    """
    if "nutpie" in sys.modules or "arviz" in sys.modules:
        return importlib.import_module("nutpie")
    later = _Later("arviz")
    later.__spec__ = importlib.util.find_spec("arviz")
    sys.modules["arviz"] = later
    try:
        return importlib.import_module("nutpie")
    finally:
        if sys.modules.get("arviz") is later:
            del sys.modules["arviz"]


def _run(compiled: Any, settings: Settings, *, adaptation: str, progress: bool, raw: bool = False) -> Any:
    """Sample to the end or to an interrupt; the trace as nutpie returns it, or in its own form."""
    try:
        background = import_nutpie().sample(
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
            return_raw_trace=raw,
        )
        return _wait(background)
    except (RuntimeError, ValueError) as error:
        fix = "check the priors and the response for impossible values; bg.pymc_model(spec, data).debug() shows which part is not finite"
        raise SamplingError(f"the sampler stopped: {error}", fix=fix) from error


def trim(raw: RawDraws) -> RawDraws:
    """Keep the chains, and the draws that they all have, that give the most draws; an interrupted run pads the shorter chains.

    Raises
    ------
    SamplingError
        If no draw is left.
    """
    finite = np.isfinite(raw.sample_stats["lp"].transpose("chain", "draw").to_numpy())
    chains, length = chains_to_keep(np.where(finite.all(axis=1), finite.shape[1], finite.argmin(axis=1)))
    keep = {"chain": chains, "draw": slice(0, length)}
    numbered = {"chain": np.arange(len(chains))}
    return RawDraws(raw.posterior.isel(keep).assign_coords(numbered), raw.sample_stats.isel(keep).assign_coords(numbered))


def chains_to_keep(lengths: IntArray) -> tuple[IntArray, int]:
    """Return the chains and the length that give the most draws, all chains of one length.

    Raises
    ------
    SamplingError
        If no draw is left.
    """
    longest_first = np.argsort(-lengths, kind="stable")
    totals = lengths[longest_first] * np.arange(1, len(lengths) + 1)
    if not len(totals) or totals.max() == 0:
        fix = "let it run longer, or ask for fewer warm-up draws with tune="
        raise SamplingError("the run was interrupted before any chain had a draw after warm-up", fix=fix)
    chains = np.sort(longest_first[: int(totals.argmax()) + 1])
    return chains, int(lengths[chains].min())


def _from_arrow(draws: Sequence[Any], statistics: Sequence[Any]) -> FlatDraws:
    """Read nutpie's own record batches, one per chain, draws after warm-up only: one copy of the numbers, and no library in between."""
    import pyarrow

    chain_draws, chain_statistics = [pyarrow.record_batch(b) for b in draws], [pyarrow.record_batch(b) for b in statistics]
    tuned = [int(np.sum(batch.column("tuning").to_numpy(zero_copy_only=False))) for batch in chain_statistics]
    chains, length = chains_to_keep(np.array([len(b) - t for b, t in zip(chain_statistics, tuned, strict=True)]))
    values = [chain_draws[c].column(FLAT).slice(tuned[c], length).flatten().to_numpy().reshape(length, -1) for c in chains]
    sample = {"chain": np.arange(len(chains)), "draw": np.arange(length)}
    stats = {}
    for name, ours in STATISTICS.items():
        if name in chain_statistics[0].schema.names:
            columns = [chain_statistics[c].column(name).slice(tuned[c], length).to_numpy(zero_copy_only=False) for c in chains]
            stats[ours] = (tuple(sample), np.stack(columns))
    return FlatDraws(np.stack(values), xr.Dataset(stats, coords=sample))


def _wait(background: Any) -> Any:
    """Return the finished trace, or on an interrupt what there is so far; an error in one chain stops the others."""
    try:
        return background.wait()
    except KeyboardInterrupt:
        return background.abort()
    except Exception:
        background.cancel()
        raise


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
