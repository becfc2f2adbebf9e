"""Weights and offsets by the name that a column has, or as expressions."""

import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm import api
from bayesglmm.design.prepare import expression_of
from bayesglmm.errors import FormulaError
from tests.post.makers import table

NAMES = ("my w", "class", "w (kg)", "2nd w", "time in years", "x + age", "_w", "not w")


def renamed(name: str) -> pd.DataFrame:
    return table().rename(columns={"w": name})


def spec_of(monkeypatch, data, **options):
    """Spec that ``glmm`` makes, without a fit."""
    monkeypatch.setattr(api, "fit_spec", lambda spec, *_, **__: spec)
    return bg.glmm("y ~ x + (1 | g)", data, **options)


@pytest.mark.parametrize("name", NAMES)
def test_a_column_is_taken_by_its_name(monkeypatch, name):
    for spelled in (name, f"`{name}`"):
        assert expression_of(spelled, renamed(name)) == f"`{name}`"
        assert name in spec_of(monkeypatch, renamed(name), weights=spelled).columns
        assert spec_of(monkeypatch, renamed(name), offset=spelled).offsets == (f"`{name}`",)


@pytest.mark.parametrize("name", NAMES)
def test_marginal_models_take_it_too(name):
    wanted = bg.gee("y ~ x", table(), groups="g", weights="w", offset="w").table
    pd.testing.assert_frame_equal(bg.gee("y ~ x", renamed(name), groups="g", weights=name, offset=name).table, wanted)


@pytest.mark.parametrize("text", ["w", "log(n)", "w / n", "I(w ** 2)", "1"])
def test_an_expression_stays_one(monkeypatch, text):
    asked = spec_of(monkeypatch, table(), weights=text)
    assert asked == api.make_spec("y ~ x + (1 | g)", family="gaussian", link="identity", weights=text)


def test_a_name_goes_before_an_expression():
    data = table().assign(**{"log(n)": 1.0})
    assert expression_of("log(n)", data) == "`log(n)`"
    assert expression_of("log(n)", table()) == "log(n)"


def test_a_misspelled_name_is_told_with_the_nearest():
    with pytest.raises(FormulaError, match=r"'my ww' is neither a column .*did you mean 'my w'") as raised:
        expression_of("my ww", renamed("my w"))
    assert "TRUE" not in str(raised.value)
    with pytest.raises(FormulaError, match="never closed"):
        expression_of("log(n", table())


def test_what_is_no_text_is_left_to_the_spec():
    for value in (None, [1.0, 2.0], 3):
        assert expression_of(value, table()) is value
