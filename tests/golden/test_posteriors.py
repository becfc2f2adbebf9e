"""The posterior of the same model with the same priors as references made elsewhere: Stan runs and exact integrations.

Every mean, SD, 5 % and 95 % quantile of every fixed effect, SD, correlation and residual SD, by the tolerance policy. One compile of a
PyMC graph takes a minute or two the first time on a machine, so all but two are marked slow.
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
FAST = {"cbpp", "sleepstudy_corr"}
SETTINGS = {"draws": 2000, "tune": 1500, "chains": 4, "target_accept": 0.95, "seed": 20261120}
LONGER = {"penicillin": 8000}
"""Six samples and one intercept: their mean and the intercept are nearly one number, so each draw is worth little."""


def fit_as(reference):
    settings = {**SETTINGS, "draws": LONGER.get(reference.name, SETTINGS["draws"])}
    return bg.glmm(
        reference.formula, reference.data, family=reference.family, link=reference.link, priors=reference.priors, center=False, **settings
    )


def assert_agrees(reference):
    fit = fit_as(reference)
    assert fit.quality["mcmc.rhat"].value <= RHAT_OK, str(fit.quality)
    assert fit.quality["mcmc.divergences"].value == 0
    assert disagreements(fit, reference) == []


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in STAN])
def test_against_stan(name):
    try:
        reference = stan_reference(name)
    except DatasetError as error:
        pytest.skip(f"the table is not bundled and was not found: {error}")
    assert_agrees(reference)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIMULATED)
def test_against_exact_integration(name):
    assert_agrees(simulated_reference(name))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesglmm.errors.QualityWarning")  # default settings: the effective sample size may fall short of 400
def test_no_chain_is_stranded_on_epil():
    """Ten seeds with default settings; starts drawn from the prior leave whole chains at a linear predictor of 20."""
    reference = stan_reference("epil_poisson_subject")
    for seed in range(10):
        fit = bg.glmm(reference.formula, reference.data, family="poisson", seed=seed)
        assert fit.quality["mcmc.rhat"].value <= 1.02, f"seed {seed}: {fit.quality}"
