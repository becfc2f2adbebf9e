"""The posterior of the marginal coefficients of the trial, beside exact maximum likelihood and beside what a lecture printed."""

import json
from pathlib import Path

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import DatasetError

EXACT = json.loads((Path(__file__).parent / "aids_glmm_ri_exact.json").read_text())["extra"]
NAMES = {"Intercept": "(Intercept)", "obstime": "obstime", "drug[ddI]": "drugddI", "obstime:drug[ddI]": "obstime:drugddI"}
PRINTED_ERRORS = {"Intercept": 0.022, "obstime": 0.002, "drug[ddI]": 0.024, "obstime:drug[ddI]": 0.003}
CLOSE, ALIKE, FAR = 0.25, 0.25, 0.5
"""Posterior SDs between two means; relative difference of a posterior SD and a standard error; share of it that is another number."""


@pytest.mark.external
def test_marginal_coefficients_of_the_trial():
    try:
        table = bg.datasets.load("aids")
    except DatasetError as error:
        pytest.skip(f"the table 'aids' is not here: {error}")
    fit = bg.glmm("low ~ obstime * drug + (1 | patient)", table.assign(low=table["CD4"] < np.sqrt(150.0)), family="bernoulli", seed=1)
    found = bg.marginal_coefficients(fit).table
    for ours, theirs in NAMES.items():
        mean, sd = found.loc[ours, ["marginal", "marginal_sd"]]
        assert abs(mean - EXACT[f"marg_{theirs}"]) <= CLOSE * sd, ours
        assert abs(sd / EXACT["marginal_se_delta_method"][theirs] - 1.0) <= ALIKE, ours
        assert PRINTED_ERRORS[ours] < FAR * sd, ours
