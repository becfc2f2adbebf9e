"""Hypotheses: the same numbers as from draws by hand, evidence for a point against its closed form, and a parser that cannot be broken."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, BayesglmmError, FormulaError, PriorError
from bayesglmm.fit.draws import flatten, parameter_draws
from bayesglmm.numerics.point_density import density_terms
from bayesglmm.post.claims import read_claim
from bayesglmm.post.hypothesis import hypothesis
from bayesglmm.post.savage_dickey import point_evidence
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE


def by_label(fit) -> dict[str, np.ndarray]:
    found = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    return dict(zip(found.labels, flatten(found.values).T, strict=True))


def normal_fit(**options):
    """Independent normal draws: x around 0.5, z around -0.2, both with SD 0.5."""
    given_options = {"priors": {"b": bg.Normal(0, 1)}, "beta": [0.0, 0.5, -0.2], "spread": 0.5, "n_chains": 4, "n_draws": 2000}
    return make_fit("y ~ x + s + (1 | g)", table(), **{**given_options, **options})


def evidence(fit, text: str):
    parameters = by_label(fit)
    return point_evidence(fit, read_claim(text, parameters), parameters)


SMALL = crossed_fit()
LABELS = by_label(SMALL)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x > 0.8", lambda p: p["x"] - 0.8),
        ("x<0.8", lambda p: p["x"] - 0.8),
        ("drug[b] + drug[c] >= 0.5", lambda p: p["drug[b]"] + p["drug[c]"] - 0.5),
        ("0.5 <= drug[b] + drug[c]", lambda p: 0.5 - p["drug[b]"] - p["drug[c]"]),
        ("abs(x) < 0.8", lambda p: np.abs(p["x"]) - 0.8),
        ("1|g_sigma > 1|h_sigma + .3", lambda p: p["1|g_sigma"] - p["1|h_sigma"] - 0.3),
        ("1 > 1|g_sigma", lambda p: 1 - p["1|g_sigma"]),
        ("`1|g_sigma` > 2 * `x|g_sigma`", lambda p: p["1|g_sigma"] - 2 * p["x|g_sigma"]),
        ("g_corr[1, x] > .4e0", lambda p: p["g_corr[1, x]"] - 0.4),
        ("exp(x + drug[b]) - 1 > 2 - -x", lambda p: np.exp(p["x"] + p["drug[b]"]) - 1 - (2 + p["x"])),
        ("log (1|g_sigma) / (2 * -x) < 8 / 4 / 2", lambda p: np.log(p["1|g_sigma"]) / (-2 * p["x"]) - 1),
        ("1|g_sigma*1|g_sigma/(1|g_sigma*1|g_sigma + 3.29) > 0.3", lambda p: p["1|g_sigma"] ** 2 / (p["1|g_sigma"] ** 2 + 3.29) - 0.3),
        ("x - 2 - 3 * x > Intercept", lambda p: p["x"] - 2 - 3 * p["x"] - p["Intercept"]),
    ],
)
def test_numbers_are_those_of_the_draws(text, wanted):
    expected = wanted(LABELS)
    result = hypothesis(SMALL, text, rope=(-0.1, 0.1))
    np.testing.assert_allclose(draws_of(result, "difference")[:, 0], expected, rtol=0, atol=1e-12)
    share = np.mean(expected < 0) if "<" in text else np.mean(expected > 0)
    row = result.table.loc[text]
    assert row["posterior_prob"] == share
    assert row["evidence_ratio"] == (np.inf if share == 1 else pytest.approx(share / (1 - share), rel=ALGEBRAIC))
    assert row["rope_share"] == np.mean(np.abs(expected) <= 0.1)
    np.testing.assert_allclose(row[["mean", "ci_lower"]].astype(float), [expected.mean(), np.quantile(expected, 0.025)], atol=1e-12)


def test_several_hypotheses_are_several_rows():
    texts = ["x > 0", "x < 0", "drug[b] > x"]
    result = hypothesis(SMALL, texts)
    assert result.table.index.tolist() == texts
    assert result.table["posterior_prob"].tolist() == [1.0, 0.0, 0.0]
    assert result.table["evidence_ratio"].tolist() == [np.inf, 0.0, 0.0]
    assert "No draw of 40 contradicts 'x > 0': evidence ratio > 39." in result.notes
    assert "rope_share" not in result.table


def test_labels_of_every_kind_are_read():
    data = table().assign(**{"my x": table()["x"], "abs": table()["s"]})
    fit = make_fit("y ~ `my x` * drug + abs + log(w) + ns(age, 2) + (drug | g)", data)
    for label, values in by_label(fit).items():
        for text in (f"{label} > 0", f"0<{label}"):
            np.testing.assert_array_equal(np.abs(read_claim(text, by_label(fit)).difference.draws), np.abs(values))
    both = read_claim("abs(abs) + log(w) > log(abs(log(w)))", by_label(fit)).difference.draws
    p = by_label(fit)
    np.testing.assert_allclose(both, np.abs(p["abs"]) + p["log(w)"] - np.log(np.abs(p["log(w)"])), rtol=ALGEBRAIC)


@pytest.mark.parametrize(
    ("text", "point"), [("x = 0", (0.5, 0.5, 1.0, 0.0)), ("x == 0.9", (0.5, 0.5, 1.0, 0.9)), ("2 * x - 1 = 1", (0.5, 0.5, 1.0, 1.0))]
)
def test_evidence_for_a_point_of_one_coefficient(text, point):
    center, sd, prior_sd, at = point
    fit = normal_fit()
    found = evidence(fit, text)
    expected = stats.norm.pdf(at, center, sd) / stats.norm.pdf(at, 0, prior_sd)
    assert abs(found.ratio - expected) < MCSE_MULTIPLE * found.error * found.ratio
    assert 0.0 < found.error < 0.1
    row = hypothesis(fit, text).table.loc[text]
    assert row["evidence_ratio"] == found.ratio
    assert row["posterior_prob"] == pytest.approx(found.ratio / (1 + found.ratio), rel=ALGEBRAIC)


@pytest.mark.parametrize(
    ("prior", "density"),
    [
        (bg.StudentT(3, 1, 2), stats.t(3, 1, 2)),
        (bg.Cauchy(0, 2.5), stats.cauchy(0, 2.5)),
        (bg.Laplace(0.2, 1.5), stats.laplace(0.2, 1.5)),
    ],
)
def test_evidence_is_the_ratio_of_two_densities(prior, density):
    normal, other = normal_fit(), normal_fit(priors={"b": prior})
    ratios = [evidence(fit, "x = 0.3").ratio for fit in (normal, other)]
    assert ratios[1] / ratios[0] == pytest.approx(stats.norm.pdf(0.3) / density.pdf(0.3), rel=ALGEBRAIC)


def test_evidence_for_a_combination_of_normal_or_of_cauchy_priors():
    fit = normal_fit()
    found = evidence(fit, "x - 2 * s = 0.4")
    expected = stats.norm.pdf(0.4, 0.9, 0.5 * np.sqrt(5)) / stats.norm.pdf(0.4, 0, np.sqrt(5))
    assert abs(found.ratio - expected) < MCSE_MULTIPLE * found.error * found.ratio
    cauchy = normal_fit(priors={"b": bg.Cauchy(0.5, 2)})
    ratio = evidence(cauchy, "x - 2 * s = 0.4").ratio / found.ratio
    assert ratio == pytest.approx(stats.norm.pdf(0.4, 0, np.sqrt(5)) / stats.cauchy.pdf(0.4, -0.5, 6), rel=ALGEBRAIC)


def test_intercept_without_centering_has_its_own_prior():
    fit = normal_fit(center=False, priors={"intercept": bg.Normal(0, 2), "b": bg.Normal(0, 1)})
    found = evidence(fit, "Intercept = 0")
    assert abs(found.ratio - 4.0) < MCSE_MULTIPLE * found.error * found.ratio


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1|g_sigma", "no fixed effect"),
        ("sigma = 1", "no fixed effect"),
        ("Intercept = 0", "centered design"),
        ("abs(x) = 0", "linear combination"),
        ("x * s = 0", "linear combination"),
        ("x - x = 0", "linear combination"),
    ],
)
def test_points_without_a_closed_prior_are_refused(text, reason):
    with pytest.raises(PriorError, match=reason):
        hypothesis(normal_fit(n_draws=50), text)


def test_mixed_and_bounded_priors_are_refused():
    fit = normal_fit(n_draws=50, priors={"b[x]": bg.StudentT(3, 0, 1), "b[s]": bg.Uniform(-2, 2)})
    with pytest.raises(PriorError, match=r"Uniform\(-2, 2\)"):
        hypothesis(fit, "s = 0")
    mixed = normal_fit(n_draws=50, priors={"b[x]": bg.StudentT(3, 0, 1), "b[s]": bg.Normal(0, 1)})
    with pytest.raises(PriorError, match=r"x: StudentT\(3, 0, 1\), s: Normal\(0, 1\)"):
        hypothesis(mixed, "x + s = 0")


def test_points_beyond_the_draws_have_no_number():
    result = hypothesis(normal_fit(n_draws=50), ["x = 40", "x = 1e100"])
    assert result.table[["evidence_ratio", "posterior_prob"]].isna().all().all()
    assert any("fewer than 10 draws lie on one side" in n for n in result.notes)
    with pytest.raises(ArgumentError, match="do not vary") as caught:
        hypothesis(normal_fit(spread=0.0), ["x > 0", "x = 0", "s = 0"])
    assert caught.value.where == "'x = 0'"


def test_point_density_is_unbiased_for_normal_draws():
    """Mean over independent samples; a plain kernel of this width is too high by a sixth at two standard deviations."""
    rng = np.random.default_rng(4)
    for point in (0.0, 1.0, 2.0):
        found = np.array([density_terms(rng.normal(size=400), point).mean() for _ in range(400)])
        error = found.std(ddof=1) / np.sqrt(len(found))
        bias = 0.02 * stats.norm.pdf(point)  # of the estimated mean and SD, of order one over 400
        assert abs(found.mean() - stats.norm.pdf(point)) < MCSE_MULTIPLE * error + bias


@pytest.mark.parametrize(
    ("text", "character", "message"),
    [
        ("", 1, "a number or a parameter is missing"),
        ("x", 2, "a relation is missing"),
        ("x >", 4, "a number or a parameter is missing"),
        ("drug > 0", 1, r"(?s)no parameter 'drug'.*did you mean 'drug\["),
        ("x + drug[bb] > 0", 5, r"no parameter 'drug\[bb\]'"),
        ("`drug[z]` > 0", 1, r"no parameter 'drug\[z\]'"),
        ("`x > 0", 1, "never closed"),
        ("1 > 0", 3, "names no parameter"),
        ("x - x + 1 > 0 > 2", 15, "a second relation"),
        ("-1 < x < 1", 8, r"abs\(x\) < 0.1"),
        ("x x > 0", 3, "a relation is missing"),
        ("(x > 0", 4, r"'\)' is missing"),
        ("x) > 0", 2, "a relation is missing"),
        ("x > 0)", 6, "something is left over"),
        ("abs x > 0", 1, "no parameter 'abs'"),
        ("sqrt(x) > 0", 1, r"function sqrt\(\) is not known"),
        ("x ^ 2 > 0", 3, r"'\^' has no meaning"),
        ("x != 0", 3, "'!' has no meaning"),
        ("x > 1e999", 5, "not a finite number"),
        ("x > 1e200", 5, "below 1e"),
        ("x > 0 / 0", 7, "not a finite number"),
        ("log(x - 10) > 0", 1, "in 40 of 40 draws"),
        ("1 / (x - x) > 0", 3, "not a finite number"),
        ("2x > 0", 1, "no parameter '2x'"),
        ("(" * 30 + "x" + ")" * 30 + " > 0", 27, "nested deeper"),
    ],
)
def test_errors_point_at_the_place(text, character, message):
    with pytest.raises(FormulaError, match=message) as caught:
        hypothesis(SMALL, text)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"character {character}\n")


@pytest.mark.parametrize("given_value", [None, [], 3, b"x > 0", ["x > 0", 3], {"x > 0"}])
def test_what_is_no_text_is_refused(given_value):
    with pytest.raises(ArgumentError, match="hypothesis"):
        hypothesis(SMALL, given_value)


@pytest.mark.parametrize("rope", [0.1, (0.1,), (0.1, -0.1), (0, np.inf), ("a", "b"), (0, 0)])
def test_bad_regions_are_refused(rope):
    with pytest.raises(ArgumentError, match="no interval"):
        hypothesis(SMALL, "x > 0", rope=rope)


def test_long_texts_are_refused():
    with pytest.raises(FormulaError, match="1000 are allowed"):
        hypothesis(SMALL, "x + " * 500 + "x > 0")


PIECES = [*LABELS, *"+-*/()<>=`|[]:^! ", ">=", "==", "abs", "exp", "log", "abs(", "0", "1", "2.5", "1e3", ".", "1e308", "q", "\n", "é", "٣"]


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=14).map("".join)))
@example("x" + "\ud800")
@example("exp(exp(exp(x*10))) > 0")
@example("x*1e308*1e308 = 0")
@example("x*1e-300*1e-20 = 1")
@example("--+-x > 0")
def test_any_text_is_a_claim_or_a_package_error(text):
    try:
        claim = read_claim(text, LABELS)
    except BayesglmmError:
        return
    assert np.all(np.isfinite(claim.difference.draws))
    assert claim.difference.draws.shape == (40,)


@st.composite
def arithmetic(draw, depth=3):
    """A text and the value of the expression, computed from the same pieces by numpy."""
    if depth == 0 or draw(st.booleans()):
        if draw(st.booleans()):
            label = draw(st.sampled_from(list(LABELS)))
            return label, LABELS[label]
        value = draw(st.integers(1, 99)) / 8
        return repr(value), np.float64(value)
    kind = draw(st.sampled_from(["+", "-", "*", "/", "abs", "()", "u-"]))
    left, a = draw(arithmetic(depth=depth - 1))
    if kind == "abs":
        return f"abs({left})", np.abs(a)
    if kind == "()":
        return f"({left})", a
    if kind == "u-":
        return f"-({left})", -a
    right, b = draw(arithmetic(depth=depth - 1))
    value = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}[kind](a, b)
    return f"({left}) {kind} ({right})", value


@given(arithmetic())
def test_arithmetic_is_that_of_numpy(made):
    text, value = made
    claim = read_claim(f"{text} > x", LABELS)
    np.testing.assert_allclose(claim.difference.draws, value - LABELS["x"], rtol=1e-9, atol=1e-9)
    if claim.difference.linear is not None:
        rebuilt = claim.difference.shift + sum(a * LABELS[name] for name, a in claim.difference.linear.items())
        np.testing.assert_allclose(np.broadcast_to(rebuilt, 40), claim.difference.draws, rtol=1e-8, atol=1e-8)


def test_inside_an_expression_a_name_keeps_its_back_quotes_and_the_error_says_so():
    data = table().rename(columns={"x": "my x", "g": "the group"})
    fit = make_fit("y ~ `my x` * drug + (1 | `the group`)", data)
    for text, label in (
        ("my x > 0", "`my x`"),
        ("0 < my x:drug[b]", "`my x`:drug[b]"),
        ("1|the group_sigma > 0.1", "1|`the group`_sigma"),
    ):
        with pytest.raises(FormulaError, match="lacks its back-quotes") as raised:
            hypothesis(fit, text)
        assert raised.value.fix == f"inside an expression they are needed, write {label}"
        assert len(hypothesis(fit, text.replace(label.replace("`", ""), label)).table) == 1
    with pytest.raises(FormulaError, match="there is no parameter 'mine'"):
        hypothesis(fit, "mine > 0")
