"""Heterogeneity of slopes and of within-subject contrasts, and of some factors alone."""

import numpy as np
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, ColumnError, DesignError, MissingValueError
from bayesglmm.post.changes import pair_rows, slope_rows
from bayesglmm.post.rows import build_rows
from tests.fits import make_fit
from tests.post.makers import aids_fit, aids_visits, crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE, REFERENCE

CURVED = "y ~ poly(x, 2) * drug + log(age) + (poly(x, 2) | g) + (1 | h)"


def exact_fit(**options: object):
    return crossed_fit(spread=0.0, n_chains=1, n_draws=1, **options)


def one_scale(result, scale: str = "link"):
    return result.table[result.table["scale"] == scale]


class TestSlopeRows:
    """Derivatives of the design."""

    def test_linear_columns_are_exact(self):
        rows = slope_rows(crossed_fit(), "x", {"x": [0.0, 0.37], "drug": "all"})
        assert rows.n_rows == 6
        np.testing.assert_array_equal(rows.X[:, [0, 2, 3]], 0.0)
        np.testing.assert_allclose(rows.X[:, 1], 1.0, rtol=ALGEBRAIC)
        np.testing.assert_allclose(rows.Z[0], np.tile([0.0, 1.0], (6, 1)), rtol=ALGEBRAIC)
        np.testing.assert_array_equal(rows.Z[1], np.zeros((6, 1)))

    def test_interactions_have_the_slope_of_their_level(self):
        fit = make_fit("y ~ x * drug + (x | g)", table())
        rows = slope_rows(fit, "x", {"drug": "all"})
        names = fit.design.labels
        wanted = np.zeros((3, len(names)))
        wanted[:, names.index("x")] = 1.0
        wanted[1, names.index("x:drug[b]")] = wanted[2, names.index("x:drug[c]")] = 1.0
        np.testing.assert_allclose(rows.X, wanted, rtol=ALGEBRAIC, atol=ALGEBRAIC)

    def test_polynomials_are_exact_up_to_rounding(self):
        """Orthogonal polynomials of x are polynomials of x: their slope at three places fixes that of the quadratic."""
        fit = make_fit(CURVED, table())
        grid = {"x": [-1.0, 0.25, 1.5]}
        found, levels = slope_rows(fit, "x", grid).Z[0], build_rows(fit, grid, target="population").Z[0]
        power = np.vander([-1.0, 0.25, 1.5], 3)
        wanted = np.array([np.polyval(np.polyder(np.linalg.solve(power, levels[:, k])), grid["x"]) for k in range(levels.shape[1])]).T
        np.testing.assert_allclose(found, wanted, rtol=ALGEBRAIC, atol=ALGEBRAIC)

    def test_curves_are_exact_to_the_step(self):
        fit = make_fit(CURVED, table())
        rows = slope_rows(fit, "age", {"age": [22, 40]})
        np.testing.assert_allclose(rows.X[:, fit.design.labels.index("log(age)")], [1 / 22, 1 / 40], rtol=ALGEBRAIC)

    @pytest.mark.parametrize("at", [1.0, 1.00005, 0.99996])
    def test_a_kink_is_refused(self, at):
        """Exactly on it too, where differences to both sides give the mean of two slopes."""
        fit = make_fit("y ~ abs(x - 1) + (1 | g)", table())
        np.testing.assert_allclose(slope_rows(fit, "x", {"x": [0.9, 1.1]}).X[:, 1], [-1.0, 1.0], rtol=ALGEBRAIC)
        with pytest.raises(DesignError, match=r"not smooth.*of='contrast'"):
            slope_rows(fit, "x", {"x": [0.9, at]})

    def test_a_logarithm_is_followed_near_zero(self):
        """The rows' slopes are those that the slopes of means use."""
        data = table().assign(u=np.exp(2.0 * table()["x"]).round(4))
        fit = make_fit("y ~ log(u) + (1 | g)", data, beta=[0.0, 1.0], spread=0.0, n_chains=1, n_draws=1)
        at = {"u": [1e-4 * data["u"].std(), 0.005, 0.5]}
        found = slope_rows(fit, "u", at).X[:, 1]
        np.testing.assert_allclose(found, 1.0 / np.array(at["u"]), rtol=1e-8)  # a step of 0.01 of the value: 0.8 times its fourth power
        wanted = bg.slopes(fit, "u", at, target="average_subject", scale="link").table["mean"]
        np.testing.assert_allclose(found, wanted, rtol=REFERENCE)

    def test_a_spline_has_slopes_at_the_ends_of_its_range(self):
        fit = make_fit("y ~ bs(x, df=5) + (1 | g)", table(), beta=[0.0, 1.0, -1.0, 2.0, 0.5, 1.0], spread=0.0, n_chains=1, n_draws=1)
        at = {"x": [table()["x"].min(), 0.0, table()["x"].max()]}
        wanted = bg.slopes(fit, "x", at, target="average_subject", scale="link").table["mean"]
        np.testing.assert_allclose(slope_rows(fit, "x", at).X @ parameters(fit).beta[0], wanted, rtol=REFERENCE)

    def test_a_column_of_large_numbers_loses_no_digits(self):
        fit = make_fit("y ~ year + (year | g)", table().assign(year=np.resize(np.arange(2000, 2012), 120)))
        np.testing.assert_allclose(slope_rows(fit, "year", {"year": [2001, 2011]}).X[:, 1], 1.0, rtol=ALGEBRAIC)

    def test_a_table_gives_the_slopes_of_its_rows(self):
        fit = make_fit(CURVED, table())
        new = table()[["x", "drug", "age"]].iloc[:4]
        grid = [slope_rows(fit, "x", dict(row)).X[0] for row in new.to_dict("records")]
        np.testing.assert_allclose(slope_rows(fit, "x", new).X, grid, rtol=ALGEBRAIC, atol=ALGEBRAIC)

    def test_offsets_have_slopes_too(self):
        fit = make_fit("count ~ x + offset(2 * x) + (1 | g)", table(), family="poisson")
        np.testing.assert_allclose(slope_rows(fit, "x", None).offset, 2.0, rtol=ALGEBRAIC)

    def test_what_has_no_slope_is_refused(self):
        fit = make_fit("y ~ ns(x, 3) + drug + C(n) + I(s ** -1) + (1 | g)", table().assign(n=np.resize([4, 5], 120)))
        with pytest.raises(ColumnError, match="drug"):
            slope_rows(fit, "drug", None)
        with pytest.raises(ColumnError, match="is a factor"):
            slope_rows(fit, "n", None)
        with pytest.raises(ColumnError, match="agee"):
            slope_rows(fit, "agee", None)
        with pytest.raises(DesignError, match="not smooth"):
            slope_rows(fit, "s", {"s": 1e-8})
        constant = make_fit("y ~ x + offset(n) + (1 | g)", table())
        with pytest.raises(ArgumentError, match="varies"):
            slope_rows(constant, "n", None)

    def test_a_slope_needs_values_on_both_sides(self):
        fit = make_fit("y ~ log(age) + (1 | g)", table())
        with pytest.raises(MissingValueError, match="farther from the edge"):
            slope_rows(fit, "age", {"age": 1e-9})

    def test_the_last_value_of_a_spline_has_a_slope(self):
        fit, last = make_fit("y ~ ns(x, 3) + (1 | g)", table()), float(table()["x"].max())
        at_end, before = slope_rows(fit, "x", {"x": [last, last - 1e-4]}).X
        np.testing.assert_allclose(at_end, before, atol=1e-3)  # the slope changes by its curvature times 1e-4


class TestSlopes:
    """N(dx'beta, dz'D dz)."""

    def test_of_a_random_slope(self):
        fit = exact_fit()
        row = one_scale(bg.heterogeneity(fit, of="slope", variable="x")).iloc[0]
        beta, sd = parameters(fit).beta[0, 1], parameters(fit).groups[0].sd[0, 1]
        half = special.ndtri(0.975) * sd
        found = [row[c] for c in ("average_subject", "plug_in_lower", "plug_in_upper")]
        np.testing.assert_allclose(found, [beta, beta - half, beta + half], rtol=ALGEBRAIC)

    def test_the_odds_ratio_is_the_exponential(self):
        result = bg.heterogeneity(crossed_fit(), {"x": [0.0, 1.0]}, of="slope", variable="x")
        columns = ["average_subject", "plug_in_lower", "plug_in_upper", "predictive_lower", "predictive_upper"]
        link, ratio = (one_scale(result, s)[columns].to_numpy() for s in ("link", "odds ratio"))
        np.testing.assert_allclose(ratio, np.exp(link), rtol=ALGEBRAIC)
        assert "slopes in x" in result.title

    @pytest.mark.parametrize(("family", "link", "scales"), [
        ("gaussian", "identity", ["link", "response"]),
        ("bernoulli", "probit", ["link"]),
        ("bernoulli", "cloglog", ["link", "hazard ratio"]),
        ("poisson", "log", ["link", "ratio of means"]),
    ])  # fmt: skip
    def test_scales_by_link(self, family, link, scales):
        response = {"gaussian": "y", "bernoulli": "zero_one", "poisson": "count"}[family]
        result = bg.heterogeneity(make_fit(f"{response} ~ x + (x | g)", table(), family=family, link=link), of="slope", variable="x")
        assert result.table["scale"].tolist() == scales
        assert any("No response scale" in n for n in result.notes) == (link == "probit")

    def test_of_a_curve_by_hand(self):
        fit = make_fit(CURVED, table(), sd={"g": [1.0, 2.0, 0.5], "h": [1.0]}, spread=0.0, n_chains=1, n_draws=1)
        result = bg.heterogeneity(fit, {"x": [-1.0, 1.0]}, of="slope", variable="x", level=0.8)
        dz, group = slope_rows(fit, "x", {"x": [-1.0, 1.0]}).Z[0], parameters(fit).groups[0]
        width = one_scale(result)["plug_in_upper"] - one_scale(result)["plug_in_lower"]
        wanted = 2.0 * special.ndtri(0.9) * np.sqrt(np.square(dz) @ np.square(group.sd[0]))
        np.testing.assert_allclose(width, wanted, rtol=ALGEBRAIC)
        assert not np.isclose(*wanted, rtol=REFERENCE)

    def test_equal_slopes_are_said_to_be_equal(self):
        result = bg.heterogeneity(exact_fit(), of="slope", variable="x", over="h")
        assert any("all slopes are equal" in n for n in result.notes)
        row = one_scale(result).iloc[0]
        assert row["plug_in_lower"] == row["plug_in_upper"]


class TestContrasts:
    """Two rows of one subject."""

    at, versus = {"x": 1.0, "drug": "c"}, {"x": -0.5}

    def test_the_link_scale_by_hand(self):
        fit = exact_fit()
        row = one_scale(bg.heterogeneity(fit, self.at, of="contrast", versus=self.versus, level=0.9)).iloc[0]
        half = special.ndtri(0.95) * 1.5 * parameters(fit).groups[0].sd[0, 1]
        center = 1.5 * 0.8 + 1.1
        np.testing.assert_allclose([row["plug_in_lower"], row["plug_in_upper"]], [center - half, center + half], rtol=ALGEBRAIC)
        assert (row["x"], row["drug"], row["versus_x"]) == (1.0, "c", -0.5)

    @pytest.mark.parametrize(("at", "versus"), [(at, versus), ({"drug": "c"}, {"drug": "a"})], ids=["slope", "intercepts alone"])
    def test_the_response_scale_holds_simulated_subjects(self, at, versus):
        fit = exact_fit()
        row = one_scale(bg.heterogeneity(fit, at, of="contrast", versus=versus, level=0.9), "response").iloc[0]
        rows, draws = pair_rows(fit, at, versus), parameters(fit)
        n, rng = 200_000, np.random.default_rng(6)
        g, h = draws.groups
        b = rng.multivariate_normal(np.zeros(2), g.sd[0][:, None] * g.corr[0] * g.sd[0], size=n)
        means = []
        others = h.sd[0, 0] * rng.normal(size=n)
        for part in (rows.second, rows.first):
            means.append(special.expit(draws.beta[0] @ part.X[0] + b @ part.Z[0][0] + others))
        difference = means[0] - means[1]
        for end, share in (("plug_in_lower", 0.05), ("plug_in_upper", 0.95)):
            assert abs(np.mean(difference < row[end]) - share) < MCSE_MULTIPLE * np.sqrt(0.05 * 0.95 / n)
        np.testing.assert_allclose(
            [row["predictive_lower"], row["predictive_upper"]], [row["plug_in_lower"], row["plug_in_upper"]], rtol=REFERENCE
        )

    def test_under_the_identity_both_scales_are_one(self):
        fit = make_fit("y ~ x + (x | g)", table())
        result = bg.heterogeneity(fit, {"x": [0.0, 2.0]}, of="contrast")
        link, response = (one_scale(result, s).drop(columns="scale").to_numpy() for s in ("link", "response"))
        np.testing.assert_array_equal(link, response)

    def test_two_rows_are_the_second_minus_the_first(self):
        fit = crossed_fit()
        two = bg.heterogeneity(fit, {"x": [-0.5, 1.0]}, of="contrast").table
        named = bg.heterogeneity(fit, {"x": 1.0}, of="contrast", versus={"x": -0.5}).table
        np.testing.assert_allclose(two.drop(columns="scale").to_numpy(), named.drop(columns="scale").to_numpy(), rtol=ALGEBRAIC)

    def test_ends_are_summarised_from_their_draws(self):
        result = bg.heterogeneity(crossed_fit(), {"x": [0.0, 1.0]}, of="contrast", ci_prob=0.9)
        upper = draws_of(result, "response_upper")[:, 0]
        row = one_scale(result, "response").iloc[0]
        assert row["plug_in_upper"] == pytest.approx(np.median(upper), rel=ALGEBRAIC)
        assert row["upper_ci_lower"] == pytest.approx(np.quantile(upper, 0.05), rel=ALGEBRAIC)

    def test_one_row_goes_with_many(self):
        result = bg.heterogeneity(crossed_fit(n_draws=4), {"x": [0.0, 1.0, 2.0]}, of="contrast", versus={"x": 0.0})
        assert one_scale(result)["versus_x"].tolist() == [0.0, 0.0, 0.0]
        nothing = one_scale(result, "response").iloc[0]
        np.testing.assert_allclose([nothing["plug_in_lower"], nothing["plug_in_upper"]], 0.0, atol=ALGEBRAIC)

    def test_differences_of_probabilities_stay_in_range(self):
        fit = aids_fit(aids_visits())
        rows = bg.heterogeneity(fit, {"obstime": 12, "drug": "all"}, of="contrast", versus={"obstime": 0, "drug": "all"}, level=0.999)
        ends = one_scale(rows, "response")[["plug_in_lower", "plug_in_upper"]].to_numpy()
        d = np.array([12 * 0.146, 12 * (0.146 - 0.029)])
        assert np.all(ends[:, 0] >= 0.0)
        assert np.all(ends[:, 1] <= np.tanh(d / 4))  # the largest difference that random intercepts allow
        assert np.all(ends[:, 1] > 0.99 * np.tanh(d / 4))

    def test_rows_that_do_not_pair_are_refused(self):
        fit = exact_fit()
        with pytest.raises(ArgumentError, match="two rows"):
            bg.heterogeneity(fit, {"x": [0.0, 1.0, 2.0]}, of="contrast")
        with pytest.raises(ArgumentError, match="2 rows and versus 3"):
            bg.heterogeneity(fit, {"x": [0.0, 1.0]}, of="contrast", versus={"x": [0.0, 1.0, 2.0]})

    def test_notes_say_what_is_held_in_either_row(self):
        notes = bg.heterogeneity(exact_fit(), self.at, of="contrast", versus=self.versus).notes
        assert any(n.startswith("versus: Held fixed: drug = a") for n in notes)


class TestOver:
    """Some factors alone."""

    def test_only_the_named_factor_counts(self):
        fit = exact_fit()
        width = {}
        for over in (None, ["g"], ["h"], "h"):
            row = one_scale(bg.heterogeneity(fit, {"x": 0.0}, over=over)).iloc[0]
            width[str(over)] = row["plug_in_upper"] - row["plug_in_lower"]
        g, h = (2.0 * special.ndtri(0.975) * p.sd[0, 0] for p in parameters(fit).groups)
        np.testing.assert_allclose([width["['g']"], width["['h']"], width["h"]], [g, h, h], rtol=ALGEBRAIC)
        assert width["None"] == pytest.approx(np.hypot(g, h), rel=ALGEBRAIC)

    def test_the_target_says_whose_effects_are_zero(self):
        result = bg.heterogeneity(exact_fit(), over=["g"])
        assert "random effects of h at zero" in result.target
        assert "at zero" not in bg.heterogeneity(exact_fit()).target

    @pytest.mark.parametrize("over", [["g"], ("g",), {"g"}, {"g": 1}.keys(), np.array(["g"])], ids=str)
    def test_any_collection_of_names_will_do(self, over):
        found, wanted = (bg.heterogeneity(exact_fit(), over=o).table for o in (over, "g"))
        np.testing.assert_array_equal(found["plug_in_upper"], wanted["plug_in_upper"])

    def test_the_nearest_name_is_given(self):
        fit = make_fit("y ~ x + (1 | patient) + (1 | ward)", table().rename(columns={"g": "patient", "h": "ward"}))
        with pytest.raises(ArgumentError, match=r"over names 'patints'.*did you mean 'patient'"):
            bg.heterogeneity(fit, over=["patints"])

    @pytest.mark.parametrize("over", [["patient"], [], 3, {"g": "g01"}, ["g", 3]], ids=str)
    def test_other_names_are_refused(self, over):
        with pytest.raises(ArgumentError, match="factors are: g, h"):
            bg.heterogeneity(exact_fit(), over=over)


def test_arguments_of_another_question_are_refused():
    fit = exact_fit()
    with pytest.raises(ArgumentError, match="variable"):
        bg.heterogeneity(fit, of="slope")
    with pytest.raises(ArgumentError, match="variable"):
        bg.heterogeneity(fit, variable="x")
    with pytest.raises(ArgumentError, match="versus"):
        bg.heterogeneity(fit, versus={"x": 1.0})
    with pytest.raises(ArgumentError, match="'slope'"):
        bg.heterogeneity(fit, of="slopes")
