"""Rows outside the data, and means that no number holds."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, DesignWarning
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.ranges import LARGEST, ends_of_means, overflow_notes, range_notes, summarise_means
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC

AGES = float(table()["age"].min()), float(table()["age"].max())


def age_fit(**options):
    return make_fit("count ~ age + drug + (1 | g)", table(), family="poisson", **{"beta": {"age": 0.05}, "n_draws": 10, **options})


def slope_fit():
    return make_fit("y ~ x + (age | g)", table(), n_draws=10)


def extrapolated(result) -> list[str]:
    return [n for n in result.notes if n.startswith("Extrapolated")]


NEW = {"age": [AGES[1] + 40.0, 30.0], "drug": "a", "g": ["g01", "g02"]}
CALLS = {
    "means": lambda fit: bg.means(fit, {"age": AGES[1] + 40.0}, target="population"),
    "means of a table": lambda fit: bg.means(fit, pd.DataFrame(NEW), target="population"),
    "named groups": lambda fit: bg.means(fit, {"age": AGES[1] + 40.0, "g": "g01"}, target="group"),
    "predict": lambda fit: bg.predict(fit, NEW),
    "simulate": lambda fit: bg.simulate(fit, NEW, seed=1),
    "update_subject": lambda fit: bg.update_subject(fit, None, at={**NEW, "g": "new"}, seed=1),
    "curves": lambda fit: bg.curves(fit, "age", values=[30.0, AGES[1] + 40.0], groups=1),
    "curves at": lambda fit: bg.curves(fit, "drug", {"age": AGES[1] + 40.0}, groups=1),
    "contrasts": lambda fit: bg.contrasts(fit, "age", [30.0, AGES[1] + 40.0], target="population"),
    "contrasts at": lambda fit: bg.contrasts(fit, "drug", at={"age": AGES[1] + 40.0}, target="population"),
    "compare_targets": lambda fit: bg.compare_targets(fit, at={"age": AGES[1] + 40.0}),
    "slopes": lambda fit: bg.slopes(fit, "age", {"age": AGES[1] + 40.0}, target="population"),
    "heterogeneity": lambda fit: bg.heterogeneity(fit, {"age": AGES[1] + 40.0}),
    "shares": lambda fit: bg.shares(fit, {"age": AGES[1] + 40.0}, threshold=1.0),
    "variance_partition": lambda fit: bg.variance_partition(fit, {"age": AGES[1] + 40.0}),
    "implied_covariance": lambda fit: bg.implied_covariance(slope_fit(), [30.0, AGES[1] + 40.0]),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_number_outside_the_data_is_noted_with_column_value_and_range(call):
    result = CALLS[call](age_fit())
    assert extrapolated(result) == [f"Extrapolated beyond the data: age = {AGES[1] + 40:g} (data: {AGES[0]:g} to {AGES[1]:g})."]


@pytest.mark.parametrize(
    "call",
    [
        lambda fit: bg.means(fit, {"age": list(AGES)}, target="population"),
        lambda fit: bg.means(fit, target="population"),
        lambda fit: bg.predict(fit),
        lambda fit: bg.predict(fit, fit.frame),
        lambda fit: bg.contrasts(fit, "drug", target="population"),
        lambda fit: bg.slopes(fit, "age", {"age": list(AGES)}, target="population"),
        lambda fit: bg.slopes(fit, "age", target="population"),
        lambda fit: bg.curves(fit, "age", groups=1),
        lambda fit: bg.implied_covariance(slope_fit(), list(AGES)),
        lambda fit: bg.implied_covariance(make_fit("y ~ age + (1 | g)", table(), n_draws=10), [0.0, 999.0], variable="age"),
    ],
)
def test_rows_within_the_data_need_no_note(call):
    assert not extrapolated(call(age_fit()))


def test_offsets_groups_and_factors_are_no_numbers_of_the_model():
    data = table().assign(g=np.repeat(np.arange(20), 6), dose=np.resize([1, 2, 5], 120))
    fit = make_fit("count ~ x + C(dose) + offset(log(s)) + (1 | g)", data, family="poisson", n_draws=5)
    new = {"x": 0.0, "dose": 5, "s": [100.0], "g": 77}
    assert not extrapolated(bg.predict(fit, new, new_groups="population", seed=1))


def test_random_slopes_count_and_columns_stand_in_one_note():
    fit = make_fit("y ~ age + (x | g)", table(), n_draws=5)
    frame = pd.DataFrame({"age": [0, 1, 2, 3, 4, 30], "x": [0.0, 0.0, 0.0, 0.0, 99.0, -99.0], "g": "g01"})
    low, high = table()["x"].min(), table()["x"].max()
    ages = f"age = 0 to 4 (data: {AGES[0]:g} to {AGES[1]:g})"
    assert range_notes(fit, frame) == (f"Extrapolated beyond the data: {ages}; x = -99, 99 (data: {low:g} to {high:g}).",)


def test_rounding_at_an_end_is_no_extrapolation():
    fit = age_fit()
    assert not range_notes(fit, pd.DataFrame({"age": [AGES[1] * (1.0 + 1e-12)], "drug": "a"}))


def test_curves_warn_as_before_and_are_noted_too():
    fit = make_fit("y ~ ns(age, 3) + (1 | g)", table(), n_draws=5)
    with pytest.warns(DesignWarning, match="extrapolated"):
        result = bg.means(fit, {"age": AGES[1] + 5.0}, target="population")
    assert len(extrapolated(result)) == 1


class TestOverflow:
    """Under the log link exp(0.05 x 40000) is beyond every double."""

    FAR = 40_000.0

    def test_means_are_infinite_without_a_warning_of_numpy_and_say_so(self):
        grid = {"age": [30.0, self.FAR]}
        for result in (
            bg.means(age_fit(), grid, target="population"),
            bg.means(age_fit(), grid, target="average_subject", keep_draws=False),
            bg.predict(age_fit(), {"age": [30.0, self.FAR], "drug": "a", "g": "g01"}),
        ):
            assert np.isfinite(result.table.iloc[0][["mean", "sd", "median", "ci_lower", "ci_upper"]].to_numpy(dtype=float)).all()
            assert result.table["mean"].iloc[1] == np.inf
            assert np.isnan(result.table["sd"].iloc[1])
            noted = [n for n in result.notes if "which no number holds" in n]
            assert len(noted) == 1
            assert noted[0].startswith("Row 1 of the table (counted from 0)")
            assert "inf" in str(result)

    def test_curves(self):
        result = bg.curves(age_fit(), "age", values=[30.0, self.FAR], groups=1)
        assert any(n.startswith("Rows 1, 3, 5 of the table") for n in result.notes)

    @pytest.mark.parametrize("kind", ["eti", "hdi"])
    @pytest.mark.parametrize("of", ["level", "slope"])
    def test_ends_of_heterogeneity_are_infinite_without_a_warning_of_numpy_and_say_so(self, of, kind):
        """A slope of 1000 has an exponential that no number holds either."""
        fit = age_fit(beta={"age": 1000.0 if of == "slope" else 0.05}, spread=0.001)
        at, variable = ({"age": 30.0}, "age") if of == "slope" else ({"age": [30.0, self.FAR]}, None)
        result = bg.heterogeneity(fit, at, of=of, variable=variable, ci_kind=kind)
        numbers = result.table.iloc[:, -9:].to_numpy(dtype=float)
        assert not np.isnan(numbers).any()
        assert np.isinf(numbers[-1]).all()
        assert np.isfinite(numbers[:-1]).all()
        assert [n for n in result.notes if n.startswith(f"Row {len(numbers) - 1} of the table (counted from 0): an end is beyond 1e+300")]

    def test_ends_of_heterogeneity_within_range_need_no_note(self):
        assert not any("an end is beyond" in n for n in bg.heterogeneity(age_fit(), {"age": 30.0}).notes)

    def test_an_end_among_finite_and_infinite_draws(self):
        draws = np.concatenate([np.linspace(1.0, 60.0, 60), np.full(40, np.inf)])[:, None]
        lower, upper = ends_of_means(draws, make_interval(0.95, "eti"))
        assert upper[0] == np.inf
        assert lower[0] == pytest.approx(np.quantile(np.linspace(1.0, 60.0, 60), 0.025 * 99 / 59), rel=ALGEBRAIC)

    def test_compared_targets(self):
        result = bg.compare_targets(age_fit(spread=0.001), at={"age": [30.0, self.FAR]})
        mean = result.table["mean"].to_numpy()
        assert np.isfinite(mean[:4]).all()
        assert np.isinf(mean[4:6]).all()
        assert np.isnan(mean[6:]).all()
        (noted,) = [n for n in result.notes if "which no number holds" in n]
        assert noted.startswith("Rows 4, 5 of the table")
        assert "A difference or a ratio is missing where a mean is infinite in some draw." in result.notes
        assert not any("denominator is zero" in n for n in result.notes)

    def test_ends_lie_among_finite_and_infinite_draws(self):
        draws = np.concatenate([np.linspace(1.0, 60.0, 60), np.full(40, np.inf)])[:, None]
        found = summarise_means(draws, make_interval(0.95, "eti"))
        assert found["ci_upper"][0] == np.inf
        assert found["ci_lower"][0] == pytest.approx(np.quantile(np.linspace(1.0, 60.0, 60), 0.025 * 99 / 59), rel=ALGEBRAIC)
        assert found["median"][0] == pytest.approx(50.5, rel=ALGEBRAIC)
        half = summarise_means(draws, make_interval(0.5, "hdi"))
        assert np.isfinite([half["ci_lower"][0], half["ci_upper"][0]]).all()

    def test_large_means_that_a_number_holds_are_summarised_as_others_are(self):
        draws = np.random.default_rng(1).gamma(2.0, size=(200, 3))
        choice = make_interval(0.9, "eti")
        plain, large = summarise(draws, choice), summarise_means(draws * np.array([1.0, 1e200, 1e290]), choice)
        for name, values in plain.items():
            np.testing.assert_allclose(large[name], values * np.array([1.0, 1e200, 1e290]), rtol=ALGEBRAIC)

    def test_finite_draws_are_summarised_bit_by_bit_as_before(self):
        draws, choice = np.random.default_rng(1).normal(size=(200, 3)), make_interval(0.9, "hdi")
        for name, values in summarise(draws, choice).items():
            np.testing.assert_array_equal(summarise_means(draws, choice)[name], values)

    def test_many_rows_are_counted_only(self):
        (note,) = overflow_notes(np.array([1.0, *[np.inf] * 6]))
        assert note.startswith("Rows 1, 2, 3, 4, ... of the table")
        assert f"{LARGEST:g}" in note
        assert not overflow_notes(np.array([1.0, np.nan]))

    def test_what_cannot_be_drawn_is_refused_with_its_row(self):
        new = {"age": [30.0, self.FAR], "drug": "a", "g": "g01"}
        with pytest.raises(ArgumentError, match=r"cannot be drawn.*in 20 of 20 draws.*row 1 \(counted from 0\).*age = 4e\+04") as raised:
            bg.simulate(age_fit(spread=0.0), new, seed=1)
        assert raised.value.fix is not None

    def test_large_rates_that_a_number_holds_are_drawn(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table_ = bg.simulate(age_fit(spread=0.0), {"age": [10_000.0], "drug": "a", "g": "g01"}, seed=1).table
        assert np.isfinite(table_[["mean", "sd", "ci_lower", "ci_upper"]].to_numpy(dtype=float)).all()


def test_lines_within_a_group_say_that_its_effects_are_not_in_them():
    fit = crossed_fit()
    for target, words in (("population", "averaged over"), ("observed_groups", "averaged over"), ("average_subject", "zero")):
        noted = [n for n in bg.means(fit, target=target, by="g").notes if n.startswith("Lines of g differ")]
        assert len(noted) == 1
        assert f"the random effects of g are {words}" in noted[0]
        assert "target='group'" in noted[0]
    assert any(n.startswith("Lines of g differ") for n in bg.contrasts(fit, "drug", target="population", by="g").notes)
    for result in (
        bg.means(fit, target="group", by="g"),
        bg.means(fit, target="population", by="drug"),
        bg.means(fit, target="population", by="g", over=["h"]),
    ):
        assert not any("Lines of" in n for n in result.notes)
