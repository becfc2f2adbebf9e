"""The bounds off the real axis are bounds, and those that should be sharp are."""

import numpy as np
import pytest
from scipy import special

from bayesglmm.numerics.links import LINKS

COMPLEX = {
    "logit": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "probit": special.ndtr,
    "cloglog": lambda z: -np.expm1(-np.exp(z)),
    "loglog": lambda z: np.exp(-np.exp(-z)),
    "cauchit": lambda z: 0.5 + np.arctan(z) / np.pi,
}
STRIPS = [link for link in LINKS.values() if link.strip is not None]
X = np.concatenate([np.linspace(-30.0, 30.0, 60_001), [0.0]])
ROUNDING = 1e-12  # relative; of the complex functions, which lose a few digits near a pole


def modulus(name: str, y: float) -> np.ndarray:
    return np.abs(COMPLEX[name](X + 1j * y))


def heights(link) -> np.ndarray:
    return np.array([0.0, 0.1, 0.3, 0.5, 0.6, 0.8, 0.95, 0.99]) * min(link.strip.half_width, 5.0)


@pytest.mark.parametrize("link", STRIPS, ids=lambda link: link.name)
def test_the_function_stays_below_its_bound_in_the_whole_strip(link):
    y = heights(link)
    bound = np.exp(link.strip.log_supremum(y))
    for height, limit in zip(y, bound, strict=True):
        below = np.linspace(0.0, height, 5)
        assert max(modulus(link.name, b).max() for b in below) <= limit * (1.0 + ROUNDING)


@pytest.mark.parametrize("link", STRIPS, ids=lambda link: link.name)
def test_the_bound_grows_and_starts_at_least_at_one(link):
    bound = link.strip.log_supremum(heights(link))
    assert (bound >= 0.0).all()
    assert (np.diff(bound) >= 0.0).all()


@pytest.mark.parametrize("name", ["logit", "loglog"])
def test_sharp_bounds_are_attained(name):
    """Logit and log-log: the supremum over the strip is the bound itself, to the fineness of the grid (1e-3 in x)."""
    for y in heights(LINKS[name])[1:]:
        limit = np.exp(LINKS[name].strip.log_supremum(np.asarray(y)))
        assert modulus(name, y).max() >= limit * (1.0 - 1e-3)


@pytest.mark.parametrize("name", ["logit", "cloglog", "loglog", "cauchit"])
def test_just_outside_the_strip_the_function_is_unbounded(name):
    """The half-widths are as wide as they can be."""
    width = LINKS[name].strip.half_width
    outside = {"logit": np.pi, "cauchit": 1.0}.get(name, width * 1.05)
    with np.errstate(all="ignore"):
        assert np.nanmax(modulus(name, outside)) > 5.0 or np.isinf(modulus(name, outside)).any()
