"""The machinery of the calibration, its stored result, and (slow) a short run of it."""

import json

import numpy as np
import pytest
from scipy import special, stats

from tests.calibration import population
from tests.calibration.population import FIXED, LEVELS, Truth, band, counts, one_dataset, outside, quantities, read_partial, run, summarise
from tests.fits import make_fit

MORE_THAN_CHANCE = 4.5
"""Standard errors of a simulated mean: exceeded by chance once in 150,000."""


def test_stored_coverage_is_inside_the_band():
    result = json.loads(population.RESULT.read_text())
    assert result["settings"] == json.loads(json.dumps(population.settings())), "the script has changed: run it again"
    assert result["datasets"] >= population.DATASETS
    assert set(result["covered"]) == set(quantities())
    assert all(set(by_level) == {f"{level:g}" for level in LEVELS} for by_level in result["covered"].values())
    assert not outside(result)


def true_and_seen(truth, n=20_000, seed=4):
    """The true values, and the same from simulated groups: means of probabilities and quantiles of predictors."""
    rng = np.random.default_rng(seed)
    b = rng.multivariate_normal(np.zeros(2), truth.covariance, n)
    at = {value: truth.beta[0] + b[:, 0] + (truth.beta[1] + b[:, 1]) * value for value in population.AT}
    return population.true_values(truth, rng.standard_normal(240)), at


@pytest.mark.parametrize("name", FIXED)
def test_true_values_are_those_of_simulated_groups(name):
    true, at = true_and_seen(FIXED[name])
    for value, eta in at.items():
        probabilities = special.expit(eta)
        error = MORE_THAN_CHANCE * probabilities.std() / np.sqrt(len(eta))
        assert abs(probabilities.mean() - true[f"population mean at x = {value:g}"]) < error
    below = np.mean(special.expit(at[population.END_AT]) < true[f"lower end at x = {population.END_AT:g}"])
    above = np.mean(special.expit(at[population.END_AT]) > true[f"upper end at x = {population.END_AT:g}"])
    tail = 0.5 * (1.0 - population.END_LEVEL)
    error = MORE_THAN_CHANCE * np.sqrt(tail * (1.0 - tail) / len(at[population.END_AT]))
    assert abs(below - tail) < error
    assert abs(above - tail) < error


def test_truths_follow_the_priors():
    """First two moments, and the correlation's law by a Kolmogorov test."""
    rng = np.random.default_rng(1)
    truths = [population.draw_truth(rng) for _ in range(4000)]
    beta, sd, rho = (np.array([getattr(t, name) for t in truths]) for name in ("beta", "sd", "rho"))
    assert stats.kstest(beta[:, 0], stats.norm(0.0, 1.5).cdf).pvalue > 1e-4
    assert stats.kstest(beta[:, 1], stats.norm(0.0, 1.0).cdf).pvalue > 1e-4
    assert stats.kstest(sd.ravel(), stats.halfnorm(0.0, 1.0).cdf).pvalue > 1e-4
    assert stats.kstest(rho, lambda r: 0.25 * (2.0 + 3.0 * r - r**3)).pvalue > 1e-4  # density 3/4 (1 - rho^2)


def test_data_follow_the_truth():
    truth = FIXED["much heterogeneity"]
    rng = np.random.default_rng(2)
    tables = [population.simulate(rng, truth) for _ in range(60)]
    assert all(t["g"].nunique() == population.GROUPS for t in tables)
    assert all(t.groupby("g").size().eq(population.ROWS).all() for t in tables)
    by_group = np.array([t.groupby("g")["y"].mean().to_numpy() for t in tables]).ravel()
    x = rng.standard_normal(100_000)
    at = np.column_stack([np.ones_like(x), x])
    v = np.einsum("ij,jk,ik->i", at, truth.covariance, at)
    expected = population.population_mean("logit", at @ np.array(truth.beta), v).value.mean()
    assert abs(by_group.mean() - expected) < MORE_THAN_CHANCE * by_group.std() / np.sqrt(len(by_group))


@pytest.fixture
def near(monkeypatch):
    """In place of a fit: draws around a given truth, the same for every data set; counts the fits."""
    made = []

    def fit_one(data, seed):
        made.append(seed)
        truth = FIXED["moderate heterogeneity"]
        corr = [[1.0, truth.rho], [truth.rho, 1.0]]
        return make_fit(population.FORMULA, data, family="bernoulli", beta=truth.beta, sd=truth.sd, corr=corr, spread=0.1, n_draws=40)

    monkeypatch.setattr(population, "fit_one", fit_one)
    return made


def test_intervals_grow_with_their_level_and_lie_around_the_truth(near):
    truth = FIXED["moderate heterogeneity"]
    data = population.simulate(np.random.default_rng(3), truth)
    fit = population.fit_one(data, 0)
    ends = {level: population.intervals(fit, level) for level in LEVELS}
    true = population.true_values(truth, data["x"].to_numpy())
    for q in quantities():
        low, middle, high = (ends[level][q] for level in LEVELS)
        assert high[0] < middle[0] < low[0] < low[1] < middle[1] < high[1]
        assert high[0] < true[q] < high[1], q


def test_draws_around_the_truth_cover_it_and_not_another(near):
    record = one_dataset(0, "moderate heterogeneity")
    assert all(by_level["0.95"] for by_level in record["covered"].values())
    other = one_dataset(0, "much heterogeneity")
    assert not any(by_level["0.95"] for q, by_level in other["covered"].items() if q.startswith(("population", "lower")))


def test_a_run_goes_on_where_it_stopped(near, tmp_path):
    path = tmp_path / "partial.jsonl"
    whole = run(4)
    assert len(near) == 4
    first = run(2, partial=path)
    again = run(4, partial=path)
    assert len(near) == 8
    assert [r["covered"] for r in again] == [r["covered"] for r in whole]
    assert again[:2] == first
    with path.open("a") as file:
        file.write('{"dataset": 4, "tru')
    assert len(run(4, partial=path)) == 4
    assert len(near) == 8
    assert len(read_partial(path)) == 4


def test_a_partial_run_with_other_settings_is_refused(near, tmp_path, monkeypatch):
    path = tmp_path / "partial.jsonl"
    run(1, partial=path)
    monkeypatch.setattr(population, "SEED", population.SEED + 1)
    with pytest.raises(SystemExit, match="other settings"):
        run(1, partial=path)


def test_data_sets_differ_and_do_not_depend_on_what_ran_before(near):
    one, two = one_dataset(1), one_dataset(2)
    assert one["parameters"] != two["parameters"]
    assert one_dataset(1)["parameters"] == one["parameters"]
    assert len(set(near)) == 2


@pytest.mark.parametrize("datasets", [20, 400])
def test_the_band_holds_all_counts_together(datasets):
    """Bonferroni: the probabilities of leaving it, added over all counts, are at most one minus that of the band."""
    limits = band(datasets)
    leaving = 0.0
    for level in LEVELS:
        low, high = limits[f"{level:g}"]
        leaving += len(quantities()) * (stats.binom.cdf(low - 1, datasets, level) + stats.binom.sf(high, datasets, level))
        narrower = stats.binom.cdf(low, datasets, level) + stats.binom.sf(high - 1, datasets, level)
        assert narrower > (1.0 - population.SIMULTANEOUS) / (len(quantities()) * len(LEVELS))
    assert leaving <= 1.0 - population.SIMULTANEOUS


def made_up_result(datasets=400):
    covered = {q: {f"{level:g}": round(level * datasets) for level in LEVELS} for q in quantities()}
    return {"datasets": datasets, "covered": covered, "band": band(datasets)}


def test_counts_outside_the_band_are_named():
    result = made_up_result()
    assert outside(result) == []
    for level, count in (("0.5", 260), ("0.95", 350), ("0.95", 400)):
        bad = json.loads(json.dumps(result))
        bad["covered"]["marginal x"][level] = count
        bad["band"][level] = [0, 400]  # what the file says about the band does not count
        (found,) = outside(bad)
        assert found.startswith(f"marginal x, {level}: {count} of 400")


def test_the_command_writes_json_and_fails_outside_the_band(near, tmp_path, capsys, monkeypatch):
    path = tmp_path / "result.json"
    monkeypatch.setattr(population, "draw_truth", lambda rng: FIXED["much heterogeneity"])
    assert population.main(["--datasets", "6", "--json", str(path)]) == 1  # the stand-in's draws lie around another truth
    shown = capsys.readouterr().out
    assert "outside the band: population mean at x = -1, 0.95: 0 of 6" in shown
    result = json.loads(path.read_text())
    assert result["datasets"] == 6
    assert result["settings"] == json.loads(json.dumps(population.settings()))
    assert result["covered"] == counts([one_dataset(i) for i in range(6)])


def test_fixed_truths_are_shown_and_not_judged(near, tmp_path, capsys):
    path = tmp_path / "fixed.json"
    assert population.main(["--datasets", "2", "--fixed", "--json", str(path)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in FIXED)
    assert "band" not in shown
    assert set(json.loads(path.read_text())) == set(FIXED)


def test_a_truth_gives_its_covariance():
    np.testing.assert_allclose(Truth((0.0, 0.0), (2.0, 3.0), -0.5).covariance, [[4.0, -3.0], [-3.0, 9.0]])


@pytest.mark.slow
def test_a_short_run_is_inside_its_band():
    """Real fits of twenty data sets; the band is wide, gross errors leave it."""
    records = run(20)
    result = summarise(records)
    assert not outside(result)
    assert result["largest rhat"] < 1.05
    assert result["settings"]["sampler"]["chains"] == 4
