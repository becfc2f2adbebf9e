"""The page: records in, one self-contained HTML text out. The one place where text becomes markup.

Everything that is put into the templates is escaped, except what this package itself writes: its style, its script, and the MathML of
:mod:`bayesglmm.reporting.mathematics`, whose names are escaped there. The page may load nothing and run nothing but that one script, which
its content security policy names by hash.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bayesglmm.fit.quality import Check
from bayesglmm.post.render import TextTable, format_number
from bayesglmm.reporting.records import Cell, Formulas, Grid, Image, Numbers, Section
from bayesglmm.reporting.text import harmless
from bayesglmm.reporting.verdict import CONTENT, Summary, rows_of

PACKAGE: Final = __name__.rpartition(".")[0]
FOLDER: Final = "templates"
PAGE, STYLE, SCRIPT = "report.html.j2", "report.css", "report.js"
STYLES: Final = MappingProxyType({"ok": "v-ok", "attention": "v-attention", "do not use": "v-bad", "not run": "v-none", CONTENT: "v-none"})
SIGNS: Final = MappingProxyType({"ok": "✓", "attention": "!", "do not use": "✗", "not run": "?", CONTENT: "i"})
"""One sign per kind of row, beside its word: no reader needs colours."""
NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows.

    Attributes
    ----------
    title, goal, subtitle, footer
        Plain text; no goal is None.
    summary
        The verdict box.
    sections
        In order.
    """

    title: str
    goal: str | None
    subtitle: str
    footer: str
    summary: Summary
    sections: tuple[Section, ...]


def render(page: Page) -> str:
    """Write the page.

    Parameters
    ----------
    page
        Records; every text in them is taken as text.

    Returns
    -------
    str
        A whole HTML document.
    """
    css, js = _own(STYLE), _own(SCRIPT)
    content = {
        "title": page.title,
        "goal": page.goal,
        "subtitle": page.subtitle,
        "footer": page.footer,
        "summary": page.summary,
        "sections": list(zip(page.sections, rows_of(page.sections), strict=True)),
        "policy": policy(css, js),
        "css": Markup(css),  # noqa: S704 (a file of this package)
        "js": Markup(js),  # noqa: S704 (a file of this package)
    }
    return _environment().get_template(PAGE).render(content)


def policy(css: str, js: str) -> str:
    """Write the content security policy: nothing is loaded, pictures are inside the page, one style and one script are allowed by hash.

    Parameters
    ----------
    css, js
        The texts between the tags.
    """
    rules = ("default-src 'none'", "img-src data:", f"style-src '{_hash(css)}'", f"script-src '{_hash(js)}'")
    return "; ".join((*rules, "base-uri 'none'", "form-action 'none'"))


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _own(name: str) -> str:
    """Read a file of this package."""
    return files(PACKAGE).joinpath(FOLDER, name).read_text(encoding="utf-8")


def _environment() -> Environment:
    """Set up the templates: everything is escaped, a name that is not there is an error."""
    environment = Environment(
        loader=PackageLoader(PACKAGE, FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    return environment


def _finalize(value: Any) -> Any:
    """Make text harmless before it is escaped; what is markup already was made from harmless text."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else harmless(value)


def _value(check: Check) -> str:
    if check.percent and check.value is not None:
        return check.value_text or NOTHING
    return _cell(check.value)


def _style(kind: str) -> str:
    return STYLES[kind]


def _sign(kind: str) -> str:
    return SIGNS[kind]


def _shown_verdict(section: Section) -> str:
    """Choose the mark of a section: none without checks, and ``not run`` where not one was; that is never shown as passed."""
    if not section.entries:
        return ""
    return "not run" if section.verdict == "ok" and all(e.check.verdict == "not run" for e in section.entries) else section.verdict


def _kind(block: object) -> str:
    return type(block).__name__


def _grid_text(grid: Grid) -> TextTable:
    columns = list(zip(*grid.rows, strict=True)) if grid.rows else [()] * len(grid.columns)
    numeric = tuple(bool(c) and all(v is None or isinstance(v, int | float) for v in c) for c in columns)
    return TextTable(grid.columns, tuple(tuple(_cell(v) for v in row) for row in grid.rows), numeric)


def _cell(value: Cell) -> str:
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else format_number(float(value))


def _result_text(numbers: Numbers) -> TextTable:
    """Take the first rows of a result's table, written as the result itself writes them."""
    return replace(numbers.result, table=numbers.result.table.head(numbers.limit))._text()


def _formula_pairs(formulas: Formulas) -> list[tuple[Markup, str]]:
    return [(Markup(m), words) for m, words in zip(formulas.mathml, formulas.words, strict=True)]  # noqa: S704 (names are escaped there)


def _data_uri(image: Image) -> Markup:
    return Markup("data:image/png;base64,") + base64.b64encode(image.png).decode()


_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "value": _value,
    "style": _style,
    "sign": _sign,
    "shown_verdict": _shown_verdict,
    "kind": _kind,
    "grid_text": _grid_text,
    "result_text": _result_text,
    "formula_pairs": _formula_pairs,
    "data_uri": _data_uri,
}
