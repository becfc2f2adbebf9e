"""The posterior of the same model with the same priors as references made elsewhere: Stan runs and exact integrations.

Every mean, SD, 5 % and 95 % quantile of every fixed effect, SD, correlation and residual SD, by the tolerance policy. The kernel always
runs, with all random effects sampled and, where that can be, with them integrated out; the PyMC form, which takes a minute or two to
compile the first time on a machine, runs once here and for the rest is marked slow.
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


FORMS = {
    "sampled": {"engine": "kernel", "integrate": "none"},
    "integrated": {"engine": "kernel", "integrate": "all"},
    "pymc": {"engine": "pymc"},
}
NOT_INTEGRABLE = ("crossed",)
"""Two crossed factors of a binary response."""


def all_forms(names, fast=()):
    slow = [pytest.param(n, "pymc", marks=() if n in fast else pytest.mark.slow) for n in names]
    compiled = [(n, form) for n in names for form in ("sampled", "integrated") if form == "sampled" or n not in NOT_INTEGRABLE]
    return pytest.mark.parametrize(("name", "form"), [*compiled, *slow])


def assert_agrees(reference, form):
    settings = {**SETTINGS, **HARDER.get((reference.name, form), {}), **FORMS[form]}
    model = {"family": reference.family, "link": reference.link, "priors": reference.priors, "center": False}
    fit = bg.glmm(reference.formula, reference.data, **model, **settings)
    assert fit.provenance.engine == settings["engine"]
    assert {f == "integrated" for _, f in fit.provenance.parameterization} == {form == "integrated"}
    assert fit.quality["mcmc.rhat"].value <= RHAT_OK, str(fit.quality)
    assert fit.quality["mcmc.divergences"].value == 0
    assert disagreements(fit, reference) == []


@all_forms(STAN, fast=("cbpp",))
def test_against_stan(name, form):
    try:
        reference = stan_reference(name)
    except DatasetError as error:
        pytest.skip(f"the table is not bundled and was not found: {error}")
    assert_agrees(reference, form)


@all_forms(SIMULATED)
def test_against_exact_integration(name, form):
    assert_agrees(simulated_reference(name), form)


@pytest.mark.parametrize("engine", ["kernel", pytest.param("pymc", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::bayesglmm.errors.QualityWarning")  # default settings: the effective sample size may fall short of 400
def test_no_chain_is_stranded_on_epil(engine):
    """Ten seeds with default settings; starts drawn from the prior leave whole chains at a linear predictor of 20."""
    reference = stan_reference("epil_poisson_subject")
    for seed in range(10):
        fit = bg.glmm(reference.formula, reference.data, family="poisson", seed=seed, engine=engine)
        assert fit.quality["mcmc.rhat"].value <= 1.02, f"seed {seed}: {fit.quality}"
