"""Random effects against normal quantiles."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.envelope import normal_positions, order_limits
from bayesglmm.post.check_effects import check_effects
from tests.fits import make_fit
from tests.post.check_cases import exact_fit, labels, mean_share_is_small, rows_of, without_effects
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

COLUMNS = ["factor", "effect", "level", "normal_quantile", "mean", "ci_lower", "ci_upper", "lower", "upper", "outside"]
GROUPS = 80


def fit_of(b: np.ndarray, spread: float = 0.05):
    """Effects b with the SD 2, known as well as ``spread`` says."""
    rows = rows_of(np.random.default_rng(1), len(b), 3).assign(y=lambda t: np.repeat(b, 3) + t["x"])
    return make_fit("y ~ 1 + (1 | g)", rows, sd=2.0, b=b, spread=spread)


def test_order_statistics_of_standardised_effects():
    """All draws alike: the sorted effects over their SD, levels in this order."""
    b = 2.0 * np.random.default_rng(2).normal(size=GROUPS)
    found = check_effects(fit_of(b, spread=0.0))
    assert list(found.table) == COLUMNS
    np.testing.assert_allclose(found.table["mean"], np.sort(b) / 2.0, rtol=ALGEBRAIC)
    np.testing.assert_allclose(found.table["ci_upper"], np.sort(b) / 2.0, rtol=ALGEBRAIC)
    assert found.table["level"].tolist() == [labels(GROUPS)[j] for j in np.argsort(b)]
    np.testing.assert_allclose(found.table["normal_quantile"], normal_positions(GROUPS))
    lower, upper = order_limits(GROUPS, 0.95)
    np.testing.assert_allclose(found.table[["lower", "upper"]], np.stack([lower, upper], axis=1))
    assert "standard deviations" in found.target
    assert any("resolve 100 %" in note for note in found.notes)
    assert not found.draws.data_vars


def test_every_effect_of_every_factor():
    found = check_effects(crossed_fit()).table
    assert found.groupby(["factor", "effect"], sort=False).size().to_dict() == {("g", "1"): 20, ("g", "x"): 20, ("h", "1"): 4}
    assert found.groupby(["factor", "effect"])["mean"].apply(lambda v: v.is_monotonic_increasing).all()
    assert set(check_effects(crossed_fit(), factor="h").table["factor"]) == {"h"}


def test_normal_effects_are_inside():
    shares = [check_effects(fit_of(2.0 * np.random.default_rng(s).normal(size=GROUPS))).table["outside"].mean() for s in range(25)]
    assert mean_share_is_small(shares)


@pytest.mark.parametrize("size", [2, 8])
def test_the_notes_tell_what_the_data_resolve(size):
    """Normal responses: 1 - 1 / (1 + n tau^2) of the variance; the variance of 400 x 100 draws has a relative SE of sqrt(2 / 40,000)."""
    found = check_effects(exact_fit(3, groups=100, size=size, tau=0.5))
    share = float(found.notes[1].split("resolve ")[1].split(" %")[0]) / 100.0
    left = 1.0 / (1.0 + 0.25 * size)
    assert abs(1.0 - share - left) < MCSE_MULTIPLE * left * np.sqrt(2.0 / 40_000) + 0.0005  # the note has three digits


@pytest.mark.parametrize("size", [2, 8])
def test_a_correct_model_is_inside_however_little_the_data_tell(size):
    shares = [check_effects(exact_fit(seed, groups=60, size=size), draws=100).table["outside"].mean() for seed in range(15)]
    assert mean_share_is_small(shares)


def test_effects_of_two_kinds_leave_their_limits():
    """Half at -2 and half at 2: no tails, and a gap in the middle."""
    found = check_effects(fit_of(np.resize([-2.0, 2.0], GROUPS))).table
    assert found["outside"].mean() > 0.5
    assert found["mean"].iloc[0] > found["upper"].iloc[0]
    assert found["mean"].iloc[-1] < found["lower"].iloc[-1]


def test_outlying_groups_leave_their_limits_at_the_ends():
    b = 2.0 * normal_positions(GROUPS)
    b[-1] = 14.0
    found = check_effects(fit_of(b)).table
    assert found["outside"].iloc[-1]
    assert not found["outside"].iloc[:-1].any()


def test_wrong_arguments_are_refused():
    with pytest.raises(ArgumentError, match="no grouping factor of the model"):
        check_effects(crossed_fit(), factor="drug")
    with pytest.raises(ArgumentError, match="has no grouping factor"):
        check_effects(make_fit("y ~ x", table()))
    with pytest.raises(ArgumentError, match="keeps no draws of the random effects"):
        check_effects(without_effects(crossed_fit()))
    with pytest.raises(ArgumentError, match="zero in some draw"):
        check_effects(make_fit("y ~ x + (1 | g)", pd.DataFrame(table()), sd=0.0, b=np.zeros(20)))
