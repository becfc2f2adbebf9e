"""Draws in the order they were made, for pictures of how chains move and whether they agree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm import naming
from bayesglmm.design.expressions import SHOWN
from bayesglmm.errors import ArgumentError
from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import CHAIN, DRAW, parameter_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.ranks import bin_sizes, hypergeometric_band, rank_counts
from bayesglmm.post.result import Result, run_notes
from bayesglmm.post.summary import MIN_DRAWS
from bayesglmm.types import BoolArray, FloatArray

MOST = 8
"""Parameters that are shown when none are named."""
BINS, RANKS_PER_BIN = 20, 10
"""Most bins of ranks, and the fewest ranks of a bin."""
BAND = 0.95
"""Probability that all counts of a parameter lie within its band, at least."""
TARGET = "draws of parameters as they were made"


@dataclass(frozen=True, slots=True)
class _Traces:
    """Draws of k parameters (chain, draw, k), their R-hat (k,) and which draws diverged (chain, draw), None where nothing says."""

    labels: tuple[str, ...]
    values: FloatArray
    r_hat: FloatArray
    diverging: BoolArray | None


def traces(given: Fit | xr.DataTree, *, parameters: Sequence[str] | None = None) -> Result:
    """Draws of some parameters in the order they were made, with R-hat.

    Parameters
    ----------
    given
        A fit, or a DataTree with a group ``posterior`` whose variables have dims (chain, draw, ...).
    parameters
        Names as in :func:`bayesglmm.post.summary.summary`, or of random effects, ``1|patient[17]``. None takes the 8 with the largest
        R-hat among fixed effects, SDs, correlations and auxiliary parameters.

    Returns
    -------
    Result
        ``table``, a row per parameter (its index), the largest R-hat first: ``r_hat``, ``ess_bulk``, ``ess_tail``; missing with fewer than
        four draws per chain. ``draws``: ``value`` with dims (chain, draw, parameter), and ``diverging`` (chain, draw) where it is known.

    Raises
    ------
    ArgumentError
        If there is no such parameter; names those that there are. If it is no fit and no DataTree with draws.
    """
    found = _traces(given, parameters)
    order = np.argsort(-found.r_hat, kind="stable")
    values = found.values[..., order]
    labels = np.array(found.labels, dtype=object)[order]
    table = pd.DataFrame(
        {"r_hat": found.r_hat[order], "ess_bulk": _ess(diagnostics.ess_bulk, values), "ess_tail": _ess(diagnostics.ess_tail, values)},
        index=pd.Index(labels, name="parameter"),
    )
    variables: dict[str, Any] = {"value": ((CHAIN, DRAW, "parameter"), values)}
    if found.diverging is not None:
        variables["diverging"] = ((CHAIN, DRAW), found.diverging)
    coords = {CHAIN: np.arange(values.shape[0]), DRAW: np.arange(values.shape[1]), "parameter": labels}
    return Result(f"Traces of {_counted(len(labels))}", TARGET, table, xr.Dataset(variables, coords=coords), _notes(given, found))


def ranks(given: Fit | xr.DataTree, *, parameters: Sequence[str] | None = None) -> Result:
    """Count the ranks of each chain's draws among all draws, in bins.

    Parameters
    ----------
    given, parameters
        As for :func:`traces`.

    Returns
    -------
    Result
        ``table``, a row per parameter, chain and bin: ``parameter``, ``r_hat``, ``chain``, ``bin`` (from 0), ``from`` and ``to`` (ends of
        the bin as shares of all ranks), ``count``, ``expected``, ``lower``, ``upper``, ``outside``. ``draws`` is empty.

    Raises
    ------
    ArgumentError
        As for :func:`traces`; if there is one chain only; if a draw is not finite.

    Notes
    -----
    The band holds all counts of a parameter with 95 % probability at least (Bonferroni over chains and bins; the counts are hypergeometric)
    when chains agree and draws are independent. Draws of a chain depend on each other, so that counts of good chains can lie a little
    outside. Ranks as in Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), *Bayesian Analysis* 16, 667-718.
    """
    found = _traces(given, parameters)
    n_chains, n_draws, _ = found.values.shape
    if n_chains < 2:
        raise ArgumentError("ranks compare chains, and there is one only", fix="sample with chains=4")
    if not np.isfinite(found.values).all():
        raise ArgumentError("a draw is not finite, so it has no rank", fix="look at the run: fit.quality")
    total = n_chains * n_draws
    bins = min(BINS, max(1, total // RANKS_PER_BIN))
    sizes = bin_sizes(total, bins)
    lower, upper = hypergeometric_band(n_draws, sizes, total, 0.5 * (1.0 - BAND) / (n_chains * bins))
    edges = np.concatenate([[0.0], np.cumsum(sizes)]) / total
    order = np.argsort(-found.r_hat, kind="stable")
    fixed = {"bin": np.arange(bins), "from": edges[:-1], "to": edges[1:]}
    band = {"expected": sizes * n_draws / total, "lower": lower, "upper": upper}
    lines = []
    for at in order:
        for chain, count in enumerate(rank_counts(found.values[..., at], bins)):
            own = {"parameter": found.labels[at], "r_hat": found.r_hat[at], "chain": chain}
            lines.append(pd.DataFrame({**own, **fixed, "count": count, **band, "outside": (count < lower) | (count > upper)}))
    notes = (
        f"Band: all counts of a parameter with {100 * BAND:g} % probability at least, if chains agree and draws are independent. Draws of "
        "a chain depend on each other, so that counts of good chains can lie a little outside.",
        *_notes(given, found),
    )
    return Result(f"Ranks of {_counted(len(order))}", TARGET, pd.concat(lines, ignore_index=True), xr.Dataset(), notes)


def _traces(given: object, parameters: Sequence[str] | None) -> _Traces:
    """Draws and R-hat of the parameters named, or of those that look worst."""
    if isinstance(given, Fit):
        known = parameter_draws(given.posterior, given.design, given.family.auxiliary)
        labels, values, tree = known.labels, known.values, given.idata
    elif isinstance(given, xr.DataTree) and "posterior" in given.children:
        labels, values = _all_parameters(given["posterior"].to_dataset())
        tree = given
    else:
        what = f"draws are needed, not an object of type {type(given).__name__}"
        raise ArgumentError(what, fix="pass a fit, or a DataTree with a group 'posterior'")
    if parameters is not None:
        labels, values = _named(tree["posterior"].to_dataset(), labels, values, parameters)
    r_hat = diagnostics.rhat(values) if values.shape[1] >= MIN_DRAWS else np.full(values.shape[-1], np.nan)
    chosen = np.arange(len(labels)) if parameters is not None else np.argsort(-r_hat, kind="stable")[:MOST]
    return _Traces(tuple(labels[at] for at in chosen), values[..., chosen], r_hat[chosen], _diverging(tree))


def _all_parameters(posterior: xr.Dataset) -> tuple[tuple[str, ...], FloatArray]:
    """All parameters of any posterior but the effects of single levels, (chain, draw, k)."""
    levels = naming.factor_dim("")
    chosen = [name for name in map(str, posterior) if not any(str(dim).endswith(levels) for dim in posterior[name].dims)]
    parts = [part for name in chosen for part in _components(posterior, name)]
    if not parts:
        raise ArgumentError("the posterior has no parameters", fix="name variables of random effects, parameters=['1|g[a]']")
    return tuple(label for label, _ in parts), np.stack([values for _, values in parts], axis=-1)


def _components(posterior: xr.Dataset, name: str) -> Iterator[tuple[str, FloatArray]]:
    """Single numbers of a variable with their labels; of a correlation matrix each pair once."""
    variable = posterior[name].transpose(CHAIN, DRAW, ...)
    dims = [str(d) for d in variable.dims[2:]]
    values, square = variable.to_numpy(), name.endswith(naming.correlation("")) and len(dims) == 2
    for at in np.ndindex(*values.shape[2:]):
        if not square or at[0] < at[1]:
            where = ", ".join(str(variable[d].to_numpy()[i]) for d, i in zip(dims, at, strict=True))
            yield (f"{name}[{where}]" if dims else name), np.asarray(values[(slice(None), slice(None), *at)], dtype=np.float64)


def _named(posterior: xr.Dataset, labels: Sequence[str], values: FloatArray, wanted: Sequence[str]) -> tuple[tuple[str, ...], FloatArray]:
    """Parameters by name; what is not among those that a summary lists is looked for among all variables."""
    names = [wanted] if isinstance(wanted, str) else list(dict.fromkeys(wanted))
    if not names:
        raise ArgumentError("no parameter is named", where="parameters=[]", fix="name some, or leave the argument out")
    place = {label: at for at, label in enumerate(labels)}
    found = [values[..., place[name]] if name in place else _single(posterior, labels, name) for name in names]
    return tuple(names), np.stack(found, axis=-1)


def _single(posterior: xr.Dataset, labels: Sequence[str], wanted: str) -> FloatArray:
    """One number of a variable that no summary lists, by its label."""
    for name in map(str, posterior):
        if wanted == name or wanted.startswith(f"{name}["):
            for label, values in _components(posterior, name):
                if label == wanted:
                    return values
    shown = ", ".join(labels[: 4 * SHOWN]) + (", ..." if len(labels) > 4 * SHOWN else "")
    fix = f"the parameters are: {shown}; a random effect is named as 1|g[level]"
    raise ArgumentError(f"there is no parameter {wanted!r}", fix=fix)


def _diverging(tree: xr.DataTree) -> BoolArray | None:
    if "sample_stats" not in tree.children or "diverging" not in tree["sample_stats"]:
        return None
    return np.asarray(tree["sample_stats"]["diverging"].transpose(CHAIN, DRAW).to_numpy(), dtype=np.bool_)


def _ess(statistic: Any, values: FloatArray) -> FloatArray:
    return np.asarray(statistic(values)) if values.shape[1] >= MIN_DRAWS else np.full(values.shape[-1], np.nan)


def _counted(n: int) -> str:
    return "1 parameter" if n == 1 else f"{n} parameters"


def _notes(given: object, found: _Traces) -> tuple[str, ...]:
    count = 0 if found.diverging is None else int(found.diverging.sum())
    diverged = (f"{count} divergent transitions.",) if count else ()
    return (*diverged, *(run_notes(given) if isinstance(given, Fit) else ()))
