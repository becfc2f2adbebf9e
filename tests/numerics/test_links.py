"""Looking links up, and what their records promise."""

import dataclasses
import pickle

import numpy as np
import pytest

from bayesglmm.errors import FamilyError
from bayesglmm.numerics.links import LINKS, get_link


def test_the_nine_links():
    assert set(LINKS) == {"identity", "log", "logit", "probit", "cloglog", "loglog", "cauchit", "inverse", "sqrt"}


def test_a_link_is_found_by_name():
    assert get_link("probit") is LINKS["probit"]


def test_an_unknown_link_is_refused_with_the_nearest():
    with pytest.raises(FamilyError, match=r"'logt' is not known.*did you mean 'log"):
        get_link("logt")


def test_a_link_like_none_is_refused_with_the_list():
    with pytest.raises(FamilyError, match="'identity', 'log', 'logit'"):
        get_link("xyzzy")


def test_links_are_frozen_and_can_be_sent_to_a_worker():
    link = LINKS["logit"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        link.name = "other"
    copy = pickle.loads(pickle.dumps(link))  # noqa: S301 - made on the line itself
    assert copy == link


def test_the_registry_cannot_be_written_to():
    with pytest.raises(TypeError):
        LINKS["mine"] = LINKS["logit"]


@pytest.mark.parametrize(
    ("name", "eta", "mu"),
    [
        ("identity", -2.5, -2.5),
        ("log", 0.0, 1.0),
        ("logit", np.log(3.0), 0.75),
        ("probit", 0.0, 0.5),
        ("cloglog", 0.0, 1.0 - np.exp(-1.0)),
        ("loglog", 0.0, np.exp(-1.0)),
        ("cauchit", 1.0, 0.75),
        ("inverse", 4.0, 0.25),
        ("sqrt", 3.0, 9.0),
    ],
)
def test_values_by_hand(name, eta, mu):
    np.testing.assert_allclose(get_link(name).inverse(np.asarray(eta)), mu, rtol=4 * np.finfo(float).eps)
