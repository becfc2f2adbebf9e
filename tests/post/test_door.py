"""What every public function that takes a fit does first."""

import inspect
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.post.door import FITS, takes_fit
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table

TARGETS = ("average_subject", "population", "observed_groups", "group")


def first_parameter(name: str) -> str | None:
    function = getattr(bg, name)
    if not inspect.isfunction(function):
        return None
    return next(iter(inspect.signature(function).parameters), None)


TAKING_A_FIT = [name for name in bg.__all__ if first_parameter(name) in FITS]


def rest(name: str) -> dict[str, object]:
    """Arguments besides the fit that Python itself asks for."""
    parameters = list(inspect.signature(getattr(bg, name)).parameters.values())[1:]
    return {p.name: "x" for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD}


def quoted_fit():
    data = table().rename(columns={"x": "my x", "g": "the group"})
    return make_fit("zero_one ~ `my x` + drug + (`my x` | `the group`) + (1 | h)", data, family="bernoulli", n_draws=10)


def test_many_functions_take_a_fit():
    assert {"means", "summary", "fixef", "variance_change", "odds_ratios", "curves", "log_likelihood", "opposite_slopes"} <= set(
        TAKING_A_FIT
    )


@pytest.mark.parametrize("name", TAKING_A_FIT)
def test_what_is_no_fit_is_refused(name):
    result = bg.fixef(crossed_fit())
    for wrong, words in (
        (bg.summary(crossed_fit()), "not a Result.*the fit that this result was made of"),
        ("fits/one.nc", r"not a text.*load\('fits/one.nc'\)"),
        (Path("one.nc"), r"not a PosixPath.*load\('one.nc'\)" if os.name == "posix" else "not a "),
        ("y ~ x", r"not a text.*glmm\('y ~ x', table\)"),
        (None, r"not None.*glmm\(\)"),
        (table(), r"not a DataFrame.*glmm\(formula, table\)"),
        (result, "not a Series"),
    ):
        with pytest.raises(ArgumentError, match=f"a Fit is needed, {words}"):
            getattr(bg, name)(wrong, **rest(name))


def test_both_fits_are_looked_at():
    with pytest.raises(ArgumentError, match=r"not None.*argument fit"):
        bg.variance_change(crossed_fit(), None)
    with pytest.raises(ArgumentError, match=r"not None.*argument null_fit"):
        bg.variance_change(fit=crossed_fit(), null_fit=None)


@pytest.mark.parametrize(("name", "arguments"), [("means", ()), ("contrasts", ("drug",)), ("slopes", ("x",)), ("pairwise", ("drug",))])
def test_a_missing_target_is_told_with_the_four_there_are(name, arguments):
    with pytest.raises(ArgumentError, match="target is missing") as raised:
        getattr(bg, name)(crossed_fit(), *arguments)
    assert all(f"'{target}'" in str(raised.value) for target in TARGETS)


@pytest.mark.parametrize(
    ("name", "given", "what", "example"),
    [
        ("shares", {}, "threshold is missing", r"shares\(fit, threshold=0\.0\)"),
        ("contrasts", {"target": "group"}, "variable is missing", r"contrasts\(fit, variable='x', target='population'\)"),
        ("contrasts", {}, "variable and target are missing", r"contrasts\(fit, variable='x', target='population'\)"),
        ("implied_covariance", {}, "times is missing", r"implied_covariance\(fit, times=\[0, 1, 2\]\)"),
        ("variance_change", {}, "fit is missing", r"variance_change\(null_fit, fit=fit\)"),
        ("hypothesis", {}, "hypotheses is missing", r"hypothesis\(fit, hypotheses='x > 0'\)"),
        ("save", {}, "path is missing", r"save\(fit, path='fit\.nc'\)"),
    ],
)
def test_what_else_is_missing_is_told_with_a_call(name, given, what, example):
    with pytest.raises(ArgumentError, match=rf"{what}.*Where: {name}\(\)\. What to do: for example {example}"):
        getattr(bg, name)(crossed_fit(), **given)


@pytest.mark.parametrize("name", TAKING_A_FIT)
def test_no_function_leaves_a_missing_argument_to_python(name):
    for missing in rest(name):
        arguments = {key: "x" for key in rest(name) if key != missing}
        with pytest.raises(ArgumentError, match=f"{missing} is missing"):
            getattr(bg, name)(crossed_fit(), **arguments)


def test_a_missing_first_fit_is_told_too():
    with pytest.raises(ArgumentError, match="null_fit is missing"):
        bg.variance_change(fit=crossed_fit())


def test_the_example_names_a_column_of_the_fit():
    with pytest.raises(ArgumentError, match="variable='my x'"):
        bg.curves(quoted_fit())


@pytest.mark.parametrize("wrong", ["fits/one.nc", Path("fits/one.nc")])
@pytest.mark.parametrize("name", ["pooling", "prior_summary", "prior_predictive"])
def test_a_file_in_place_of_a_model_is_to_be_loaded(name, wrong):
    with pytest.raises(ArgumentError, match=r"a formula is needed, not a .*load\('fits.*one\.nc'\)"):
        getattr(bg, name)(wrong, table())
    with pytest.raises(ArgumentError, match=r"read it first, load_spec\('model\.toml'\)"):
        getattr(bg, name)("model.toml", table())


def test_what_is_no_path_is_not_loaded():
    with pytest.raises(ArgumentError, match=r"not an object of type Fit.*use this fit as it is"):
        bg.load(crossed_fit())
    with pytest.raises(ArgumentError, match=r"path of a file is needed, not an object of type NoneType.*load\('fit.nc'\)"):
        bg.load(None)


def test_what_python_refuses_it_refuses_still():
    with pytest.raises(TypeError, match="unexpected keyword argument 'typo'"):
        bg.means(crossed_fit(), target="population", typo=1)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'fit'"):
        bg.summary()


def test_signature_name_and_words_of_a_function_stay():
    signature = inspect.signature(bg.means)
    assert signature.parameters["target"].default is inspect.Parameter.empty
    assert bg.means.__name__ == "means"
    assert "no default" in inspect.getdoc(bg.means)


class TestNames:
    """Both spellings everywhere: what a formula needs back-quotes for may stand without, and the other way round."""

    def same(self, one, other):
        pd.testing.assert_frame_equal(one.table, other.table)
        assert one.title == other.title

    @pytest.mark.parametrize("spelled", ["my x", "`my x`"])
    def test_columns(self, spelled):
        fit, grid = quoted_fit(), {"my x": [0.0, 1.0]}
        self.same(bg.means(fit, {spelled: [0.0, 1.0]}, target="population"), bg.means(fit, grid, target="population"))
        self.same(bg.slopes(fit, spelled, {"drug": "a"}, target="population"), bg.slopes(fit, "my x", {"drug": "a"}, target="population"))
        self.same(bg.contrasts(fit, spelled, [0, 1], target="population"), bg.contrasts(fit, "my x", [0, 1], target="population"))
        self.same(bg.means(fit, by=[spelled], target="population"), bg.means(fit, by="my x", target="population"))
        self.same(bg.curves(fit, spelled, groups=1), bg.curves(fit, "my x", groups=1))
        self.same(bg.opposite_slopes(fit, spelled), bg.opposite_slopes(fit, "my x"))
        at = {"drug": "a", "the group": "g01", "h": "p"}
        self.same(bg.predict(fit, {spelled: [0.0], **at}), bg.predict(fit, {"my x": [0.0], **at}))

    @pytest.mark.parametrize("spelled", ["the group", "`the group`"])
    def test_grouping_factors(self, spelled):
        fit = quoted_fit()
        self.same(bg.random_effects(fit, factor=spelled), bg.random_effects(fit, factor="`the group`"))
        self.same(bg.pooling(fit, factor=spelled), bg.pooling(fit, factor="`the group`"))
        self.same(bg.curves(fit, "drug", factor=spelled, groups=2), bg.curves(fit, "drug", factor="`the group`", groups=2))
        for over in (spelled, [spelled], (spelled,)):
            found = bg.means(fit, {"h": "p"}, target="population", over=over)
            self.same(found, bg.means(fit, {"h": "p"}, target="population", over=["`the group`"]))
        self.same(bg.median_odds_ratio(fit, over=spelled), bg.median_odds_ratio(fit, over="`the group`"))
        level = {spelled: "g01", "h": "p"}
        self.same(bg.means(fit, level, target="group"), bg.means(fit, {"the group": "g01", "h": "p"}, target="group"))

    @pytest.mark.parametrize("spelled", ["the group", "`the group`"])
    def test_groups_of_marginal_models(self, spelled):
        data = table().rename(columns={"g": "the group"})
        self.same(bg.gee("y ~ x", data, groups=spelled), bg.gee("y ~ x + (1 | `the group`)", data))
        fit = make_fit("y ~ x + (1 | `the group`) + (1 | h)", data, n_draws=10)
        self.same(bg.side_by_side(fit, groups=spelled), bg.side_by_side(fit))

    def test_weights_by_name(self):
        fit = make_fit("y | weights(`my w`) ~ x + (1 | g)", table().rename(columns={"w": "my w"}), n_draws=10)
        np.testing.assert_array_equal(
            bg.means(fit, target="population", weights="`my w`").table["mean"],
            bg.means(fit, target="population", weights="my w").table["mean"],
        )

    def test_a_column_named_in_both_spellings_is_refused(self):
        with pytest.raises(ArgumentError, match=r"named twice.*'my x'"):
            bg.means(quoted_fit(), {"my x": 0.0, "`my x`": 1.0}, target="population")

    def test_tables_and_arrays_are_passed_on_as_they_are(self):
        seen = []

        @takes_fit
        def look(fit, at=None, *, by=None, weights=None):
            seen.append((at, by, weights))

        frame, weights, by = table(), np.ones(3), ["x", "drug"]
        look(crossed_fit(), frame, by=by, weights=weights)
        assert seen[0][0] is frame
        assert seen[0][1] is by
        assert seen[0][2] is weights
