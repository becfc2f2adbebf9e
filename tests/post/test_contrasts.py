"""Contrasts: identities between targets and comparisons, against the formula written out per draw."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, ColumnError, FamilyError, LevelError
from bayesglmm.post import contrasts as module
from bayesglmm.post import lines
from bayesglmm.post.contrasts import contrasts
from bayesglmm.types import Target, choices
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC

TARGETS = choices(Target)
INTEGRATION = 4e-10
"""Absolute: two means, each within 1e-10 of the truth by its own rule, in each of two differences."""


def log_fit():
    return make_fit("count ~ x * drug + (1 | g)", table(), family="poisson", beta=[0.5, 1.0, 0.2, -0.3, 0.1, 0.2], spread=0.01)


def contrast_draws(result) -> np.ndarray:
    return draws_of(result, "contrast")


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_odds_ratio_of_the_average_subject_is_the_exponential_of_the_coefficient_under_logit(link):
    fit = crossed_fit(link=link)
    found = contrast_draws(contrasts(fit, "drug", at={}, target="average_subject", compare="odds_ratio"))
    beta = parameters(fit).beta
    if link == "logit":
        np.testing.assert_allclose(found, np.exp(beta[:, 2:]), rtol=ALGEBRAIC)
    else:
        eta = beta[:, :1] + beta[:, 1:2] * fit.frame["x"].mean() + np.column_stack([np.zeros(len(beta)), beta[:, 2:]])
        odds = special.ndtr(eta) / special.ndtr(-eta)
        np.testing.assert_allclose(found, odds[:, 1:] / odds[:, :1], rtol=ALGEBRAIC)


def test_odds_ratio_of_the_population_is_closer_to_one():
    fit = crossed_fit()
    options = {"at": {}, "compare": "odds_ratio"}
    subject, population = (contrasts(fit, "drug", target=t, **options).table for t in ("average_subject", "population"))
    assert np.all(np.abs(np.log(population["median"])) < np.abs(np.log(subject["median"])))
    assert population["compares"][1] == "odds of the population, drug = c to drug = a; not within one subject"
    assert subject["compares"][1] == "odds of the average subject, drug = c to drug = a; within the average subject"


def test_identity_link_makes_all_contrasts_one():
    fit = make_fit("y ~ x + drug + (x | g) + (1 | h)", table(), beta=[1.0, 2.0, -1.0, 0.5])
    beta = parameters(fit).beta
    for target in ("average_subject", "population"):
        np.testing.assert_allclose(contrast_draws(contrasts(fit, "drug", target=target)), beta[:, 2:], rtol=1e-9)  # means are subtracted
        assert np.all(contrasts(fit, "drug", target=target).table["to"] == ["b", "c"])
    for target in ("observed_groups", "group"):  # the random effects cancel: drug has no random slope
        np.testing.assert_allclose(contrast_draws(contrasts(fit, "drug", target=target)), beta[:, 2:], rtol=1e-9)


def test_average_over_rows_sets_the_column_in_every_row():
    fit = crossed_fit()
    result = contrasts(fit, "drug", ["a", "c"], target="population")
    means = [draws_of(bg.means(fit, fit.frame.assign(drug=d), target="population", by=[])) for d in "ac"]
    np.testing.assert_allclose(contrast_draws(result), means[1] - means[0], rtol=0, atol=INTEGRATION)
    assert any("120 rows, which keep their other columns, averaged into one number" in n for n in result.notes)


@pytest.mark.parametrize("target", TARGETS)
def test_difference_is_the_difference_of_means_within_by(target):
    fit = crossed_fit()
    found = contrasts(fit, "x", [-1.0, 1.0], target=target, by=["h", "drug"])
    means = [draws_of(bg.means(fit, fit.frame.assign(x=x), target=target, by=["h", "drug"])) for x in (-1.0, 1.0)]
    np.testing.assert_allclose(contrast_draws(found), means[1] - means[0], rtol=0, atol=INTEGRATION)
    labels = bg.means(fit, target=target, by=["h", "drug"]).table[["h", "drug"]]
    pd.testing.assert_frame_equal(found.table[["h", "drug"]], labels)


@pytest.mark.parametrize("compare", ["difference", "ratio", "odds_ratio"])
def test_contrasts_are_antisymmetric(compare):
    fit = crossed_fit()
    there, back = (
        contrast_draws(contrasts(fit, "drug", [pair], target="population", compare=compare)) for pair in (("a", "c"), ("c", "a"))
    )
    if compare == "difference":
        np.testing.assert_array_equal(there, -back)
    else:
        np.testing.assert_allclose(there * back, 1.0, rtol=ALGEBRAIC)


def test_grid_rows_stand_beside_their_pairs():
    fit = crossed_fit()
    result = contrasts(fit, "drug", at={"x": [0, 2]}, target="population")
    assert result.table[["x", "from", "to"]].values.tolist() == [[0, "a", "b"], [0, "a", "c"], [2, "a", "b"], [2, "a", "c"]]
    grid = draws_of(bg.means(fit, {"x": [0, 2], "drug": ["a", "b", "c"]}, target="population"))
    expected = grid[:, [1, 2, 4, 5]] - grid[:, [0, 0, 3, 3]]
    np.testing.assert_allclose(contrast_draws(result), expected, rtol=0, atol=INTEGRATION)
    np.testing.assert_allclose(result.draws["contrast"].mean(("chain", "draw")), result.table["mean"], rtol=ALGEBRAIC)
    assert result.draws["to"].values.tolist() == ["b", "c", "b", "c"]


def test_rows_of_a_table_may_lack_the_column():
    fit = crossed_fit()
    new = pd.DataFrame({"x": [0.0, 1.0, -3.0]})
    result = contrasts(fit, "drug", ["a", "b"], new, target="average_subject", scale="link")
    np.testing.assert_allclose(contrast_draws(result), np.repeat(parameters(fit).beta[:, 2:3], 3, axis=1), rtol=1e-9)  # a subtraction
    assert result.table["x"].tolist() == [0.0, 1.0, -3.0]
    averaged = contrasts(fit, "drug", ["a", "b"], new.assign(w=[1.0, 0.0, 3.0]), target="average_subject", by=[], weights="w")
    single = contrast_draws(contrasts(fit, "drug", ["a", "b"], new, target="average_subject"))
    np.testing.assert_allclose(contrast_draws(averaged)[:, 0], single @ [0.25, 0.0, 0.75], rtol=1e-9)


def test_weights_by_row_count_rows_repeatedly():
    fit, times = crossed_fit(), np.resize([0, 1, 3], 120)
    weighted = contrasts(fit, "drug", target="average_subject", weights=times)
    repeated = contrasts(fit, "drug", at=fit.frame.iloc[np.repeat(np.arange(120), times)], target="average_subject", by=[])
    np.testing.assert_allclose(contrast_draws(weighted), contrast_draws(repeated), rtol=1e-9)  # sums in another order, then subtracted


def test_a_number_goes_one_unit_up_from_its_mean():
    fit = make_fit("count ~ x + x:drug + (1 | g)", table(), family="poisson", beta=[0.5, 0.3, 0.1, -0.2], sd=0.5)
    result = contrasts(fit, "x", at={"drug": "b"}, target="population", compare="ratio")
    np.testing.assert_allclose(result.table[["from", "to"]].iloc[0].astype(float), table()["x"].mean() + np.array([0.0, 1.0]))
    beta = parameters(fit).beta
    position = fit.design.labels.index("x:drug[b]")
    np.testing.assert_allclose(contrast_draws(result)[:, 0], np.exp(beta[:, 1] + beta[:, position]), rtol=ALGEBRAIC)


def test_named_groups_are_compared_with_each_other():
    fit = crossed_fit()
    at = {"x": 0.5, "h": "p"}
    result = contrasts(fit, "g", ["g01", "g07"], at, target="group", scale="link")
    b = parameters(fit).groups[0].b
    np.testing.assert_allclose(contrast_draws(result)[:, 0], (b[:, 7] - b[:, 1]) @ [1.0, 0.5], rtol=1e-9)
    assert result.target.startswith("group: ")
    assert len(contrasts(fit, "h", at={"g": "g03"}, target="group").table) == 3


def test_group_needs_levels_in_a_grid_and_takes_those_of_the_rows():
    fit = crossed_fit()
    with pytest.raises(ArgumentError, match="level of every grouping factor"):
        contrasts(fit, "drug", at={}, target="group")
    found = contrasts(fit, "drug", ["a", "b"], at=fit.frame, target="group", scale="link")
    np.testing.assert_allclose(contrast_draws(found), np.repeat(parameters(fit).beta[:, 2:3], 120, axis=1), rtol=1e-8)  # a subtraction


def test_some_factors_are_averaged_over():
    fit = crossed_fit()
    averaged = contrasts(fit, "drug", target="population", over="g", by="h")
    means = [draws_of(bg.means(fit, fit.frame.assign(drug=d), target="population", over="g", by="h")) for d in "abc"]
    expected = np.stack([means[1] - means[0], means[2] - means[0]], axis=2).reshape(40, -1)
    np.testing.assert_allclose(contrast_draws(averaged), expected, rtol=0, atol=INTEGRATION)
    assert "given the named levels of h" in averaged.target
    named = contrasts(fit, "h", ["p", "q"], {"x": 0.5}, target="population", over=["g"])
    grid = draws_of(bg.means(fit, {"x": 0.5, "h": ["p", "q"]}, target="population", over=["g"]))
    np.testing.assert_allclose(contrast_draws(named), grid[:, 1:] - grid[:, :1], rtol=0, atol=INTEGRATION)


def test_coded_numbers_and_truth_values_are_factors():
    data = table().assign(period=np.resize([1, 2, 3], 120), flag=np.resize([True, True, False, True], 120), x=np.linspace(-1, 1, 120))
    fit = make_fit("y ~ C(period, 'treatment', 2) + flag + x + (1 | g)", data, beta=[0.0, 1.0, 2.0, 3.0, 0.0], spread=0.0)
    period = contrasts(fit, "period", at={}, target="average_subject").table
    assert period[["from", "to"]].values.tolist() == [[2, 1], [2, 3]]
    np.testing.assert_allclose(period["mean"], [1.0, 2.0], rtol=ALGEBRAIC)
    flag = contrasts(fit, "flag", target="average_subject").table
    assert flag["compares"].tolist() == ["average subject mean at flag = True minus that at flag = False"]
    np.testing.assert_allclose(flag["mean"], 3.0, rtol=ALGEBRAIC)


def test_means_that_round_to_one_keep_their_odds_ratio():
    fit = crossed_fit(beta={"Intercept": 60.0, "drug[b]": 1.0}, spread=0.0)
    found = contrasts(fit, "drug", ["a", "b"], target="average_subject", at={}, compare="odds_ratio").table
    np.testing.assert_allclose(found["mean"], np.e, rtol=1e-9)  # log odds of 60 are subtracted


def test_ratios_need_positive_means_and_odds_probabilities():
    gaussian = make_fit("y ~ x + drug + (1 | g)", table(), beta=[0.1, 1.0, -2.0, 0.5])
    with pytest.raises(ArgumentError, match=r"positive means.*identity"):
        contrasts(gaussian, "drug", target="population", compare="ratio")
    positive = make_fit("y ~ x + drug + (1 | g)", table(), beta=[9.0, 1.0, -2.0, 0.5], spread=0.0)
    found = contrasts(positive, "drug", at={"x": 0}, target="population", compare="ratio").table
    np.testing.assert_allclose(found["mean"], [7 / 9, 9.5 / 9], rtol=ALGEBRAIC)
    with pytest.raises(FamilyError, match="odds belong to a mean between 0 and 1"):
        contrasts(positive, "drug", target="population", compare="odds_ratio")
    with pytest.raises(ArgumentError, match="no meaning on the link scale"):
        contrasts(crossed_fit(), "drug", target="population", compare="ratio", scale="link")
    with pytest.raises(ArgumentError, match="beyond the range"):
        contrasts(crossed_fit(), "x", [0, 5000], at={}, target="average_subject", compare="odds_ratio")


@pytest.mark.parametrize("target", ["population", "group"])
@pytest.mark.parametrize("compare", ["difference", "odds_ratio"])
def test_without_draws_rows_are_taken_a_few_at_a_time(monkeypatch, target, compare):
    """Blocks of three rows: 40 draws x 3 values x 3 rows are at most 400 numbers."""
    fit = crossed_fit()
    monkeypatch.setattr(lines, "AT_ONCE", 400)
    grid = {"x": np.linspace(-1, 1, 7), **({"g": "g01", "h": "p"} if target == "group" else {})}
    for options in ({"at": fit.frame}, {"at": fit.frame, "by": "h"}, {"at": grid}):
        kept = contrasts(fit, "drug", target=target, compare=compare, **options)
        left = contrasts(fit, "drug", target=target, compare=compare, keep_draws=False, **options)
        assert not left.draws.data_vars
        assert left.table.columns.tolist() == kept.table.columns.tolist()
        pd.testing.assert_frame_equal(left.table, kept.table, rtol=1e-8)  # quadrature of blocks of rows
        assert left.target == kept.target
        assert [n.split(" <= ")[0] for n in left.notes] == [n.split(" <= ")[0] for n in kept.notes]


def test_lines_are_counted_through_all_blocks(monkeypatch):
    monkeypatch.setattr(lines, "AT_ONCE", 400)
    at, pairs = pd.DataFrame({"x": [0.0] * 5 + [2000.0]}), [("a", "b"), ("a", "c"), ("b", "c")]
    for keep_draws in (True, False):
        with pytest.raises(ArgumentError, match=r"lines 15, 16, 17 \(counted from 0\)"):
            contrasts(log_fit(), "drug", pairs, at, target="average_subject", keep_draws=keep_draws)


def test_without_draws_memory_does_not_grow_with_draws_by_rows():
    """One array of draws x rows is 160 MB here; the peak stays below half of it."""
    n, rng = 20_000, np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.normal(size=n), "x": rng.normal(size=n), "f": np.resize(["a", "b"], n), "g": np.arange(n) % 40})
    fit = make_fit("y ~ x * f + (1 | g)", data, n_draws=500)
    tracemalloc.start()
    try:
        contrasts(fit, "f", at=fit.frame, target="average_subject", keep_draws=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1000 * n * 8 / 2


def test_many_levels_that_nobody_named_are_refused_on_many_rows(monkeypatch):
    fit = crossed_fit()
    monkeypatch.setattr(module, "MAX_ROWS", 20 * 120 - 1)
    with pytest.raises(ArgumentError, match=r"20 levels on 120 rows.*column 'g'.*values=\[\.\.\.\]"):
        contrasts(fit, "g", target="group")
    with pytest.raises(ArgumentError, match="20 levels on 120 rows"):
        contrasts(fit, "g", at=fit.frame, target="group")
    with pytest.raises(ArgumentError, match="20 levels on 120 rows"):
        contrasts(fit, "g", at={"x": np.arange(30), "h": "all"}, target="group")
    assert len(contrasts(fit, "g", at={"h": "all"}, target="group").table) == 4 * 19
    assert len(contrasts(fit, "g", [f"g{i:02d}" for i in range(20)], target="group").table) == 19
    monkeypatch.setattr(module, "MAX_ROWS", 1)
    assert len(contrasts(fit, "drug", target="population").table) == 2, "few values are compared on any rows"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"variable": "drgu"}, ColumnError, "did you mean 'drug'"),
        ({"variable": 3}, ArgumentError, "names no column"),
        ({"variable": "g"}, ArgumentError, "target='group'"),
        ({"variable": "drug", "values": "a"}, ArgumentError, "no list of values"),
        ({"variable": "drug", "values": ["a"]}, ArgumentError, "two or more values"),
        ({"variable": "drug", "values": []}, ArgumentError, "two or more values"),
        ({"variable": "drug", "values": ["a", "a"]}, ArgumentError, "occurs twice"),
        ({"variable": "drug", "values": [("a", "b", "c")]}, ArgumentError, "a pair has two values"),
        ({"variable": "drug", "values": [("a", "a")]}, ArgumentError, "occurs twice"),
        ({"variable": "drug", "values": ["a", ("b", "c")]}, ArgumentError, "two or more values"),
        ({"variable": "drug", "values": ["a", "z"]}, LevelError, "'z'"),
        ({"variable": "x", "values": ["low", "high"]}, ColumnError, "text where numbers are needed"),
        ({"variable": "drug", "at": {"drug": "a"}}, ArgumentError, "at names the column"),
        ({"variable": "drug", "by": "drug"}, ArgumentError, "within a column that is set"),
        ({"variable": "drug", "by": 3}, ArgumentError, "names no columns"),
        ({"variable": "drug", "by": "nothing"}, ColumnError, "nothing"),
        ({"variable": "drug", "at": {"x": [0]}, "weights": [1.0]}, ArgumentError, "no rows are averaged"),
        ({"variable": "drug", "weights": [1.0]}, ArgumentError, "120 rows"),
        ({"variable": "drug", "over": ["gg"]}, ArgumentError, "did you mean 'g'"),
        ({"variable": "g", "over": ["g"]}, ArgumentError, "averaged over has no levels"),
        ({"variable": "drug", "over": ["g"], "at": {}}, ArgumentError, "every grouping factor that over leaves out"),
        ({"variable": "drug", "compare": "odds"}, ArgumentError, "odds_ratio"),
        ({"variable": "drug", "target": "populaton"}, ArgumentError, "did you mean 'population'"),
        ({"variable": "drug", "ci_prob": 95}, ArgumentError, "0.95"),
    ],
)
def test_bad_questions_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        contrasts(crossed_fit(), **{"target": "population", **arguments})


def test_the_target_has_no_default():
    with pytest.raises(ArgumentError, match="target"):
        contrasts(crossed_fit(), "drug")
