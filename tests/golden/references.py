"""Reference posteriors as one kind of record, whatever made them, and the comparison with a fit by the tolerance policy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayesglmm as bg
from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import parameter_draws
from tests.tolerances import MCSE_MULTIPLE

HERE = Path(__file__).parent
NORMAL_DENSITY_AT_5_PERCENT = 0.10313564
STATISTICS = ("mean", "sd", "q5", "q95")


@dataclass(frozen=True)
class Reference:
    """A stored posterior.

    Attributes
    ----------
    name, formula, family, link
        The model.
    data
        The table it was made from.
    priors
        By our addresses.
    summaries
        One mapping per parameter in the order of ``parameter_draws``: statistic to (value, Monte Carlo standard error).
    """

    name: str
    formula: str
    family: str
    link: str
    data: pd.DataFrame
    priors: Mapping[str, Any]
    summaries: tuple[Mapping[str, tuple[float, float]], ...]


def prior(text: str) -> Any:
    """``normal(0, 2.5)``, ``exponential(rate 0.02)`` and ``LKJ(2)`` as prior records."""
    name, _, rest = text.partition("(")
    numbers = [float(part.split()[-1]) for part in rest.rstrip(")").split(",")]
    return {"normal": bg.Normal, "exponential": bg.Exponential, "lkj": bg.LKJ}[name.strip().lower()](*numbers)


def from_stan(entry: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Statistics of one parameter of a Stan run; errors of SD and quantiles from its effective sample sizes (normal density at 5 %)."""
    sd, tail = entry["sd"], entry["ess_tail"]
    quantile_error = sd * np.sqrt(0.05 * 0.95 / tail) / NORMAL_DENSITY_AT_5_PERCENT
    errors = {"mean": entry["mcse_mean"], "sd": sd / np.sqrt(2 * entry["ess_bulk"]), "q5": quantile_error, "q95": quantile_error}
    return {s: (entry[s], errors[s]) for s in STATISTICS}


PREPARE = {
    "aids": lambda d: d.assign(low=(d["CD4"] < np.sqrt(150)).astype(int)),
    "Contraception": lambda d: d.assign(
        y=(d["use"] == "Y").astype(int),
        ch=pd.Categorical(np.where(d["livch"] == "0", "N", "Y"), categories=["N", "Y"]),
        age10=d["age"] / 10,
    ),
    "ScotsSec": lambda d: d.assign(verbal10=d["verbal"] / 10),
}
"""What was done to the tables before fitting (``data_prep`` of the files)."""


def stan_reference(name: str) -> Reference:
    """One of the ``posterior_std_*`` files."""
    record = json.loads((HERE / f"posterior_std_{name}.json").read_text())
    data = PREPARE.get(record["data"], lambda d: d)(bg.datasets.load(record["data"]))
    family, _, link = record["family"].rstrip(")").partition("(")
    order = [*record["fixed"], *record["sd"], *record["corr"], *([record["sigma"]] if record["sigma"] else [])]
    return Reference(name, record["formula"], family, link or "identity", data, _stan_priors(record), tuple(from_stan(e) for e in order))


def _stan_priors(record: Mapping[str, Any]) -> dict[str, Any]:
    """Priors by address; R's coefficient names are matched to ours by position, which the column order fixes."""
    priors = {"intercept": prior(record["priors"]["fixed"][0]["prior"])}
    slopes = {entry["prior"] for entry in record["priors"]["fixed"][1:]}
    assert len(slopes) <= 1, "the stored runs give all slopes one prior"
    if slopes:
        priors["b"] = prior(slopes.pop())
    for entry in record["priors"]["sd"]:
        effect = "1" if entry["term"] == "(Intercept)" else {"urbanY": "urban"}.get(entry["term"], entry["term"])
        priors[f"sd[{entry['group']}, {effect}]"] = prior(entry["prior"])
    if record["priors"]["corr"]:
        priors["cor"] = prior(record["priors"]["corr"])
    if record["priors"]["sigma"]:
        priors["sigma"] = prior(record["priors"]["sigma"])
    return priors


def simulated_reference(name: str) -> Reference:
    """One of the exact posteriors of ``simulated/make_references.py``."""
    record = json.loads((HERE / "simulated" / f"{name}.json").read_text())
    makers = {"normal": bg.Normal, "exponential": bg.Exponential, "lkj": bg.LKJ}
    model = record["model"]
    priors = {address: makers[kind](*numbers) for address, (kind, *numbers) in model["priors"].items()}
    summaries = tuple({s: (entry[s], entry[f"mcse_{s}"]) for s in STATISTICS} for entry in record["parameters"].values())
    data = pd.read_csv(HERE / "simulated" / f"{name}.csv")
    return Reference(name, model["formula"], model["family"], model["link"], data, priors, summaries)


def disagreements(fit: bg.Fit, reference: Reference) -> list[str]:
    """Every statistic that is more than ``MCSE_MULTIPLE`` combined Monte Carlo errors away, in words."""
    parameters = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    assert len(parameters.labels) == len(reference.summaries)
    found = []
    for label, draws, expected in zip(parameters.labels, np.moveaxis(parameters.values, -1, 0), reference.summaries, strict=True):
        ours = {
            "mean": (draws.mean(), diagnostics.mcse_mean(draws)),
            "sd": (draws.std(ddof=1), diagnostics.mcse_sd(draws)),
            "q5": (np.quantile(draws, 0.05), diagnostics.mcse_quantile(draws, 0.05)),
            "q95": (np.quantile(draws, 0.95), diagnostics.mcse_quantile(draws, 0.95)),
        }
        for statistic, (value, error) in ours.items():
            other, other_error = expected[statistic]
            allowed = MCSE_MULTIPLE * np.hypot(error, other_error)
            if not abs(value - other) < allowed:
                found.append(f"{label} {statistic}: {value:.5g} against {other:.5g}, allowed {allowed:.2g}")
    return found
