"""Looking families up."""

import pickle

import pytest

from bayesglmm.errors import FamilyError
from bayesglmm.families.registry import FAMILIES, get_family


def test_the_four_families():
    assert set(FAMILIES) == {"gaussian", "bernoulli", "binomial", "poisson"}


def test_a_family_is_found_by_name():
    assert get_family("poisson") is FAMILIES["poisson"]


def test_an_unknown_family_is_refused_with_the_nearest():
    with pytest.raises(FamilyError, match=r"'Binomal' is not known.*did you mean 'binomial'"):
        get_family("Binomal")


def test_the_registry_cannot_be_written_to():
    with pytest.raises(TypeError):
        FAMILIES["mine"] = FAMILIES["poisson"]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_can_be_sent_to_a_worker(name):
    assert pickle.loads(pickle.dumps(FAMILIES[name])) == FAMILIES[name]  # noqa: S301 - made on the line itself


@pytest.mark.parametrize(("name", "default"), [("gaussian", "identity"), ("bernoulli", "logit"), ("binomial", "logit"), ("poisson", "log")])
def test_the_default_link_comes_first(name, default):
    assert FAMILIES[name].links[0] == default


@pytest.mark.parametrize(("asked", "meant"), [("normal", "gaussian"), ("Gauss", "gaussian"), ("binary", "bernoulli"), ("count", "poisson")])
def test_other_names_of_a_family_lead_to_it_and_not_to_one_of_like_letters(asked, meant):
    with pytest.raises(FamilyError, match=rf"'{asked}' is not known.*did you mean '{meant}'\?"):
        get_family(asked)


@pytest.mark.parametrize("asked", ["negbinomial", "negative_binomial", "nbinom2", "NegBinomial"])
def test_the_negative_binomial_family_is_not_taken_for_the_binomial_one(asked):
    with pytest.raises(FamilyError, match=r"poisson with an effect of each row, \(1 \| id\)") as raised:
        get_family(asked)
    assert "did you mean" not in str(raised.value)
