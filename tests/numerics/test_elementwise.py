"""Tails keep their digits, and nothing warns at the ends of the range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.numerics import elementwise as ew
from bayesglmm.numerics.links import LINKS
from tests.tolerances import ALGEBRAIC

UNIT_LINKS = [link for link in LINKS.values() if link.onto_unit_interval]


@pytest.mark.parametrize("link", UNIT_LINKS, ids=lambda link: link.name)
@given(eta=st.floats(-6.0, 6.0))
def test_predictor_from_both_tails_inverts_the_link(link, eta):
    """At 6 the upper tail of the complementary log-log link is 1e-175, far below the spacing of doubles at one."""
    found = link.link_of_tails(link.inverse(np.asarray(eta)), link.complement(np.asarray(eta)))
    np.testing.assert_allclose(found, eta, rtol=ALGEBRAIC, atol=ALGEBRAIC)


@given(eta=st.floats(-700.0, 700.0))
def test_loglog_mirrors_cloglog(eta):
    eta = np.asarray(eta)
    np.testing.assert_array_equal(ew.loglog_inverse(eta), ew.cloglog_complement(-eta))
    np.testing.assert_array_equal(ew.log_loglog_complement(eta), ew.log_cloglog_inverse(-eta))


@pytest.mark.parametrize("eta", [-800.0, -40.0, -30.0 - 1e-9, -30.0 + 1e-9, -1.0, np.log(np.log(2.0)), 0.5, 3.0])
def test_log_cloglog_inverse_on_both_sides_of_its_switches(eta):
    """log(1 - exp(-u)) = log u - u/2 + u^2/24 + O(u^4) for small u; by log1p for large u."""
    u = np.exp(eta)
    expected = eta - u / 2 + u**2 / 24 if u < 1e-3 else np.log1p(-np.exp(-u))
    np.testing.assert_allclose(ew.log_cloglog_inverse(np.asarray(eta)), expected, rtol=ALGEBRAIC)


def test_the_cauchit_tail_is_one_over_pi_eta():
    """h(-x) = 1 / (pi x) - 1 / (3 pi x^3) + ..."""
    np.testing.assert_allclose(ew.cauchit_inverse(np.asarray(-1e9)), 1.0 / (np.pi * 1e9), rtol=ALGEBRAIC)
    np.testing.assert_allclose(ew.cauchit_complement(np.asarray(1e9)), 1.0 / (np.pi * 1e9), rtol=ALGEBRAIC)


@pytest.mark.parametrize("link", LINKS.values(), ids=lambda link: link.name)
def test_the_ends_of_the_mean_interval_map_to_limits_without_a_warning(link):
    ends = np.array([end for end in link.mean_interval if np.isfinite(end)])
    found = link.link(ends)
    assert not np.isnan(found).any()
    if link.onto_unit_interval:
        np.testing.assert_array_equal(np.sign(found), [-1.0, 1.0])
        assert (np.abs(found) > 1e15).all()
