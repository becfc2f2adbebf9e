"""Hard input ends in a clear message or in a fit that says what is wrong with it: never a hang, never a crash, never a NaN."""

import threading
import weakref
from pathlib import Path

import numba as nb
import numpy as np
import pandas as pd
import pytest
from numba import carray

import bayesglmm as bg
from bayesglmm.errors import DesignError, SamplingError
from bayesglmm.fit.draws import parameter_draws
from bayesglmm.kernel.pointers import BAD_GRADIENT, BAD_VALUE, DENSITY, OK, STOPPED, as_floats, copy_out
from bayesglmm.sampler import nutpie as door
from bayesglmm.sampler.nutpie import FlatDensity, sample_flat
from bayesglmm.sampler.settings import make_settings

warned = pytest.mark.filterwarnings("ignore::bayesglmm.errors.QualityWarning")  # short runs of hard models
RNG = np.random.default_rng(21)
N = 120
SLOW = 300_000
"""Steps of a density that takes some milliseconds."""
TABLE = pd.DataFrame({"x": RNG.normal(size=N), "g": np.arange(N) % 12, "count": RNG.poisson(3.0, N), "y": RNG.normal(size=N)})
SHORT = {"draws": 200, "tune": 300, "chains": 2, "seed": 1}
FORMS = ("none", "all")


def finite(fit):
    return bool(np.all(np.isfinite(parameter_draws(fit.posterior, fit.design, fit.family.auxiliary).values)))


@warned
@pytest.mark.parametrize("integrate", FORMS)
def test_a_separated_design_is_held_by_its_priors(integrate):
    fit = bg.glmm("s ~ x + (1 | g)", TABLE.assign(s=(TABLE["x"] > 0).astype(int)), family="bernoulli", integrate=integrate, **SHORT)
    assert finite(fit)
    assert fit.posterior["x"].mean() > 2.0, "the data push the coefficient out, the prior Normal(0, 2.5 / sd(x)) holds it"


@warned
@pytest.mark.parametrize("integrate", FORMS)
def test_a_huge_offset_that_all_rows_share_changes_the_intercept_only(integrate):
    with_offset, without = (
        bg.glmm(f"count ~ x + {offset}(1 | g)", TABLE.assign(big=300.0), family="poisson", integrate=integrate, **SHORT)
        for offset in ("offset(big) + ", "")
    )
    assert finite(with_offset)
    gap = float(without.posterior["Intercept"].mean() - with_offset.posterior["Intercept"].mean())
    assert gap == pytest.approx(300.0, abs=0.5)
    assert float(with_offset.posterior["x"].mean()) == pytest.approx(float(without.posterior["x"].mean()), abs=0.1)


@warned
@pytest.mark.parametrize("integrate", FORMS)
def test_an_impossible_offset_is_an_error_or_a_verdict(integrate):
    """Half of the counts cannot come from rates of exp(800): there is no fit worth the name."""
    table = TABLE.assign(wild=np.where(np.arange(N) % 2 == 0, 800.0, -800.0))
    try:
        fit = bg.glmm("count ~ x + offset(wild) + (1 | g)", table, family="poisson", integrate=integrate, **SHORT)
    except SamplingError as error:
        said = str(error)
    else:
        said = f"What to do: {fit.quality.verdict}" if finite(fit) else "not finite"
    assert "What to do" in said
    assert "What to do: ok" not in said


def test_a_collinear_pair_is_named():
    with pytest.raises(DesignError, match="twice"):
        bg.glmm("y ~ x + twice + (1 | g)", TABLE.assign(twice=2.0 * TABLE["x"]), **SHORT)


def test_a_constant_normal_response_is_refused():
    with pytest.raises(DesignError, match="does not vary"):
        bg.glmm("flat ~ x + (1 | g)", TABLE.assign(flat=1.0), **SHORT)


@warned
@pytest.mark.parametrize("integrate", FORMS)
@pytest.mark.parametrize("value", [0, 1])
def test_a_constant_binary_response_follows_the_priors(value, integrate):
    fit = bg.glmm("same ~ x + (1 | g)", TABLE.assign(same=value), family="bernoulli", integrate=integrate, **SHORT)
    assert finite(fit)
    assert (float(fit.posterior["Intercept"].mean()) > 0) == (value == 1)


@nb.cfunc(DENSITY, error_model="numpy")
def no_gradient(dim, x, grad, value, data):
    for i in range(dim):
        grad[i] = np.nan
    value[0] = 0.0
    return BAD_GRADIENT


@nb.cfunc(DENSITY, error_model="numpy")
def slow_or_impossible(dim, x, grad, value, data):
    """Impossible where the first coordinate is positive; elsewhere slow, and all the while it reads and writes the array in the record."""
    u = carray(data, (2,))
    if u[1] != 0:
        return STOPPED
    if x[0] > 0.0:
        return BAD_VALUE
    shared = carray(as_floats(u[0]), (1,))
    for _ in range(SLOW):
        shared[0] = 1.0 / (1.0 + shared[0])
    value[0] = shared[0]
    for i in range(dim):
        grad[i] = 0.0
    return OK


def sample_with_impossible_starts(seed):
    """Sample six chains, some of which start where the density is zero; return what the others may still read."""
    data = np.zeros(1)
    record = np.array([data.ctypes.data, 0], dtype=np.uint64)
    density = FlatDensity(slow_or_impossible, copy_out, record, data, np.zeros(1), np.full(1, 1e3), 1)
    settings = make_settings({"draws": 1000, "tune": 1000, "chains": 6}, seed=seed, cores=6)
    with pytest.raises(SamplingError, match="the sampler stopped"):
        sample_flat(density, settings, progress=False)
    assert record[1] == 0, "the program's own record is untouched"
    return weakref.ref(data)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the names of threads are read from /proc")
def test_an_error_in_one_chain_ends_the_others():
    sample_with_impossible_starts(seed=1)
    assert door.count_workers() == 0


def test_chains_that_an_error_left_behind_keep_their_data(monkeypatch):
    monkeypatch.setattr(door, "PATIENCE", 0.0)
    assert sample_with_impossible_starts(seed=1)() is not None


def test_a_gradient_that_is_not_finite_is_a_sampling_error_and_leaves_no_thread():
    before = threading.active_count()
    density = FlatDensity(no_gradient, copy_out, np.zeros(1, dtype=np.uint64), None, np.zeros(2), np.ones(2), 2)
    with pytest.raises(SamplingError, match="the sampler stopped"):
        sample_flat(density, make_settings({"draws": 20, "tune": 20}, seed=1, cores=None), progress=False)
    assert threading.active_count() == before
