"""Groups that are alike, once: distinct rows, and distinct sets of (row, response) with the number of groups that have them.

Repeated yes-or-no visits of any number of subjects are a few patterns over a few rows; a likelihood integrated over the random effects
costs their number, not that of the subjects.
"""

from dataclasses import dataclass

import numpy as np

from bayesglmm.types import FloatArray, IntArray


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
    y
        Shape (e,): the response of each entry.
    count
        Shape (k,): how many groups have the pattern.
    pattern_of
        Shape (J,): the pattern of each group.
    """

    first: IntArray
    start: IntArray
    row_of: IntArray
    y: FloatArray
    count: FloatArray
    pattern_of: IntArray


def find_patterns(rows: FloatArray, y: FloatArray, index: IntArray, n_groups: int) -> Patterns:
    """Collapse rows and groups.

    Parameters
    ----------
    rows
        Shape (n, c): all that the likelihood of a row depends on, except its response.
    y
        Shape (n,).
    index
        Shape (n,): the group of each row.
    n_groups
        Number of groups.
    """
    _, first, row_of = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    values, code = np.unique(y, return_inverse=True)
    entry = row_of.reshape(-1).astype(np.int64) * len(values) + code
    order = np.lexsort((entry, index))
    entry, ends = entry[order], np.searchsorted(index[order], np.arange(n_groups + 1))
    seen: dict[bytes, int] = {}
    pattern_of = np.empty(n_groups, dtype=np.int64)
    for j in range(n_groups):
        pattern_of[j] = seen.setdefault(entry[ends[j] : ends[j + 1]].tobytes(), len(seen))
    parts = [np.frombuffer(key, dtype=np.int64) for key in seen]
    entries = np.concatenate(parts)
    return Patterns(
        first=first.astype(np.int64),
        start=np.cumsum([0, *(len(p) for p in parts)]).astype(np.int64),
        row_of=entries // len(values),
        y=values[entries % len(values)].astype(np.float64),
        count=np.bincount(pattern_of, minlength=len(seen)).astype(np.float64),
        pattern_of=pattern_of,
    )
