"""Priors refuse impossible numbers; addresses read what a user would write, canonically."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.errors import NotBuiltError, PriorError
from bayesglmm.spec import priors as p
from bayesglmm.spec.priors import PRIORS, Address, check_fit, check_priors, parse_address, prior_from_dict, prior_to_dict

EXAMPLES = [
    (p.Normal(0, 5), "Normal(0, 5)"),
    (p.Normal(), "Normal(0, 1)"),
    (p.StudentT(3, 0, 2.5), "StudentT(3, 0, 2.5)"),
    (p.Cauchy(0, 1), "Cauchy(0, 1)"),
    (p.Laplace(0, 0.5), "Laplace(0, 0.5)"),
    (p.HalfNormal(1), "HalfNormal(1)"),
    (p.HalfStudentT(3, 2.5), "HalfStudentT(3, 2.5)"),
    (p.HalfCauchy(2), "HalfCauchy(2)"),
    (p.Exponential(0.02), "Exponential(0.02)"),
    (p.Gamma(2, 0.1), "Gamma(2, 0.1)"),
    (p.InverseGamma(2, 1), "InverseGamma(2, 1)"),
    (p.Uniform(-1, 1), "Uniform(-1, 1)"),
    (p.LKJ(2), "LKJ(2)"),
]


def test_every_registered_prior_has_an_example():
    assert {type(prior) for prior, _ in EXAMPLES} == set(PRIORS.values())


@pytest.mark.parametrize(("prior", "text"), EXAMPLES)
def test_text_and_dict(prior, text):
    assert prior.text == text
    assert eval(text, {k.__name__: k for k in PRIORS.values()}) == prior  # noqa: S307
    entry = prior_to_dict(prior)
    assert entry["dist"] == prior.name
    assert prior_from_dict(entry) == prior
    assert hash(prior_from_dict(entry)) == hash(prior)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_numbers_survive(mu, sigma):
    assert prior_from_dict(prior_to_dict(p.Normal(mu, sigma))) == p.Normal(mu, sigma)


def test_numpy_numbers_become_plain_ones():
    entry = prior_to_dict(p.Normal(np.int64(1), np.float32(0.5)))
    assert entry == {"dist": "normal", "mu": 1, "sigma": 0.5}
    assert [type(v) for v in entry.values()] == [str, int, float]


@pytest.mark.parametrize("kind", PRIORS.values())
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 10**400, "1", None, True, [1], 1j])
def test_what_is_no_number_is_refused(kind, bad):
    values = dict(next(prior for prior, _ in EXAMPLES if type(prior) is kind).values)
    for key in values:
        with pytest.raises(PriorError, match=key):
            kind(**{**values, key: bad})


@pytest.mark.parametrize("kind", PRIORS.values())
def test_scales_are_positive(kind):
    values = dict(next(prior for prior, _ in EXAMPLES if type(prior) is kind).values)
    for key in kind.positive:
        for bad in (0, -1, Fraction(-1, 2)):
            with pytest.raises(PriorError, match=f"{key}.*positive"):
                kind(**{**values, key: bad})


def test_uniform_bounds_are_in_order():
    for lower, upper in ((1, 1), (2, 1)):
        with pytest.raises(PriorError, match="not below"):
            p.Uniform(lower, upper)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dist": "norml", "mu": 0}, "did you mean 'normal'"),
        ({"mu": 0}, "dist=None"),
        ({"dist": 3}, "dist=3"),
        ({"dist": "os.system"}, "no known distribution"),
        ({"dist": "normal", "sigm": 1}, "did you mean 'sigma'"),
        ({"dist": "normal", "name": "x"}, "no parameter 'name'"),
        ({"dist": "exponential"}, "lacks a parameter"),
        ({"dist": "normal", "sigma": "1"}, "not a finite number"),
        ({"dist": "normal", "sigma": -1}, "positive"),
        ("normal", "a prior is a table"),
    ],
)
def test_bad_entries(entry, message):
    with pytest.raises(PriorError, match=message):
        prior_from_dict(entry, where="[priors] b")


@pytest.mark.parametrize("name", ["half_student_t", "HalfStudentT", "halfstudentt", "HALF_STUDENT_T"])
def test_spelling_of_names(name):
    assert prior_from_dict({"dist": name, "nu": 3, "sigma": 1}) == p.HalfStudentT(3, 1)


ADDRESSES = {
    "intercept": Address("intercept"),
    "b": Address("b"),
    "sigma": Address("sigma"),
    " sd ": Address("sd"),
    "cor": Address("cor"),
    "b[drug]": Address("b", None, "drug"),
    "b[drug[ddI]]": Address("b", None, "drug", "ddI"),
    "b[obstime:drug[ddI]]": Address("b", None, "obstime:drug", "ddI"),
    "b[a:b[x, y]]": Address("b", None, "a:b", "x, y"),
    "b[age[[0,5)]]": Address("b", None, "age", "[0,5)"),
    "b[drug[it's]]": Address("b", None, "drug", "it's"),
    "b[I(age ** 2)]": Address("b", None, "I(age ** 2)"),
    "b[I(age^2)]": Address("b", None, "I(age ** 2)"),
    "b[x:z]": Address("b", None, "x:z"),
    "b[ x : z ]": Address("b", None, "x:z"),
    "b[ns(year,2)[1]]": Address("b", None, "ns(year, 2)", "1"),
    "b[bs(x, knots=[1, 2])]": Address("b", None, "bs(x, knots=[1, 2])"),
    "b[C(g, 'sum')[B]]": Address("b", None, "C(g, 'sum')", "B"),
    "b[`my, col]`]": Address("b", None, "`my, col]`"),
    "b[`x`]": Address("b", None, "x"),
    "sd[patient]": Address("sd", "patient"),
    "sd[patient, obstime]": Address("sd", "patient", "obstime"),
    "sd[patient, 1]": Address("sd", "patient", "1"),
    "sd[patient,Intercept]": Address("sd", "patient", "1"),
    "sd[g:h, x]": Address("sd", "g:h", "x"),
    "sd[`g, h`, I(x^2)]": Address("sd", "`g, h`", "I(x ** 2)"),
    "sd[district, urban[Y]]": Address("sd", "district", "urban", "Y"),
    "sd[id, ns(year, 2)[1]]": Address("sd", "id", "ns(year, 2)", "1"),
    "cor[g:h]": Address("cor", "g:h"),
    "b[my x]": Address("b", None, "`my x`"),
    "b[`my x`]": Address("b", None, "`my x`"),
    "b[ my x : z ]": Address("b", None, "`my x`:z"),
    "b[my drug[dd I]]": Address("b", None, "`my drug`", "dd I"),
    "b[from]": Address("b", None, "`from`"),
    "sd[the group]": Address("sd", "`the group`"),
    "sd[the group:h, my x]": Address("sd", "`the group`:h", "`my x`"),
    "cor[the group]": Address("cor", "`the group`"),
}


@pytest.mark.parametrize(("text", "expected"), ADDRESSES.items())
def test_addresses(text, expected):
    assert parse_address(text) == expected
    assert parse_address(expected.text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("beta", "did you mean 'b'|Supported"),
        ("sdd[g]", "did you mean 'sd'"),
        ("intercpt", "did you mean 'intercept'"),
        ("", "addresses nothing"),
        (3, "an address is text"),
        ("b[]", "hold nothing"),
        ("b[x", "not closed"),
        ("b[x]y", "not closed"),
        ("b[x + z]", "cannot be read"),
        ("b[my x + z]", "cannot be read"),
        ("b[_my x]", "cannot be read"),
        ("b[None]", "cannot be read"),
        ("b[1]", "write 'intercept'"),
        ("b[Intercept]", "write 'intercept'"),
        ("intercept[x]", "has no parts"),
        ("sigma[x]", "has no parts"),
        ("sd[log(g)]", "no grouping factor"),
        ("sd[g/h]", "cannot be read"),
        ("cor[g, x]", "write 'cor\\[g\\]'"),
        ("b[x[a]", "cannot be read"),
        ("b[[a]]", "cannot be read"),
    ],
)
def test_bad_addresses(text, message):
    with pytest.raises(PriorError, match=message):
        parse_address(text)


def test_phi_is_not_built():
    for text in ("phi", "phi[id]"):
        with pytest.raises(NotBuiltError, match="residual"):
            parse_address(text)


def test_users_functions_in_addresses():
    assert parse_address("b[f( x )]", functions=["f"]) == Address("b", None, "f(x)")
    with pytest.raises(PriorError, match="not listed"):
        parse_address("b[f(x)]")


FITS = {
    "intercept": {"real", "interval"},
    "b": {"real", "interval"},
    "sd": {"positive"},
    "sigma": {"positive"},
    "cor": {"correlation"},
}


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize(("prior", "text"), EXAMPLES)
def test_support_fits_the_parameter(kind, prior, text):
    if prior.support in FITS[kind]:
        check_fit(Address(kind), prior)
    else:
        with pytest.raises(PriorError, match="does not fit"):
            check_fit(Address(kind), prior)


def test_uniform_on_positive_numbers_fits_standard_deviations():
    check_fit(Address("sd"), p.Uniform(0, 5))


def test_mappings_become_sorted_and_canonical():
    given_priors = {"sd[g]": p.HalfNormal(1), "b[I(x^2)]": p.Normal(), "b": p.Normal(0, 2)}
    expected = (("b", p.Normal(0, 2)), ("b[I(x ** 2)]", p.Normal()), ("sd[g]", p.HalfNormal(1)))
    assert check_priors(given_priors) == expected
    assert check_priors(dict(reversed(given_priors.items()))) == expected


@pytest.mark.parametrize(
    ("one", "other"), [("b[x:z]", "b[z:x]"), ("sd[g:h]", "sd[h:g]"), ("b[I(x^2)]", "b[I(x**2)]"), ("sd[g,1]", "sd[g, Intercept]")]
)
def test_one_address_in_two_spellings(one, other):
    prior = p.HalfNormal(1) if one.startswith("sd") else p.Normal()
    with pytest.raises(PriorError, match="same address"):
        check_priors({one: prior, other: prior})


def test_what_is_no_prior():
    for bad in (1.0, "normal", p.Normal, None, {"dist": "normal"}):
        with pytest.raises(PriorError, match="no prior"):
            check_priors({"b": bad})
