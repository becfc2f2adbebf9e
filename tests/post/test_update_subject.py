"""Dynamic prediction: against conjugate formulas and quadrature, draw by draw reweighted."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from bayesglmm.errors import ArgumentError, ColumnError, LevelError, ResponseError
from bayesglmm.post.own_data import read_own_data, update
from bayesglmm.post.predict import predict
from bayesglmm.post.update_subject import update_subject
from tests.fits import make_fit
from tests.post.makers import draws_of, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

S = 4000
TIMES = np.array([-1.0, 0.0, 0.5, 1.5])
OWN = pd.DataFrame({"x": TIMES, "g": "new", "y": [2.0, 1.5, 3.0, 4.0]})
AT = pd.DataFrame({"x": [0.0, 3.0], "g": "new"})
SLOPES = {"beta": [0.5, 0.4], "sd": [1.2, 0.6], "corr": [[1.0, 0.3], [0.3, 1.0]], "n_draws": S // 2}


def slope_fit(**options):
    return make_fit("y ~ x + (x | g)", table(), **{**SLOPES, "aux": {"sigma": 0.8}, **options})


def logit_fit(**options):
    given = {"family": "bernoulli", "beta": [0.3, 0.5], "sd": 1.5, "n_draws": S // 2}
    return make_fit("zero_one ~ x + (1 | g)", table(), **{**given, **options})


def conjugate(fit, own: pd.DataFrame) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Log evidence, mean and covariance of the means at AT for each draw, from the joint normal law of y* and them."""
    draws, sigmas = parameters(fit), fit.posterior["sigma"].to_numpy().reshape(-1)
    X, new = np.stack([np.ones(len(own)), own["x"]], axis=1), np.stack([np.ones(2), AT["x"]], axis=1)
    found = []
    for beta, sd, corr, sigma in zip(draws.beta, draws.groups[0].sd, draws.groups[0].corr, sigmas, strict=True):
        D = sd[:, None] * corr * sd
        V = X @ D @ X.T + sigma**2 * np.eye(len(own))
        gain = new @ D @ X.T @ np.linalg.inv(V)
        residual = own["y"].to_numpy() - X @ beta
        evidence = -0.5 * (residual @ np.linalg.solve(V, residual) + np.linalg.slogdet(2.0 * np.pi * V)[1])
        found.append((evidence, new @ beta + gain @ residual, new @ D @ new.T - gain @ X @ D @ new.T))
    return found


def test_normal_responses_are_conjugate():
    """All draws alike: mean and variance of S draws within five standard errors of the closed form."""
    fit = slope_fit(spread=0.0)
    result = update_subject(fit, OWN, at=AT, seed=1)
    found, (_, mean, V) = draws_of(result), conjugate(fit, OWN)[0]
    variance = np.diag(V)
    assert np.all(np.abs(found.mean(axis=0) - mean) < MCSE_MULTIPLE * np.sqrt(variance / S))
    assert np.all(np.abs(found.var(axis=0) - variance) < MCSE_MULTIPLE * variance * np.sqrt(2.0 / S))
    assert any("exact" in note for note in result.notes)


def test_draws_are_weighted_by_how_well_they_predict_the_subject():
    """The mixture of conjugate laws, weighted by evidence, is known draw by draw; unweighted it is elsewhere."""
    fit, n_draws, own = slope_fit(spread=0.4, n_draws=400), 800, OWN.assign(y=[-4.0, -2.0, 0.0, 2.0])
    parts = conjugate(fit, own)
    weights = special.softmax([p[0] for p in parts])
    means = np.array([p[1] for p in parts])
    wanted, found = weights @ means, draws_of(update_subject(fit, own, at=AT, seed=1))
    error = found.std(axis=0) / np.sqrt(n_draws)
    assert np.all(np.abs(found.mean(axis=0) - wanted) < MCSE_MULTIPLE * error)
    assert np.any(np.abs(means.mean(axis=0) - wanted) > MCSE_MULTIPLE * error), "without weights the test would fail"
    updated = update(fit, read_own_data(fit, own), np.random.default_rng(1))
    assert updated.effective == pytest.approx(1.0 / np.sum(weights**2), rel=1e-6)


def test_logit_with_one_effect_against_dense_quadrature():
    """Numerator and evidence per draw by the trapezoid rule over b; theta reweighted by their ratio."""
    fit = logit_fit(spread=0.5)
    own = pd.DataFrame({"x": 2.0 * TIMES, "g": "new", "zero_one": [1, 0, 0, 0]})
    draws, y = parameters(fit), own["zero_one"].to_numpy()
    e = np.linspace(-8.0, 8.0, 401)
    b = draws.groups[0].sd * e
    fixed = draws.beta @ np.stack([np.ones(4), own["x"]])
    likelihood = np.prod(special.expit((2 * y - 1) * (fixed[:, None] + b[..., None])), axis=-1) * stats.norm.pdf(e)
    new = special.expit((draws.beta @ [1.0, 3.0])[:, None] + b)
    wanted = np.array([(likelihood * new**k).sum() / likelihood.sum() for k in (1, 2)])
    updated = update(fit, read_own_data(fit, own), np.random.default_rng(1))
    found = draws_of(update_subject(fit, own, at=AT, seed=1))[:, 1]
    moments = np.stack([found, found**2])
    error = MCSE_MULTIPLE * moments.std(axis=1) / np.sqrt(updated.effective)
    assert np.all(np.abs(moments.mean(axis=1) - wanted) < error)
    evidence = likelihood.sum(axis=1)
    unweighted = np.array([((likelihood * new**k).sum(axis=1) / evidence).mean() for k in (1, 2)])
    assert np.all(np.abs(unweighted - wanted) > error), "without weights the test would fail"
    assert updated.effective == pytest.approx(evidence.sum() ** 2 / np.square(evidence).sum(), rel=0.02)  # 16 proposals per draw
    assert updated.proposals_effective is not None
    assert updated.proposals_effective > 0.7


def test_whole_weights_are_repeated_rows_for_other_responses_too():
    fit, times = make_fit("zero_one | weights(w) ~ x + (1 | g)", table(), family="bernoulli", n_draws=50), np.array([1, 2, 1, 3])
    own = OWN.assign(zero_one=[1, 0, 1, 1], w=1.0)
    weighted = update_subject(fit, own.assign(w=times), at=AT, seed=1)
    repeated = update_subject(fit, own.iloc[np.repeat(np.arange(4), times)], at=AT, seed=1)
    np.testing.assert_allclose(draws_of(weighted), draws_of(repeated), rtol=1e-5)  # proposals are placed by differences


@pytest.mark.parametrize("own", [None, "no rows of it"])
def test_without_data_a_new_subject_is_one_of_the_population(own):
    fit = logit_fit()
    wanted = draws_of(predict(fit, AT, new_groups="population", seed=3))
    if own is None:
        result = update_subject(fit, None, at=AT, seed=3)
        np.testing.assert_array_equal(draws_of(result), wanted)
        assert any("No data of its own" in note for note in result.notes)
    else:
        # a row whose effect column is zero says nothing of b, and with all draws alike nothing of theta
        fit = make_fit("y ~ 1 + (0 + x | g)", table(), sd=2.0, spread=0.0, n_draws=S // 2)
        found = draws_of(update_subject(fit, pd.DataFrame({"x": [0.0], "g": "new", "y": [5.0]}), at=AT.iloc[1:], seed=1))
        assert abs(found.std() - 6.0) < MCSE_MULTIPLE * 6.0 / np.sqrt(2 * S)
        assert abs(found.mean()) < MCSE_MULTIPLE * 6.0 / np.sqrt(S)


def test_the_mean_gets_closer_as_data_come_in():
    """Responses on the subject's own line, b = 2.5: nearer to it and surer with every visit."""
    fit = make_fit("y ~ x + (1 | g)", table(), beta=[0.0, 1.0], sd=1.0, aux={"sigma": 1.0}, n_draws=S // 2)
    distance, sd = [], []
    for n in (0, 1, 4, 16, 64):
        x = np.linspace(-1.0, 1.0, n)
        own = pd.DataFrame({"x": x, "g": "new", "y": x + 2.5}) if n else None
        row = update_subject(fit, own, at=AT.iloc[:1], seed=2).table.iloc[0]
        distance.append(abs(row["mean"] - 2.5))
        sd.append(row["sd"])
    assert np.all(np.diff(distance) < 0.0)
    assert np.all(np.diff(sd) < 0.0)
    assert distance[-1] < 0.15


def test_counts_and_trials_come_closer_too():
    fit = make_fit("k | trials(n) ~ x + (1 | g)", table(), family="binomial", beta=[0.0, 0.0], sd=1.0, n_draws=S // 2)
    own = pd.DataFrame({"x": 0.0, "g": "new", "k": [36, 38], "n": [40, 40]})
    row = update_subject(fit, own, at=AT.iloc[:1], seed=1).table.iloc[0]
    assert 0.80 < row["mean"] < 74 / 80, "between the population and the share of the subject"
    assert row["ci_upper"] - row["ci_lower"] < 0.2


def test_whole_weights_are_repeated_rows_and_known_errors_count():
    fit = make_fit("y | weights(w) ~ x + (1 | g)", table(), n_draws=100)
    times = np.array([1, 2, 1, 3])
    weighted = update_subject(fit, OWN.assign(w=times), at=AT, seed=1)
    repeated = update_subject(fit, OWN.assign(w=1.0).iloc[np.repeat(np.arange(4), times)], at=AT, seed=1)
    np.testing.assert_allclose(draws_of(weighted), draws_of(repeated), rtol=1e-9)
    known = make_fit("y | se(s) ~ x + (1 | g)", table(), sd=1.0, spread=0.0, n_draws=S // 2)
    found = draws_of(update_subject(known, OWN.assign(s=[0.1, 9.0, 9.0, 9.0]), at=AT.iloc[:1], seed=1))
    precision = 1.0 + 100.0 + 3 / 81
    mean = (100 * 2.0 + (1.5 + 3.0 + 4.0) / 81) / precision
    assert abs(found.mean() - mean) < MCSE_MULTIPLE / np.sqrt(precision * S)


def test_offsets_count():
    fit = make_fit("y ~ x + offset(s) + (1 | g)", table(), aux={"sigma": 0.8}, n_draws=50)
    plain = update_subject(fit, OWN.assign(s=0.0), at=AT.assign(s=0.0), seed=1)
    moved = update_subject(fit, OWN.assign(s=3.0, y=OWN["y"] + 3.0), at=AT.assign(s=0.0), seed=1)
    np.testing.assert_allclose(draws_of(moved), draws_of(plain), rtol=1e-9)


def test_a_known_level_of_another_factor_keeps_its_draws():
    """Crossed factors: what the row of the new g says is relative to the known effect of h."""
    fit = make_fit("y ~ 1 + (1 | g) + (1 | h)", table(), sd={"g": 1.0, "h": 1.0}, aux={"sigma": 0.05}, spread=0.0, n_draws=S // 2)
    h = dict(zip("pqrs", parameters(fit).groups[1].b[0, :, 0], strict=True))
    own = pd.DataFrame({"g": "new", "h": ["r"], "y": [2.0]})
    found = draws_of(update_subject(fit, own, at=pd.DataFrame({"g": "new", "h": ["r", "q"]}), seed=1))
    shrunk = (2.0 - h["r"]) / (1.0 + 0.05**2)
    np.testing.assert_allclose(found[:, 1] - found[:, 0], h["q"] - h["r"], rtol=1e-9)
    assert abs(found[:, 0].mean() - h["r"] - shrunk) < MCSE_MULTIPLE * 0.05 / np.sqrt(S)


def test_a_new_child_of_a_new_parent():
    """One response of a child: half of its surprise goes to the parent when both SDs are equal and there is no noise to speak of."""
    data = table().assign(batch=np.repeat(["A", "B", "C"], 40), cask=np.repeat([f"{c}" for c in "abcdefghijkl"], 10))
    fit = make_fit("y ~ 1 + (1 | batch/cask)", data, sd={"batch": 1.0, "batch:cask": 1.0}, aux={"sigma": 0.01}, spread=0.0, n_draws=S // 2)
    own, at = pd.DataFrame({"batch": ["Z"], "cask": ["a"], "y": [4.0]}), pd.DataFrame({"batch": ["Z", "Z"], "cask": ["a", "b"]})
    with pytest.raises(LevelError, match=r"batch:cask: Z:b"):
        update_subject(fit, own, at=at)
    result = update_subject(fit, own, at=at, new_groups="population", seed=1)
    found = draws_of(result)
    assert abs(found[:, 0].mean() - 4.0) < 0.01
    assert abs(found[:, 1].mean() - 2.0) < MCSE_MULTIPLE * found[:, 1].std() / np.sqrt(S)
    assert result.draws["factor"].to_numpy().tolist() == ["batch", "batch:cask"]
    assert result.draws["level"].to_numpy().tolist() == ["Z", "Z:a"]
    assert any("New levels of batch:cask: 1 (Z:b)" in note for note in result.notes)


def test_the_result_carries_means_effects_and_notes():
    fit = slope_fit(n_draws=50)
    result = update_subject(fit, OWN, seed=4)
    assert result.title.endswith("a new subject, updated by 4 rows of its own")
    assert result.target.startswith("group: named levels of g")
    assert result.table["x"].tolist() == TIMES.tolist()
    assert dict(result.draws.sizes) == {"chain": 1, "draw": 100, "row": 4, "effect_of_level": 2}
    assert result.draws["effect"].to_numpy().tolist() == ["1", "x"]
    assert any(n.startswith("4 rows of new;") and "Seed 4" in n for n in result.notes)
    assert any("are worth" in n and "of 100" in n for n in result.notes)
    again, other = update_subject(fit, OWN, seed=4), update_subject(fit, OWN, seed=5)
    pd.testing.assert_frame_equal(result.table, again.table)
    assert not result.table.equals(other.table)
    link = update_subject(logit_fit(n_draws=20), OWN.assign(zero_one=1), scale="link", seed=1)
    mean = update_subject(logit_fit(n_draws=20), OWN.assign(zero_one=1), seed=1)
    np.testing.assert_allclose(special.expit(draws_of(link)), draws_of(mean), rtol=ALGEBRAIC)


def test_a_subject_that_the_fit_did_not_expect_is_noted():
    fit = slope_fit(spread=0.3, n_draws=500)
    warned = update_subject(fit, OWN.assign(y=[60.0, -60.0, 60.0, -60.0]), seed=1)
    assert any("fit again with the subject's data" in note for note in warned.notes)
    calm = update_subject(slope_fit(spread=0.02, n_draws=500), OWN.iloc[:1], seed=1)
    assert not any("fit again" in note for note in calm.notes)


def test_rows_that_the_fit_holds_already_are_refused():
    """One subject renamed and the rest left in: their rows would be counted a second time."""
    fit = slope_fit(n_draws=10)
    renamed = table().assign(g=lambda d: d["g"].replace("g03", "new"))
    with pytest.raises(ArgumentError, match="rows of newdata name no new level") as caught:
        update_subject(fit, renamed)
    assert caught.value.where == "rows 0, 1, 2, 3, 4, ... (counted from 0)"
    with pytest.raises(ArgumentError, match=r"row 1 \(counted from 0\)"):
        update_subject(fit, OWN.assign(g=["new", "g01", "new", "new"]))
    assert len(update_subject(fit, renamed[renamed["g"] == "new"], seed=1).table) == 6
    crossed = make_fit("y ~ 1 + (1 | g) + (1 | h)", table(), sd={"g": 1.0, "h": 1.0}, n_draws=10)
    own = pd.DataFrame({"g": ["new", "g01"], "h": ["r", "q"], "y": [2.0, 1.0]})
    with pytest.raises(ArgumentError, match="row 1 "):
        update_subject(crossed, own)
    assert len(update_subject(crossed, own.assign(h=["r", "also new"]), seed=1).table) == 2


def test_without_data_a_new_subject_may_be_like_an_observed_one():
    fit = logit_fit(n_draws=50)
    result = update_subject(fit, None, at=AT, new_groups="observed", seed=3)
    np.testing.assert_array_equal(draws_of(result), draws_of(predict(fit, AT, new_groups="observed", seed=3)))
    assert any("like a randomly chosen observed one" in note for note in result.notes)
    assert not any("one of the population" in note for note in result.notes)
    for new_groups in ("error", "population", "observed"):
        with pytest.raises(ArgumentError, match="every level in at is one that the fit has seen, so there is no new subject"):
            update_subject(fit, None, at=AT.assign(g="g01"), new_groups=new_groups)


@pytest.mark.parametrize("name", ["factor", "level", "effect", "random_effect", "effect_of_level", "mean_response"])
def test_predictors_may_be_called_as_parts_of_the_result_are(name):
    fit = make_fit(f"y ~ {name} + (1 | g)", table().rename(columns={"level": "z"}).rename(columns={"x": name}), n_draws=10)
    result = update_subject(fit, OWN.rename(columns={"x": name}), seed=1)
    assert result.table[f"{name}_"].tolist() == TIMES.tolist()
    np.testing.assert_array_equal(result.draws[f"{name}_"], TIMES)
    assert result.draws["effect"].to_numpy().tolist() == ["1"]
    plain = update_subject(make_fit("y ~ x + (1 | g)", table(), n_draws=10), OWN, seed=1)
    np.testing.assert_array_equal(draws_of(result), draws_of(plain))


def test_data_that_no_draw_can_produce_are_refused():
    """A mean of exp(800) is beyond a double, so that every count has the log density minus infinity whatever the subject."""
    fit = make_fit("count ~ x + (1 | g)", table(), family="poisson", beta=[0.0, 800.0], sd=0.1, n_draws=10)
    own = pd.DataFrame({"x": [0.0, 1.0], "g": "new", "count": [0, 3]})
    with pytest.raises(ArgumentError, match="impossible under every draw") as caught:
        update_subject(fit, own, seed=1)
    assert caught.value.where == "rows 0, 1 (counted from 0) of newdata"
    assert caught.value.fix is not None
    assert len(update_subject(fit, own.iloc[:1], seed=1).table) == 1


def test_impossible_updates_are_refused():
    fit = slope_fit(n_draws=10)
    with pytest.raises(ArgumentError, match="no new subject"):
        update_subject(fit, OWN.assign(g="g01"))
    with pytest.raises(
        ArgumentError, match=r"14 effects in all.*g: new0, new1, new2, new3, new4, \.\.\. \(7 in all\).*one subject at a time"
    ):
        update_subject(fit, pd.DataFrame({"x": 0.0, "y": 1.0, "g": [f"new{i}" for i in range(7)]}))
    with pytest.raises(ArgumentError, match="no rows to predict"):
        update_subject(fit, None)
    with pytest.raises(ColumnError, match="'y'"):
        update_subject(fit, AT)
    with pytest.raises(LevelError, match="g: newer"):
        update_subject(fit, OWN, at=AT.assign(g="newer"))
    with pytest.raises(ResponseError, match="0 or 1"):
        update_subject(logit_fit(n_draws=10), OWN.assign(zero_one=2))
    with pytest.raises(ArgumentError, match=r"no grouping factor.*predict\(\) for the mean of new rows.*\(1 \| subject\)"):
        update_subject(make_fit("y ~ x", table()), OWN)
    with pytest.raises(ArgumentError, match="no grouping factor"):
        update_subject(make_fit("y ~ x", table()), None, at=AT)


@pytest.mark.parametrize(("rows", "words"), [(1, "1 row of"), (2, "2 rows of")])
def test_rows_are_counted_in_words_that_fit(rows, words):
    own = table().iloc[:rows].assign(g="new")
    fit = make_fit("zero_one ~ x + drug + (1 | g)", table(), family="bernoulli", n_draws=5)
    result = update_subject(fit, own, seed=1)
    assert f"updated by {words} its own" in result.title
    assert any(note.startswith(f"{words} new; its effects") for note in result.notes)
