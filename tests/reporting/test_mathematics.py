"""The model in mathematics: well-formed, complete, names escaped, always in hierarchical form."""

from xml.etree import ElementTree

import pytest

from bayesglmm.reporting.mathematics import MOST_TERMS, formulas
from tests.fits import make_fit
from tests.post.makers import table
from tests.reporting.models import MODELS

HOSTILE = "<img src=x onerror=alert(1)>"


def parsed(fit):
    return [ElementTree.fromstring(m) for m in formulas(fit).mathml]  # noqa: S314 (made by our own code; that it parses is the point)


def texts(fit):
    return {element.text for tree in parsed(fit) for element in tree.iter() if element.text}


@pytest.mark.parametrize("name", MODELS)
def test_every_formula_is_well_formed_and_has_words(name):
    fit = MODELS[name]()
    found = formulas(fit)
    assert len(found.mathml) == len(found.words) == 3 + bool(fit.design.labels) + 2 * len(fit.design.groups)
    for tree, words in zip(parsed(fit), found.words, strict=True):
        assert tree.tag == "math"
        assert tree.get("alttext") == words


@pytest.mark.parametrize("name", MODELS)
def test_every_column_and_factor_is_named(name):
    fit = MODELS[name]()
    named = texts(fit)
    for label in fit.design.labels:
        assert label == "Intercept" or label in named
    for group in fit.design.groups:
        assert group.name in named
        assert all(label in named or label == "1" for label in group.labels)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"formula": "y ~ x + (x | g)"},
            ["y_i | b ~ Normal(mu_i, sigma)", "mu_i = eta_i", "D_g), D_g = diag(tau_g) R_g diag(tau_g)"],
        ),
        ({"formula": "y ~ x + (x || g)"}, ["D_g = diag(tau_g)^2"]),
        ({"formula": "y | se(s) ~ x + (1 | g)"}, ["y_i | b ~ Normal(mu_i, s_i)", "b_g[j] ~ Normal(0, tau_g^2)"]),
        ({"formula": "k | trials(n) ~ x + (1 | g)", "family": "binomial"}, ["k_i | b ~ Binomial(n_i, mu_i)", "logit(mu_i) = eta_i"]),
        ({"formula": "count ~ x + offset(log(age))", "family": "poisson"}, ["count_i ~ Poisson(mu_i)", "eta_i = log(age) + x_i'beta"]),
        ({"formula": "y ~ 0 + x + (1 | g)"}, ["x_i'beta = beta_1 x"]),
        ({"formula": "y ~ x + (1 | g)"}, ["x_i'beta = beta_0 + beta_1 x"]),
    ],
    ids=str,
)
def test_what_is_written(options, words):
    options = dict(options)
    found = "\n".join(formulas(make_fit(options.pop("formula"), table(), **options)).words)
    for part in words:
        assert part in found


def test_two_blocks_of_one_factor_are_told_apart():
    words = formulas(make_fit("y ~ x + (1 | g) + (0 + x | g)", table())).words
    assert any("tau_g.2" in w for w in words)
    assert sum("~ Normal(0, tau_g^2)" in w for w in words) == 1


def test_names_are_text():
    fit = make_fit(f"y ~ `{HOSTILE}` + (`{HOSTILE}` | g)", table().rename(columns={"x": HOSTILE}))
    assert HOSTILE in {part for text in texts(fit) for part in [text.strip("`")]}
    assert {element.tag for tree in parsed(fit) for element in tree.iter()} <= {
        "math", "mrow", "msub", "msup", "msubsup", "mtext", "mi", "mo", "mn", "mtable", "mtr", "mtd", "mspace",
    }  # fmt: skip
    assert "<img" not in "".join(formulas(fit).mathml)


def test_many_columns_are_cut_and_said_to_be():
    data = table(300).assign(big=[f"l{i % 60:02d}" for i in range(300)])
    words = formulas(make_fit("y ~ big", data)).words[-1]
    assert words.count("big[") == MOST_TERMS - 1
    assert f"{60 - MOST_TERMS} more terms" in words
