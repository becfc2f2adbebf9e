"""Choices that a run makes before it samples, and the settings' checks."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.approx.refine import refined_sketch
from bayesglmm.design.prepare import prepare
from bayesglmm.errors import ArgumentError, NotBuiltError
from bayesglmm.families.registry import FAMILIES
from bayesglmm.sampler.centering import ENOUGH, choose_forms, describe_forms, evidence
from bayesglmm.sampler.engines import asked_forms, choose_engine, plain_forms
from bayesglmm.sampler.memory import check_memory, draws_bytes
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
    return choose_forms(ready.design, asked_forms(ready.design, asked), refined_sketch(ready))


def test_parameterization_by_block(ready):
    assert choose(ready, "noncentered") == dict.fromkeys(("g", "g.2", "h"), "noncentered")
    mixed = choose(ready, {"h": "centered"})
    assert mixed["h"] == "centered"
    assert describe_forms(mixed) == {"g": "partial", "g.2": "partial", "h": "centered"}


def test_the_pymc_form_is_noncentered_unless_asked(ready):
    assert plain_forms(asked_forms(ready.design, {"h": "centered"})) == {"g": "noncentered", "g.2": "noncentered", "h": "centered"}


def grouped(groups, per, sd):
    rng = np.random.default_rng(2)
    y = np.repeat(sd * rng.normal(size=groups), per) + rng.normal(size=groups * per)
    table = pd.DataFrame({"y": y, "g": np.repeat(np.arange(groups), per)})
    return prepare(make_spec("y ~ 1 + (1 | g)", family="gaussian", link="identity"), table)


def test_auto_centers_where_the_data_say_more_than_the_prior():
    informed, vague = (choose(grouped(*case), "auto")["g"].share for case in ((20, 30, 1.0), (200, 3, 0.1)))
    assert np.all(informed > 0.9)
    assert np.all(vague < 0.3)


def test_auto_differs_between_groups_of_different_size():
    ready = grouped(40, 30, 1.0)
    small = ready.design.groups[0].index < 20
    few = prepare(ready.spec, ready.frame[~small | (np.arange(len(small)) % 30 < 2)])
    share = choose(few, "auto")["g"].share[:, 0]
    assert share[:20].max() < share[20:].min()


def test_groups_that_may_not_differ_at_all_stay_nearly_noncentered():
    ready = grouped(5, 4, 0.3)
    raw, used = refined_sketch(ready).moments[0].shrinkage, choose(ready, "auto")["g"].share
    assert evidence(raw)[0] < ENOUGH
    np.testing.assert_allclose(used, raw * evidence(raw) / ENOUGH)


def test_evidence_is_the_expected_likelihood_ratio():
    """J group means with variance v + d: the log likelihood at d less that at zero, averaged over data, by quadrature."""
    v, d, J = 0.5, 0.9, 7
    x, w = np.polynomial.hermite_e.hermegauss(40)
    means, w = x * np.sqrt(v + d), w / w.sum()
    gain = w @ (-0.5 * np.log(v + d) - 0.5 * means**2 / (v + d) + 0.5 * np.log(v) + 0.5 * means**2 / v)
    np.testing.assert_allclose(evidence(np.full((J, 1), d / (v + d))), [J * gain], rtol=1e-10)


def test_memory_is_counted_before_anything_is_sampled(ready):
    n_effects = 4 + 4 + 5
    for effects, each in (("float64", 8), ("float32", 4), ("none", 0)):
        settings = make_settings({"draws": 100, "chains": 2}, seed=1, cores=None, effects=effects)
        assert draws_bytes(ready.design, settings, sampled=False) == 200 * n_effects * each
        assert draws_bytes(ready.design, settings, sampled=True) == 200 * n_effects * 16
    many = {"draws": 10**12}
    with pytest.raises(ArgumentError, match=r"need .* GiB.*fewer draws"):
        check_memory(ready.design, make_settings(many, seed=1, cores=None), sampled=True)
    with pytest.raises(ArgumentError, match="effects='none'"):
        check_memory(ready.design, make_settings(many, seed=1, cores=None), sampled=False)
    check_memory(ready.design, make_settings(many, seed=1, cores=None, effects="none"), sampled=False)


def test_an_unknown_precision_of_effects_is_refused():
    with pytest.raises(ArgumentError, match="effects"):
        make_settings({}, seed=1, cores=None, effects="float16")


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
