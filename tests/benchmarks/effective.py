"""One code for the statistics of all tools' draws, and what a worker says about its own process. Imported after the fit is timed."""

import resource
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.benchmarks.report import format_record


def summary_of(draws: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Return the smallest bulk-ESS, its parameter, and the largest R-hat; draws that never move have an ESS of 0 and no finite R-hat.

    Parameters
    ----------
    draws
        Shape (chain, draw, k).
    labels
        k names.
    """
    from arviz_stats.base import array_stats

    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore")
        ess = np.asarray(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"), dtype=float)
        rhat = np.asarray(array_stats.rhat(draws, chain_axis=0, draw_axis=1, method="rank"), dtype=float)
    ess, rhat = np.where(np.isfinite(ess), ess, 0.0), np.where(np.isfinite(rhat), rhat, np.inf)
    lowest = int(np.argmin(ess))
    return {"min_ess": float(ess[lowest]), "lowest_at": labels[lowest], "max_rhat": float(rhat.max()), "parameters": len(labels)}


def named_draws(posterior: Mapping[str, Any], names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Stack variables with dims (chain, draw, ...) to (chain, draw, k), with a label each."""
    columns, labels = [], []
    for name in names:
        values = posterior[name].transpose("chain", "draw", ...).to_numpy()
        flat = values.reshape(*values.shape[:2], -1)
        columns.append(flat)
        labels += [name] if flat.shape[-1] == 1 else [f"{name}[{k}]" for k in range(flat.shape[-1])]
    return np.concatenate(columns, axis=-1), labels


def peak_mb() -> float:
    """Largest resident size so far of this process, or of the largest of its children, in MB."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024.0


def emit(**record: Any) -> None:
    """Print a record for the driver."""
    sys.stdout.write(format_record(record) + "\n")
    sys.stdout.flush()
