"""Columns that a model file derives from others, ``low = "CD4 < sqrt(150)"``: a new table, the given one unchanged."""

from collections.abc import Sequence
from typing import Any

from bayesglmm.design.expressions import evaluate
from bayesglmm.design.table import column_names, plain_columns, with_columns
from bayesglmm.errors import ColumnError, FormulaError
from bayesglmm.spec.gate import check_expression, names_in


def derive_columns(data: Any, derive: Sequence[tuple[str, str]]) -> Any:
    """Add derived columns to a table, in order; a later one may use an earlier one.

    Parameters
    ----------
    data
        Any table that :func:`bayesglmm.design.table.read_table` reads.
    derive
        Pairs of a new column's name and its expression. Comparisons give 1.0 or 0.0, and a missing value where an input is missing.

    Returns
    -------
    object
        A table of the same library with float columns added; a lazy table or a DuckDB relation becomes a pyarrow table.

    Raises
    ------
    ColumnError
        If an expression uses an unknown or a text column, or the new name is taken.
    FormulaError
        If an expression holds anything but columns, numbers, arithmetic, comparisons and elementwise functions, or uses no column.
    MissingValueError
        If finite inputs give a result that is not finite.
    """
    for name, text in derive:
        if name in column_names(data):
            raise ColumnError(
                f"the table has a column {name!r} already", where=f"derived column {name} = {text!r}", fix="choose another name"
            )
        columns = plain_columns(data, names_in(check_expression(text, allow_comparison=True, plain=True)))
        if not columns:
            raise FormulaError("a derived column must use a column of the table", where=f"{name} = {text!r}")
        data = with_columns(data, {name: evaluate(text, columns)})
    return data
