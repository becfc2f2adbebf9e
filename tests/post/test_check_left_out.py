"""Rows left out of their own prediction where importance weights fail: against closed forms and sums over a grid."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from bayesglmm.post import check_left_out, check_rows
from bayesglmm.post.check_calibration import check_calibration
from bayesglmm.post.check_left_out import leave_out
from bayesglmm.post.check_pit import check_pit
from bayesglmm.post.check_rows import predict_rows
from bayesglmm.post.new_groups import make_source, read_group_rows
from bayesglmm.post.pit import pit_residuals
from tests.fits import make_fit
from tests.post.check_cases import exact_binary_fit, exact_fit, exact_pit, false_alarms, rows_of, with_posterior
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC, REFERENCE


def left_out(fit, which=None):
    data = read_group_rows(fit, None, new_groups="error")
    source = make_source(fit, data, new_groups="error", seed=0)
    return leave_out(fit, source, data.rows, np.arange(len(fit.design.y)) if which is None else which)


@pytest.mark.parametrize("size", [2, 3, 10])
def test_normal_responses_have_their_closed_form(size):
    """All but the intercepts is known, and these are integrated out: no Monte Carlo error is left."""
    fit = exact_fit(1, groups=6, size=size, draws=50)
    np.testing.assert_allclose(left_out(fit).upto, exact_pit(fit, loo=True), rtol=REFERENCE)


def test_blocks_of_any_size_give_the_same_in_the_order_of_the_rows(monkeypatch):
    fit = crossed_fit()
    whole, which = left_out(fit), np.array([3, 17, 64, 119])
    monkeypatch.setattr(check_left_out, "AT_ONCE", 8000)
    part = left_out(fit, which)
    for name in ("below", "upto", "mean", "square", "shapes"):
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name)[which], rtol=REFERENCE)


def test_groups_of_different_sizes():
    """Rows of smaller groups are filled up, which must not count."""
    sizes = np.array([2, 5, 3, 9])
    rng = np.random.default_rng(2)
    rows = pd.DataFrame({"g": np.repeat(list("abcd"), sizes), "y": rng.normal(size=19)})
    fit = make_fit("y ~ 1 + (1 | g)", rows, beta=[0.0], sd=1.5, spread=0.0, n_draws=15)
    y, n = rows["y"].to_numpy(), np.repeat(sizes, sizes) - 1
    total = rows.groupby("g")["y"].transform("sum").to_numpy() - y
    v = 1.0 / (n + 1.5**-2)
    np.testing.assert_allclose(left_out(fit).upto, special.ndtr((y - v * total) / np.sqrt(1.0 + v)), rtol=REFERENCE)


def test_a_correlated_slope():
    """Two effects, exact draws given all rows: one direction is integrated, the other weighted. Standard errors of values near those of 0.5
    / sqrt(S); measured against the closed form of the predictive law given the other rows."""
    rng, groups, size, draws = np.random.default_rng(3), 25, 4, 600
    D = np.array([[2.0, 0.6], [0.6, 1.5]])
    rows = rows_of(rng, groups, size)
    Z = np.stack([np.ones(len(rows)), rows["x"]], axis=1).reshape(groups, size, 2)
    b = rng.multivariate_normal([0, 0], D, groups)
    y = np.einsum("jip,jp->ji", Z, b) + rng.normal(size=(groups, size))
    root = np.sqrt(np.diag(D))
    fit = make_fit(
        "y ~ 1 + x + (x | g)",
        rows.assign(y=y.reshape(-1)),
        beta=[0.0, 0.0],
        sd=root,
        corr=D / np.outer(root, root),
        spread=0.0,
        n_chains=1,
        n_draws=draws,
    )
    variance = np.linalg.inv(np.linalg.inv(D) + np.swapaxes(Z, 1, 2) @ Z)
    location = np.einsum("jpq,jiq,ji->jp", variance, Z, y)
    drawn = np.stack([rng.multivariate_normal(m, v, draws) for m, v in zip(location, variance, strict=True)], axis=1)
    named = {f"{e}|g": fit.posterior[f"{e}|g"].copy(data=drawn[None, :, :, k]) for k, e in enumerate(["1", "x"])}
    found = left_out(with_posterior(fit, fit.posterior.assign(named)))
    exact = np.empty((groups, size))
    for j in range(groups):
        for i in range(size):
            others = np.delete(np.arange(size), i)
            v = np.linalg.inv(np.linalg.inv(D) + Z[j, others].T @ Z[j, others])
            m, z = v @ Z[j, others].T @ y[j, others], Z[j, i]
            exact[j, i] = special.ndtr((y[j, i] - z @ m) / np.sqrt(1.0 + z @ v @ z))
    assert np.sqrt(np.mean(np.square(found.upto - exact.reshape(-1)))) < 0.5 / np.sqrt(draws)


def test_zero_one_responses_in_small_groups_have_the_probability_given_the_others():
    """An SD of 5 and three rows a group: where weights fail the effect is integrated out; others have Monte Carlo errors."""
    fit, exact = exact_binary_fit(4, groups=150, size=3, tau=5.0, draws=1000)
    found = predict_rows(fit, 1000, loo=True)
    assert found.integrated.any()
    assert np.max(np.abs(found.mean - exact)[found.integrated]) < 1e-3  # the rule's error, tests/numerics/test_conditional_line.py
    assert np.sqrt(np.mean(np.square(found.mean - exact))) < 0.5 / np.sqrt(1000 / 4)
    naive = predict_rows(fit, 1000, loo=False)
    assert np.sqrt(np.mean(np.square(naive.mean - exact))) > 2.0 * 0.5 / np.sqrt(1000 / 4)


def test_a_correct_model_with_small_groups_and_a_large_spread_is_inside():
    fits = [exact_binary_fit(seed, groups=400, size=3, tau=5.0, draws=40)[0] for seed in range(4)]
    assert false_alarms([bool(check_pit(fit).table["outside"].any()) for fit in fits])
    naive = [bool(check_pit(fit, loo=False).table["outside"].any()) for fit in fits]
    assert np.mean(naive) > 0.5
    assert check_calibration(fits[0], loo=False).table["outside"].mean() > check_calibration(fits[0]).table["outside"].mean()


def test_a_row_that_is_alone_in_its_group_is_predicted_from_the_population():
    """Known errors, one row per group, the exact posterior: the law given the others is N(0, tau^2 + se^2).

    The response is 40 times as precise as the prior of its effect, which costs the rule some digits.
    """
    rng, tau, se = np.random.default_rng(5), 20.0, 0.5
    rows = pd.DataFrame({"g": [f"g{j:02d}" for j in range(40)], "y": rng.normal(0.0, tau, 40), "s": np.full(40, se)})
    fit = make_fit("y | se(s) ~ 1 + (1 | g)", rows, beta=[0.0], sd=tau, spread=0.0, n_chains=1, n_draws=400)
    v = 1.0 / (se**-2 + tau**-2)
    drawn = v * rows["y"].to_numpy() / se**2 + np.sqrt(v) * rng.normal(size=(1, 400, 40))
    alone = with_posterior(fit, fit.posterior.assign({"1|g": fit.posterior["1|g"].copy(data=drawn)}))
    result, found = pit_residuals(alone), predict_rows(alone, 400, loo=True)
    expected = special.ndtr(rows["y"].to_numpy() / np.hypot(tau, se))
    np.testing.assert_allclose(result.table["pit"][found.integrated], expected[found.integrated], rtol=1e-4)
    assert found.integrated.mean() > 0.5
    assert any("integrated out" in note for note in result.notes)


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("k | trials(n) ~ x + (1 | g)", {"family": "binomial"}),
        ("count ~ x + (x | g) + (1 | h)", {"family": "poisson", "sd": {"g": [0.5, 0.3], "h": [0.2]}}),
        ("y | se(s) ~ x + (1 | g)", {}),
        ("y | weights(w) ~ x + (0 + x | g)", {}),
    ],
)
def test_other_responses_have_laws(formula, options):
    """Both ways to leave a row out see the same parameters; draws that are no posterior differ in what else they know of the effects.

    So bounds are all that is compared: probabilities in order, a mean square above the square of the mean.
    """
    fit = make_fit(formula, table(), spread=0.01, n_draws=20, **options)
    found = left_out(fit)
    for values in (found.below, found.upto):
        assert np.all((values >= 0.0) & (values <= 1.0 + REFERENCE))
    assert np.all(found.below <= found.upto)
    assert np.all(found.square >= np.square(found.mean) * (1.0 - REFERENCE))
    assert np.isfinite(found.mean).all()


@pytest.mark.parametrize("loo", [True, False])
def test_predictions_are_made_once_for_all_checks_in_a_block(monkeypatch, loo):
    fit, other, made = crossed_fit(), crossed_fit(), []
    inner = check_rows._predict_rows
    monkeypatch.setattr(check_rows, "_predict_rows", lambda *given: made.append(given) or inner(*given))
    some = np.array([3, 50, 7])
    plain = check_rows.predict_rows(fit, 20, loo=loo, which_rows=some)
    with check_rows.remembered_predictions(fit):
        for _ in range(2):
            kept = check_rows.predict_rows(fit, 20, loo=loo, which_rows=some)
            check_rows.predict_rows(fit, 20, loo=loo)
        check_rows.predict_rows(other, 20, loo=loo, which_rows=some)
    assert len(made) == 3  # outside; once for all rows; another fit
    for name in ("fitted", "below", "upto", "mean", "square"):
        np.testing.assert_allclose(getattr(kept, name), getattr(plain, name), rtol=ALGEBRAIC)
    check_rows.predict_rows(fit, 20, loo=loo)
    assert len(made) == 4
