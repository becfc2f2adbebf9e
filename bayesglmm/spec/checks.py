"""Reading plain values from untrusted mappings: keys against a list, values against a type."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bayesglmm.errors import SpecError
from bayesglmm.spec.vocabulary import nearest

_NAMES: dict[type, str] = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table"}


def known_keys(content: Mapping[str, object], known: Sequence[str], where: str, *, required: Collection[str] = ()) -> None:
    """Refuse unknown keys with the nearest known one, and missing required keys.

    Parameters
    ----------
    content
        What was read.
    known
        Allowed keys.
    where
        For the message.
    required
        Keys that must be there.

    Raises
    ------
    SpecError
        Naming the key.
    """
    for key in content:
        if key not in known:
            raise SpecError(f"the key {key!r} is not known", where=where, fix=f"{nearest(str(key), list(known))}Known: {', '.join(known)}")
    for key in required:
        if key not in content:
            raise SpecError(f"the key {key!r} is missing", where=where, fix="add it")


def typed[T](content: Mapping[str, object], key: str, kind: type[T], where: str, default: T) -> T:
    """Return a value of the expected type, or the default when the key is absent; true and false are no numbers.

    Raises
    ------
    SpecError
        Naming the key, the expected and the found type.
    """
    if key not in content:
        return default
    value = content[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise SpecError(
            f"{key} must be {_NAMES.get(kind, kind.__name__)}, not {describe(value)}", where=where, fix=f"change the value of {key}"
        )
    return value


def number(content: Mapping[str, object], key: str, where: str) -> float:
    """Return a whole or decimal number."""
    value = content[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpecError(f"{key} must be a number, not {describe(value)}", where=where, fix=f"change the value of {key}")
    return value


def mapping_of(content: Mapping[str, object], key: str, where: str) -> dict[str, object]:
    """Return a table, empty when the key is absent."""
    return dict(typed(content, key, dict, where, {}))


def texts(content: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
    """Return a list of texts, empty when the key is absent."""
    items: list[object] = typed(content, key, list, where, [])
    for item in items:
        if not isinstance(item, str):
            raise SpecError(f"{key} must be a list of texts, but holds {describe(item)}", where=where, fix=f"change the entries of {key}")
    return tuple(str(item) for item in items)


def describe(value: object) -> str:
    """Return a value's type in words, with the value when it is short."""
    shown = repr(value)
    return f"{_NAMES.get(type(value), type(value).__name__)}" + (f" ({shown})" if len(shown) <= 40 else "")


def read_text(path: Path, most: int) -> str:
    """Return a file's text, refused above a size.

    Raises
    ------
    SpecError
        Cannot be opened, too large, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise SpecError(f"the file cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from None
    if len(content) > most:
        raise SpecError(f"the file is larger than {most} bytes", where=str(path), fix="a model file holds no data")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise SpecError("the file is not UTF-8 text", where=str(path), fix="save it as UTF-8") from None
