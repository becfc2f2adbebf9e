"""How checks make a verdict, and what stands in the box."""

import pytest

from bayesglmm.fit.quality import Check
from bayesglmm.reporting.document import document
from bayesglmm.reporting.parts import Rule
from bayesglmm.reporting.records import Entry, Section, not_run
from bayesglmm.reporting.verdict import ACTIONS, CONTENT, OPTIONAL, rows_of, summarise


def entry(check_id, verdict, remedy="Do it.", **options):
    return Entry(Check(check_id, 1.0, "rule", verdict, "found", "means", remedy), **options)


def section(*entries, name="data"):
    return Section(name, name, "intro", tuple(entries))


@pytest.mark.parametrize(
    ("entries", "verdict"),
    [
        ((), "ok"),
        ((entry("data.a", "ok"),), "ok"),
        ((entry("data.a", "ok"), entry("data.b", "attention")), "attention"),
        ((entry("data.a", "attention"), entry("data.b", "do not use")), "do not use"),
        ((not_run("data.a", "rule", "why"),), "attention"),
        ((not_run("data.a", "rule", "why", required=False),), "ok"),
        ((not_run("data.a", "rule", "why"), entry("data.b", "do not use")), "do not use"),
    ],
)
def test_the_worst_check_decides_and_a_required_one_that_was_not_run_counts(entries, verdict):
    assert section(*entries).verdict == verdict
    assert summarise((section(entry("x.y", "ok")), section(*entries))).verdict == verdict


def test_every_check_is_counted_once():
    parts = (
        section(
            entry("data.a", "ok"), entry("data.b", "ok"), entry("data.c", "attention"), Rule("data.d", "means", "Do.").entry(None, "x")
        ),
        section(not_run("loo.a", "rule", "why", required=False), not_run("mcmc.a", "rule", "why"), entry("mcmc.b", "do not use")),
    )
    assert dict(summarise(parts).counts) == {"do not use": 1, "attention": 1, "not run": 1, "ok": 2, OPTIONAL: 1, CONTENT: 1}


def test_the_twin_counts_as_the_page_does():
    part = section(entry("data.a", "ok"), Rule("data.d", "means", "Do.").entry(None, "x"), not_run("mcmc.a", "rule", "why"))
    found = document("title", None, {}, summarise((part,)), (part,))
    verdicts = [c["verdict"] for c in found["sections"][0]["checks"]]
    assert verdicts == ["ok", CONTENT, "not run"]
    assert all(found["counts"][v] == 1 for v in verdicts)


def test_anchors_are_unique_even_when_identifiers_are_not():
    parts = (section(entry("a.a", "ok"), entry("a.a", "attention")), section(entry("a.a", "ok")))
    anchors = [row.anchor for rows in rows_of(parts) for row in rows]
    assert len(set(anchors)) == len(anchors) == 3
    assert summarise(parts).failed[0].anchor == anchors[1]


def test_the_worst_and_most_important_stand_first():
    parts = (
        section(entry("post.a", "attention"), entry("data.a", "attention"), not_run("mcmc.z", "rule", "why")),
        section(entry("mcmc.a", "attention"), entry("model.a", "do not use"), entry("data.b", "ok")),
    )
    assert [row.entry.check.id for row in summarise(parts).failed] == ["model.a", "mcmc.a", "data.a", "post.a", "mcmc.z"]


def test_actions_are_few_and_different():
    many = [entry(f"data.{k}", "attention", remedy=f"Remedy {k // 2}.") for k in range(10)]
    actions = [row.action for row in summarise((section(*many),)).actions]
    assert actions == [f"Remedy {k}." for k in range(ACTIONS)]


def test_a_check_that_was_not_run_asks_for_its_reason():
    (row,) = summarise((section(not_run("mcmc.a", "rule", "The statistic is missing.")),)).actions
    assert row.action == "The statistic is missing."
