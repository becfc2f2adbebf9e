"""Section 2: where the fit comes from, what was lost on the way, and how to make it again."""

import platform
from collections.abc import Iterator, Mapping
from typing import Final

from bayesglmm.fit.fit import Fit
from bayesglmm.fit.provenance import hash_frame, package_versions
from bayesglmm.fit.quality import DROPPED_SHARE
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.parts import OWN, SHOWN, Rule
from bayesglmm.reporting.records import Entry, Grid, Pairs, Section, Words, not_run
from bayesglmm.spec.model_spec import ModelSpec

ASKED_FOR: Final = "asked for"
"""The engine's reason where the user chose it."""
FALLBACK: Final = "pymc"

GOAL = Rule(
    "prov.goal",
    "Numbers answer a question; without it no reader can judge whether the right ones are shown.",
    "Pass goal='...' in one or two sentences.",
    "the question is stated",
    "Kruschke 2021, preamble",
)
DATA = Rule(
    "prov.data",
    "The hash tells whether these are the data that were fitted.",
    "Fit again, or load the data that were fitted.",
    "the hash is that of the fit",
)
DROPPED = Rule(
    "prov.dropped",
    "Rows with missing values were left out; that is harmless only if missing at random, given what is in the model.",
    "Impute, or give the argument for missing at random; rows whose response alone is missing lose nothing under it.",
    f"no row left out; above {DROPPED_SHARE:.0%} the argument needs evidence",
    OWN,
)
VERSIONS = Rule(
    "prov.versions",
    "The same draws come only from the same versions; results of another version can differ within simulation error.",
    "Fit again under the pinned versions of constraints.txt, or install the versions of the fit.",
    "the versions of the fit are those installed",
)
SETTINGS = Rule(
    "prov.settings",
    "Which sampler ran with which settings; without a given seed the next run draws other numbers.",
    "Give a seed; read why the engine was chosen.",
    "a seed was given, and the engine is no fallback",
)
COMMAND = Rule("prov.command", "The call that makes this fit again.", "Keep it with the data.", SHOWN)


def section(context: Context) -> Section:
    """Tell question, data, settings, versions, and everything that was said while fitting.

    Parameters
    ----------
    context
        The fit, the question and the hash of the data given.

    Returns
    -------
    Section
        With the run's own warnings as text.
    """
    fit = context.fit
    entries = (
        _goal(context),
        _data(context),
        _dropped(fit),
        _versions(fit),
        _settings(fit),
        Entry(fit.quality["prov.complete"]) if _has_complete(fit) else not_run("prov.complete", "all draws", "The run was not judged."),
        COMMAND.entry(None, "Below."),
    )
    said = tuple(warnings_of(fit)) or ("Nothing.",)
    blocks = (
        Words(tuple(f"Said while fitting: {text}" for text in said)),
        Pairs("The fit", tuple(_facts(context))),
        Grid("Versions", ("package", "at the fit", "now"), tuple(_version_rows(fit))),
        Pairs("To make it again", (("Python", call_of(fit)), ("this report", _report_call(context)))),
    )
    return Section("provenance", "Provenance", "What was asked, of which data, and how the draws were made.", entries, blocks)


def warnings_of(fit: Fit) -> Iterator[str]:
    """Tell what the run had to say: rows left out, notes on the design, a partial run, a fallback, and how effects were sampled."""
    dropped = fit.design.dropped
    if dropped.dropped:
        yield f"{_lost(fit)}."
    yield from fit.design.notes
    if fit.provenance.partial:
        yield f"Partial run: {fit.provenance.obtained}."
    if _is_fallback(fit):
        yield f"Engine fallback: {fit.engine}."
    if fit.provenance.parameterization:
        forms = ", ".join(f"{block} {form}" for block, form in fit.provenance.parameterization)
        yield f"How random effects were sampled (the posterior is the same): {forms}."
    if not fit.spec.center:
        yield "The intercept's prior refers to covariates at zero, not at their means (center=False)."


def call_of(fit: Fit) -> str:
    """Write the call that makes the fit again; contrasts, own functions and priors included.

    Parameters
    ----------
    fit
        Its spec and settings.
    """
    spec, settings = fit.spec, fit.provenance.settings
    given: dict[str, object] = {"family": spec.family, "link": spec.link}
    given |= {"center": False} if not spec.center else {}
    given |= {"contrasts": dict(spec.contrasts)} if spec.contrasts else {}
    words = [f"{name}={value!r}" for name, value in given.items()]
    words += [f"priors={{{_priors(spec)}}}"] if spec.priors else []
    words += [f"functions={{{', '.join(f'{name!r}: {name}' for name in spec.functions)}}}"] if spec.functions else []
    words += ["missing='drop'"] if fit.design.dropped.dropped else []
    numbers: Mapping[str, object] = {
        "draws": settings.draws,
        "tune": settings.tune,
        "chains": settings.chains,
        "seed": settings.seed,
        "target_accept": settings.target_accept,
        "max_treedepth": settings.max_treedepth,
    }
    words += [f"{name}={value!r}" for name, value in numbers.items()]
    return f"bg.glmm({spec.formula!r}, data, {', '.join(words)})"


def _priors(spec: ModelSpec) -> str:
    """Write priors by address, with all digits."""
    texts = (f"bg.{type(p).__name__}({', '.join(f'{name}={value!r}' for name, value in p.values)})" for _, p in spec.priors)
    return ", ".join(f"{address!r}: {text}" for (address, _), text in zip(spec.priors, texts, strict=True))


def _report_call(context: Context) -> str:
    goal = "" if context.goal is None else f", goal={context.goal!r}"
    return f"bg.report(fit, 'report.html'{goal})"


def _has_complete(fit: Fit) -> bool:
    return any(check.id == "prov.complete" for check in fit.quality.checks)


def _goal(context: Context) -> Entry:
    """Show the question; one that was not given is no fault of the fit and counts as nothing, else no report without one could be ok."""
    if context.goal is None:
        return not_run(GOAL.id, GOAL.threshold, f"No question was given. {GOAL.remedy}", required=False)
    return GOAL.entry(None, context.goal)


def _data(context: Context) -> Entry:
    """Compare the data given, or else the columns that the fit keeps, with those that were fitted."""
    fit = context.fit
    found = hash_frame(fit.frame) if context.data_hash is None else context.data_hash
    what = "the columns that the fit keeps" if context.data_hash is None else "the data given"
    same = found == fit.provenance.data_hash
    sizes = "".join(f", {len(g.levels)} levels of {g.name}" for g in fit.design.groups if g.position == 0)
    order = "the rows that were fitted, only their order differs"
    told = "as fitted" if same else order if context.data_reordered else "not as fitted"
    detail = f"{len(fit.design.y)} rows{sizes}; SHA-256 of {what}: {found[:16]}, {told}."
    return DATA.entry(None, detail, "ok" if same else "attention")


def _dropped(fit: Fit) -> Entry:
    """Any row left out is said; which groups lost all their rows is not kept by a fit."""
    dropped = fit.design.dropped
    if not dropped.dropped:
        return DROPPED.entry(0.0, f"All {dropped.total} rows were used.")
    share = dropped.dropped / dropped.total
    more = f" More than {DROPPED_SHARE:.0%} of the rows." if share > DROPPED_SHARE else ""
    whole = " Whether a group lost all its rows is not known from the fit." if fit.design.groups else ""
    return DROPPED.entry(float(dropped.dropped), f"{_lost(fit)}.{more}{whole}", "attention")


def _lost(fit: Fit) -> str:
    dropped = fit.design.dropped
    columns = ", ".join(f"{name} {count}" for name, count in dropped.by_column)
    share = dropped.dropped / dropped.total
    return f"{dropped.dropped} of {dropped.total} rows ({share:.1%}) were left out; missing values: {columns}"


def _version_rows(fit: Fit) -> Iterator[tuple[str, str, str]]:
    then, now = dict(fit.provenance.versions), dict(package_versions())
    for name in dict.fromkeys([*then, *now]):
        yield name, then.get(name, "-"), now.get(name, "-")


def _versions(fit: Fit) -> Entry:
    """Compare versions; the pins are those of the source tree, which an installed package does not have."""
    other = [f"{name} {then} -> {now}" for name, then, now in _version_rows(fit) if then != now]
    if not fit.provenance.versions:
        return not_run(VERSIONS.id, VERSIONS.threshold, "The fit does not say its versions.")
    return VERSIONS.entry(float(len(other)), f"Other: {', '.join(other)}." if other else "All the same.", "attention" if other else "ok")


def _is_fallback(fit: Fit) -> bool:
    return fit.provenance.engine == FALLBACK and fit.provenance.engine_reason != ASKED_FOR


def _settings(fit: Fit) -> Entry:
    problems = [] if fit.provenance.seed_given else [f"No seed was given; {fit.provenance.settings.seed} was taken."]
    problems += [f"Engine fallback: {fit.engine}."] if _is_fallback(fit) else []
    return SETTINGS.entry(None, " ".join(problems) or "Below.", "attention" if problems else "ok")


def _facts(context: Context) -> Iterator[tuple[str, str]]:
    """Names and values of everything that was set."""
    fit = context.fit
    run, settings = fit.provenance, fit.provenance.settings
    yield "formula", fit.spec.formula
    yield "family and link", f"{fit.spec.family}, {fit.spec.link}"
    if context.file is not None:
        yield "file", context.file
    yield "data", f"{len(fit.design.y)} rows, columns {', '.join(map(str, fit.frame.columns))}; SHA-256 {run.data_hash}"
    yield "engine", fit.engine
    yield "chains and draws", f"{run.chains_obtained} chains of {run.draws_obtained} draws after {settings.tune} of warm-up"
    yield "seed", f"{settings.seed} ({'given' if run.seed_given else 'taken at random'})"
    yield "target acceptance, tree depth", f"{settings.target_accept:g}, at most {settings.max_treedepth}"
    yield "sampled form of each block", ", ".join(f"{block}: {form}" for block, form in run.parameterization) or "-"
    yield "end of sampling", f"{run.created}; compiling and sampling took {run.seconds:.1f} s"
    yield "Python and machine of this report", f"{platform.python_version()}, {platform.system()} {platform.machine()}"
