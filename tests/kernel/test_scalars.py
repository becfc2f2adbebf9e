"""Scalar twins: links against the numeric registry, priors against scipy, transforms against their definitions."""

import numpy as np
import pytest
from scipy import stats

import bayesglmm as bg
from bayesglmm.kernel.links import TAILS, tails
from bayesglmm.kernel.pointers import BAD_GRADIENT, BAD_VALUE, OK, status
from bayesglmm.kernel.priors import EXP, IDENTITY, INTERVAL, encode_prior, log_prior, transform
from bayesglmm.numerics.links import LINKS
from bayesglmm.spec.priors import PRIORS
from tests.tolerances import TWO_FORMS

ETA = np.concatenate([np.linspace(-8.0, 8.0, 65), [-40.0, -20.0, 5.5, 20.0, 40.0]])
UNIT = [name for name, link in LINKS.items() if link.onto_unit_interval]


def test_no_twin_is_missing():
    assert set(TAILS) == set(UNIT)


@pytest.mark.parametrize("name", UNIT)
def test_tails_agree_with_the_registry(name):
    code, _ = TAILS[name]
    eta = ETA[np.abs(ETA) <= 20] if name in ("cloglog", "loglog") else ETA
    found = np.array([tails(code, e) for e in eta])
    np.testing.assert_allclose(found[:, 0], LINKS[name].log_inverse(eta), rtol=TWO_FORMS, atol=1e-300)
    np.testing.assert_allclose(found[:, 1], LINKS[name].log_complement(eta), rtol=TWO_FORMS, atol=1e-300)


@pytest.mark.parametrize("name", UNIT)
def test_slopes_are_derivatives(name):
    code, _ = TAILS[name]
    step = 1e-3
    for e in ETA[np.abs(ETA) <= 6]:
        near = np.array([tails(code, e + k * step)[:2] for k in (-2, -1, 1, 2)])
        numeric = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * step)
        exact = np.array(tails(code, e)[2:])
        # five-point rule: error of order step^4 and rounding of the value over the step
        np.testing.assert_allclose(exact, numeric, rtol=TWO_FORMS, atol=1e-11 * (1 + np.abs(near).max()))


@pytest.mark.parametrize("name", UNIT)
def test_tails_stay_finite_far_out(name):
    code, _ = TAILS[name]
    for e in (-300.0, -50.0, 50.0, 300.0):
        assert np.all(np.isfinite(tails(code, e)))


RECORDS = {
    bg.Normal(1.0, 2.0): stats.norm(1, 2),
    bg.HalfNormal(2.0): stats.halfnorm(scale=2),
    bg.StudentT(3.0, 1.0, 2.0): stats.t(3, 1, 2),
    bg.HalfStudentT(4.0, 2.0): stats.t(4, 0, 2),
    bg.Cauchy(1.0, 2.0): stats.cauchy(1, 2),
    bg.HalfCauchy(2.0): stats.halfcauchy(scale=2),
    bg.Laplace(1.0, 2.0): stats.laplace(1, 2),
    bg.Exponential(0.7): stats.expon(scale=1 / 0.7),
    bg.Gamma(2.5, 1.5): stats.gamma(2.5, scale=1 / 1.5),
    bg.InverseGamma(2.5, 1.5): stats.invgamma(2.5, scale=1.5),
    bg.Uniform(-1.0, 9.0): stats.uniform(-1, 10),
}


def test_every_scalar_prior_is_here():
    assert {type(r).__name__ for r in RECORDS} | {"LKJ"} == {p.__name__ for p in PRIORS.values()}


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_priors_agree_with_scipy_up_to_a_constant(record):
    code, numbers = encode_prior(record)
    at = np.array([0.2, 0.9, 1.7, 4.0])
    ours = np.array([log_prior(code, v, *numbers)[0] for v in at])
    np.testing.assert_allclose(np.diff(ours), np.diff(RECORDS[record].logpdf(at)), rtol=TWO_FORMS, atol=1e-14)


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_prior_slopes_are_derivatives(record):
    code, numbers = encode_prior(record)
    for v, step in ((0.4, 1e-4), (2.5, 1e-3)):
        near = [log_prior(code, v + k * step, *numbers)[0] for k in (-2, -1, 1, 2)]
        numeric = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * step)
        # rounding of the value over the step: 1e-16 / 1e-4
        assert log_prior(code, v, *numbers)[1] == pytest.approx(numeric, rel=TWO_FORMS, abs=1e-11)


def test_a_correlation_prior_is_no_scalar():
    with pytest.raises(TypeError, match="LKJ"):
        encode_prior(bg.LKJ(2))


@pytest.mark.parametrize("code", [IDENTITY, EXP, INTERVAL])
@pytest.mark.parametrize("x", [-30.0, -1.2, 0.0, 0.7, 30.0])
def test_transforms(code, x):
    value, slope, log_jacobian, jacobian_slope = transform(code, x, -1.0, 3.0)
    expected = {IDENTITY: x, EXP: np.exp(x), INTERVAL: -1.0 + 4.0 / (1.0 + np.exp(-x))}[code]
    assert value == pytest.approx(expected, rel=TWO_FORMS)
    assert log_jacobian == pytest.approx(np.log(slope), rel=TWO_FORMS, abs=1e-12)
    step = 1e-4
    ahead, behind = (transform(code, x + s * step, -1.0, 3.0)[2] for s in (1, -1))
    # central difference: error of order step^2
    assert jacobian_slope == pytest.approx((ahead - behind) / (2 * step), abs=1e-7)


@pytest.mark.parametrize(
    ("total", "gradient", "expected"),
    [
        (1.0, [0.0, 2.0], OK),
        (np.nan, [0.0], BAD_VALUE),
        (-np.inf, [0.0], BAD_VALUE),
        (1.0, [0.0, np.nan], BAD_GRADIENT),
        (1.0, [np.inf], BAD_GRADIENT),
    ],
)
def test_the_sampler_is_told_what_is_not_finite(total, gradient, expected):
    assert status(total, np.array(gradient)) == expected
