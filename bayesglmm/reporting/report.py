"""The report of a fit: one page for readers and its twin for machines, written both or not at all."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.design.expressions import unknown_column
from bayesglmm.design.table import read_table, to_frame
from bayesglmm.errors import ArgumentError, BayesglmmError, ColumnError
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.provenance import hash_frame, package_versions
from bayesglmm.io.atomic import check_target, moved_when_whole, unwritable
from bayesglmm.post.door import takes_fit
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.document import document
from bayesglmm.reporting.outline import SECTIONS
from bayesglmm.reporting.records import Entry, Section, not_run
from bayesglmm.reporting.render import Page, render
from bayesglmm.reporting.verdict import Summary, summarise
from bayesglmm.spec.names import unquoted
from bayesglmm.types import Verdict

TWIN = ".json"
ENDINGS = (".html", ".htm")
"""Endings of a page."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A report that was written.

    Attributes
    ----------
    title, goal
        As on the page; no goal is None.
    fit
        The fit.
    summary
        Verdict, counts, failed checks, what to do first.
    sections
        Checks, tables, pictures and words, in order.
    html, json
        Where the page and its twin are.
    """

    title: str
    goal: str | None
    fit: Fit
    summary: Summary
    sections: tuple[Section, ...]
    html: Path
    json: Path

    @property
    def verdict(self) -> Verdict:
        """``ok``, ``attention`` or ``do not use``: the worst of all checks, one that is required and was not run counting as attention."""
        return self.summary.verdict

    @property
    def checks(self) -> tuple[Entry, ...]:
        """All checks, in the order of the page."""
        return tuple(entry for part in self.sections for entry in part.entries)

    @property
    def paths(self) -> tuple[Path, Path]:
        """The page and its twin."""
        return self.html, self.json

    def to_dict(self) -> dict[str, Any]:
        """Every number, threshold and verdict, ready for JSON; numbers that are not finite are None."""
        return document(self.title, self.goal, _fit_facts(self.fit), self.summary, self.sections)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.summary.counts if count)
        lines = [f"Verdict of the report: {self.verdict}. {self.summary.meaning}", f"Checks: {counts}."]
        lines += [f"  {row.entry.check.verdict}: {row.entry.check.id}. {row.action}" for row in self.summary.actions]
        failed = ", ".join(f"{row.entry.check.id} ({row.entry.check.verdict})" for row in self.summary.failed)
        lines += [f"Checks that are not ok: {failed}."] if failed else []
        return "\n".join([*lines, f"Written to {self.html} and {self.json}"])


@takes_fit
def report(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    path: str | os.PathLike[str] = "report.html",
    *,
    goal: str | None = None,
    title: str | None = None,
    data: Any = None,
    time: str | None = None,
    force: bool = False,
) -> Report:
    """Write the report of a fit: checks with thresholds and remedies, tables and pictures, on one self-contained page.

    Parameters
    ----------
    fit
        A fit.
    path
        The page, ``.html`` or ``.htm``; its twin for machines gets the same name with the ending ``.json``.
    goal
        The question that the fit answers, in a sentence or two.
    title
        Heading; None takes the formula.
    data
        The table that was fitted, to prove that it is; None leaves the proof to the columns that the fit keeps.
    time
        The column of the fit that is time: residuals of consecutive rows of a group are looked at along it, within the grouping factor with
        most levels. A formula does not say which column that is, so without it this check is not run.
    force
        Whether existing files are replaced.

    Returns
    -------
    Report
        ``verdict``, ``checks``, ``sections``, ``paths`` and ``to_dict()``.

    Raises
    ------
    ArgumentError
        If an argument is not what it must be, a file exists and ``force`` is false, or one cannot be written; then neither file is.
    ColumnError
        If the fit keeps no column ``time``; names the nearest.
    BayesglmmError
        If ``data`` is no table with the columns of the fit.

    Notes
    -----
    A check that could not be made stands in the report with its reason, never as passed. The same fit gives the same report.
    """
    for name, value in (("goal", goal), ("title", title), ("time", time)):
        if value is not None and not isinstance(value, str):
            raise ArgumentError(f"{name}={value!r} is no text", fix="give a string")
    context = Context(fit, goal=goal, time=time)
    return write_report(context if data is None else _beside(context, data), path, title=title, force=force)


def write_report(context: Context, path: str | os.PathLike[str], *, title: str | None = None, force: bool = False) -> Report:
    """Make all sections and write both files.

    Parameters
    ----------
    context
        The fit and what the reader was told.
    path, title, force
        As for :func:`report`.

    Raises
    ------
    ArgumentError, ColumnError
        As for :func:`report`.
    """
    context = _with_time(context)
    html, twin = report_targets(path, force=force)
    fit = context.fit
    sections = tuple(_made(name, make, context) for name, make in SECTIONS)
    heading = title or f"Report: {fit.spec.formula}"
    made = Report(heading, context.goal, fit, summarise(sections), sections, html, twin)
    page = render(Page(heading, context.goal, _subtitle(fit), _footer(fit), made.summary, sections))
    text = json.dumps(made.to_dict(), indent=1, ensure_ascii=True, allow_nan=False)
    _write_both((html, page), (twin, text))
    return made


def _beside(context: Context, data: Any) -> Context:
    """Add the hash of the fit's columns in a table, rows with missing values left out where the fit left some out."""
    fit = context.fit
    table, _ = read_table(data, tuple(map(str, fit.frame.columns)), missing="drop" if fit.design.dropped.dropped else "error")
    given = to_frame(table)
    found, kept = hash_frame(given), fit.provenance.data_hash
    reordered = found != kept and hash_frame(fit.frame) == kept and hash_frame(_sorted(given)) == hash_frame(_sorted(fit.frame))
    return replace(context, data_hash=found, data_reordered=reordered)


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows in an order of their own, whatever it was: by numbers as numbers, by everything else as text."""
    kinds = pd.api.types
    plain = [not kinds.is_numeric_dtype(frame[c]) or kinds.is_bool_dtype(frame[c]) for c in frame.columns]
    keys = [frame[c].astype(str) if text else frame[c].astype(float) for c, text in zip(frame.columns, plain, strict=True)]
    return frame.iloc[np.lexsort([key.to_numpy() for key in keys])] if keys else frame


def _with_time(context: Context) -> Context:
    """Write the column that is time as the fit does; one that the fit does not keep is refused."""
    if context.time is None:
        return context
    name, known = unquoted(context.time), [str(c) for c in context.fit.frame.columns]
    if name not in known:
        fix = f"{unknown_column(name, known).fix}; a fit keeps the columns that its formula uses"
        raise ColumnError(f"the fit keeps no column {name!r}", where="time", fix=fix)
    return replace(context, time=name)


def report_targets(path: str | os.PathLike[str], *, force: bool = False) -> tuple[Path, Path]:
    """Return the page and its twin, when both can be written.

    Parameters
    ----------
    path, force
        As for :func:`report`.

    Raises
    ------
    ArgumentError
        If the page has another ending than ``.html`` or ``.htm``, a file exists and ``force`` is false, or one cannot be written.
    """
    target = Path(path).expanduser()
    if not os.path.isdir(target) and target.suffix.lower() not in ENDINGS:
        fix = f"give it the ending {ENDINGS[0]}: {target.with_suffix(ENDINGS[0]).name}" if target.name else "name a file: report.html"
        raise ArgumentError("a report is an HTML page", where=str(target), fix=fix)
    html = check_target(target, force=force, error=ArgumentError, example="report.html")
    return html, check_target(html.with_suffix(TWIN), force=force, error=ArgumentError)


def _made(name: str, make: Callable[[Context], Section], context: Context) -> Section:
    """Make a section; one that refuses as a whole is there with its reason."""
    try:
        return make(context)
    except BayesglmmError as error:
        entry = not_run(f"{name}.section", "the section can be made", str(error))
        return Section(name, name.capitalize(), "This section could not be made.", (entry,))


def _write_both(page: tuple[Path, str], twin: tuple[Path, str]) -> None:
    """Write both files under temporary names, then move both; where one cannot be moved, the other is as it was."""
    before: dict[Path, bytes | None] = {}
    try:
        before |= {target: target.read_bytes() if target.exists() else None for target, _ in (page, twin)}
        with ExitStack() as stack:
            for target, text in (page, twin):
                stack.enter_context(moved_when_whole(target)).write_text(text, encoding="utf-8", newline="\n")
    except OSError as problem:
        for target, old in before.items():
            _put_back(target, old)
        raise unwritable(page[0], problem, ArgumentError) from problem


def _put_back(target: Path, old: bytes | None) -> None:
    """Make a file what it was before."""
    if old is None:
        target.unlink(missing_ok=True)
    elif not target.exists() or target.read_bytes() != old:
        target.write_bytes(old)


def _subtitle(fit: Fit) -> str:
    groups = "".join(f", {len(g.levels)} levels of {g.name}" for g in fit.design.groups if g.position == 0)
    run = fit.provenance
    return (
        f"{fit.spec.family} ({fit.spec.link} link), {len(fit.design.y)} rows{groups}; "
        f"{run.chains_obtained} chains of {run.draws_obtained} draws, sampled {run.created}."
    )


def _footer(fit: Fit) -> str:
    then, now = (dict(versions).get("bayesglmm", "?") for versions in (fit.provenance.versions, package_versions()))
    return f"Made by bayesglmm {now} from a fit of version {then}. The JSON file of the same name holds every number of this page."


def _fit_facts(fit: Fit) -> dict[str, Any]:
    run = fit.provenance
    return {
        "formula": fit.spec.formula,
        "family": fit.spec.family,
        "link": fit.spec.link,
        "rows": len(fit.design.y),
        "dropped_rows": fit.design.dropped.dropped,
        "groups": {g.name: len(g.levels) for g in fit.design.groups},
        "chains": run.chains_obtained,
        "draws": run.draws_obtained,
        "partial": run.partial,
        "seed": run.settings.seed,
        "engine": fit.engine,
        "created": run.created,
        "data_hash": run.data_hash,
        "verdict": fit.quality.verdict,
    }
