"""Groups that are alike, once: distinct rows, and distinct sets of (row, response) with the number of groups that have them.

Repeated yes-or-no visits of any number of subjects are a few patterns over a few rows; a likelihood integrated over the random effects
costs their number, not that of the subjects. A group's rows that are equal but for the response are one, with what the responses add up to.
"""

from dataclasses import dataclass

import numpy as np

from bayesglmm.types import FloatArray, IntArray

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
OTHER_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
SHIFT = np.uint64(29)
TRIES = 4


@dataclass(frozen=True, slots=True)
class Patterns:
    """The data of one grouping factor, collapsed.

    Attributes
    ----------
    first
        Shape (r,): a row of the design for each distinct row.
    start
        Shape (k + 1,): pattern j has the entries ``start[j]:start[j + 1]``.
    row_of
        Shape (e,): the distinct row of each entry.
    sums
        Shape (e, c): what each entry's responses add up to.
    count
        Shape (k,): how many groups have the pattern.
    pattern_of
        Shape (J,): the pattern of each group.
    """

    first: IntArray
    start: IntArray
    row_of: IntArray
    sums: FloatArray
    count: FloatArray
    pattern_of: IntArray


def find_patterns(rows: FloatArray, sums: FloatArray, index: IntArray, n_groups: int) -> Patterns:
    """Collapse rows and groups; sorting numbers only, so millions of groups take seconds.

    Parameters
    ----------
    rows
        Shape (n, c): all that the likelihood of a row depends on, except its response.
    sums
        Shape (n,) or (n, c): what is added up over equal rows of a group, such as weighted successes and trials.
    index
        Shape (n,): the group of each row.
    n_groups
        Number of groups, each with at least one row.
    """
    first, row = distinct(np.ascontiguousarray(rows))
    key = index.astype(np.int64) * len(first) + row
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    added = np.stack([np.add.reduceat(column[order], begins) for column in sums.reshape(len(sums), -1).T], axis=1)
    entries = key[begins]
    start = np.searchsorted(entries, np.arange(n_groups + 1) * len(first))
    entries %= len(first)
    chosen, pattern_of = _distinct_groups(entries, added, start)
    lengths = np.diff(start)[chosen]
    ends = np.cumsum(np.r_[0, lengths])
    take = np.arange(ends[-1]) + np.repeat(start[chosen] - ends[:-1], lengths)
    return Patterns(
        first=first,
        start=ends.astype(np.int64),
        row_of=entries[take],
        sums=added[take],
        count=np.bincount(pattern_of, minlength=len(chosen)).astype(np.float64),
        pattern_of=pattern_of,
    )


def distinct(table: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the first position of each distinct row of an (n, c) table, and the number of each row's distinct row.

    Rows are told apart by 64 bits made of theirs; that equal bits mean equal rows is verified.

    Raises
    ------
    RuntimeError
        If different rows have equal bits for several ways to make them, which does not happen by chance.
    """
    for salt in range(TRIES):
        _, first, number = np.unique(_hashes(table, salt), return_index=True, return_inverse=True)
        number = number.reshape(-1)
        if all(np.array_equal(column[first][number], column) for column in table.T):
            return first.astype(np.int64), number.astype(np.int64)
    raise RuntimeError("rows could not be told apart by their hashes")


def _distinct_groups(entries: IntArray, sums: FloatArray, start: IntArray) -> tuple[IntArray, IntArray]:
    """Return a group for each distinct sequence of entries, and the number of each group's; verified like rows."""
    lengths = np.diff(start)
    place = np.arange(len(entries)) - np.repeat(start[:-1], lengths)
    for salt in range(TRIES):
        marks = _mix(_hashes(np.column_stack([entries.astype(np.float64), sums]), salt) + place.astype(np.uint64) * OTHER_MULTIPLIER)
        _, chosen, number = np.unique(np.add.reduceat(marks, start[:-1]), return_index=True, return_inverse=True)
        number = number.reshape(-1)
        same = bool(np.array_equal(lengths[chosen][number], lengths))
        if same:
            twin = np.repeat(start[:-1][chosen][number], lengths) + place
            same = bool(np.array_equal(entries[twin], entries) and np.array_equal(sums[twin], sums))
        if same:
            return chosen.astype(np.int64), number.astype(np.int64)
    raise RuntimeError("groups could not be told apart by their hashes")


def _hashes(table: FloatArray, salt: int) -> np.ndarray:
    """Return 64 bits for each row of an (n, c) table."""
    bits = np.full(len(table), salt, dtype=np.uint64)
    for column in table.T:
        bits = _mix(bits * OTHER_MULTIPLIER + (column + 0.0).view(np.uint64))  # adding zero makes -0 and 0 one
    return bits


def _mix(bits: np.ndarray) -> np.ndarray:
    """Scramble 64 bits (steps of splitmix64: Steele, Lea & Flood 2014)."""
    bits = (bits ^ (bits >> SHIFT)) * MULTIPLIER
    bits = (bits ^ (bits >> SHIFT)) * OTHER_MULTIPLIER
    return bits ^ (bits >> SHIFT)
