"""Which values of a column are compared: pairs from one value to another."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.design.table import label
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.rows import factor_coding, occurring, predictor_columns
from bayesglmm.post.scenarios import grouping_columns

type Pair = tuple[Any, Any]

FORMS = "give two or more values, ['ddC', 'ddI'], or pairs (from, to), [('ddC', 'ddI')]"


def value_pairs(fit: Fit, variable: str, values: Any) -> tuple[Pair, ...]:
    """Pairs (from, to).

    Parameters
    ----------
    fit
        Its data say which levels there are.
    variable
        A column of the formula.
    values
        A list of values, each later one compared with the first; a list of pairs; None for :func:`known_values`.

    Raises
    ------
    ArgumentError
        If there are not two different values, or a value occurs twice.
    """
    if values is None:
        first, *others = known_values(fit, variable)
        return tuple((first, other) for other in others)
    given = _listed(variable, values)
    if given and all(isinstance(v, tuple | list) for v in given):
        return tuple(_pair(variable, v) for v in given)
    first, *others = distinct_values(variable, given)
    return tuple((first, other) for other in others)


def known_values(fit: Fit, variable: str) -> list[Any]:
    """All levels of a factor, the reference first; of a number its mean in the data and one unit more.

    Raises
    ------
    ArgumentError
        If a factor has one level only.
    """
    column, coding = fit.frame[variable], factor_coding(fit, variable)
    if coding is None and not is_factor(fit, variable):
        mean = float(column.astype(float).mean())
        return [mean, mean + 1.0]
    found = occurring(column)
    if coding is not None and coding.levels is not None:
        reference = coding.levels[0] if coding.reference is None else coding.reference
        found = sorted(found, key=lambda value: label(value) != reference)
    return distinct_values(variable, found)


def is_factor(fit: Fit, variable: str) -> bool:
    """Whether a column enters by its levels: as a factor of the formula, as text, or only as a grouping factor."""
    only_groups = variable in grouping_columns(fit) and variable not in predictor_columns(fit, levels=False)
    column = fit.frame[variable]
    levels = isinstance(column.dtype, pd.CategoricalDtype) or bool(pd.api.types.is_bool_dtype(column.dtype))
    return only_groups or levels or factor_coding(fit, variable) is not None


def distinct_values(variable: str, values: Any) -> list[Any]:
    """Two or more values, all different.

    Raises
    ------
    ArgumentError
        If they are not; names the column.
    """
    given = _listed(variable, values)
    if len(given) < 2 or not all(np.ndim(v) == 0 for v in given):
        raise ArgumentError("a comparison needs two or more values", where=f"column {variable!r}: {given!r}", fix=FORMS)
    names = [label(v) for v in given]
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        raise ArgumentError("a value occurs twice", where=f"column {variable!r}: {', '.join(doubled)}", fix="name each value once")
    return given


def shown(value: Any) -> str:
    """Write a value for a reader: a number to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _listed(variable: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes) or not np.iterable(values):
        raise ArgumentError(f"values={values!r} is no list of values", where=f"column {variable!r}", fix=FORMS)
    return list(values)


def _pair(variable: str, values: Sequence[Any]) -> Pair:
    if len(values) != 2:
        raise ArgumentError("a pair has two values", where=f"column {variable!r}: {values!r}", fix=FORMS)
    first, second = distinct_values(variable, values)
    return first, second
