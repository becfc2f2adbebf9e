"""Every numeric link has its symbolic twin, and the two agree in the center and in both tails."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from bayesglmm.errors import FamilyError
from bayesglmm.model.links import SYMBOLIC_LINKS, symbolic_link
from bayesglmm.numerics.links import LINKS
from tests.tolerances import TWO_FORMS

ETA = np.concatenate([np.linspace(-8.0, 8.0, 65), [-30.0, -20.0, 20.0, 30.0]])


def values(graph, eta):
    x = pt.dvector("x")
    return pytensor.function([x], graph(x), mode="FAST_COMPILE")(eta)


def usable(link):
    lower, upper = link.eta_interval
    return ETA[(lower < ETA) & (upper > ETA)]


def test_no_twin_is_missing():
    assert set(SYMBOLIC_LINKS) == set(LINKS)


@pytest.mark.parametrize("name", LINKS)
def test_inverse_agrees(name):
    eta = usable(LINKS[name])
    np.testing.assert_allclose(values(symbolic_link(name).inverse, eta), LINKS[name].inverse(eta), rtol=TWO_FORMS)


@pytest.mark.parametrize("tail", ["log_inverse", "log_complement"])
@pytest.mark.parametrize("name", [n for n, link in LINKS.items() if link.mean_interval == (0.0, 1.0)])
def test_logarithms_agree_in_both_tails(name, tail):
    eta = ETA[np.abs(ETA) <= 20]
    symbolic = values(getattr(symbolic_link(name), tail), eta)
    assert np.all(np.isfinite(symbolic))
    np.testing.assert_allclose(symbolic, getattr(LINKS[name], tail)(eta), rtol=TWO_FORMS)


@pytest.mark.parametrize("name", [n for n, link in LINKS.items() if link.mean_interval == (0.0, 1.0)])
def test_gradients_of_logarithms_are_finite_in_both_tails(name):
    x = pt.dvector("x")
    for tail in ("log_inverse", "log_complement"):
        gradient = pt.grad(getattr(symbolic_link(name), tail)(x).sum(), x)
        found = pytensor.function([x], gradient, mode="FAST_COMPILE")(np.array([-20.0, -1.0, 0.0, 1.0, 6.0]))
        assert np.all(np.isfinite(found)), (name, tail, found)


def test_unknown_link_is_refused():
    with pytest.raises(FamilyError, match="no symbolic form"):
        symbolic_link("tobit")
