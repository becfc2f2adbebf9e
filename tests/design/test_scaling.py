"""Default priors are the table of the design's scales; addresses override them, the most specific first."""

import numpy as np
import pytest
from scipy.stats import norm

from bayesglmm import datasets
from bayesglmm.errors import PriorError
from bayesglmm.spec.priors import LKJ, Cauchy, Exponential, HalfNormal, HalfStudentT, Laplace, Normal, StudentT
from tests.design.makers import design_and_priors, small_table
from tests.tolerances import ALGEBRAIC

DATA = small_table()
FORMULA = "y ~ x * drug + dose + (x | g) + (1 | h)"


def _numbers(prior):
    return [value for _, value in prior.values]


def test_defaults_of_a_gaussian_model():
    """Sleepstudy by hand: s_y = sd(y), sd(x) of the column, n - 1 throughout."""
    data = datasets.load("sleepstudy")
    s_y, s_x = data["Reaction"].std(), data["Days"].std()
    design, priors = design_and_priors("Reaction ~ Days + (Days | Subject)", data)
    assert [type(p) for p in (priors.intercept, *priors.b, *priors.sd[0], priors.cor[0], priors.aux[0][1])] == [
        StudentT,
        Normal,
        HalfStudentT,
        HalfStudentT,
        LKJ,
        Exponential,
    ]
    np.testing.assert_allclose(_numbers(priors.intercept), [3.0, data["Reaction"].mean(), 5 * s_y], rtol=ALGEBRAIC)
    np.testing.assert_allclose(_numbers(priors.b[0]), [0.0, 2.5 * s_y / s_x], rtol=ALGEBRAIC)
    np.testing.assert_allclose(_numbers(priors.sd[0][0]), [3.0, 2.5 * s_y], rtol=ALGEBRAIC)
    np.testing.assert_allclose(_numbers(priors.sd[0][1]), [3.0, 2.5 * s_y / s_x], rtol=ALGEBRAIC)
    assert priors.cor == (LKJ(2.0),)
    np.testing.assert_allclose(_numbers(priors.aux[0][1]), [1 / s_y], rtol=ALGEBRAIC)
    assert len(priors.b) == design.X.shape[1] - 1


def test_defaults_of_a_bernoulli_model():
    """s_y = 1; the intercept at the logit of the mean; each column by its own standard deviation as coded."""
    design, priors = design_and_priors("zero_one ~ x * dose + (dose | g)", DATA, family="bernoulli")
    mean = DATA["zero_one"].mean()
    np.testing.assert_allclose(_numbers(priors.intercept), [3.0, np.log(mean / (1 - mean)), 5.0], rtol=ALGEBRAIC, atol=ALGEBRAIC)
    np.testing.assert_allclose([p.sigma for p in priors.b], 2.5 / design.X[:, 1:].std(axis=0, ddof=1), rtol=ALGEBRAIC)
    group = design.groups[0]
    np.testing.assert_allclose([p.sigma for p in priors.sd[0]], [2.5, *(2.5 / group.Z[:, 1:].std(axis=0, ddof=1))], rtol=ALGEBRAIC)
    assert priors.aux == ()


def test_poisson_and_binomial_intercepts_sit_at_the_mean():
    _, poisson = design_and_priors("count ~ x", DATA, family="poisson")
    np.testing.assert_allclose(poisson.intercept.mu, np.log(DATA["count"].mean()), rtol=ALGEBRAIC)
    _, binomial = design_and_priors("count | trials(trials) ~ x", DATA, family="binomial", link="probit")
    share = DATA["count"].sum() / DATA["trials"].sum()
    np.testing.assert_allclose(binomial.intercept.mu, norm.ppf(share), rtol=ALGEBRAIC)


def test_an_offset_is_taken_out_of_the_intercepts_location():
    """The intercept is what is left of the mean of the predictor when the mean offset is gone."""
    data = DATA.assign(exposure=1e5 * DATA["t"])
    _, priors = design_and_priors("count ~ x + offset(log(exposure))", data, family="poisson")
    expected = np.log(DATA["count"].mean()) - np.log(data["exposure"]).mean()
    np.testing.assert_allclose(priors.intercept.mu, expected, rtol=ALGEBRAIC)


def test_sigma_lives_on_the_scale_of_the_response_under_every_link():
    _, priors = design_and_priors("pos ~ x", DATA.assign(pos=np.exp(DATA["y"])), link="log")
    pos = np.exp(DATA["y"])
    np.testing.assert_allclose(priors.aux[0][1].rate, 1 / pos.std(), rtol=ALGEBRAIC)
    np.testing.assert_allclose(priors.intercept.sigma, 5 * DATA["y"].std(), rtol=ALGEBRAIC)


def test_centering_changes_what_the_intercept_refers_to_and_no_number():
    _, centered = design_and_priors(FORMULA, DATA)
    _, plain = design_and_priors(FORMULA, DATA, center=False)
    assert plain == centered


def test_without_an_intercept_there_is_no_prior_for_it():
    design, priors = design_and_priors("y ~ 0 + dose + (0 + dose || h)", DATA)
    assert priors.intercept is None
    s_y = DATA["y"].std()
    np.testing.assert_allclose([p.sigma for p in priors.b], 2.5 * s_y / design.X.std(axis=0, ddof=1), rtol=ALGEBRAIC)
    assert priors.cor == (None,)


def test_known_standard_errors_leave_no_sigma():
    _, priors = design_and_priors("y | se(t) ~ 1 + (1 | g)", DATA)
    assert priors.aux == ()
    with pytest.raises(PriorError, match=r"not in the model\. Where: sigma"):
        design_and_priors("y | se(t) ~ 1 + (1 | g)", DATA, priors={"sigma": Exponential(1)})


def test_the_most_specific_address_wins():
    given = {
        "intercept": Cauchy(0, 2),
        "b": Normal(0, 1),
        "b[dose]": Normal(0, 2),
        "b[dose[high]]": Laplace(0, 3),
        "b[drug:x]": Normal(0, 4),
        "sd": HalfNormal(1),
        "sd[g]": HalfNormal(2),
        "sd[g, x]": HalfNormal(3),
        "cor[g]": LKJ(5),
        "sigma": Exponential(7),
    }
    design, priors = design_and_priors(FORMULA, DATA, priors=given)
    assert priors.intercept == Cauchy(0, 2)
    by_label = dict(zip(design.labels[1:], priors.b, strict=True))
    assert by_label == {
        "x": Normal(0, 1),
        "drug[ddI]": Normal(0, 1),
        "dose[mid]": Normal(0, 2),
        "dose[high]": Laplace(0, 3),
        "x:drug[ddI]": Normal(0, 4),
    }
    assert priors.sd == ((HalfNormal(2), HalfNormal(3)), (HalfNormal(1),))
    assert priors.cor == (LKJ(5), None)
    assert priors.aux == (("sigma", Exponential(7)),)


def test_addresses_of_transformed_terms_cells_and_levels():
    design, priors = design_and_priors(
        "y ~ I(x^2) + ns(t, 2) + (dose | g:h)",
        DATA,
        priors={
            "b[I(x^2)]": Normal(0, 1),
            "b[ns(t, 2)[2]]": Normal(0, 2),
            "sd[h:g]": HalfNormal(3),
            "sd[g:h, dose[mid]]": HalfNormal(4),
            "sd[g:h, 1]": HalfNormal(5),
        },
    )
    assert priors.b[0] == Normal(0, 1)
    assert priors.b[2] == Normal(0, 2)
    assert priors.sd[0] == (HalfNormal(5), HalfNormal(4), HalfNormal(3))
    assert design.groups[0].labels == ("1", "dose[mid]", "dose[high]")


@pytest.mark.parametrize(
    ("formula", "address", "prior"),
    [
        (FORMULA, "b[z]", Normal()),
        (FORMULA, "b[drug[ddC]]", Normal()),
        (FORMULA, "sd[patient]", HalfNormal()),
        (FORMULA, "sd[h, x]", HalfNormal()),
        (FORMULA, "cor[h]", LKJ(2)),
        ("y ~ 0 + x", "intercept", Normal()),
        ("y ~ 1", "b", Normal()),
        ("y ~ x", "sd", HalfNormal()),
        ("y ~ x + (x || g)", "cor", LKJ(2)),
    ],
)
def test_a_prior_on_something_that_is_not_there_lists_what_is(formula, address, prior):
    with pytest.raises(PriorError, match="not in the model") as caught:
        design_and_priors(formula, DATA, priors={address: prior})
    assert caught.value.where == address
    assert "the addresses are: " in caught.value.fix
    assert "sigma" in caught.value.fix
