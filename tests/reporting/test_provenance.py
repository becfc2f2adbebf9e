"""Where a fit comes from, and what the run had to say."""

from dataclasses import replace

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.design.table import DroppedRows
from bayesglmm.fit.provenance import hash_frame
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.provenance import call_of, section, warnings_of
from bayesglmm.reporting.records import Grid, Pairs, Words
from bayesglmm.spec.model_spec import make_spec
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.reporting.models import MODELS, check_of, context_of, entries_of

IDS = {f"prov.{name}" for name in ["goal", "data", "dropped", "versions", "settings", "complete", "command"]}


def changed(fit, **changes):
    return replace(fit, provenance=replace(fit.provenance, **changes))


def said(fit):
    (words, *_) = (b for b in section(Context(fit)).blocks if isinstance(b, Words))
    return "\n".join(words.paragraphs)


@pytest.mark.parametrize("name", MODELS)
def test_every_check_is_there_once(name):
    found = section(context_of(MODELS[name]()))
    assert {e.check.id for e in found.entries} == IDS == set(entries_of(found))


def test_a_good_fit_is_fine_with_and_without_a_goal():
    fit = crossed_fit()
    assert section(Context(fit)).verdict == section(Context(fit, goal="Does x matter?")).verdict == "ok"
    assert check_of(section(Context(fit)), "prov.goal").verdict == "not run"
    assert check_of(section(Context(fit, goal="Does x matter?")), "prov.goal").detail == "Does x matter?"


def test_data_prove_themselves():
    fit = crossed_fit()
    assert check_of(section(Context(fit)), "prov.data").verdict == "ok"
    same, other = hash_frame(fit.frame), hash_frame(fit.frame.assign(x=0.0))
    assert check_of(section(Context(fit, data_hash=same)), "prov.data").verdict == "ok"
    check = check_of(section(Context(fit, data_hash=other)), "prov.data")
    assert check.verdict == "attention"
    assert other[:16] in check.detail
    assert "not as fitted" in check.detail
    check = check_of(section(Context(fit, data_hash=other, data_reordered=True)), "prov.data")
    assert check.verdict == "attention"
    assert "only their order differs" in check.detail


def test_rows_left_out_are_said():
    fit = crossed_fit()
    assert check_of(section(Context(fit)), "prov.dropped").verdict == "ok"
    fit = replace(fit, design=replace(fit.design, dropped=DroppedRows(150, 120, (("x", 30),))))
    check = check_of(section(Context(fit)), "prov.dropped")
    assert (check.verdict, check.value) == ("attention", 30.0)
    assert "More than 5%" in check.detail
    assert "30 of 150 rows (20.0%)" in said(fit)


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"seed_given": False}, "prov.settings", "No seed"),
        ({"engine": "pymc", "engine_reason": "the compiled kernel lacks the beta family"}, "prov.settings", "beta family"),
        ({"versions": (("numpy", "1.0"),)}, "prov.versions", "numpy 1.0"),
    ],
)
def test_what_is_unusual_is_attention(changes, check, words):
    found = check_of(section(Context(changed(crossed_fit(), **changes))), check)
    assert found.verdict == "attention"
    assert words in found.detail


def test_an_engine_that_was_asked_for_is_no_fallback():
    fit = changed(crossed_fit(), engine="pymc", engine_reason="asked for")
    assert check_of(section(Context(fit)), "prov.settings").verdict == "ok"


def test_the_runs_warnings_appear():
    fit = crossed_fit()
    fit = changed(fit, draws_obtained=7, parameterization=(("g", "partial"),), engine="pymc", engine_reason="the compiled kernel lacks it")
    fit = replace(fit, design=replace(fit.design, notes=("Labels start again.",)), spec=replace(fit.spec, center=False))
    text = "\n".join(warnings_of(fit))
    for part in ("Labels start again.", "Partial run", "lacks it", "g partial", "covariates at zero"):
        assert part in text
        assert part in said(fit)
    assert said(crossed_fit()) == "Said while fitting: Nothing."


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("zero_one ~ x * drug + (x | g)", {"priors": {"b": bg.Normal(0, 1 / 3), "sd[g]": bg.Exponential(1)}, "contrasts": {"drug": "sum"}}),
        ("zero_one ~ x + (1 | g)", {"center": False}),
        ("zero_one ~ 1 + (1 | g)", {}),
    ],
)
def test_the_call_makes_the_same_spec_again(formula, options):
    fit = make_fit(formula, table(), family="bernoulli", **options)
    made = []

    class Namespace:
        def __getattr__(self, name):
            return (lambda formula, data, **o: made.append((formula, o))) if name == "glmm" else getattr(bg, name)

    eval(call_of(fit), {"bg": Namespace(), "data": None})  # noqa: S307 (the text under test, made a line above)
    ((given, keywords),) = made
    spec_options = {k: v for k, v in keywords.items() if k in ("family", "link", "priors", "contrasts", "center")}
    assert make_spec(given, **spec_options) == fit.spec
    assert keywords["seed"] == fit.provenance.settings.seed
    assert keywords["draws"] == fit.provenance.settings.draws


def test_facts_and_versions_are_there():
    fit = crossed_fit()
    blocks = section(Context(fit, file="fit.nc")).blocks
    facts = dict(next(b for b in blocks if isinstance(b, Pairs)).rows)
    assert facts["formula"] == fit.spec.formula
    assert facts["file"] == "fit.nc"
    assert fit.provenance.data_hash in facts["data"]
    (versions,) = (b for b in blocks if isinstance(b, Grid))
    assert ("numpy", np.__version__, np.__version__) in versions.rows
