"""Checks of JSON that may come from anybody: every key present, none unknown, every value of its type, before anything is done with it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayesglmm.errors import FitFileError

_FIX = "copy the file again from where it was written, or fit the model again"


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value of this shape, or null."""

    shape: Any


@dataclass(frozen=True, slots=True)
class Pairs:
    """An object with any keys, all values of one shape."""

    shape: Any


def parse_json(text: str, where: str) -> Any:
    """JSON as Python values; numbers must be finite.

    Raises
    ------
    FitFileError
        If it is no JSON.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FitFileError(f"the description in the file is no JSON: {error}", where=where, fix=_FIX) from error


def check_shape(value: Any, shape: Any, where: str) -> None:
    """Check a value against a shape.

    Parameters
    ----------
    value
        What :func:`parse_json` returned.
    shape
        A type (``int``, ``float``, ``str``, ``bool``, ``dict``), a list with the shape of the elements, a dict with the shape of every key,
        :class:`Maybe` or :class:`Pairs`.
    where
        Where the value stands, for the message.

    Raises
    ------
    FitFileError
        If a key is missing or unknown, or a value has another type.
    """
    if isinstance(shape, Maybe):
        if value is not None:
            check_shape(value, shape.shape, where)
    elif isinstance(shape, Pairs):
        _check_type(value, dict, where)
        for key, item in value.items():
            check_shape(item, shape.shape, f"{where}.{key}")
    elif isinstance(shape, Mapping):
        _check_keys(value, shape, where)
        for key, inner in shape.items():
            check_shape(value[key], inner, f"{where}.{key}")
    elif isinstance(shape, Sequence):
        _check_type(value, list, where)
        for k, item in enumerate(value):
            check_shape(item, shape[0], f"{where}[{k}]")
    else:
        _check_type(value, shape, where)


def _no_constant(name: str) -> float:
    raise ValueError(f"the number {name}")


def _check_keys(value: Any, shape: Mapping[str, Any], where: str) -> None:
    _check_type(value, dict, where)
    wrong = sorted(set(shape).symmetric_difference(value))
    if wrong:
        raise FitFileError("keys that are missing or not known", where=f"{', '.join(wrong[:5])} in {where}", fix=_FIX)


def _check_type(value: Any, kind: type, where: str) -> None:
    """Type without Python's bool-is-an-int; a whole number is a number too."""
    accepted = (int, float) if kind is float else (kind,)
    is_bool = isinstance(value, bool)
    if not isinstance(value, accepted) or (is_bool and kind is not bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise FitFileError(f"a value that is no {kind.__name__}", where=where, fix=_FIX)
