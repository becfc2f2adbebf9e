"""Three kinds of coefficients in one table: each is the number of its own function, and the notes say what to compare."""

from dataclasses import replace

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.design.table import DroppedRows
from bayesglmm.errors import ArgumentError, DesignError, MissingValueError
from bayesglmm.numerics.marginal import population_predictor
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
    with pytest.raises(ArgumentError, match=r"different ones.*What to do"):
        side_by_side(binomial_fit(), structure=structure)


def test_an_unknown_structure_is_refused():
    with pytest.raises(ArgumentError, match="exchangeable"):
        side_by_side(binomial_fit(), structure="compound")


def test_models_that_have_no_counterpart_are_refused():
    with pytest.raises(ArgumentError, match="which rows belong together"):
        side_by_side(make_fit("y ~ x", table()))
    with pytest.raises(DesignError, match="no fixed effect"):
        side_by_side(make_fit("y ~ 0 + (1 | g)", table()))


def test_what_is_to_be_known_of_the_marginal_models_is_said_once():
    data = table().assign(t=np.tile(np.arange(6), 20))
    notes = side_by_side(make_fit("y ~ x + (1 | g) + (1 | h)", data, n_draws=20), structure=("exchangeable", "ar1"), groups="g").notes
    both = "gee_exchangeable, gee_ar1: "
    assert sum("too small" in n for n in notes) == 2
    assert f"{both}With 20 groups the sandwich errors are probably too small." in notes
    assert any(n.startswith(f"{both}Groups share levels of h,") for n in notes)
    assert "gee_ar1: Autoregressive correlation, rows of a group are successive visits in the order of the table." in notes
    text = " ".join(notes)
    assert text.count("completely at random") == 1
    assert text.count("sandwich, valid whatever") == 0, "the table says it in its own words"


ZERO_ONE = "zero_one ~ x + (1 | g)"


@pytest.mark.parametrize(
    ("formula", "link", "words"),
    [
        (ZERO_ONE, "logit", "as a rule larger in size"),
        (ZERO_ONE, "probit", "as a rule larger in size"),
        (ZERO_ONE, "cloglog", "not the curve of any subject"),
        (ZERO_ONE, "loglog", "not the curve of any subject"),
        (ZERO_ONE, "cauchit", "not the curve of any subject"),
        ("zero_one ~ x + (x | g)", "logit", "not the curve of any subject"),
        ("zero_one ~ x + age", "logit", "no random effects, so subject_specific is marginal"),
    ],
)
def test_only_what_is_true_of_a_link_is_said_of_it(formula, link, words):
    data = table().assign(zero_one=np.random.default_rng(1).integers(0, 2, 120))
    fit = make_fit(formula, data, family="bernoulli", link=link, sd=0.8 if "|" in formula else None, n_draws=20)
    note = side_by_side(fit, structure="independence", groups="g" if "|" in formula else "age").notes[0]
    assert words in note
    assert ("larger in size" in note) == (link in ("logit", "probit") and formula == ZERO_ONE)


def test_what_is_said_of_the_links_is_true():
    """Random intercepts: the predictor of the population's mean as a function of the subject's, by quadrature, slopes over steps of 1/8."""
    eta = np.arange(-8.0, 8.01, 0.125)
    curves = {name: population_predictor(name, eta, np.full(eta.shape, 2.0)).value for name in ("logit", "probit", "cloglog", "cauchit")}
    slopes = {name: np.diff(curve) / 0.125 for name, curve in curves.items()}
    middle = len(eta) // 2
    for name in ("logit", "probit"):
        assert np.all(slopes[name] < 1.0)
        assert abs(curves[name][middle]) < 1e-9  # the quadrature promises 1e-10
    assert curves["cloglog"][middle] < -0.01, "an intercept of zero does not stay zero"
    assert slopes["cauchit"].max() > 1.01
    x = np.array([-1.0, 0.0, 1.0])
    random_slopes = population_predictor("logit", 2.0 + 0.0 * x, 1.0 + 4.0 * np.square(x + 1.0)).value
    assert np.polyfit(x, random_slopes, 1)[0] < -0.2, "a slope of zero does not stay zero"


def test_times_that_nothing_reads_are_refused():
    with pytest.raises(ArgumentError, match=r"no meaning.*add 'ar1' to structure, or leave time out"):
        side_by_side(binomial_fit(), time="x")


def test_successive_visits_of_a_fit_that_left_rows_out_are_refused():
    data = table().assign(t=np.tile(np.arange(6), 20), x=lambda d: d["x"].where(d["t"] != 2))
    fit = make_fit("y ~ x + t + (1 | g)", data.dropna(), n_draws=20)
    fit = replace(fit, design=replace(fit.design, dropped=DroppedRows(120, 100, (("x", 20),))))
    with pytest.raises(MissingValueError, match=r"need not be neighbours.*20 of 120 rows.*time="):
        side_by_side(fit, structure="ar1")
    assert len(side_by_side(fit, structure="ar1", time="t").table) == 9


def test_contrasts_of_the_random_part_do_not_stand_in_the_way():
    fit = make_fit("y ~ x + (0 + drug | g)", table(), contrasts={"drug": "sum"}, sd=[1.0, 0.5, 0.5], n_draws=20)
    expected = gee("y ~ x", table(), groups="g").table.iloc[:2]
    np.testing.assert_allclose(lines(side_by_side(fit), "gee_independence")["estimate"], expected["estimate"], rtol=ALGEBRAIC)


def test_remedies_of_a_model_without_groups_can_be_followed():
    fit = make_fit("y ~ x", table())
    with pytest.raises(ArgumentError, match=r"group term, such as \(1 \| subject\); gee\(formula, table, groups=\.\.\.\)"):
        side_by_side(fit)
    with pytest.raises(ArgumentError, match=r"keeps only the columns.*groups: g; the fit keeps y, x.*gee\(formula, table, groups=\.\.\.\)"):
        side_by_side(fit, groups="g")
    with pytest.raises(ArgumentError, match="groups: h; the fit keeps y, x, g"):
        side_by_side(make_fit("y ~ x + (1 | g)", table()), groups="g:h")
    assert len(gee("y ~ x", table(), groups="g").table)
