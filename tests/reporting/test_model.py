"""The model as it was assumed: priors, covariance, coding, targets."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.post.prior_quantiles import correlation_quantile
from bayesglmm.reporting.model import EXTREME, extreme_mass, section
from bayesglmm.reporting.records import Formulas, Grid, Numbers, Pairs, Words
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.reporting.models import MODELS, check_of, context_of, entries_of, keeps_the_rules
from tests.tolerances import REFERENCE

IDS = {f"model.{name}" for name in ["maths", "priors", "covariance", "coding", "estimand", "aggregation"]}


def of(kind, found):
    return [b for b in found.blocks if isinstance(b, kind)]


@pytest.mark.parametrize("name", MODELS)
def test_every_check_is_there_once(name):
    found = section(context_of(MODELS[name]()))
    keeps_the_rules(found, IDS)
    assert found.verdict == "ok"
    assert len(of(Formulas, found)) == len(of(Numbers, found)) == 1


def test_default_priors_are_named_and_count_as_nothing():
    fit = make_fit("y ~ x + (1 | g)", table(), priors={"b[x]": bg.Normal(0, 1)})
    entry = entries_of(section(context_of(fit)))["model.priors"]
    assert (entry.check.verdict, entry.required) == ("not run", False)
    assert entry.check.detail.startswith("3 of 4")
    assert "b[x]" not in entry.check.detail


def test_priors_that_were_all_given():
    priors = {"intercept": bg.Normal(0, 1), "b": bg.Normal(0, 1), "sd": bg.HalfNormal(1), "sigma": bg.HalfNormal(1)}
    assert check_of(section(context_of(make_fit("y ~ x + (1 | g)", table(), priors=priors))), "model.priors").verdict == "ok"


@pytest.mark.parametrize(("eta", "verdict"), [(1, "attention"), (2, "ok"), (0.5, "attention")])
def test_a_flat_correlation(eta, verdict):
    fit = make_fit("y ~ x + (x | g)", table(), priors={"cor": bg.LKJ(eta)})
    check = check_of(section(context_of(fit)), "model.covariance")
    assert (check.verdict, check.value) == (verdict, eta)


def test_a_flat_prior_on_three_effects_is_not_flat_on_each_correlation():
    fit = make_fit("y ~ x + age + (x + age | g)", table(), priors={"cor": bg.LKJ(1)})
    assert check_of(section(context_of(fit)), "model.covariance").verdict == "ok"


@pytest.mark.parametrize(("eta", "q", "mass"), [(1.0, 2, 0.1), (2.0, 2, 0.0145)])
def test_mass_of_extreme_correlations(eta, q, mass):
    """Uniform: 0.1; density 3/4 (1 - rho^2): (1 - 0.9)^2 (2 + 0.9) / 2 = 0.0145."""
    assert extreme_mass(eta, q) == pytest.approx(mass, rel=REFERENCE)


@pytest.mark.parametrize(("eta", "q"), [(1.0, 3), (2.0, 5), (0.7, 2)])
def test_mass_and_quantiles_agree(eta, q):
    assert correlation_quantile(bg.LKJ(eta), q, 1.0 - 0.5 * extreme_mass(eta, q)) == pytest.approx(EXTREME, rel=REFERENCE)


def test_structures_are_counted():
    (grid,) = of(Grid, section(context_of(crossed_fit())))
    rows = {row[0]: row for row in grid.rows}
    assert rows["g"][2:5] == ("unstructured", 2, 1)
    assert rows["h"][2:5] == ("one SD", 1, 0)
    assert rows["h"][-1] is None
    assert np.isclose(rows["g"][-1], 0.0145)


def test_coding_names_reference_and_offset():
    fit = make_fit("count ~ drug + offset(log(age)) + (1 | g)", table(), family="poisson")
    (pairs,) = of(Pairs, section(context_of(fit)))
    coding = dict(pairs.rows)
    assert coding["drug"] == "treatment coding, reference a; levels a, b, c"
    assert coding["offset"] == "log(age)"
    assert coding["weights"] == "none"


def test_targets_are_told_apart():
    (words,) = of(Words, section(context_of(crossed_fit())))
    for target in ("average_subject", "population", "observed_groups", "group"):
        assert any(p.startswith(f"{target}: ") for p in words.paragraphs)
