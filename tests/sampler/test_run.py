"""Choices that a run makes before it samples, and the settings' checks."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.design.prepare import prepare
from bayesglmm.errors import ArgumentError, NotBuiltError
from bayesglmm.sampler.run import choose_engine, choose_parameterization
from bayesglmm.sampler.settings import make_settings, one_seed
from bayesglmm.spec.model_spec import make_spec


@pytest.fixture(scope="module")
def ready():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "y": rng.normal(size=40),
            "x": rng.normal(size=40),
            "g": ["north", "south", "east", "west"] * 10,
            "h": ["p1", "q1", "r1", "s1", "t1"] * 8,
        }
    )
    return prepare(make_spec("y ~ x + (1 | g) + (0 + x | g) + (1 | h)", family="gaussian", link="identity"), table)


def test_auto_says_why_the_pymc_form_ran():
    assert choose_engine("auto")[0] == choose_engine("pymc")[0] == "pymc"
    assert "kernel" in choose_engine("auto")[1]


def test_the_kernel_is_refused_by_name():
    with pytest.raises(NotBuiltError, match="engine='kernel'"):
        choose_engine("kernel")


def choose(ready, asked):
    return choose_parameterization(ready.design, asked)


def test_parameterization_by_block(ready):
    assert choose(ready, "auto") == choose(ready, "noncentered") == dict.fromkeys(("g", "g.2", "h"), "noncentered")
    assert choose(ready, {"h": "centered"}) == {"g": "noncentered", "g.2": "noncentered", "h": "centered"}


def test_parameterization_of_an_unknown_factor_is_refused(ready):
    with pytest.raises(ArgumentError, match=r"not in the model.*use g, g\.2, h"):
        choose(ready, {"school": "centered"})


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"draws": 0}, "draws=0"),
        ({"tune": -1}, "tune=-1"),
        ({"chains": 0}, "chains=0"),
        ({"chains": 2.5}, "chains=2.5"),
        ({"draws": True}, "draws=True"),
        ({"target_accept": 1.0}, "target_accept=1.0"),
        ({"target_accept": 0}, "target_accept=0"),
        ({"max_treedepth": 0}, "max_treedepth=0"),
    ],
)
def test_impossible_settings_are_refused(asked, words):
    with pytest.raises(ArgumentError, match=words):
        make_settings(asked, seed=None, cores=None)


def test_impossible_seed_and_cores_are_refused():
    with pytest.raises(ArgumentError, match="seed=-3"):
        make_settings({}, seed=-3, cores=None)
    with pytest.raises(ArgumentError, match="cores=0"):
        make_settings({}, seed=1, cores=0)


def test_a_fresh_seed_is_recorded():
    first, second = (make_settings({}, seed=None, cores=None).seed for _ in range(2))
    assert first != second


def test_seed_has_two_names_and_one_value():
    assert one_seed(None, 4) == one_seed(4, None) == one_seed(4, 4) == 4
    assert one_seed(0, None) == 0
    with pytest.raises(ArgumentError, match="two names"):
        one_seed(1, 2)
