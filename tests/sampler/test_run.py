"""Choices that a run makes before it samples, and the settings' checks."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.approx.sketch import make_sketch
from bayesglmm.design.prepare import prepare
from bayesglmm.errors import ArgumentError, NotBuiltError
from bayesglmm.families.registry import FAMILIES
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


def test_auto_takes_the_kernel_for_every_family_and_link():
    for family in FAMILIES.values():
        for link in family.links:
            assert choose_engine("auto", family, link)[0] == choose_engine("kernel", family, link)[0] == "kernel"


def test_the_pymc_form_runs_when_asked_for():
    assert choose_engine("pymc", FAMILIES["poisson"], "log") == ("pymc", "asked for")


def test_what_the_kernel_lacks_is_named():
    """The identity link for counts is no pair of the registry; it stands for a family that a later version adds to PyMC first."""
    engine, reason = choose_engine("auto", FAMILIES["poisson"], "identity")
    assert engine == "pymc"
    assert "poisson family with the identity link" in reason
    with pytest.raises(NotBuiltError, match="poisson family with the identity link"):
        choose_engine("kernel", FAMILIES["poisson"], "identity")


def choose(ready, asked):
    return choose_parameterization(ready.design, asked, make_sketch(ready.design, ready.family, ready.link))


def test_parameterization_by_block(ready):
    assert choose(ready, "noncentered") == dict.fromkeys(("g", "g.2", "h"), "noncentered")
    assert choose(ready, "auto") == dict.fromkeys(("g", "g.2", "h"), "noncentered"), "groups that hardly differ"
    assert choose(ready, {"h": "centered"}) == {"g": "noncentered", "g.2": "noncentered", "h": "centered"}


def test_without_a_sketch_auto_is_noncentered(ready):
    assert set(choose_parameterization(ready.design, "auto").values()) == {"noncentered"}


def grouped(groups, per, sd):
    rng = np.random.default_rng(2)
    y = np.repeat(sd * rng.normal(size=groups), per) + rng.normal(size=groups * per)
    table = pd.DataFrame({"y": y, "g": np.repeat(np.arange(groups), per)})
    return prepare(make_spec("y ~ 1 + (1 | g)", family="gaussian", link="identity"), table)


def test_auto_centers_where_the_data_say_more_than_the_prior():
    assert choose(grouped(20, 30, 1.0), "auto") == {"g": "centered"}
    assert choose(grouped(200, 3, 0.1), "auto") == {"g": "noncentered"}


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
