"""Find a registry entry by name, or say which names exist and which one is nearest."""

from collections.abc import Mapping
from difflib import get_close_matches

from bayesglmm.errors import FamilyError


def lookup[T](registry: Mapping[str, T], name: str, kind: str) -> T:
    """Return the entry of ``registry`` called ``name``.

    Parameters
    ----------
    registry
        Names to entries.
    name
        What the caller asked for.
    kind
        What the entries are ("link", "family"), for the message.

    Raises
    ------
    FamilyError
        If there is no such entry; lists all names and the nearest.
    """
    if name in registry:
        return registry[name]
    near = get_close_matches(str(name).lower(), registry, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise FamilyError(f"the {kind} {name!r} is not known", fix=f"{hint}Known: {', '.join(map(repr, registry))}")
