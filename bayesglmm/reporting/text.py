"""Users' text made harmless for a page: no control characters, no marks that turn the writing direction, nothing that UTF-8 cannot hold."""

import re
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_STEERS: Final = re.compile(
    "["
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"  # control characters but tab and line feed
    "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069"  # marks of the writing direction
    "\\ud800-\\udfff\\ufffe\\uffff"  # halves of a pair, and what is no character
    "]"
)


def harmless(text: str) -> str:
    """Return the text with a replacement character in place of each one that could steer a reader's page, or break the file."""
    return _STEERS.sub(REPLACEMENT, text)
