"""The door to netCDF4: a tree of arrays and one text as a single file, written whole or not at all, read with every size checked first.

The arrays are stored as they are (no compression, no fill values, text as fixed-width UTF-8), so a file never holds less than what it
declares; one that declares more is refused before anything is read.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from bayesglmm.errors import FitFileError
from bayesglmm.io.atomic import check_target, moved_when_whole, unwritable

ENGINE: Final = "netcdf4"
TEXT_ATTRIBUTE = "bayesglmm"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_BYTES = 16 * 2**30
"""Largest file, and largest sum of all arrays in it, that is read."""
MAX_TEXT = 64 * 2**20
"""Longest text, in characters."""
MAX_VARIABLES = 20_000
MAX_DIMS = 6
MAX_NAME_BYTES = 200
NUMBER_TYPES = frozenset({"bool", "float64", "float32", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"})
_DAMAGED = "copy the file again from where it was written, or fit the model again"
_FOREIGN = "pass a file that bayesglmm's save() wrote"


@dataclass(frozen=True, slots=True)
class StoredTree:
    """What a file holds.

    Attributes
    ----------
    groups
        Datasets by name, in memory.
    text
        The text that describes them.
    """

    groups: Mapping[str, xr.Dataset]
    text: str


def write_tree(groups: Mapping[str, xr.Dataset], text: str, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write datasets and a text as one NetCDF-4 file, under a temporary name that is moved when all is on the disk.

    Parameters
    ----------
    groups
        Datasets of numbers, booleans and text, by the name of their group.
    text
        The text that describes them.
    path
        The file.
    force
        Whether an existing file is replaced.

    Raises
    ------
    FitFileError
        If the file exists and ``force`` is false, or it cannot be written; nothing is left behind.
    """
    target = check_target(path, force=force)
    tree = xr.DataTree.from_dict({name: data.drop_encoding() for name, data in groups.items()})
    encoding: Any = {f"/{name}": _encoding(data) for name, data in groups.items()}
    tree.attrs[TEXT_ATTRIBUTE] = text
    try:
        with moved_when_whole(target) as temporary:
            tree.to_netcdf(temporary, engine=ENGINE, encoding=encoding)
    except (OSError, RuntimeError, ValueError) as error:
        raise unwritable(target, error, FitFileError) from error
    return target


def read_tree(path: str | os.PathLike[str], expected: Iterable[str]) -> StoredTree:
    """Read such a file into memory, its declared contents having been checked before any array is read.

    Parameters
    ----------
    path
        The file.
    expected
        Names of the groups that it must hold, no more and no fewer.

    Raises
    ------
    FitFileError
        If the file is missing, no NetCDF-4 file, damaged, of another origin, or larger than the limits.
    """
    source = Path(path).expanduser().absolute()
    _check_file(source)
    names = tuple(expected)
    with _reading(source):
        text = _inspect(source, names)
        with xr.open_datatree(source, engine=ENGINE, mask_and_scale=False, decode_times=False) as tree:
            groups = {name: tree[name].to_dataset().load().drop_encoding() for name in names}
    return StoredTree(groups, text)


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Choose a name that NetCDF can hold for each name that it cannot; names that it can hold are left out."""
    wanted = tuple(dict.fromkeys(names))
    legal = {n for n in wanted if _is_legal(n)}
    spare = (f"name_{k}" for k in range(len(wanted) + len(legal)))
    free = (n for n in spare if n not in legal)
    return {name: next(free) for name in wanted if name not in legal}


def _is_legal(name: str) -> bool:
    """Whether netCDF stores a name unchanged: its first character, no control characters or slash, NFC, no blank at the end, short."""
    first_ok = bool(name) and (not name[0].isascii() or name[0].isalnum() or name[0] == "_")
    rest_ok = not any(c == "/" or unicodedata.category(c).startswith("C") for c in name) and name == name.rstrip()
    return first_ok and rest_ok and unicodedata.is_normalized("NFC", name) and len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES


def _encoding(data: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Text as fixed-width UTF-8; numbers as they are, without a fill value."""
    return {str(n): {"dtype": "S1"} if v.dtype.kind in "OUT" else {"_FillValue": None} for n, v in data.variables.items()}


def _check_file(source: Path) -> None:
    """Existence, size and the first bytes."""
    try:
        with source.open("rb") as file:
            start = file.read(len(SIGNATURE))
        size = source.stat().st_size
    except FileNotFoundError as error:
        raise FitFileError("there is no such file", where=str(source), fix="check the name and the folder") from error
    except OSError as error:
        raise FitFileError(
            f"the file cannot be read: {error.strerror}", where=str(source), fix="check that it is a file that you may read"
        ) from error
    if start != SIGNATURE:
        raise FitFileError("this is no NetCDF-4 file", where=str(source), fix=_FOREIGN)
    if size > MAX_BYTES:
        raise FitFileError(f"the file has {size:,} bytes, more than the limit of {MAX_BYTES:,}", where=str(source), fix=_FOREIGN)


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Whatever the libraries raise on a damaged file becomes one error."""
    try:
        yield
    except FitFileError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, IndexError, AttributeError, MemoryError) as error:
        raise FitFileError(f"the file is damaged or cut short: {error}", where=str(source), fix=_DAMAGED) from error


def _inspect(source: Path, names: tuple[str, ...]) -> str:
    """Check what the file declares and return its text; no array is read."""
    import netCDF4

    with netCDF4.Dataset(str(source), mode="r") as file:
        if TEXT_ATTRIBUTE not in file.ncattrs():
            raise FitFileError("the file was not written by bayesglmm", where=str(source), fix=_FOREIGN)
        if set(file.groups) != set(names) or file.variables:
            listed = ", ".join(sorted(file.groups)) or "none"
            raise FitFileError(f"the groups of the file are {listed}, not {', '.join(names)}", where=str(source), fix=_DAMAGED)
        _check_declared(file.groups, source)
        text = file.getncattr(TEXT_ATTRIBUTE)
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise FitFileError("the description in the file is no text, or too long", where=str(source), fix=_FOREIGN)
    return text


def _check_declared(groups: Mapping[str, Any], source: Path) -> None:
    """Types, dims and total size of all arrays."""
    variables = [(f"{name}/{v.name}", v) for name, group in groups.items() for v in group.variables.values()]
    if len(variables) > MAX_VARIABLES or any(group.groups for group in groups.values()):
        raise FitFileError(f"more than {MAX_VARIABLES} variables, or groups within groups", where=str(source), fix=_FOREIGN)
    total = 0
    for where, variable in variables:
        kind = str(variable.dtype)
        if kind not in NUMBER_TYPES | {"|S1", "S1"} or len(variable.shape) > MAX_DIMS:
            raise FitFileError(f"a variable of type {kind} with {len(variable.shape)} dims", where=f"{where} in {source}", fix=_FOREIGN)
        total += int(np.prod([int(n) for n in variable.shape], dtype=object)) * np.dtype(kind).itemsize
    if total > min(MAX_BYTES, source.stat().st_size):
        raise FitFileError(
            f"the file declares arrays of {total:,} bytes, more than it holds or than the limit", where=str(source), fix=_FOREIGN
        )
