"""Model files: records to plain values and back, and every mistake named with its place."""

import tomllib

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesglmm.errors import ArgumentError, FormulaError, PriorError, SpecError
from bayesglmm.spec.model_spec import make_spec
from bayesglmm.spec.priors import LKJ, Exponential, HalfStudentT, Normal, StudentT
from bayesglmm.spec.schema import (
    MAX_BYTES,
    DataSource,
    ModelFile,
    file_from_dict,
    file_to_dict,
    load_spec,
    loads_spec,
    spec_from_dict,
    spec_to_dict,
)
from tests.spec.strategies import formulas

NAMES = {"family": "bernoulli", "link": "logit"}
FULL = """
schema = 1
name = "aids_low_cd4"
title = "Low CD4"
description = '''
Two lines, "quotes" and a backslash \\
of text.'''
formula = "low ~ obstime * drug + (obstime || patient)"
family = "bernoulli"
link = "logit"
center = false
references = ["goldman_1996"]
keywords = ["binary", "longitudinal"]
[contrasts]
drug = "sum"
[priors]
intercept = {dist = "student_t", nu = 3, mu = 0, sigma = 5}
"b[I(age^2)]" = {dist = "normal", mu = 0, sigma = 2.5}
"sd[patient, obstime]" = {dist = "exponential", rate = 0.2}
[sampler]
target_accept = 0.95
chains = 2
draws = 500
[data]
dataset = "aids"
missing = "drop"
[data.derive]
low = "CD4<sqrt(150)"
late = "not low and drug=='ddI'"
"my col" = "-`1st` ^ 2"
"""


def test_a_full_file():
    model = loads_spec(FULL)
    spec = make_spec(
        "low ~ obstime * drug + (obstime || patient)",
        **NAMES,
        center=False,
        contrasts={"drug": "sum"},
        priors={"intercept": StudentT(3, 0, 5), "b[I(age ** 2)]": Normal(0, 2.5), "sd[patient, obstime]": Exponential(0.2)},
    )
    derive = (("low", "CD4 < sqrt(150)"), ("late", "not low and drug == 'ddI'"), ("my col", "-`1st` ** 2"))
    assert model == ModelFile(
        spec,
        name="aids_low_cd4",
        title="Low CD4",
        description='Two lines, "quotes" and a backslash \\\nof text.',
        data=DataSource("aids", "drop", derive),
        sampler=(("draws", 500), ("chains", 2), ("target_accept", 0.95)),
        references=("goldman_1996",),
        keywords=("binary", "longitudinal"),
    )
    assert file_from_dict(file_to_dict(model)) == model
    assert loads_spec(tomli_w.dumps(file_to_dict(model))) == model


def test_the_least_file():
    model = loads_spec('schema = 1\nformula = "y ~ x"\nfamily = "gaussian"\nlink = "identity"')
    assert model == ModelFile(make_spec("y ~ x", family="gaussian", link="identity"))
    assert set(file_to_dict(model)) == {"schema", "formula", "family", "link", "center"}


PRIORS = st.dictionaries(
    st.sampled_from(["intercept", "b", "b[x]", "b[x:z]", "b[drug[d, d[I]]]", "b[`my, col`]"]),
    st.builds(Normal, st.floats(-9, 9), st.floats(0.1, 9)),
)
SCALES = st.dictionaries(
    st.sampled_from(["sd", "sd[g]", "sd[g, x]", "sd[g:h, 1]", "sigma"]), st.builds(HalfStudentT, st.integers(1, 9), st.floats(0.1, 9))
)


@given(formulas(), PRIORS, SCALES, st.booleans(), st.dictionaries(st.sampled_from(["x", "my col"]), st.sampled_from(["sum", "diff"])))
@settings(max_examples=150, deadline=None)
def test_specs_survive_dict_and_toml(formula, priors, scales, center, contrasts):
    try:
        spec = make_spec(formula, **NAMES, priors={**priors, **scales, "cor": LKJ(2)}, center=center, contrasts=contrasts)
    except FormulaError:
        return
    assert spec_from_dict(spec_to_dict(spec)) == spec
    assert loads_spec(tomli_w.dumps(file_to_dict(ModelFile(spec)))).spec == spec


@given(st.text(max_size=50), st.text(max_size=50), st.lists(st.text(max_size=9), max_size=3))
def test_texts_survive_toml(title, description, references):
    model = ModelFile(make_spec("y ~ x", **NAMES), title=title, description=description, references=tuple(references))
    assert loads_spec(tomli_w.dumps(file_to_dict(model))) == model


def test_users_functions_come_from_the_caller_only():
    spec = make_spec("y ~ f(x)", **NAMES, functions=["f"])
    content = spec_to_dict(spec)
    assert "functions" not in content
    assert spec_from_dict(content, functions=["f", "g"]) == spec
    with pytest.raises(FormulaError, match=r"(?s)f\(\) is not listed.*functions="):
        spec_from_dict(content)
    with pytest.raises(SpecError, match="'functions' is not known"):
        spec_from_dict({**content, "functions": ["f"]})


CHANGES = [
    ({"formla": "y ~ x"}, SpecError, "'formla' is not known.*did you mean 'formula'"),
    ({"prior": {}}, SpecError, "did you mean 'priors'"),
    ({"schema": 2}, SpecError, "schema = 2"),
    ({"schema": "1"}, SpecError, "schema must be a whole number, not text"),
    ({"schema": True}, SpecError, "schema must be a whole number, not true or false"),
    ({"formula": 3}, SpecError, "formula must be text, not a whole number"),
    ({"family": ["poisson"]}, SpecError, "family must be text, not a list"),
    ({"family": "eval(x)"}, ArgumentError, "no name.*test"),
    ({"center": "no"}, SpecError, "center must be true or false, not text"),
    ({"center": 0}, SpecError, "center must be true or false, not a whole number"),
    ({"contrasts": {"x": "summ"}}, ArgumentError, "did you mean 'sum'"),
    ({"contrasts": {"x": 3}}, SpecError, "x must be text"),
    ({"contrasts": ["x"]}, SpecError, "contrasts must be a table, not a list"),
    ({"priors": {"b": "normal"}}, SpecError, "b must be a table, not text"),
    ({"priors": {"b": {"dist": "norml"}}}, PriorError, "did you mean 'normal'"),
    ({"priors": {"b": {"dist": "normal", "sigm": 1}}}, PriorError, "did you mean 'sigma'"),
    ({"priors": {"sd[g": {"dist": "normal"}}}, PriorError, "not closed.*test"),
    ({"priors": {"sd": {"dist": "normal"}}}, PriorError, "does not fit sd"),
    ({"sampler": {"drawz": 3}}, SpecError, r"test, \[sampler\].*did you mean 'draws'"),
    ({"sampler": {"draws": 0}}, SpecError, "draws = 0 is not a whole number of 1 or more"),
    ({"sampler": {"draws": 10.0}}, SpecError, "draws must be a whole number, not a number"),
    ({"sampler": {"chains": True}}, SpecError, "chains must be a whole number, not true or false"),
    ({"sampler": {"target_accept": 1.0}}, SpecError, "between 0 and 1"),
    ({"sampler": {"target_accept": float("nan")}}, SpecError, "between 0 and 1"),
    ({"sampler": {"target_accept": "0.9"}}, SpecError, "must be a number, not text"),
    ({"sampler": 3}, SpecError, "sampler must be a table"),
    ({"data": {"missing": "ignore"}}, SpecError, "missing = 'ignore'"),
    ({"data": {"dataste": "aids"}}, SpecError, "did you mean 'dataset'"),
    ({"data": {"dataset": 3}}, SpecError, "dataset must be text"),
    ({"data": {"derive": {"y": 3}}}, SpecError, "y must be text"),
    ({"data": {"derive": {"y": "os.system('x')"}}}, FormulaError, r"test, \[data\], derive, y: character 3"),
    ({"data": {"derive": {"y": "scale(x)"}}}, FormulaError, "cannot be used here"),
    ({"data": {"derive": {"a\\b": "x"}}}, SpecError, "name of a derived column"),
    ({"data": {"derive": {"__y__": "x"}}}, SpecError, "two underscores"),
    ({"references": "x"}, SpecError, "references must be a list, not text"),
    ({"keywords": ["x", 3]}, SpecError, "keywords must be a list of texts, but holds a whole number"),
    ({"name": 3}, SpecError, "name must be text"),
    ({"formula": "y ~ os.system('x')"}, FormulaError, "test: character 7"),
    ({"formula": "y ~ __import__('os')"}, FormulaError, "underscore"),
    ({"formula": "~ x"}, FormulaError, "no response"),
]


@pytest.mark.parametrize(("change", "error", "message"), CHANGES)
def test_mistakes_are_named(change, error, message):
    base = {"schema": 1, "formula": "y ~ x + (x | g)", "family": "gaussian", "link": "identity"}
    assert isinstance(file_from_dict(base, "test"), ModelFile)
    with pytest.raises(error, match=f"(?s){message}"):
        file_from_dict({**base, **change}, "test")


@pytest.mark.parametrize("key", ["schema", "formula", "family", "link"])
def test_required_keys(key):
    content = {"schema": 1, "formula": "y ~ x", "family": "gaussian", "link": "identity"}
    with pytest.raises(SpecError, match=f"'{key}' is missing"):
        file_from_dict({k: v for k, v in content.items() if k != key})


@pytest.mark.parametrize("text", ["formula = ", "a = 1\na = 2", "\x00", "[" * 100_000, "x = " + "[" * 100_000, "not toml", 'a = "\\q"'])
def test_what_is_not_toml(text):
    with pytest.raises(SpecError, match=r"not TOML|larger"):
        loads_spec(text, "somewhere")


def test_files(tmp_path):
    path = tmp_path / "model.toml"
    path.write_text(FULL, encoding="utf-8")
    assert load_spec(path) == load_spec(str(path)) == loads_spec(FULL)
    with pytest.raises(SpecError, match=r"cannot be read.*nothing\.toml"):
        load_spec(tmp_path / "nothing.toml")
    with pytest.raises(SpecError, match="cannot be read"):
        load_spec(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(SpecError, match="not UTF-8"):
        load_spec(tmp_path / "latin.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(SpecError, match="larger than 1000000 bytes"):
        load_spec(tmp_path / "large.toml")
    with pytest.raises(SpecError, match="larger than 1000000 bytes"):
        loads_spec("#" * (MAX_BYTES + 1))


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(FULL.replace("obstime * drug", "obstime $ drug"), encoding="utf-8")
    with pytest.raises(FormulaError, match=r"bad\.toml: character 15"):
        load_spec(path)


def test_values_are_plain():
    content = file_to_dict(loads_spec(FULL))
    assert tomllib.loads(tomli_w.dumps(content)) == content


@pytest.mark.parametrize("given", [None, 3, {"formula": "y ~ x"}])
def test_what_is_no_path_is_refused(given):
    with pytest.raises(SpecError, match="named by its path"):
        load_spec(given)
