"""A fit with one thing changed: what is not named stays."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.design.prepare import family_and_link, prepare
from bayesglmm.errors import ArgumentError, ColumnError, DesignWarning, FormulaError, PriorError
from bayesglmm.spec.formula import parse_formula
from bayesglmm.spec.model_spec import make_spec
from bayesglmm.workflows import update as module
from bayesglmm.workflows.update import update
from bayesglmm.workflows.update_formula import update_formula
from tests.fits import make_fit

OLD = "k | trials(n) ~ x * f + log(e) + (x | g) + (1 | h) + offset(z)"


@pytest.mark.parametrize(
    ("old", "text", "new"),
    [
        ("y ~ x", ". ~ . + z", "y ~ 1 + x + z"),
        ("y ~ x", "~ . + z", "y ~ 1 + x + z"),
        ("y ~ x", ".~.", "y ~ 1 + x"),
        ("y ~ x + z", ". ~ . - x", "y ~ 1 + z"),
        ("y ~ x + z", ". ~ - x + .", "y ~ 1 + x + z"),
        ("y ~ x", ". ~ . - 1", "y ~ 0 + x"),
        ("y ~ 0 + x", ". ~ . + 1", "y ~ 1 + x"),
        ("y ~ 0 + x", ". ~ . + z", "y ~ 0 + x + z"),
        ("y ~ x", "log(y) ~ .", "log(y) ~ 1 + x"),
        ("y ~ x", "z ~ x + f", "z ~ 1 + x + f"),
        ("y ~ x", ". ~ .:f", "y ~ 1 + x:f"),
        ("y ~ x + f", ". ~ .^2", "y ~ 1 + x + f + x:f"),
        ("y ~ x", ". ~ . * f", "y ~ 1 + x + f + x:f"),
        ("y ~ x + (1 | g)", ". ~ . + (1 | h)", "y ~ 1 + x + (1 | g) + (1 | h)"),
        ("y ~ x + (1 | g)", ". ~ . - (1 | g) + (x | g)", "y ~ 1 + x + (1 + x | g)"),
        ("y ~ x + (1 | g)", ". ~ -(1 | g) + . + (x | g)", "y ~ 1 + x + (1 + x | g)"),
        ("y ~ (1 | g/h)", ". ~ . - (1 | g:h)", "y ~ 1 + (1 | g)"),
        ("y ~ (1 | g/h)", ". ~ . - (1 | g/h)", "y ~ 1"),
        ("y ~ (x || g)", ". ~ . - diag(x | g)", "y ~ 1"),
        ("y ~ x + offset(z)", ". ~ . - offset(z)", "y ~ 1 + x"),
        (OLD, ". ~ . - x:f - (1 | h) - offset(z)", "k | trials(n) ~ 1 + x + f + log(e) + (1 + x | g)"),
        (OLD, "~ 1", "k | trials(n) ~ 1"),
        ("`my y` ~ `x 1`", ". ~ . - `x 1` + I(`x 1` ^ 2.5)", "`my y` ~ 1 + I(`x 1` ** 2.5)"),
        ("y ~ x", ". ~ . + I(x * .5)", "y ~ 1 + x + I(x * 0.5)"),
        ("y ~ x * f", ". ~ . - f:x", "y ~ 1 + x + f"),
        ("y ~ x * f", ". ~ . - x * f", "y ~ 1"),
        ("y ~ x", ". ~ . + z * f - z:f", "y ~ 1 + x + z + f"),
        ("y ~ I(x ^ 2) + `x 1`", ". ~ . - (I(x**2) + `x 1`)", "y ~ 1"),
        ("y ~ x * f", "~ . - .", "y ~ 0"),
    ],
)
def test_a_dot_stands_for_what_was_there(old, text, new):
    assert parse_formula(update_formula(parse_formula(old), text)).text == new


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (". ~ . - (x | g)", r"group term that is not in the model.*\(1 \+ x \| g\).*group terms of the model: \(1 \| g\)"),
        (". ~ . - (1 | nobody)", r"not in the model.*\(1 \| nobody\)"),
        (". ~ . - nope", r"a term that is not in the model cannot be taken away. Where: nope.*terms of the model: x"),
        (". ~ . - x:f", r"a term that is not in the model.*x:f"),
        (". ~ . - x * f", r"a term that is not in the model.*Where: f\."),
        (". ~ . + z - w", r"a term that is not in the model.*Where: w\."),
        (". ~ . - offset(z)", r"offset that is not in the model.*offset\(z\)"),
        ("log(.) ~ .", r"stands alone on the left.*log\(\.\)"),
        (". ~ .:z", "can only be added"),
        (". ~", "nothing stands after"),
        ("y", "one '~'"),
        (". ~ . ~ .", "one '~'"),
        (". ~ (. | g)", "effects of a group term are terms"),
        (". ~ . + .x", "begins with a dot"),
        (". ~ . + x.y", "attributes"),
    ],
)
def test_what_cannot_be_updated_is_refused(text, words):
    with pytest.raises(FormulaError, match=words):
        parse_formula(update_formula(parse_formula("y ~ x + (1 | g)"), text))


def table(n=48, seed=2):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "w": rng.uniform(1, 2, n),
            "count": rng.poisson(3.0, n),
            "f": rng.permutation(np.resize(["a", "b", "c"], n)),
            "g": np.repeat([f"g{i}" for i in range(8)], n // 8),
            "h": rng.permutation(np.resize(["p", "q", "r"], n)),
        }
    )


@pytest.fixture
def asked(monkeypatch):
    """What ``glmm`` was asked for, in place of a fit; everything that ``glmm`` does before sampling is done."""

    def stand_in(formula, data, **given):
        model = {k: given[k] for k in ("priors", "center", "contrasts", "weights", "offset")}
        family, link = family_and_link(given["family"], given["link"])
        spec = make_spec(formula, family=family.name, link=link.name, functions=tuple(given["functions"]), **model)
        ready = prepare(spec, data, missing=given.get("missing", "error"), functions=given["functions"])
        return ready, {k: v for k, v in given.items() if k not in (*model, "family", "link", "functions")}

    monkeypatch.setattr(module, "glmm", stand_in)
    return update


PRIORS = {"b[x]": bg.Normal(0, 3), "b[f]": bg.Normal(0, 4), "sd[g]": bg.Exponential(2), "cor": bg.LKJ(5), "sigma": bg.HalfNormal(1)}


def fit(formula="y ~ x + f + (x | g)", priors=PRIORS, **options):
    return make_fit(formula, table(), priors=priors, **options)


def test_what_is_not_named_stays(asked):
    old = fit(center=False, contrasts={"f": "sum"})
    ready, settings = asked(old, ". ~ . + I(x^2)")
    assert ready.spec.formula == "y ~ 1 + x + f + I(x ** 2) + (1 + x | g)"
    assert ready.spec.priors == old.spec.priors
    assert (ready.spec.family, ready.spec.link, ready.spec.center, ready.spec.contrasts) == ("gaussian", "identity", False, (("f", "sum"),))
    record = old.provenance.settings
    assert settings == {
        "draws": record.draws,
        "tune": record.tune,
        "chains": record.chains,
        "target_accept": record.target_accept,
        "max_treedepth": record.max_treedepth,
        "effects": record.effects,
        "seed": record.seed,
    }
    pd.testing.assert_frame_equal(ready.frame, old.frame)


def test_nothing_named_is_the_same_model(asked):
    old = fit()
    ready, _ = asked(old)
    assert ready.spec == old.spec
    assert ready.priors == old.priors


def test_settings_are_changed_by_name(asked):
    _, settings = asked(fit(), draws=7, random_seed=5, engine="pymc", cores=1)
    assert (settings["draws"], settings["random_seed"], settings["engine"], settings["cores"]) == (7, 5, "pymc", 1)
    assert "seed" not in settings
    assert asked(fit(), seed=9)[1]["seed"] == 9


def test_a_seed_that_was_not_given_is_not_kept(asked):
    old = fit()
    drawn = replace(old, provenance=replace(old.provenance, seed_given=False))
    assert "seed" not in asked(drawn)[1]


def test_settings_that_are_not_on_record_are_left_to_defaults(asked):
    """A fit taken from elsewhere may not know its warm-up draws."""
    old = fit()
    elsewhere = replace(old, provenance=replace(old.provenance, settings=replace(old.provenance.settings, tune=0)))
    assert "tune" not in asked(elsewhere)[1]


def test_priors_are_laid_over_the_old_ones_by_address(asked):
    ready, _ = asked(fit(), priors={"b[ x ]": bg.Normal(0, 9), "intercept": bg.Normal(1, 1)})
    assert dict(ready.spec.priors) == {**PRIORS, "b[x]": bg.Normal(0, 9), "intercept": bg.Normal(1, 1)}
    ready, _ = asked(fit(), priors=None)
    assert ready.spec.priors == ()


def test_priors_of_terms_that_left_are_named(asked):
    with pytest.warns(DesignWarning, match=r"left out: b\[x\]$"):
        ready, _ = asked(fit(), ". ~ . - x")
    assert "b[x]" not in dict(ready.spec.priors)
    with pytest.warns(DesignWarning, match="left out: cor$"):
        ready, _ = asked(fit(), ". ~ . - (x | g) + (1 | g)")
    assert dict(ready.spec.priors)["sd[g]"] == bg.Exponential(2)


def test_a_new_prior_for_what_is_not_there_is_an_error(asked):
    with pytest.raises(PriorError, match=r"not in the model.*b\[z\]"):
        asked(fit(), priors={"b[z]": bg.Normal(0, 1)})


def test_a_new_family_brings_its_link_and_keeps_what_fits(asked):
    with pytest.warns(DesignWarning, match="left out: sigma"):
        ready, _ = asked(fit(), "count ~ .", table(), family="poisson")
    assert (ready.spec.family, ready.spec.link) == ("poisson", "log")
    ready, _ = asked(fit(priors=None, link="log", formula="w ~ x + (1 | g)"))
    assert ready.spec.link == "log"


def test_contrasts_of_columns_that_left_are_left_out(asked):
    old = fit(priors=None, contrasts={"f": "sum"})
    assert asked(old, ". ~ . - f")[0].spec.contrasts == ()
    assert asked(old, contrasts={"f": "helmert"})[0].spec.contrasts == (("f", "helmert"),)


def test_weights_and_offsets_replace_the_old_ones(asked):
    old = fit("y | weights(w) ~ x + offset(z) + (1 | g)", priors=None)
    assert asked(old)[0].spec.formula == "y | weights(w) ~ 1 + x + (1 | g) + offset(z)"
    assert asked(old, weights=None, offset=None)[0].spec.formula == "y ~ 1 + x + (1 | g)"
    assert asked(old, weights="w * 2", offset="x")[0].spec.formula == "y | weights(w * 2) ~ 1 + x + (1 | g) + offset(x)"
    with pytest.raises(ColumnError, match="column 'count'"):
        asked(old, offset="count")


def test_weights_and_offsets_are_named_as_the_table_names_them(asked):
    data = table().rename(columns={"w": "my w", "z": "in"})
    old = make_fit("y | weights(`my w`) ~ x + offset(`in`) + (1 | g)", data)
    for given in (None, data):
        ready, _ = asked(old, data=given, weights="my w", offset="in")
        assert ready.spec.formula == "y | weights(`my w`) ~ 1 + x + (1 | g) + offset(`in`)"
    bare = make_fit("y ~ x + (1 | g)", data)
    assert "my w" in asked(bare, data=data, weights="my w")[0].spec.columns
    with pytest.raises(FormulaError, match=r"'my w' is neither a column .*fit keeps only the columns that it used.*data=table"):
        asked(bare, weights="my w")


def test_functions_of_ones_own_are_kept(asked):
    def double(values):
        return 2.0 * values

    old = make_fit_with_function(double)
    ready, _ = asked(old, ". ~ . + I(x^2)")
    assert ready.design.labels == ("Intercept", "double(x)", "I(x ** 2)")
    ready, _ = asked(old, ". ~ . - (double(x) | g)")
    assert not ready.design.groups


def make_fit_with_function(double):
    from tests.io.hand import hand_made_fit

    return hand_made_fit("y ~ double(x) + (double(x) | g)", table(), functions={"double": double}, family="gaussian", link="identity")


def test_a_column_that_the_fit_does_not_keep_is_named(asked):
    with pytest.raises(ColumnError, match=r"column 'z'; the fit keeps 'y', 'x', 'f', 'g'.*data=table"):
        asked(fit(), ". ~ . + z")
    ready, _ = asked(fit(), ". ~ . + z + (1 | h)", data=table())
    assert ready.design.labels[-1] == "z"
    assert [g.name for g in ready.design.groups] == ["g", "h"]


def test_dropped_rows_are_dropped_again(asked):
    from tests.io.hand import hand_made_fit

    holes = table().assign(x=lambda d: d["x"].where(d.index > 2))
    old = hand_made_fit("y ~ x", holes, missing="drop", family="gaussian", link="identity")
    assert asked(old, data=holes)[1]["missing"] == "drop"
    assert "missing" not in asked(old)[1]


def test_an_unknown_argument_is_refused(asked):
    with pytest.raises(ArgumentError, match=r"drws= is no argument.*'draws'"):
        asked(fit(), drws=5)


@pytest.mark.parametrize("name", ["priors", "contrasts", "functions"])
@pytest.mark.parametrize("value", [bg.Normal(0, 1), ["b"], "b", 3, []])
def test_what_goes_by_name_must_be_a_mapping(asked, name, value):
    with pytest.raises(ArgumentError, match=rf"{name}= takes a mapping, not {type(value).__name__}.*for example {name}={{"):
        asked(fit(), **{name: value})


def test_a_real_fit_is_updated():
    with pytest.warns(bg.errors.QualityWarning):
        first = bg.glmm("y ~ x", table(), draws=40, tune=40, chains=2, seed=3, priors={"b": bg.Normal(0, 1)})
    with pytest.warns(bg.errors.QualityWarning):
        second = update(first, ". ~ . + z", table(), chains=1)
    assert second.spec.formula == "y ~ 1 + x + z"
    assert dict(second.spec.priors) == {"b": bg.Normal(0, 1)}
    assert second.posterior.sizes["chain"] == 1
    assert second.provenance.settings.seed == 3
    assert first.spec.formula == "y ~ 1 + x"
