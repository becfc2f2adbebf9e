"""Random effects by level: numbers, ranks, shrinkage, and coefficients."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from tests.fits import make_fit
from tests.post.makers import crossed_fit, parameters, table
from tests.tolerances import ALGEBRAIC


def rows_of(result, **where: str):
    frame = result.table
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


def test_one_row_per_factor_effect_and_level():
    fit = crossed_fit()
    result = bg.random_effects(fit)
    assert len(result.table) == 20 * 2 + 4
    g, h = parameters(fit).groups
    np.testing.assert_allclose(rows_of(result, factor="g", effect="x")["mean"], g.b[:, :, 1].mean(axis=0), rtol=ALGEBRAIC)
    np.testing.assert_allclose(rows_of(result, factor="h", effect="1")["mean"], h.b[:, :, 0].mean(axis=0), rtol=ALGEBRAIC)
    assert rows_of(result, factor="h")["level"].tolist() == ["p", "q", "r", "s"]


def test_categorical_effects_have_a_row_each():
    fit = make_fit("y ~ drug + (drug | h)", table(), sd=[1.0, 0.5, 2.0])
    result = bg.random_effects(fit)
    assert result.table["effect"].unique().tolist() == ["1", "drug[b]", "drug[c]"]
    b = parameters(fit).groups[0].b
    np.testing.assert_allclose(rows_of(result, effect="drug[c]")["median"], np.median(b[:, :, 2], axis=0), rtol=ALGEBRAIC)


def test_ranks_are_counted_per_draw():
    fit = make_fit("y ~ x + (1 | h)", table(), spread=1.0)
    b = parameters(fit).groups[0].b[:, :, 0]
    ranks = np.array([[1 + np.sum(draw < value) for value in draw] for draw in b])
    found = bg.random_effects(fit, ci_prob=0.5).table
    np.testing.assert_allclose(found["rank"], ranks.mean(axis=0), rtol=ALGEBRAIC)
    np.testing.assert_allclose(found["rank_lower"], np.quantile(ranks, 0.25, axis=0), rtol=ALGEBRAIC)
    assert found["rank"].sum() == pytest.approx(1 + 2 + 3 + 4)


def test_reliability_is_the_share_of_variance_that_is_resolved():
    fit = make_fit("y ~ x + (1 | h)", table(), spread=0.3, n_draws=2000, sd=2.0)
    found = bg.random_effects(fit).table
    draws = parameters(fit).groups[0]
    expected = 1 - draws.b[:, :, 0].var(axis=0) / np.mean(draws.sd**2)
    np.testing.assert_allclose(found["reliability"], expected, rtol=ALGEBRAIC)
    np.testing.assert_allclose(found["shrinkage"], 1 - expected, rtol=1e-9)


def test_negative_reliability_is_shown_and_counted():
    """Effects that vary more in the posterior than between groups: nothing is clipped."""
    fit = make_fit("y ~ x + (1 | h)", table(), sd=0.1, n_draws=200)
    wide = fit.idata["posterior"].to_dataset().assign({"1|h": fit.posterior["1|h"] + np.random.default_rng(1).normal(size=(2, 200, 4))})
    tree = fit.idata.copy()
    tree["posterior"] = wide
    result = bg.random_effects(type(fit)(fit.spec, fit.design, fit.frame, fit.priors, tree, fit.quality, fit.provenance))
    assert (result.table["reliability"] < 0).all()
    assert any(n.startswith("4 rows have a posterior variance") for n in result.notes)


def test_coefficients_add_the_fixed_effect_of_the_same_name():
    fit = crossed_fit()
    result, draws = bg.random_effects(fit, coefficients=True), parameters(fit)
    slope = draws.beta[:, [fit.design.labels.index("x")]] + draws.groups[0].b[:, :, 1]
    found = rows_of(result, factor="g", effect="x")
    np.testing.assert_allclose(found["mean"], slope.mean(axis=0), rtol=ALGEBRAIC)
    np.testing.assert_allclose(found["sd"], slope.std(axis=0, ddof=1), rtol=ALGEBRAIC)
    assert "reliability" not in found
    assert list(result.draws.data_vars) == ["coefficient"]


def test_an_effect_without_a_fixed_twin_stays_and_is_named():
    fit = make_fit("y ~ 1 + (x | h)", table())
    result = bg.random_effects(fit, coefficients=True)
    np.testing.assert_allclose(rows_of(result, effect="x")["mean"], parameters(fit).groups[0].b[:, :, 1].mean(axis=0), rtol=ALGEBRAIC)
    assert any("x of h" in n and "b_j alone" in n for n in result.notes)


@pytest.mark.parametrize(
    ("formula", "alone"), [("y ~ drug + (0 + drug | h)", 3), ("y ~ 0 + drug + (drug | h)", 3), ("y ~ drug + (drug | h)", 0)]
)
def test_a_difference_is_not_added_to_a_level(formula, alone):
    result = bg.random_effects(make_fit(formula, table()), coefficients=True)
    assert sum(note.count(" of h") for note in result.notes if "b_j alone" in note) == alone


def test_several_terms_of_one_factor_and_one_factor_of_several():
    fit = make_fit("y ~ x + (1 | g) + (0 + x | g) + (1 | h)", table(), sd={"g": 1.0, "g.2": 0.5, "h": 2.0})
    result = bg.random_effects(fit, factor="g")
    assert result.table["factor"].unique().tolist() == ["g"]
    assert result.table["effect"].unique().tolist() == ["1", "x"]
    assert dict(result.draws.sizes) == {"chain": 2, "draw": 50, "row": 40}


def test_unknown_factors_are_refused():
    with pytest.raises(ArgumentError, match="g, h"):
        bg.random_effects(crossed_fit(), factor="patient")
    with pytest.raises(ArgumentError, match="no grouping factor"):
        bg.random_effects(make_fit("y ~ x", table()))
