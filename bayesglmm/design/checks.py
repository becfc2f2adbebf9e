"""Designs that cannot be fitted are refused here, each with the names of what is wrong."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.linalg import qr, solve_triangular

from bayesglmm import naming
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.expressions import describe_rows
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import DesignError, MissingValueError, ResponseError
from bayesglmm.types import FloatArray, IntArray

SAME = 1e-10
"""Part of a column, relative to its spread, that counts as rounding error when the rest is a combination of other columns."""

INVOLVED = 1e-6
"""Coefficient, on scaled columns, above which a column takes part in a linear dependence."""


def check_rank(X: FloatArray, labels: Sequence[str], where: str) -> None:
    """Refuse constant columns beside a constant, and columns that are combinations of others.

    Columns are centered when one of them is constant, scaled, and decomposed by a pivoted QR.

    Parameters
    ----------
    X
        Shape (n, k).
    labels
        One per column.
    where
        What the columns are, for the message: ``fixed effects``, ``effects of patient``.

    Raises
    ------
    DesignError
        Names the constant columns, or one set of columns that depend on each other.
    """
    if X.shape[1] == 0:
        return
    center, spread = _location(X)
    huge = [name for name, s in zip(labels, spread, strict=True) if not np.isfinite(s)]
    if huge:
        raise DesignError("the values of a column are too large to be squared", where=f"{where}: {', '.join(huge)}", fix="change its unit")
    constant = [name for name, s in zip(labels, spread, strict=True) if s == 0.0]
    zero = [name for name, s, c in zip(labels, spread, center, strict=True) if s == 0.0 and c == 0.0]
    if len(constant) > 1 or zero:
        named = zero or [name for name in constant if name != naming.INTERCEPT and name != "1"] or constant[1:]
        raise DesignError("a column does not vary", where=f"{where}: {', '.join(named)}", fix="take it out of the formula")
    varying = spread > 0.0
    if np.count_nonzero(varying) < 2:
        return
    shift = center if constant else np.zeros_like(center)
    scale = spread if constant else np.sqrt(spread**2 + center**2)
    dependent = _dependence((X[:, varying] - shift[varying]) / scale[varying])
    if dependent is not None:
        names = [name for name, v in zip(labels, varying, strict=True) if v]
        target, others = names[dependent[0]], [names[i] for i in dependent[1]]
        combined = " and ".join(others) + (f" (and {constant[0]})" if constant else "")
        raise DesignError(
            "columns depend on each other",
            where=f"{where}: {target} is a combination of {combined}",
            fix=f"take out {target} or one of the others",
        )


def check_groups(groups: Sequence[GroupDesign], n_rows: int, *, unknown_residual: bool) -> None:
    """Refuse group terms whose effects cannot be told apart, from each other or from the residual.

    Parameters
    ----------
    groups
        All group terms.
    n_rows
        Rows n of the design.
    unknown_residual
        Whether the response has a residual standard deviation that is estimated.

    Raises
    ------
    DesignError
        If effects within a term are dependent; or a factor has a level per row while the residual SD is unknown too.
    """
    for group in groups:
        check_rank(group.Z, group.labels, f"effects of {group.term.text}")
        if unknown_residual and len(group.levels) >= n_rows:
            raise DesignError(
                "a grouping factor has as many levels as there are rows, so its effects cannot be told from the residual",
                where=f"{group.name}: {len(group.levels)} levels, {n_rows} rows",
                fix=f"take out ({group.term.effects.text} | {group.name}), or give known standard errors, y | se(s)",
            )


def check_names(response: str, fixed: Sequence[TermColumns], groups: Sequence[GroupDesign], auxiliary: Sequence[str]) -> None:
    """Refuse terms whose names collide with each other or with the model's own variables.

    Raises
    ------
    DesignError
        Names the variable that two things would share.
    FormulaError
        If a name holds a slash, which no posterior variable can.
    """
    names = [naming.variable(t.name) for t in fixed] + [
        naming.CENTERED_INTERCEPT,
        naming.variable(response),
        *naming.SAMPLE_DIMS,
        *auxiliary,
    ]
    names += [naming.level_dim(t.name) for t in fixed if t.levels is not None]
    for group in groups:
        names += [f(t.name, group.name) for t in group.effects for f in (naming.effect, naming.effect_sd)]
        block = naming.block(group.name, group.position)
        names += [naming.correlation(block), naming.correlation_factor(block), naming.offsets(block)]
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise DesignError(
            "two parts of the model would have one name",
            where=", ".join(doubled),
            fix="rename the column, or write an effect in one group term only",
        )


def check_positive(values: FloatArray, what: str, rows: IntArray | None) -> None:
    """Refuse weights or standard errors that are not positive.

    Raises
    ------
    MissingValueError
        If a value is not finite.
    ResponseError
        If a value is zero or negative.
    """
    if not np.all(np.isfinite(values)):
        raise MissingValueError(f"{what} must be finite", where=describe_rows(~np.isfinite(values), rows))
    if np.any(values <= 0.0):
        raise ResponseError(f"{what} must be positive", where=describe_rows(values <= 0.0, rows), fix="leave such rows out")


def _location(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and spread of each column; the spread is 0 for a column that is constant but for rounding."""
    with np.errstate(over="ignore", invalid="ignore"):
        center, spread = X.mean(axis=0), X.std(axis=0)
    negligible = spread <= SAME * np.maximum(np.abs(center), np.finfo(float).tiny)
    return center, np.where(negligible, 0.0, spread)


def _dependence(scaled: FloatArray) -> tuple[int, list[int]] | None:
    """Find a column that is a combination of others, and these others; None when the rank is full."""
    triangle = np.linalg.qr(scaled, mode="r")
    R, pivot = qr(triangle, mode="r", pivoting=True)
    size = np.abs(np.diag(R))
    rank = int(np.count_nonzero(size > SAME * size[0]))
    if rank == scaled.shape[1]:
        return None
    weights = solve_triangular(R[:rank, :rank], R[:rank, rank])
    return int(pivot[rank]), sorted(int(pivot[i]) for i in np.flatnonzero(np.abs(weights) > INVOLVED))
