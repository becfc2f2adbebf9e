"""Three kinds of coefficients in one table: each is the number of its own function, and the notes say what to compare."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, DesignError
from bayesglmm.post.gee import gee
from bayesglmm.post.side_by_side import side_by_side
from tests.fits import make_fit
from tests.post.makers import aids_fit, aids_visits, table
from tests.tolerances import ALGEBRAIC

FORMULA = "k | trials(n) ~ scale(x) * drug + offset(s) + (x | g)"


def binomial_fit():
    return make_fit(FORMULA, table(), family="binomial", contrasts={"drug": "sum"}, sd=[0.9, 0.4], n_draws=20)


def lines(result, estimator):
    return result.table[result.table["estimator"] == estimator].set_index("coefficient")


def test_every_number_is_that_of_its_own_function():
    fit = binomial_fit()
    result = side_by_side(fit, ci_prob=0.8)
    mixed = bg.marginal_coefficients(fit, ci_prob=0.8).table
    for name in ("subject_specific", "marginal"):
        expected = mixed[[name, f"{name}_sd", f"{name}_lower", f"{name}_upper"]]
        np.testing.assert_allclose(lines(result, name)[["estimate", "se", "ci_lower", "ci_upper"]], expected, rtol=ALGEBRAIC)
    for structure in ("independence", "exchangeable"):
        model = gee(FORMULA, table(), family="binomial", contrasts={"drug": "sum"}, structure=structure, ci_prob=0.8).table
        expected = model.loc[list(fit.design.labels), ["estimate", "se", "ci_lower", "ci_upper"]]
        np.testing.assert_allclose(lines(result, f"gee_{structure}")[["estimate", "se", "ci_lower", "ci_upper"]], expected, rtol=ALGEBRAIC)


def test_rows_are_coefficients_with_their_estimators_and_targets():
    fit = binomial_fit()
    result = side_by_side(fit)
    assert list(dict.fromkeys(result.table["coefficient"])) == list(fit.design.labels)
    assert list(result.table["estimator"][:4]) == ["subject_specific", "marginal", "gee_independence", "gee_exchangeable"]
    assert list(result.table["target"][:4]) == ["average_subject", "population", "population", "population"]
    assert set(result.draws.data_vars) == {"subject_specific", "marginal"}
    assert result.draws.sizes["coefficient"] == len(fit.design.labels)


def test_one_structure_another_factor_and_times():
    data = table().assign(t=np.tile(np.arange(6), 20), i=np.arange(120) // 3)
    fit = make_fit("y ~ x + t + (1 | g) + (1 | i)", data, n_draws=20)
    result = side_by_side(fit, structure="ar1", groups="i", time="t")
    expected = gee("y ~ x + t", data, groups="i", structure="ar1", time="t").table.iloc[:3]
    np.testing.assert_allclose(lines(result, "gee_ar1")["estimate"], expected["estimate"], rtol=ALGEBRAIC)
    assert any("40 groups of i" in n for n in result.notes)


@pytest.mark.parametrize(
    ("family", "response", "words"),
    [("gaussian", "y", "identity link"), ("bernoulli", "zero_one", "larger in size"), ("poisson", "count", "spread of the random effects")],
)
def test_notes_say_what_may_be_compared(family, response, words):
    data = table().assign(zero_one=lambda d: np.random.default_rng(1).integers(0, 2, len(d)))
    text = str(side_by_side(make_fit(f"{response} ~ x + (1 | g)", data, family=family, n_draws=20)))
    assert words in text
    assert "Compare marginal with gee_" in text
    assert "missing completely at random" in text
    assert "ratio is" not in text, "a note on a column that is not in this table"
    assert "logit_approximation" not in text


def test_subject_specific_coefficients_are_larger_in_size():
    result = side_by_side(aids_fit(aids_visits()), structure="independence")
    ratio = lines(result, "marginal")["estimate"] / lines(result, "subject_specific")["estimate"]
    assert (ratio < 0.5).all()


@pytest.mark.parametrize("structure", [(), ("independence", "independence")])
def test_structures_must_be_named_once(structure):
    with pytest.raises(ArgumentError, match="different"):
        side_by_side(binomial_fit(), structure=structure)


def test_an_unknown_structure_is_refused():
    with pytest.raises(ArgumentError, match="exchangeable"):
        side_by_side(binomial_fit(), structure="compound")


def test_models_that_have_no_counterpart_are_refused():
    with pytest.raises(ArgumentError, match="which rows belong together"):
        side_by_side(make_fit("y ~ x", table()))
    with pytest.raises(DesignError, match="no fixed effect"):
        side_by_side(make_fit("y ~ 0 + (1 | g)", table()))
