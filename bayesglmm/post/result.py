"""The record that every function of this package returns, and its words for the four targets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesglmm.design.encoding import part_columns
from bayesglmm.fit.draws import CHAIN, DRAW
from bayesglmm.fit.fit import Fit
from bayesglmm.post.intervals import IntervalChoice
from bayesglmm.post.render import TextTable, flat_index, format_table, html_table, plain_table, plain_value
from bayesglmm.types import FloatArray, Target

ESTIMATES = ("ci", "subject_specific", "marginal")
"""Beginnings of the names of columns that hold an interval or SD of an estimate."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A table, the draws behind it, and what its numbers are.

    Attributes
    ----------
    title
        One line.
    target
        Which estimand, in words; begins with the target's name where it is one of the four.
    table
        One row per quantity; ``ci_lower`` and ``ci_upper`` are the ends of ``interval``.
    draws
        Dims (chain, draw, ...): the draws that the table summarises; no variables where they are not kept, or where there are none.
    notes
        What a reader must know: values held fixed, error bounds, the verdict on the run.
    interval
        Level and kind of the intervals; None when the table has none.
    """

    title: str
    target: str
    table: pd.DataFrame
    draws: xr.Dataset
    notes: tuple[str, ...] = ()
    interval: IntervalChoice | None = None

    @property
    def n_draws(self) -> int:
        """Number of draws behind the table, chains times draws, kept or not; 0 when there are none."""
        return self.draws.sizes[CHAIN] * self.draws.sizes[DRAW] if CHAIN in self.draws.sizes and DRAW in self.draws.sizes else 0

    def __str__(self) -> str:
        lines = [self.title, f"Target: {self.target}"]
        if self.interval is not None:
            lines.append(f"Interval: {self.interval.text}")
        lines += ["", plain_table(self._text())]
        lines += ["", *(f"Note: {n}" for n in self.notes)] if self.notes else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        interval = "" if self.interval is None else f"<p>Interval: {escape(self.interval.text)}</p>"
        notes = "".join(f"<li>{escape(n)}</li>" for n in self.notes)
        head = f"<p><strong>{escape(self.title)}</strong></p><p>Target: {escape(self.target)}</p>{interval}"
        return f"<div>{head}{html_table(self._text())}{f'<ul>{notes}</ul>' if notes else ''}</div>"

    def to_dict(self) -> dict[str, object]:
        """Everything but the draws, ready for JSON; numbers that are not finite become None.

        Returns
        -------
        dict
            ``title``, ``target``, ``interval`` (``prob``, ``kind``, or None), ``table`` (a list of rows, the index as a column of
            its name) and ``notes``.
        """
        table = flat_index(self.table)
        names = [str(c) for c in table.columns]
        columns = [[plain_value(v) for v in table.iloc[:, at].tolist()] for at in range(len(names))]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        interval = None if self.interval is None else {"prob": self.interval.prob, "kind": self.interval.kind}
        return {"title": self.title, "target": self.target, "interval": interval, "table": rows, "notes": list(self.notes)}

    def _text(self) -> TextTable:
        return format_table(self.table, n_draws=self.n_draws, headers={} if self.interval is None else _headers(self.interval))


def _headers(interval: IntervalChoice) -> dict[str, str]:
    """Tell what is printed over the columns of an estimate, which stand beside each other."""
    low, high = interval.headers
    ends = {f"{name}_lower": low for name in ESTIMATES} | {f"{name}_upper": high for name in ESTIMATES}
    return ends | {f"{name}_sd": "sd" for name in ESTIMATES}


def target_sentence(target: Target, factors: Sequence[str]) -> str:
    """One of the four targets in words and as a formula.

    Parameters
    ----------
    target
        One of :data:`bayesglmm.types.Target`.
    factors
        Names of the grouping factors that the sentence is about; without any, all four targets are ``h(x'beta)``.
    """
    if not factors:
        return f"{target}: the model has no grouping factor, so the four targets are one, h(x'beta)"
    named = " and ".join([", ".join(factors[:-1]), factors[-1]] if len(factors) > 1 else factors)
    levels = f"levels of {named}" if len(factors) == 1 else f"combinations of levels of {named}"
    words: dict[Target, str] = {
        "average_subject": f"the subject whose random effects of {named} are zero: h(x'beta)",
        "population": f"averaged over the random-effects distribution of {named}: E h(x'beta + z'b), b ~ N(0, D)",
        "observed_groups": f"averaged over the observed {levels}: mean_j h(x'beta + z'b_j)",
        "group": f"named {levels}: h(x'beta + z'b_j)",
    }
    return f"{target}: {words[target]}"


def own_level_notes(fit: Fit, by: Sequence[str] | None, target: Target, given: Collection[str]) -> tuple[str, ...]:
    """Say what lines within a grouping factor are when the target does not read the effects of its levels.

    Parameters
    ----------
    fit
        A fit.
    by
        Columns that rows are averaged within.
    target
        Whose mean.
    given
        Names of the grouping factors that are conditioned on.
    """
    if target == "group":
        return ()
    encoding = fit.design.encoding
    fixed = part_columns(encoding.fixed.part)
    columns = {c for g in encoding.groups if g.term.name not in given for c in g.columns if c not in fixed}
    names = " and ".join(name for name in by or () if name in columns)
    state = "zero" if target == "average_subject" else "averaged over"
    said = f"Lines of {names} differ by what else is in their rows: the random effects of {names} are {state}. target='group' has them."
    return (said,) if names else ()


def draws_dataset(values: Mapping[str, FloatArray], sizes: tuple[int, int], dim: str, coords: Mapping[str, NDArray[Any]]) -> xr.Dataset:
    """Draws (S, k) by name as a Dataset with dims (chain, draw, ``dim``).

    Parameters
    ----------
    values
        Arrays of shape (S, k), S = chains times draws, chains outermost.
    sizes
        Chains and draws.
    dim
        Name of the last dim.
    coords
        Coordinates along ``dim``, each of length k.
    """
    arrays = {name: ((CHAIN, DRAW, dim), value.reshape(*sizes, -1)) for name, value in values.items()}
    chains = {CHAIN: np.arange(sizes[0]), DRAW: np.arange(sizes[1])}
    return xr.Dataset(arrays, coords={**chains, **{name: (dim, np.asarray(c)) for name, c in coords.items()}})


def unkept_draws(sizes: tuple[int, int]) -> xr.Dataset:
    """Make the data set of a result that keeps no draws: without variables, it still tells the numbers of chains and draws."""
    return xr.Dataset(coords={CHAIN: np.arange(sizes[0]), DRAW: np.arange(sizes[1])})


def join_columns(
    labels: pd.DataFrame, numbers: Mapping[str, NDArray[Any]], *, reserved: Sequence[str] = (), keep_index: bool = False
) -> pd.DataFrame:
    """Columns that tell rows apart, then columns of numbers; a label column whose name is taken or reserved gets ``_`` appended.

    Parameters
    ----------
    labels
        n rows.
    numbers
        By name, each of shape (n,).
    reserved
        Further names that a label column may not have.
    keep_index
        Whether the table has the index of ``labels``; otherwise its rows are numbered. An index loses a name that a column has.
    """
    taken = {*numbers, *reserved, CHAIN, DRAW, "row"}
    names = {str(c): str(c) for c in labels.columns}
    for name in names:
        while names[name] in taken:
            names[name] += "_"
        taken.add(names[name])
    table = labels.rename(columns=names).reset_index(drop=True).assign(**numbers)
    if not keep_index:
        return table
    free = [None if name in table.columns else name for name in labels.index.names]
    return table.set_axis(labels.index.set_names(free), axis=0)


def run_notes(fit: Fit, *, always: bool = False) -> tuple[str, ...]:
    """Tell the verdict on the run, when it is not ok or when ``always``; and that the run is partial."""
    checks = ", ".join(f"{c.id} {c.verdict}" for c in fit.quality.failed)
    verdict = f"Verdict on the run: {fit.quality.verdict}{f' ({checks})' if checks else ''}."
    partial = f"Partial run: {fit.provenance.obtained}."
    return (*((verdict,) if always or fit.quality.verdict != "ok" else ()), *((partial,) if fit.provenance.partial else ()))
