"""One whole report of a fit whose every name is an attack, made once."""

import warnings

import numpy as np
import pandas as pd
import pytest

from bayesglmm.reporting.report import report
from tests.fits import make_fit

LEVEL = "</script><img src=x onerror=alert(1)>"
NUMBER, FACTOR, GROUP = "<img src=x onerror=alert(2)>", "<svg onload=alert(3)>", "<b onmouseover=alert(4)>"


def hostile_fit():
    """Names of columns hold no slash, which no posterior variable can; levels, title and goal do."""
    rng = np.random.default_rng(5)
    n = 120
    table = pd.DataFrame(
        {
            "y": rng.integers(0, 2, n),
            NUMBER: rng.normal(size=n).round(2),
            FACTOR: np.resize([f"a{LEVEL}", LEVEL], n),
            GROUP: np.repeat([f"{LEVEL}{i}" for i in range(12)], 10),
        }
    )
    formula = f"y ~ `{NUMBER}` + `{FACTOR}` + (`{NUMBER}` | `{GROUP}`)"
    return make_fit(formula, table, family="bernoulli", sd=[0.9, 0.4], n_chains=4, n_draws=100)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """The report and its fit."""
    fit = hostile_fit()
    with warnings.catch_warnings():
        # names of forty letters and more leave no room for some pictures
        warnings.filterwarnings("ignore", message="constrained_layout not applied", category=UserWarning)
        return fit, report(fit, tmp_path_factory.mktemp("hostile") / "report.html", title=LEVEL, goal=f"{LEVEL}?")
