"""Names as users write them: with or without back-quotes.

A formula needs back-quotes around a name with blanks, and so does the name of a term or grouping factor that is made of it. Everywhere else
(``at``, ``variable``, ``by``, ``over``, ``factor``, ``groups``, addresses of priors) both spellings mean the same. Inside an expression, a
formula or a hypothesis, such a name keeps its back-quotes: without them nobody could tell where it ends.
"""

from collections.abc import Collection
from typing import Final

QUOTE: Final = "`"


def unquoted(name: str) -> str:
    """Name of one column without the back-quotes around it; any other text as it is."""
    inner = name[1:-1]
    quoted = len(name) > 2 and name[0] == name[-1] == QUOTE and QUOTE not in inner
    return inner if quoted else name


def named(text: str, known: Collection[str]) -> str:
    """Name among those known that a text spells, with or without back-quotes.

    Parameters
    ----------
    text
        What a user wrote: ``the group`` or ```the group```.
    known
        Names of grouping factors or columns, in either spelling.

    Returns
    -------
    str
        The one known name of that spelling; the text itself when there is none, or several.
    """
    if text in known:
        return text
    found = [name for name in known if name.replace(QUOTE, "") == text.replace(QUOTE, "")]
    return found[0] if len(found) == 1 else text


def bare_names(known: Collection[str]) -> dict[str, str]:
    """Return each name without any back-quotes, for keys and columns of tables; two names that would become one keep theirs."""
    bare = {name: name.replace(QUOTE, "") for name in known}
    return {name: short if list(bare.values()).count(short) == 1 else name for name, short in bare.items()}
