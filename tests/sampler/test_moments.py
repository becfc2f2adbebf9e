"""The sketch's SDs are near the truth in the designs that mislead simpler estimates, and near R's on real data."""

import json
from pathlib import Path

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.approx.sketch import make_sketch
from bayesglmm.design.prepare import prepare
from bayesglmm.spec.model_spec import make_spec

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = {
    "sleepstudy_corr_ml": ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "penicillin_reml": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
    "pastes_nested_ml": ("strength ~ 1 + (1 | sample) + (1 | batch)", "Pastes"),
    "insteval_crossed_ml": ("y ~ 1 + service + (1 | s) + (1 | d)", "InstEval"),
}


@pytest.mark.parametrize("name", CASES)
def test_moments_start_near_the_maximum_likelihood_fit(name):
    """Within a factor of two: a start needs no more; crossed, nested and correlated designs would mislead a naive estimate by more."""
    formula, dataset = CASES[name]
    ready = prepare(make_spec(formula, family="gaussian", link="identity"), bg.datasets.load(dataset))
    stored = {entry["group"]: entry["sd"] for entry in json.loads((GOLDEN / f"{name}.json").read_text())["random"]}
    for group, moments in zip(ready.design.groups, make_sketch(ready.design, ready.family, ready.link).moments, strict=True):
        expected = np.atleast_1d(stored[group.name])
        assert np.all(moments.sd < 2 * expected)
        assert np.all(moments.sd > expected / 2)
