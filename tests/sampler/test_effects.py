"""Draws of random effects as float64, as float32 or not kept at all: the other parameters are the same draws."""

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.QualityWarning")  # short runs: what counts is what is kept

RNG = np.random.default_rng(4)
TABLE = pd.DataFrame({"g": np.arange(120) % 12, "x": RNG.normal(size=120)}).assign(
    y=lambda d: RNG.normal(size=120) + 0.8 * RNG.normal(size=12)[d["g"]], z=lambda d: (d["y"] > 0).astype(int)
)
MODELS = {
    "sampled": ("z ~ x + (1 + x | g)", {"family": "bernoulli", "integrate": "none"}),
    "integrated, normal": ("y ~ x + (1 + x | g)", {"integrate": "all"}),
    "integrated, binary": ("z ~ x + (1 | g)", {"family": "bernoulli", "integrate": "all"}),
    "pymc": ("y ~ x + (1 | g)", {"engine": "pymc"}),
}


def fit_of(model, effects):
    formula, options = MODELS[model]
    return bg.glmm(formula, TABLE, seed=2, draws=40, tune=60, chains=2, effects=effects, **options)


@pytest.fixture(scope="module", params=[m for m in MODELS if m != "pymc"])
def fits(request):
    return {effects: fit_of(request.param, effects) for effects in ("float64", "float32", "none")}


def test_precision_is_what_was_asked(fits):
    assert fits["float64"].posterior["1|g"].dtype == np.float64
    assert fits["float32"].posterior["1|g"].dtype == np.float32
    assert "1|g" not in fits["none"].posterior


def test_the_draws_are_the_same(fits):
    full = fits["float64"].posterior
    for effects in ("float32", "none"):
        for name in ("Intercept", "x", "1|g_sigma"):
            np.testing.assert_array_equal(fits[effects].posterior[name], full[name])
    np.testing.assert_array_equal(fits["float32"].posterior["1|g"], full["1|g"].astype(np.float32))


def test_what_needs_effects_says_so(fits):
    for function in (bg.random_effects, bg.log_likelihood):
        with pytest.raises(ArgumentError, match=r"keeps no draws of the random effects.*effects='float32'"):
            function(fits["none"])
    with pytest.raises(ArgumentError, match="keeps no draws"):
        bg.means(fits["none"], {"x": 0}, target="observed_groups")
    assert len(bg.means(fits["none"], {"x": 0}, target="population").table) == 1
    assert len(bg.summary(fits["none"]).table) >= 3


def test_every_precision_survives_a_file(fits, tmp_path):
    for effects, fit in fits.items():
        loaded = bg.load(bg.save(fit, tmp_path / f"{effects}.nc"))
        assert loaded.provenance == fit.provenance
        assert set(loaded.posterior.data_vars) == set(fit.posterior.data_vars)
        for name in fit.posterior.data_vars:
            assert loaded.posterior[name].dtype == fit.posterior[name].dtype
            np.testing.assert_array_equal(loaded.posterior[name], fit.posterior[name])


@pytest.mark.slow
def test_the_pymc_form_keeps_what_was_asked():
    fits = {effects: fit_of("pymc", effects) for effects in ("float64", "float32", "none")}
    assert fits["float32"].posterior["1|g"].dtype == np.float32
    assert "1|g" not in fits["none"].posterior
    np.testing.assert_array_equal(fits["none"].posterior["x"], fits["float64"].posterior["x"])


def test_an_unknown_precision_is_refused_before_anything_is_sampled():
    with pytest.raises(ArgumentError, match="effects"):
        bg.glmm("y ~ x + (1 | g)", TABLE, effects="float16")
