"""Each check fires on its own fault, and the worst one decides."""

from dataclasses import replace

import numpy as np
import pytest

from bayesglmm.fit.quality import RunStatistics, judge

SHAPE = (4, 1000)
GOOD = RunStatistics(
    parameters=("Intercept", "x"),
    rhat=np.array([1.001, 1.002]),
    ess_bulk=np.array([900.0, 1500.0]),
    ess_tail=np.array([1200.0, 1300.0]),
    mcse_share=np.array([0.02, 0.03]),
    sampler={
        "diverging": np.zeros(SHAPE, bool),
        "reached_max_treedepth": np.zeros(SHAPE, bool),
        "acceptance_rate": np.full(SHAPE, 0.83),
    },
    bfmi=np.array([0.8, 0.9, 1.0, 0.7]),
    chains=4,
    draws=1000,
    requested_chains=4,
    requested_draws=1000,
    target_accept=0.8,
)


def some(share):
    flags = np.zeros(SHAPE, bool)
    flags.ravel()[: round(share * flags.size)] = True
    return flags


def with_statistic(name, values):
    return {"sampler": {**GOOD.sampler, name: values}}


FAULTS = {
    "rhat attention": ({"rhat": np.array([1.0, 1.03])}, "mcmc.rhat", "attention"),
    "rhat unusable": ({"rhat": np.array([1.0, 1.2])}, "mcmc.rhat", "do not use"),
    "rhat not a number": ({"rhat": np.array([1.0, np.nan])}, "mcmc.rhat", "not run"),
    "bulk": ({"ess_bulk": np.array([399.0, 2000.0])}, "mcmc.ess_bulk", "attention"),
    "tail": ({"ess_tail": np.array([399.0, 2000.0])}, "mcmc.ess_tail", "attention"),
    "bulk per chain": ({"chains": 8, "requested_chains": 8, "ess_bulk": np.array([500.0, 2000.0])}, "mcmc.ess_bulk", "attention"),
    "mcse": ({"mcse_share": np.array([0.01, 0.06])}, "mcmc.mcse", "attention"),
    "one divergence": (with_statistic("diverging", some(1 / 4000)), "mcmc.divergences", "attention"),
    "many divergences": (with_statistic("diverging", some(0.02)), "mcmc.divergences", "do not use"),
    "depth": (with_statistic("reached_max_treedepth", some(0.02)), "mcmc.depth", "attention"),
    "bfmi": ({"bfmi": np.array([0.8, 0.2, 0.9, 0.9])}, "mcmc.bfmi", "attention"),
    "energy missing": ({"bfmi": None}, "mcmc.bfmi", "not run"),
    "acceptance": (with_statistic("acceptance_rate", np.full(SHAPE, 0.6)), "mcmc.acceptance", "attention"),
    "chains": ({"chains": 2, "requested_chains": 2}, "mcmc.chains", "attention"),
    "partial": ({"draws": 700}, "prov.complete", "attention"),
    "chains missing": ({"chains": 4, "requested_chains": 8}, "prov.complete", "attention"),
}


def test_a_good_run_is_ok():
    quality = judge(GOOD)
    assert quality.verdict == "ok"
    assert quality.failed == ()


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fires_its_own_check_only(fault):
    change, check_id, verdict = FAULTS[fault]
    quality = judge(replace(GOOD, **change))
    assert [(c.id, c.verdict) for c in quality.failed] == [(check_id, verdict)]
    assert quality.verdict == ("attention" if verdict == "not run" else verdict)


@pytest.mark.parametrize("name", list(GOOD.sampler))
def test_a_missing_statistic_is_never_shown_as_passed(name):
    quality = judge(replace(GOOD, sampler={k: v for k, v in GOOD.sampler.items() if k != name}))
    assert [c.verdict for c in quality.failed] == ["not run"]
    assert quality.verdict == "attention"


def test_the_worst_parameter_is_named_with_what_to_do():
    check = judge(replace(GOOD, rhat=np.array([1.0, 1.2])))["mcmc.rhat"]
    assert "x" in check.detail
    assert check.meaning
    assert check.remedy
    assert "mcmc.rhat = 1.2" in str(judge(replace(GOOD, rhat=np.array([1.0, 1.2]))))


def test_shares_are_shown_as_percentages_where_the_threshold_is_one():
    text = str(judge(replace(GOOD, mcse_share=np.array([0.0123, 0.0623]), **with_statistic("reached_max_treedepth", some(1.0)))))
    assert "mcmc.mcse = 6.23% (< 5% of the posterior SD)" in text
    assert "mcmc.depth = 100% (<= 1% of draws at the limit). 100% of draws." in text
    assert "mcmc.depth = 0.0125" not in text
    few = judge(replace(GOOD, **with_statistic("diverging", some(3 / 4000))))
    assert "mcmc.divergences = 3 (0 draws ok, > 1% of the draws do not use). 3 of 4000 draws, 0.075%." in str(few)
    assert few["mcmc.divergences"].value == 3.0


def test_an_unknown_check_is_a_key_error():
    with pytest.raises(KeyError):
        judge(GOOD)["mcmc.magic"]
