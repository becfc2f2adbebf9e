"""One SHA-256 of everything in a fit file: any changed draw, datum, statistic or setting changes it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr


def digest(groups: Mapping[str, xr.Dataset], text: str) -> str:
    """Hash of names, dims, types, values and attributes of all arrays, and of a text.

    Parameters
    ----------
    groups
        Datasets by name; the order of groups and variables does not matter.
    text
        What describes them.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    whole = hashlib.sha256()
    _add(whole, text.encode())
    for name in sorted(groups):
        data = groups[name]
        _add(whole, name.encode())
        _add(whole, json.dumps(plain_attributes(data), sort_keys=True).encode())
        for variable in sorted(map(str, data.variables)):
            _add_variable(whole, variable, data.variables[variable])
    return whole.hexdigest()


def plain_attributes(data: xr.Dataset) -> dict[str, Any]:
    """Attributes as text and numbers of Python, the kinds that a file gives back as they were; others as text."""
    plain = {str(k): v.item() if isinstance(v, np.generic) else v for k, v in data.attrs.items()}
    return {k: v if isinstance(v, str | float) or (isinstance(v, int) and not isinstance(v, bool)) else str(v) for k, v in plain.items()}


def _add(whole: Any, part: bytes | memoryview) -> None:
    """Add a part with its length, so that two parts never read as one."""
    whole.update(f"{memoryview(part).nbytes}:".encode())
    whole.update(part)


def _add_variable(whole: Any, name: str, variable: xr.Variable) -> None:
    values = np.asarray(variable.values)
    is_text = values.dtype.kind in "OUT"
    kind = "text" if is_text else values.dtype.name
    _add(whole, f"{name}|{variable.dims}|{kind}|{values.shape}".encode())
    if is_text:
        for value in values.reshape(-1):
            _add(whole, str(value).encode())
    else:
        _add(whole, np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).data)
