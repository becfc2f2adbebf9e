"""Replicated data beside the data, judged: models that fit are left alone, models that do not are named."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from bayesglmm.reporting import predictive
from bayesglmm.reporting.predictive import section
from bayesglmm.reporting.records import Image, Numbers
from tests.fits import make_fit
from tests.post.makers import table
from tests.reporting.models import DRAWS, MODELS, check_of, context_of, entries_of, keeps_the_rules, sketch


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr(predictive, "picture", sketch)


IDS = (
    "ppc.statistics",
    "ppc.density",
    "ppc.pit",
    "ppc.pit_groups",
    "ppc.group_stats",
    "ppc.calibration",
    "ppc.new_groups",
    "ppc.residual_time",
)
GROUPS, ROWS = 30, 12


def simulated(family, *, seed=11, excess=0.0, b_sd=0.6):
    """A table from a model with random intercepts, and their values; ``excess`` adds a spread between rows that the model lacks."""
    rng = np.random.default_rng(seed)
    b = rng.normal(size=GROUPS) * b_sd
    x = np.round(rng.normal(size=GROUPS * ROWS), 3)
    index = np.repeat(np.arange(GROUPS), ROWS)
    eta = 0.5 + 0.7 * x + b[index] + excess * rng.normal(size=len(x))
    y = {
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "bernoulli": lambda: rng.binomial(1, 1.0 / (1.0 + np.exp(-eta))),
        "gaussian": lambda: eta + rng.normal(size=len(eta)),
    }[family]()
    data = pd.DataFrame({"y": y, "x": x, "g": [f"g{i:02d}" for i in index], "time": np.tile(np.arange(ROWS), GROUPS)})
    return data, b


def fitted(family, formula="y ~ x + (1 | g)", **options):
    data, b = simulated(family, **options)
    return make_fit(formula, data, family=family, beta={"Intercept": 0.5, "x": 0.7}, sd=0.6, b=b[:, None], spread=0.02, **DRAWS)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_every_check(name):
    keeps_the_rules(section(context_of(MODELS[name]())), IDS)


@pytest.mark.parametrize("family", ["poisson", "bernoulli", "gaussian"])
def test_models_that_gave_the_data_are_left_alone(family):
    """Each check speaks up in at most 5 % of samples from a correct model: three times in six has probability 0.002."""
    found = [section(context_of(fitted(family, seed=seed))) for seed in range(6)]
    alarms = Counter(e.check.id for made in found for e in made.entries if e.check.verdict == "attention")
    assert max(alarms.values(), default=0) <= 2


def test_overdispersed_counts_are_found():
    made = section(context_of(fitted("poisson", excess=0.9)))
    for check_id in ("ppc.density", "ppc.pit", "ppc.group_stats"):
        assert check_of(made, check_id).verdict == "attention"
    assert check_of(made, "ppc.statistics").value >= 1.0


def test_a_forgotten_slope_is_found_by_the_calibration():
    data, b = simulated("bernoulli")
    wrong = make_fit("y ~ x + (1 | g)", data, family="bernoulli", beta={"Intercept": 0.5, "x": -0.7}, sd=0.6, b=b[:, None], **DRAWS)
    assert check_of(section(context_of(wrong)), "ppc.calibration").verdict == "attention"


def test_calibration_is_for_probabilities():
    made = section(context_of(fitted("gaussian")))
    assert check_of(made, "ppc.calibration").verdict == "not run"
    assert not entries_of(made)["ppc.calibration"].required


def test_groups_that_differ_more_than_the_model_thinks_are_found_among_new_ones():
    data, b = simulated("gaussian", b_sd=3.0)
    fit = make_fit("y ~ x + (1 | g)", data, beta={"Intercept": 0.5, "x": 0.7}, sd=0.6, b=b[:, None], spread=0.02, **DRAWS)
    made = section(context_of(fit))
    assert check_of(made, "ppc.new_groups").verdict == "attention"
    assert check_of(made, "ppc.group_stats").verdict == "ok"


def test_serial_residuals_are_found():
    data, b = simulated("gaussian")
    walk = np.random.default_rng(4).normal(size=(GROUPS, ROWS))
    for k in range(1, ROWS):
        walk[:, k] = 0.9 * walk[:, k - 1] + np.sqrt(1.0 - 0.81) * walk[:, k]
    data = data.assign(y=0.5 + 0.0 * data["x"] + np.repeat(b, ROWS) + walk.ravel())
    fit = make_fit("y ~ time + (1 | g)", data, beta={"Intercept": 0.5}, sd=0.6, b=b[:, None], spread=0.02, **DRAWS)
    check = check_of(section(context_of(fit, time="time")), "ppc.residual_time")
    assert check.verdict == "attention"
    assert "time within g" in check.detail


def test_without_a_column_that_is_time_the_check_counts_as_nothing():
    made = section(context_of(make_fit("y ~ x + (1 | g)", table(), **DRAWS)))
    assert check_of(made, "ppc.residual_time").verdict == "not run"
    assert not entries_of(made)["ppc.residual_time"].required


@pytest.mark.parametrize(
    ("outside", "levels", "many"),
    [(0, 20, False), (2, 20, False), (4, 20, False), (5, 20, True), (16, 300, False), (30, 300, True), (1, 2, False)],
)
def test_a_few_levels_outside_are_chance(outside, levels, many):
    assert predictive._too_many(outside, levels) is many


def test_of_zeros_and_ones_the_mean_says_all():
    binary, counts, measured = fitted("bernoulli"), fitted("poisson"), fitted("gaussian")
    assert predictive._group_statistics(binary) == ("mean",)
    assert predictive._group_statistics(counts) == ("mean", "sd", "zeros")
    assert predictive._group_statistics(measured) == ("mean", "sd")


def test_a_statistic_that_no_level_has_is_named_and_the_others_stay():
    data = table(120).assign(single=[f"s{i:03d}" for i in range(120)])
    fit = make_fit("count ~ x + (1 | single)", data, family="poisson", sd=0.3, **DRAWS)
    check = check_of(section(context_of(fit)), "ppc.group_stats")
    assert check.value is not None
    assert "no level has" in check.detail


def test_the_largest_levels_are_looked_at_one_by_one(monkeypatch):
    monkeypatch.setattr(predictive, "MOST_SINGLE", 3)
    assert len(predictive._largest(fitted("gaussian"))) == 3
    monkeypatch.setattr(predictive, "FEWEST_ROWS", ROWS + 1)
    made = section(context_of(fitted("gaussian")))
    assert check_of(made, "ppc.pit_groups").verdict == "not run"


def test_pictures_and_tables_of_every_factor():
    made = section(context_of(MODELS["crossed logit"]()))
    factors = [set(b.result.table["factor"]) for b in made.blocks if isinstance(b, Numbers) and "factor" in b.result.table]
    assert {"g"} in factors
    assert {"h"} in factors
    assert sum(isinstance(b, Image) for b in made.blocks) >= 7
