import pandas as pd
import pytest

from bayesglmm.cli.options import parse_at, parse_priors
from bayesglmm.cli.terminal import clean
from bayesglmm.errors import ArgumentError, PriorError
from bayesglmm.spec.priors import LKJ, Exponential, HalfStudentT, Normal, StudentT

FRAME = pd.DataFrame({"year": [0.5], "n": [3], "drug": pd.Categorical(["a"]), "id": ["1"], "flag": [True]})


def test_values_are_read_by_the_kind_of_their_column():
    at = parse_at(["year=0,5.5, -1e1", "n=7", "drug=a,b", "id=1,2", "flag=True", "unknown=3"], FRAME)
    assert at == {"year": [0, 5.5, -10.0], "n": [7], "drug": ["a", "b"], "id": ["1", "2"], "flag": ["True"], "unknown": ["3"]}


def test_one_column_may_be_named_twice():
    assert parse_at(["drug=a", "drug=b = c"], FRAME) == {"drug": ["a", "b = c"]}


def test_all_is_all():
    assert parse_at(["drug=a", "drug=all"], FRAME) == {"drug": "all"}
    assert parse_at([], FRAME) is None


@pytest.mark.parametrize("text", ["year", "=1", "year=", "year=1,,2", "year=one", "year=1,all"])
def test_other_forms_are_refused(text):
    with pytest.raises(ArgumentError, match="--at"):
        parse_at([text], FRAME)


@pytest.mark.parametrize(
    ("text", "address", "prior"),
    [
        ("b[drug]=normal(0, 2.5)", "b[drug]", Normal(0, 2.5)),
        ("b = Normal(0,1)", "b", Normal(0, 1)),
        ("intercept=student_t(3)", "intercept", StudentT(3)),
        ("sd[id]=HalfStudentT(3, 2)", "sd[id]", HalfStudentT(3, 2)),
        ("cor=lkj(2)", "cor", LKJ(2)),
        ("sigma=exponential(1e-1)", "sigma", Exponential(0.1)),
        ("b[ns(year, df=2)]=normal()", "b[ns(year, df=2)]", Normal()),
        ("b[I((x + 1) ** 2)]=normal(0, 1)", "b[I((x + 1) ** 2)]", Normal(0, 1)),
    ],
)
def test_priors(text, address, prior):
    assert parse_priors([text]) == {address: prior}


def test_no_prior_is_none():
    assert parse_priors([]) is None


@pytest.mark.parametrize(
    "text",
    [
        "b",
        "b=normal",
        "b=normal(0, 1",
        "normal(0, 1)",
        "=normal(0, 1)",
        "b=norm(0, 1)",
        "b=normal(0, one)",
        "b=normal(0, 1, 2)",
        "b=normal(0, -1)",
        "b=normal(0, nan)",
        "b=gamma(1)",
        "b=os.system('true')",
        "b=normal(__import__('os'))",
    ],
)
def test_other_priors_are_refused(text):
    with pytest.raises(PriorError):
        parse_priors([text])


def test_an_address_has_one_prior():
    with pytest.raises(PriorError, match="two priors"):
        parse_priors(["b=normal(0, 1)", "b =normal(0, 2)"])


def test_control_characters_are_taken_out():
    assert clean("a\x1b[31mb\x07\r\x00\x7f\x9b2Jc\u202ed\u2066\n\té 日本 👍") == "a[31mb2Jcd\n\té 日本 👍"
