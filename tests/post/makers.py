"""Tables and fits for the tests of post-processing, and the visit design of the AIDS trial."""

import numpy as np
import pandas as pd

from bayesglmm.fit.fit import Fit
from bayesglmm.post.linear_predictor import Parameters, fit_parameters
from tests.fits import make_fit

VISITS: dict[str, dict[tuple[int, ...], int]] = {
    "ddC": {
        (0, 2, 6, 12): 85, (0, 2, 6): 41, (0, 2): 35, (0,): 29, (0, 2, 12): 13, (0, 2, 6, 12, 18): 11, (0, 6, 12): 10, (0, 6): 8,
        (0, 12): 2, (0, 2, 12, 18): 1, (0, 6, 12, 18): 1, (0, 6, 18): 1,
    },
    "ddI": {
        (0, 2, 6, 12): 76, (0, 2, 6): 47, (0, 2): 37, (0,): 32, (0, 2, 6, 12, 18): 13, (0, 6): 8, (0, 6, 12): 5, (0, 2, 12): 4,
        (0, 6, 12, 18): 2, (0, 2, 6, 18): 2, (0, 2, 12, 18): 2, (0, 2, 18): 1, (0, 12): 1,
    },
}  # fmt: skip
"""Patients per pattern of visits (months) and drug: 467 patients, 1,405 visits (the trial of table ``aids`` in the R package JM)."""

AIDS_FORMULA = "low ~ obstime * drug + (1 | patient)"
AIDS_BETA = {"Intercept": 5.711, "obstime": 0.146, "drug[ddI]": -0.573, "obstime:drug[ddI]": -0.029}
AIDS_SD = 5.696
"""Published subject-specific estimates of the random-intercept logit model of low CD4 counts."""


def aids_visits(seed: int = 1) -> pd.DataFrame:
    """A table with the visits of the trial and a simulated response."""
    patterns = [(drug, visits) for drug, counts in VISITS.items() for visits, count in counts.items() for _ in range(count)]
    rows = [(patient, time, drug) for patient, (drug, visits) in enumerate(patterns) for time in visits]
    table = pd.DataFrame(rows, columns=["patient", "obstime", "drug"])
    return table.assign(low=np.random.default_rng(seed).integers(0, 2, len(table)))


def aids_fit(table: pd.DataFrame) -> Fit:
    """One draw, the published estimates."""
    return make_fit(AIDS_FORMULA, table, family="bernoulli", beta=AIDS_BETA, sd=AIDS_SD, spread=0.0, n_chains=1, n_draws=1)


def table(n: int = 120, seed: int = 1) -> pd.DataFrame:
    """Two crossed grouping factors, two numbers, a factor, and responses of every kind."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "level": rng.gamma(3.0, size=n),
            "zero_one": np.resize([0, 1, 1], n),
            "count": rng.poisson(3.0, n),
            "k": rng.integers(0, 6, n),
            "n": np.full(n, 6),
            "s": rng.uniform(0.5, 1.5, n),
            "w": rng.uniform(0.5, 2.0, n),
            "x": rng.normal(size=n).round(2),
            "age": rng.integers(20, 60, n),
            "drug": rng.permutation(np.resize(["a", "b", "c"], n)),
            "g": np.repeat([f"g{i:02d}" for i in range(n // 6)], 6),
            "h": rng.permutation(np.resize(["p", "q", "r", "s"], n)),
        }
    )


def crossed_fit(**options: object) -> Fit:
    """Logit model with a correlated slope of one factor and an intercept of another."""
    given = {
        "family": "bernoulli",
        "beta": {"Intercept": 0.4, "x": 0.8, "drug[b]": -0.6, "drug[c]": 1.1},
        "sd": {"g": [1.3, 0.7], "h": [0.9]},
        "corr": {"g": [[1.0, 0.4], [0.4, 1.0]]},
        "n_draws": 20,
    }
    return make_fit("zero_one ~ x + drug + (x | g) + (1 | h)", table(), **{**given, **options})


def parameters(fit: Fit) -> Parameters:
    return fit_parameters(fit, effects=True)


def draws_of(result, name: str = "mean_response") -> np.ndarray:
    """Draws of a result, chains joined: (S, rows)."""
    values = result.draws[name].to_numpy()
    return values.reshape(-1, values.shape[-1])
