"""The words for marginal coefficients, checked against the contrasts of population means that they name."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.post.readings import readings
from tests.fits import make_fit
from tests.post.makers import AIDS_FORMULA, aids_visits, draws_of, table
from tests.tolerances import ALGEBRAIC


def log_odds(fit, at):
    mean = draws_of(bg.means(fit, at, target="population"))[:, 0]
    return np.log(mean / (1.0 - mean))


def test_the_sentences_name_the_contrast_and_where_it_is_taken():
    said = readings(make_fit(AIDS_FORMULA, aids_visits(), family="bernoulli"))
    assert said == (
        "Intercept: log odds of the population mean where all numbers are 0 and all factors at their reference.",
        "obstime: change of the log odds of the population mean per unit of obstime, at drug = ddC.",
        "drug[ddI]: log odds of the population mean at drug = ddI less that at drug = ddC, at obstime = 0.",
        "obstime:drug[ddI]: (change of the log odds of the population mean per unit of obstime) at drug = ddI less the same at drug = ddC.",
    )


def test_what_they_say_is_true_where_the_projection_is_exact():
    """With factors alone and all their combinations the population mean is linear in the coefficients."""
    fit = make_fit("zero_one ~ drug * h + (1 | g)", table(n=240), family="bernoulli", sd=1.5)
    marginal = bg.marginal_coefficients(fit)
    assert any("is linear" in note for note in marginal.notes)
    values = {str(c): marginal.draws["marginal"].sel(coefficient=c).to_numpy().reshape(-1) for c in marginal.table.index}
    base, drug, h, both = (log_odds(fit, {"drug": d, "h": k}) for d, k in (("a", "p"), ("b", "p"), ("a", "q"), ("b", "q")))
    np.testing.assert_allclose(values["Intercept"], base, atol=ALGEBRAIC)
    np.testing.assert_allclose(values["drug[b]"], drug - base, atol=ALGEBRAIC)
    np.testing.assert_allclose(values["drug:h[b, q]"], both - h - (drug - base), atol=ALGEBRAIC)
    said = dict(line.split(": ", 1) for line in readings(fit))
    assert said["drug[b]"] == "log odds of the population mean at drug = b less that at drug = a, at h = p."
    assert said["drug:h[b, q]"].startswith("(log odds of the population mean at drug = b less that at drug = a) at h = q less")


NO_READING = [
    ("zero_one ~ poly(x, 2) + (1 | g)", {}, "Intercept, poly(x, 2)"),
    ("zero_one ~ 0 + drug + (1 | g)", {}, "drug"),
    ("zero_one ~ x + I(x^2) + (1 | g)", {}, "Intercept, x, I(x ** 2)"),
    ("zero_one ~ center(x) + age + (1 | g)", {}, "Intercept, center(x)"),
    ("zero_one ~ x * drug + (1 | g)", {"contrasts": {"drug": "sum"}}, "Intercept, x, drug, x:drug"),
]


@pytest.mark.parametrize(("formula", "options", "named"), NO_READING)
def test_terms_without_such_a_reading_are_named(formula, options, named):
    """A unit that cannot change alone, a coding without a reference, and what interacts with them."""
    last = readings(make_fit(formula, table(), family="bernoulli", **options))[-1]
    assert last == f"No single contrast of population means: {named}; compare means instead."


def test_a_departure_from_straight_lines_is_told():
    fit = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", sd=2.0)
    assert any("not quite linear" in note for note in bg.marginal_coefficients(fit).notes)


def test_a_departure_does_not_cancel_over_draws():
    """Slopes on either side of zero bend the population's line in opposite directions."""
    fit = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", beta=[0.0, 0.0], sd=3.0, spread=0.0, n_chains=1, n_draws=2)
    fit.posterior["x"].data[...] = [[1.5, -1.5]]
    assert any("not quite linear" in note for note in bg.marginal_coefficients(fit).notes)
