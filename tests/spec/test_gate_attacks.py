"""Hostile texts are refused wherever a text can be given, and nothing of them reaches Python's parser, let alone runs."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bayesglmm.errors import BayesglmmError, FormulaError, PriorError, SpecError
from bayesglmm.spec.formula import parse_formula, parse_term
from bayesglmm.spec.gate import check_expression, expression_tree, names_in
from bayesglmm.spec.model_spec import make_spec
from bayesglmm.spec.priors import Normal, parse_address
from bayesglmm.spec.schema import loads_spec, spec_from_dict
from bayesglmm.spec.tokenizer import MAX_LENGTH
from tests.spec.attacks import CANARY, CODE_NAMES, EXPRESSIONS, watch

SEEN_BY_PYTHON = re.compile(r"(n\d+|'s\d+'|True|False|None|and|or|not|[0-9.e+-]+|[-+*/(),=\[\]<>!]|\s)*\Z")
LOGIC = {"I(x < 1)", "I(x == z)", "I(not x)", "I(x and z)", "I(x or z)"}

SLOTS = {
    "response": "log({}) ~ x",
    "trials": "k | trials({}) ~ x",
    "failures": "cbind(k, {}) ~ x",
    "standard error": "y | se({}) ~ x",
    "weights": "y | weights({}) ~ x",
    "term": "y ~ {}",
    "interaction": "y ~ x:{}",
    "inside I": "y ~ I({})",
    "offset": "y ~ x + offset({})",
    "effect": "y ~ ({} | g)",
    "grouping factor": "y ~ (1 | {})",
    "nested factor": "y ~ (1 | g/{})",
    "by": "y ~ (1 | g, by={})",
    "id": "y ~ (1 | {} | g)",
}


def refuses(call, *args, **kwargs):
    """Whether the call raises one of our errors and nothing else happens: no file, no import, no code."""
    with watch() as seen:
        try:
            call(*args, **kwargs)
            refused = False
        except BayesglmmError:
            refused = True
    assert not Path(CANARY).exists()
    assert [event for event in seen if event[0] != "compile"] == []
    for _, source in seen:
        assert SEEN_BY_PYTHON.match(source), source
    return refused


def test_the_watch_sees_what_it_should():
    with watch() as seen:
        eval(compile("1 + 1", "f", "eval"))  # noqa: S307
        Path(__file__).open().close()
    assert {event for event, _ in seen} >= {"compile", "exec", "open"}


def accepted(call, texts=EXPRESSIONS, **kwargs):
    """The texts that a call does not refuse."""
    return [text for text in texts if not refuses(call, text, **kwargs)]


def test_expressions_are_refused():
    assert accepted(check_expression) == []
    assert accepted(check_expression, plain=True) == []
    assert accepted(check_expression, [t for t in EXPRESSIONS if t not in LOGIC], allow_comparison=True) == []


@pytest.mark.parametrize("slot", SLOTS)
def test_formulas_are_refused(slot):
    assert accepted(lambda text: parse_formula(SLOTS[slot].format(text))) == []


DOORS = {
    "term": parse_term,
    "coefficient": lambda text: parse_address(f"b[{text}]"),
    "effect": lambda text: parse_address(f"sd[g, {text}]"),
    "factor": lambda text: parse_address(f"sd[{text}]"),
    "correlation": lambda text: parse_address(f"cor[{text}]"),
    "offset": lambda text: make_spec("y ~ x", family="gaussian", link="identity", offset=text),
    "weights": lambda text: make_spec("y ~ x", family="gaussian", link="identity", weights=text),
    "prior": lambda text: make_spec("y ~ x", family="gaussian", link="identity", priors={f"b[{text}]": Normal()}),
    "family": lambda text: make_spec("y ~ x", family=text, link="identity"),
    "contrast": lambda text: make_spec("y ~ x", family="gaussian", link="identity", contrasts={"x": text}),
    "dict": lambda text: spec_from_dict({"formula": f"y ~ {text}", "family": "gaussian", "link": "identity"}),
    "file": lambda text: loads_spec(f'schema = 1\nformula = {_toml("y ~ " + text)}\nfamily = "gaussian"\nlink = "identity"'),
    "derived column": lambda text: loads_spec(_derived(_toml(text) if text not in LOGIC else "1")),
}


LABELS = ("x['a']", "poly(x, degree=(2))[0]")
PLAIN_DATA = {"coefficient": LABELS, "effect": LABELS, "prior": LABELS, "family": ("__builtins__", "_private")}
"""What is data at a door: a coefficient's label is a term and a level; a family is any name, looked up in a registry."""


@pytest.mark.parametrize("door", DOORS)
def test_every_other_door_refuses(door):
    assert accepted(DOORS[door], [t for t in EXPRESSIONS if t not in PLAIN_DATA.get(door, ())]) == []


def _derived(value: str) -> str:
    return f'schema = 1\nformula = "y ~ x"\nfamily = "gaussian"\nlink = "identity"\n[data.derive]\ny = {value}'


def _toml(text: str) -> str:
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text)
    return f'"{escaped}"'


@pytest.mark.parametrize("name", CODE_NAMES)
def test_code_in_back_quotes_is_a_name_or_refused(name):
    with watch() as seen:
        try:
            text = check_expression(f"log(`{name}`)")
            assert names_in(text) == (name,)
            assert parse_formula(f"y ~ `{name}` + (1 | `{name}`)").columns == ("y", name)
        except FormulaError:
            assert name.startswith("__")
    assert all(event == "compile" and SEEN_BY_PYTHON.match(source) for event, source in seen)


def test_users_functions_open_nothing_else():
    own = frozenset({"f"})
    assert check_expression("f(x, 2, 'a', k=[1, 2], w=z)", functions=own) == "f(x, 2, 'a', k=[1, 2], w=z)"
    for text in ("f.g(x)", "f(x).g", "f(g(x))", "f(lambda: 1)", "f(*x)", "f(**x)", "f(_a=1)", "f(x)(x)", "f(x[0])", "f(k=[x])", "`f`(x)"):
        assert refuses(check_expression, text, functions=own), text
    assert refuses(check_expression, "f(x)", functions=own, plain=True)
    for name in ("log", "I", "us", "offset", "_f", "f.g", "", "ﬁ", 3):
        with pytest.raises(FormulaError):
            parse_formula("y ~ x", functions=[name])


def test_over_long_input():
    fits = "y ~ `" + "a" * 100 + "`" + " " * (MAX_LENGTH - 106)
    assert len(fits) == MAX_LENGTH
    assert parse_formula(fits).columns == ("y", "a" * 100)
    with pytest.raises(FormulaError, match="2000 are allowed"):
        parse_formula(fits + " ")
    with pytest.raises(FormulaError, match="text"):
        parse_formula(b"y ~ x")  # type: ignore[arg-type]


def test_explosive_formulas_are_refused_quickly():
    letters = " + ".join(f"x{i}" for i in range(150))
    for text in (
        f"({letters})^2",
        f"({letters}):({letters})",
        "*".join(f"x{i}" for i in range(30)),
        f"({' + '.join('abcdefgh')})^9*({letters})",
    ):
        with pytest.raises(FormulaError, match="expands to"):
            parse_formula(f"y ~ {text}")
    with pytest.raises(FormulaError, match="nested deeper"):
        parse_formula("y ~ (1 | " + "/".join(f"g{i}" for i in range(11)) + ")")
    with pytest.raises(FormulaError, match="whole number"):
        parse_formula("y ~ (a + b)^99999999999")


FRAGMENTS = [
    "x",
    "z",
    "y",
    "g",
    "~",
    "+",
    "-",
    "*",
    "/",
    "^",
    ":",
    "%in%",
    "(",
    ")",
    "|",
    "||",
    ",",
    "=",
    ".",
    "[",
    "]",
    "`",
    "'",
    '"',
    " ",
    "\n",
    "1",
    "0",
    "2.5",
]
FRAGMENTS += [
    "log",
    "I",
    "C",
    "ns",
    "lag",
    "cs",
    "offset",
    "trials",
    "by=",
    "lambda",
    "for",
    "in",
    "__import__",
    "os.system",
    "eval",
    ":=",
    "f'",
    "{",
    "}",
    "\\",
    "\x00",
]
FRAGMENTS += [
    "ﬁ",
    "²",
    "\u202e",
    "async",
    "None",
    "True",
    "not",
    "==",
    "<",
    "**",
    "//",
    "@",
    "%",
    "->",
    "#",
    ";",
    "...",
    "'s0'",
    "n0",
    "cbind(",
    "(1 | g)",
    "_",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join))
@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@example("y~n0+'s0'")
def test_any_mixture_of_fragments_parses_to_gated_text_or_is_refused(text):
    with watch() as seen:
        try:
            parsed = parse_formula(text)
        except BayesglmmError:
            parsed = None
    assert all(event == "compile" and SEEN_BY_PYTHON.match(source) for event, source in seen), seen
    if parsed is not None:
        assert parse_formula(parsed.text) == parsed
        for term in parsed.fixed.terms:
            for factor in term.factors:
                assert check_expression(factor) == factor


@given(st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_parses_or_is_refused(text):
    for call in (check_expression, parse_formula, parse_address, parse_term):
        try:
            call(text)
        except BayesglmmError:
            continue


INNER = st.sampled_from(
    [
        "os.system('x')",
        "x.y",
        "x[0]",
        "lambda: 1",
        "__import__('os')",
        "eval(x)",
        "_a",
        "f'{x}'",
        "(y:=x)",
        "*x",
        "[x for x in y]",
        "x if y else z",
        "{x}",
    ]
)
WRAPPERS = st.lists(
    st.sampled_from(
        ["I({})", "log({})", "({})", "-{}", "{} + x", "2 * {}", "scale({})", "ns({}, 2)", "poly({}, 2)", "x ** {}", "bs(x, df={})", "C({})"]
    ),
    max_size=6,
)


@given(INNER, WRAPPERS)
@settings(max_examples=300, deadline=None)
def test_wrapping_an_attack_does_not_hide_it(inner, wrappers):
    text = inner
    for wrapper in wrappers:
        text = wrapper.replace("{}", text)
    assert refuses(check_expression, text)
    assert refuses(check_expression, text, allow_comparison=True)
    assert refuses(parse_formula, f"y ~ {text}")
    assert refuses(parse_formula, f"y ~ ({text} | g)")
    assert refuses(parse_formula, f"y ~ x + offset({text})")


def test_trees_for_walkers_hold_listed_nodes_only():
    tree = expression_tree("log(`my col` + 1) / x ** 2 < 3 and not `class` == 'a'")
    listed = (
        ast.BoolOp,
        ast.And,
        ast.Compare,
        ast.cmpop,
        ast.BinOp,
        ast.operator,
        ast.Call,
        ast.Name,
        ast.Load,
        ast.Constant,
        ast.UnaryOp,
        ast.Not,
    )
    assert all(isinstance(node, listed) for node in ast.walk(tree))
    assert {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} == {"log", "my col", "x", "class"}
    for text in ("poly(x, 2)", "f(x)", "x.y", "lag(x)"):
        with pytest.raises(FormulaError):
            expression_tree(text)


def test_errors_are_ours_with_position():
    with pytest.raises(FormulaError, match=r"character 10\n    y ~ x \+ o\.system\('a'\)\n             \^ here"):
        parse_formula("y ~ x + o.system('a')")
    with pytest.raises(PriorError):
        parse_address("b[os.system('x')]")
    with pytest.raises(SpecError):
        loads_spec("formula = ")
