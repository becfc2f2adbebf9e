"""The posterior of the same model with the same priors as references made elsewhere: Stan runs and exact integrations.

Every mean, SD, 5 % and 95 % quantile of every fixed effect, SD, correlation and residual SD, by the tolerance policy. The kernel always
runs; the PyMC form, which takes a minute or two to compile the first time on a machine, runs once here and for the rest is marked slow.
"""

import pytest

import bayesglmm as bg
from bayesglmm.errors import DatasetError
from bayesglmm.fit.quality import RHAT_OK
from tests.golden.references import disagreements, simulated_reference, stan_reference

STAN = (
    "aids_ri",
    "cbpp",
    "contraception_urban_district",
    "dyestuff",
    "epil_poisson_subject",
    "penicillin",
    "scotssec_reduced",
    "sleepstudy_corr",
)
SIMULATED = ("crossed", "correlated", "probit", "cloglog", "poisson_offset")
SETTINGS = {"draws": 2000, "tune": 1500, "chains": 4, "target_accept": 0.95, "seed": 20261120}
HARDER = {("penicillin", "pymc"): {"draws": 8000, "target_accept": 0.99}}
"""Six samples and one intercept: in the plain form their mean and the intercept are nearly one number, so each draw is worth little."""


def both_engines(names, fast=()):
    slow = [pytest.param(n, "pymc", marks=() if n in fast else pytest.mark.slow) for n in names]
    return pytest.mark.parametrize(("name", "engine"), [*((n, "kernel") for n in names), *slow])


def assert_agrees(reference, engine):
    settings = {**SETTINGS, **HARDER.get((reference.name, engine), {}), "engine": engine}
    model = {"family": reference.family, "link": reference.link, "priors": reference.priors, "center": False}
    fit = bg.glmm(reference.formula, reference.data, **model, **settings)
    assert fit.provenance.engine == engine
    assert fit.quality["mcmc.rhat"].value <= RHAT_OK, str(fit.quality)
    assert fit.quality["mcmc.divergences"].value == 0
    assert disagreements(fit, reference) == []


@both_engines(STAN, fast=("cbpp",))
def test_against_stan(name, engine):
    try:
        reference = stan_reference(name)
    except DatasetError as error:
        pytest.skip(f"the table is not bundled and was not found: {error}")
    assert_agrees(reference, engine)


@both_engines(SIMULATED)
def test_against_exact_integration(name, engine):
    assert_agrees(simulated_reference(name), engine)


@pytest.mark.parametrize("engine", ["kernel", pytest.param("pymc", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::bayesglmm.errors.QualityWarning")  # default settings: the effective sample size may fall short of 400
def test_no_chain_is_stranded_on_epil(engine):
    """Ten seeds with default settings; starts drawn from the prior leave whole chains at a linear predictor of 20."""
    reference = stan_reference("epil_poisson_subject")
    for seed in range(10):
        fit = bg.glmm(reference.formula, reference.data, family="poisson", seed=seed, engine=engine)
        assert fit.quality["mcmc.rhat"].value <= 1.02, f"seed {seed}: {fit.quality}"
