"""Letters that the usual font lacks: other installed fonts take over, and where none has a letter one warning says so."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.text import Text

FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans SC",
    "Noto Sans JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "SimHei",
    "PingFang SC",
    "PingFang HK",
    "Hiragino Sans",
    "Hiragino Sans GB",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Droid Sans Fallback",
)
"""Fonts with many letters, those that look best first; matplotlib warns of missing families, so only installed ones are named to it."""
MISSING = "missing from"
"""How matplotlib's warning of a letter without a picture is known."""


def installed_fallbacks() -> list[str]:
    """List the fonts of :data:`FALLBACKS` that this computer has."""
    known = set(get_font_names())
    return [name for name in FALLBACKS if name in known]


def let_fonts_take_over(figure: Figure) -> None:
    """Give every text of a figure with letters beyond ASCII more fonts to look in, behind its own."""
    others: list[str] | None = None
    for text in figure.findobj(Text):
        if isinstance(text, Text) and not text.get_text().isascii():
            others = installed_fallbacks() if others is None else others
            own = text.get_fontfamily()
            text.set_fontfamily([*own, *(name for name in others if name not in own)])


@contextmanager
def letters_checked() -> Iterator[None]:
    """Replace the warnings of letters that no font has by one of all; other warnings go on as they are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    lost = False
    for warning in caught:
        if str(warning.message).startswith("Glyph ") and MISSING in str(warning.message):
            lost = True
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno, source=warning.source)
    if lost:
        warnings.warn(
            "Some letters of the picture are drawn as boxes: no font that matplotlib finds has them. Install one, such as Noto Sans CJK.",
            UserWarning,
            stacklevel=4,
        )
