"""Coverage of intervals for population quantities, by simulation. ``python -m tests.calibration.population --json FILE``.

Parameters are drawn from stated priors, data from the parameters, and each data set is fitted under those priors. Averaged over the
priors, an interval of probability p then covers the truth with probability p exactly, whatever the sample size (Cook, Gelman and Rubin
2006; Talts et al. 2018); what is left is the error of the draws and of the integrals. The quantities are what the package is for:
population probabilities, marginal coefficients, the ends of a heterogeneity interval.

The band is simultaneous at 99 % over all quantities and levels by Bonferroni, which holds whatever their dependence: each count is
compared with binomial quantiles at 0.01 / (quantities x levels).

``--fixed`` fits data from a few named parameter values instead: coverage at one truth need not be nominal, so it is shown, not judged.
Data sets are fitted one after the other; with ``--partial`` each is written as it is done, and a run that stopped goes on from there.

References
----------
Cook, S. R., Gelman, A. and Rubin, D. B. (2006). *Journal of Computational and Graphical Statistics* 15, 675-692. Talts, S., Betancourt, M.,
Simpson, D., Vehtari, A. and Gelman, A. (2018). arXiv:1804.06788.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

import bayesglmm as bg
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.provenance import package_versions
from bayesglmm.numerics.heterogeneity import heterogeneity_interval
from bayesglmm.numerics.marginal import marginal_coefficients, population_mean, population_predictor

FORMULA, LINK = "y ~ x + (x | g)", "logit"
GROUPS, ROWS = 30, 8
PRIORS = {"intercept": bg.Normal(0, 1.5), "b": bg.Normal(0, 1), "sd": bg.HalfNormal(1), "cor": bg.LKJ(2)}
SAMPLER = {"draws": 1000, "tune": 1000, "chains": 4, "target_accept": 0.8}
"""The defaults, named so that a stored result tells what it was made with."""

LEVELS = (0.5, 0.8, 0.95)
AT = (-1.0, 1.0)
END_AT, END_LEVEL = 1.0, 0.95
SEED = 20_251
SIMULTANEOUS = 0.99
DATASETS = 400
RESULT = Path(__file__).with_name("result.json")


@dataclass(frozen=True, slots=True)
class Truth:
    """Parameters of the model: intercept and slope, SDs of their random effects, and the correlation of these."""

    beta: tuple[float, float]
    sd: tuple[float, float]
    rho: float

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the random effects, (2, 2)."""
        off = self.rho * self.sd[0] * self.sd[1]
        return np.array([[self.sd[0] ** 2, off], [off, self.sd[1] ** 2]])


FIXED = {
    "little heterogeneity": Truth((0.5, 0.5), (0.3, 0.2), 0.0),
    "moderate heterogeneity": Truth((-1.0, 0.8), (1.0, 0.5), 0.3),
    "much heterogeneity": Truth((1.5, -1.0), (2.5, 1.0), -0.4),
}


def settings() -> dict[str, Any]:
    """All that the result depends on besides versions, as JSON values."""
    return {
        "formula": FORMULA,
        "link": LINK,
        "groups": GROUPS,
        "rows": ROWS,
        "priors": {address: prior.text for address, prior in PRIORS.items()},
        "sampler": SAMPLER,
        "levels": list(LEVELS),
        "at": list(AT),
        "ends": [END_AT, END_LEVEL],
        "seed": SEED,
        "simultaneous": SIMULTANEOUS,
    }


def draw_truth(rng: np.random.Generator) -> Truth:
    """Parameters from the priors; under LKJ(eta) the correlation of two effects is 2 Beta(eta, eta) - 1."""
    beta = (rng.normal(PRIORS["intercept"].mu, PRIORS["intercept"].sigma), rng.normal(PRIORS["b"].mu, PRIORS["b"].sigma))
    sd = np.abs(rng.normal(0.0, PRIORS["sd"].sigma, 2))
    rho = 2.0 * rng.beta(PRIORS["cor"].eta, PRIORS["cor"].eta) - 1.0
    return Truth((float(beta[0]), float(beta[1])), (float(sd[0]), float(sd[1])), float(rho))


def simulate(rng: np.random.Generator, truth: Truth) -> pd.DataFrame:
    """One data set: standard-normal x, Bernoulli responses."""
    g = np.repeat(np.arange(GROUPS), ROWS)
    x = rng.standard_normal(GROUPS * ROWS)
    b = rng.multivariate_normal(np.zeros(2), truth.covariance, GROUPS, method="eigh")[g]
    eta = truth.beta[0] + b[:, 0] + (truth.beta[1] + b[:, 1]) * x
    return pd.DataFrame({"y": (rng.random(len(x)) < special.expit(eta)).astype(int), "x": x, "g": [f"g{j:02d}" for j in g]})


def true_values(truth: Truth, x: np.ndarray) -> dict[str, float]:
    """The quantities at the truth, for a data set with covariate x."""
    X = np.column_stack([np.ones_like(x), x])
    at = np.column_stack([np.ones(len(AT)), AT])
    end = np.array([1.0, END_AT])
    beta, D = np.array(truth.beta), truth.covariance
    means = population_mean(LINK, at @ beta, np.einsum("ij,jk,ik->i", at, D, at)).value
    eta = population_predictor(LINK, X @ beta, np.einsum("ij,jk,ik->i", X, D, X)).value
    ends = heterogeneity_interval(np.array(end @ beta), np.array(end @ D @ end), END_LEVEL)
    values = [*means, *marginal_coefficients(X, eta), special.expit(ends.lower), special.expit(ends.upper)]
    return dict(zip(quantities(), map(float, values), strict=True))


def quantities() -> tuple[str, ...]:
    """Names of the quantities."""
    means = tuple(f"population mean at x = {value:g}" for value in AT)
    return (*means, "marginal Intercept", "marginal x", f"lower end at x = {END_AT:g}", f"upper end at x = {END_AT:g}")


def intervals(fit: Fit, level: float) -> dict[str, tuple[float, float]]:
    """Intervals of one level as the tables of the package give them."""
    means = bg.means(fit, at={"x": list(AT)}, target="population", ci_prob=level).table.set_index("x").loc[list(AT)]
    marginal = bg.marginal_coefficients(fit, ci_prob=level).table.loc[["Intercept", "x"]]
    ends = bg.heterogeneity(fit, at={"x": [END_AT]}, level=END_LEVEL, ci_prob=level).table.set_index("scale").loc["response"]
    pairs = [*zip(means["ci_lower"], means["ci_upper"], strict=True)]
    pairs += [*zip(marginal["marginal_lower"], marginal["marginal_upper"], strict=True)]
    pairs += [(ends["lower_ci_lower"], ends["lower_ci_upper"]), (ends["upper_ci_lower"], ends["upper_ci_upper"])]
    return dict(zip(quantities(), ((float(a), float(b)) for a, b in pairs), strict=True))


def fit_one(data: pd.DataFrame, seed: int) -> Fit:
    """One fit under the priors of the truth; the intercept's refers to x at zero, as the truth's does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bg.glmm(FORMULA, data, family="bernoulli", link=LINK, priors=PRIORS, center=False, seed=seed, progress=False, **SAMPLER)


def one_dataset(number: int, name: str | None = None) -> dict[str, Any]:
    """Simulate, fit and compare one data set, numbered from 0; its randomness depends on its number and the truth's name only."""
    begin = time.perf_counter()
    place = 0 if name is None else 1 + list(FIXED).index(name)
    rng = np.random.default_rng([SEED, place, number])
    truth = draw_truth(rng) if name is None else FIXED[name]
    data = simulate(rng, truth)
    fit = fit_one(data, int(rng.integers(2**31)))
    true = true_values(truth, data["x"].to_numpy())
    ends = {level: intervals(fit, level) for level in LEVELS}
    covered = {q: {f"{level:g}": bool(ends[level][q][0] <= true[q] <= ends[level][q][1]) for level in LEVELS} for q in quantities()}
    checks = {key: fit.quality[f"mcmc.{key}"].value for key in ("rhat", "ess_bulk", "ess_tail", "divergences")}
    record = {"dataset": number, "truth": name, "parameters": asdict(truth), "covered": covered, **checks, "verdict": fit.quality.verdict}
    plain: dict[str, Any] = json.loads(json.dumps({**record, "seconds": time.perf_counter() - begin}))
    return plain


def run(datasets: int, *, names: Iterable[str | None] = (None,), partial: Path | None = None) -> list[dict[str, Any]]:
    """All data sets of all truths in order, those that ``partial`` holds already not again."""
    done = {} if partial is None else read_partial(partial)
    records = []
    for name in names:
        for number in range(datasets):
            record = done.get((name, number))
            if record is None:
                record = one_dataset(number, name)
                if partial is not None:
                    append(partial, record)
            records.append(record)
    return records


def read_partial(path: Path) -> dict[tuple[str | None, int], dict[str, Any]]:
    """Records of a run that stopped, by truth and number; the first line holds its settings, which must be these.

    A last line that was cut off is left out and its data set done again.
    """
    if not path.exists() or not path.read_text():
        append(path, {"settings": settings()})
        return {}
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    first, *rest = (json.loads(line) for line in whole.splitlines())
    if first != {"settings": settings()}:
        raise SystemExit(f"{path} is of a run with other settings: give another file")
    return {(r["truth"], r["dataset"]): r for r in rest}


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Write one line."""
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


def counts(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """How many data sets each interval covered, by quantity and level."""
    found = {q: {f"{level:g}": 0 for level in LEVELS} for q in quantities()}
    for record in records:
        for q, by_level in record["covered"].items():
            for level, hit in by_level.items():
                found[q][level] += int(hit)
    return found


def band(datasets: int) -> dict[str, list[int]]:
    """Counts that a right interval leaves with probability of at most 1 - SIMULTANEOUS, all quantities and levels together."""
    tail = 0.5 * (1.0 - SIMULTANEOUS) / (len(quantities()) * len(LEVELS))
    return {f"{level:g}": [int(stats.binom.ppf(p, datasets, level)) for p in (tail, 1.0 - tail)] for level in LEVELS}


def summarise(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The result as JSON values."""
    return {
        "settings": settings(),
        "datasets": len(records),
        "covered": counts(records),
        "band": band(len(records)),
        "largest rhat": max(r["rhat"] or np.inf for r in records),
        "smallest ess": min(min(r["ess_bulk"] or 0.0, r["ess_tail"] or 0.0) for r in records),
        "data sets with divergences": sum((r["divergences"] or 0) > 0 for r in records),
        "data sets not to be used": sum(r["verdict"] == "do not use" for r in records),
        "seconds": sum(r["seconds"] for r in records),
        "versions": dict(package_versions()),
    }


def outside(result: Mapping[str, Any]) -> list[str]:
    """Quantities and levels whose coverage lies outside the band, in words; the band is computed again, not read."""
    limits = band(result["datasets"])
    found = []
    for q, by_level in result["covered"].items():
        for level, count in by_level.items():
            low, high = limits[level]
            if not low <= count <= high:
                found.append(f"{q}, {level}: {count} of {result['datasets']}, band {low} to {high}")
    return found


def table(result: Mapping[str, Any], *, judged: bool = True) -> str:
    """Coverage in percent, with the band when it is judged."""
    n, lines = result["datasets"], []
    lines.append("  ".join(["coverage, %".ljust(28), *(f"{100 * level:>7g}" for level in LEVELS)]))
    for q, by_level in result["covered"].items():
        lines.append("  ".join([q.ljust(28), *(f"{100 * by_level[f'{level:g}'] / n:7.1f}" for level in LEVELS)]))
    for i, word in enumerate(("band from", "band to")):
        ends = (f"{100 * result['band'][f'{level:g}'][i] / n:7.1f}" for level in LEVELS)
        lines += ["  ".join([word.ljust(28), *ends])] if judged else []
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run, show the table, write JSON; 1 when a coverage lies outside the band."""
    parser = argparse.ArgumentParser(description="Coverage of intervals for population quantities.")
    parser.add_argument("--datasets", type=int, default=DATASETS, help="data sets, for each truth with --fixed")
    parser.add_argument("--json", type=Path, help="where the result is written")
    parser.add_argument("--partial", type=Path, help="a file of JSON lines, for a run that can stop and go on")
    parser.add_argument("--fixed", action="store_true", help="named truths instead of priors: shown, not judged")
    asked = parser.parse_args(arguments)
    records = run(asked.datasets, names=tuple(FIXED) if asked.fixed else (None,), partial=asked.partial)
    by_name = {name: summarise([r for r in records if r["truth"] == name]) for name in dict.fromkeys(r["truth"] for r in records)}
    for name, result in by_name.items():
        title = f"{name}: {FIXED[name]}" if name else "truths from the priors"
        sys.stdout.write(f"{title}, {result['datasets']} data sets\n{table(result, judged=name is None)}\n")
    if asked.json is not None:
        asked.json.write_text(json.dumps(by_name if asked.fixed else by_name[None], indent=1) + "\n")
    wrong = [] if asked.fixed else outside(by_name[None])
    sys.stdout.write("".join(f"outside the band: {w}\n" for w in wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
