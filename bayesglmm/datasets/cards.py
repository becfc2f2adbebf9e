"""The card of a data set: what its columns mean, where it comes from, under which licence, and its SHA-256.

Cards are JSON files beside the tables. They are the only description of a table: level order, missing counts and the
hash that a file must have are read from here, so a table that differs from its card is refused, never repaired.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal, cast

from bayesglmm.errors import DatasetError

type ColumnKind = Literal["factor", "ordered", "integer", "numeric"]

TABLES = "tables"


@dataclass(frozen=True, slots=True)
class ColumnCard:
    """One column of a data set.

    Attributes
    ----------
    name
        Name of the column.
    kind
        ``factor`` and ``ordered`` load as pandas categories, ``integer`` as int64 (float64 where values are missing),
        ``numeric`` as float64.
    description
        What the column holds.
    unit
        Its unit, or None where it has none or the source does not say.
    levels
        Labels of a factor in their order, the first being the reference; None for numbers, and for factors whose
        labels are whole numbers in numeric order.
    n_levels
        Number of labels of a factor, None for numbers.
    n_missing
        Number of missing values.
    """

    name: str
    kind: ColumnKind
    description: str
    unit: str | None
    levels: tuple[str, ...] | None
    n_levels: int | None
    n_missing: int

    @property
    def is_factor(self) -> bool:
        """Whether the column loads as a category."""
        return self.n_levels is not None


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file that holds a data set.

    Attributes
    ----------
    name
        File name; its suffix says the format (``.csv``, ``.parquet``, ``.rda``).
    sha256
        SHA-256 of the file, in hexadecimal.
    url
        Where it can be downloaded, or None.
    """

    name: str
    sha256: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """What is known about a data set.

    Attributes
    ----------
    name
        Name of the data set, as :func:`bayesglmm.datasets.load` takes it.
    description
        What was observed, on whom.
    rows
        Number of rows.
    columns
        The columns, in order.
    licence
        Licence of the table, which need not be that of the code.
    source
        Where the table was taken from.
    reference
        The publication of the data, or None.
    files
        Files that hold the table: the packaged one, or for an external data set those that are accepted.
    bundled
        Whether the table is part of the package.
    missing_code
        How the source writes a missing value.
    notes
        What else the user has to know, or None.
    truth
        Parameters of a simulated data set as ``(name, value)``, empty otherwise.
    """

    name: str
    description: str
    rows: int
    columns: tuple[ColumnCard, ...]
    licence: str
    source: str
    reference: str | None
    files: tuple[DataFile, ...]
    bundled: bool
    missing_code: str
    notes: str | None
    truth: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return "\n".join((*_head(self), *(_column_line(c) for c in self.columns)))


def card(name: str) -> Card:
    """Return the card of a data set.

    Parameters
    ----------
    name
        Name of the data set; upper and lower case differ.

    Raises
    ------
    DatasetError
        If there is no such data set; names the nearest.
    """
    known = names()
    if name not in known:
        lower = {k.lower(): k for k in known}
        near = get_close_matches(str(name).lower(), lower, n=1)
        hint = f"did you mean {lower[near[0]]!r}? " if near else ""
        raise DatasetError(f"there is no data set {name!r}", fix=f"{hint}Known: {', '.join(known)}")
    return _read_card(name)


@cache
def names() -> tuple[str, ...]:
    """Names of all data sets, sorted without regard to case."""
    found = (p.name.removesuffix(".json") for p in folder().iterdir() if p.name.endswith(".json"))
    return tuple(sorted(found, key=str.lower))


def folder() -> Traversable:
    """Return the folder of the packaged tables and cards."""
    return files("bayesglmm.datasets").joinpath(TABLES)


@cache
def _read_card(name: str) -> Card:
    record: dict[str, Any] = json.loads(folder().joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return Card(
        name=record["name"],
        description=record["description"],
        rows=record["rows"],
        columns=tuple(_column(c) for c in record["columns"]),
        licence=record["licence"],
        source=record["source"],
        reference=record.get("reference"),
        files=tuple(DataFile(f["name"], f["sha256"], f.get("url")) for f in record["files"]),
        bundled=record["bundled"],
        missing_code=record["missing_code"],
        notes=record.get("notes"),
        truth=tuple(record.get("truth", {}).items()),
    )


def _column(record: Mapping[str, Any]) -> ColumnCard:
    levels = tuple(record["levels"]) if "levels" in record else None
    return ColumnCard(
        name=record["name"],
        kind=cast(ColumnKind, record["kind"]),
        description=record["description"],
        unit=record.get("unit"),
        levels=levels,
        n_levels=record.get("n_levels") if levels is None else len(levels),
        n_missing=record.get("missing", 0),
    )


def _head(card: Card) -> list[str]:
    """Title, description, provenance: the lines above the columns."""
    lines = [f"{card.name}: {card.rows} rows, {len(card.columns)} columns", card.description]
    lines += [f"Source: {card.source}"]
    lines += [f"Reference: {card.reference}"] if card.reference else []
    lines += [f"Licence: {card.licence}"]
    lines += [f"Notes: {card.notes}"] if card.notes else []
    lines += ["Truth: " + ", ".join(f"{k} = {v:g}" for k, v in card.truth)] if card.truth else []
    return lines


def _column_line(column: ColumnCard) -> str:
    """``  drug (factor: ddC, ddI): randomized treatment``."""
    detail: str = column.kind
    if column.levels is not None and len(column.levels) <= 8:
        detail += ": " + ", ".join(column.levels)
    elif column.n_levels is not None:
        detail += f": {column.n_levels} levels"
    unit = f" [{column.unit}]" if column.unit else ""
    missing = f"; {column.n_missing} missing" if column.n_missing else ""
    return f"  {column.name} ({detail}): {column.description}{unit}{missing}"
