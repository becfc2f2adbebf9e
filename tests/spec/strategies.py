"""Random formulas, built from the grammar downwards, and the sets of terms they stand for."""

from hypothesis import strategies as st

FIRST = [
    "x",
    "z",
    "year",
    "drug",
    "größe",
    "x2",
    "log",
    "`my col`",
    "`a:b`",
    "`1st`",
    "`class`",
    "`total.fruits`",
    "`it's`",
    "`os.system(1)`",
]

names = st.sampled_from(FIRST)
factors = st.sampled_from(["g", "h", "k", "`my group`", "id"])
numbers = st.sampled_from(["1", "2.5", "1e-3", ".5", "007", "150"])
spaces = st.sampled_from(["", " ", "  ", "\n", "\t"])
elementwise = st.sampled_from(["I", "log", "log1p", "log2", "log10", "exp", "sqrt", "abs"])
stateful = st.sampled_from(["scale", "center"])


def _arithmetic(inner):
    binary = st.tuples(inner, spaces, st.sampled_from(["+", "-", "*", "/", "^", "**"]), spaces, inner).map("".join)
    return st.one_of(
        binary.map(lambda t: f"({t})"), inner.map(lambda t: f"-{t}"), st.tuples(elementwise, inner).map(lambda p: f"{p[0]}({p[1]})")
    )


values = st.recursive(
    names, lambda inner: _arithmetic(st.one_of(inner, st.tuples(inner, numbers).map(lambda p: f"({p[0]} + {p[1]})"))), max_leaves=4
)
"""A number per row, from columns by arithmetic and elementwise functions."""

transforms = st.one_of(
    values.map(lambda v: f"I({v})"),
    st.tuples(elementwise, values).map(lambda p: f"{p[0]}({p[1]})"),
    st.tuples(stateful, names).map(lambda p: f"{p[0]}({p[1]})"),
    names.map(lambda n: f"C({n})"),
    st.tuples(names, st.sampled_from(["sum", "helmert", "poly", "diff"])).map(lambda p: f'C({p[0]}, "{p[1]}")'),
    names.map(lambda n: f"C({n},'treatment',\"Don't know\")"),
    names.map(lambda n: f"poly({n}, 2, raw=True)"),
    names.map(lambda n: f"ns(log({n}), df=3)"),
    names.map(lambda n: f"bs({n}, knots=[1, -2.5], degree=2)"),
    names.map(lambda n: f"lag({n}, by=id, time=year)"),
)
atoms = st.one_of(names, transforms)


def _algebra(inner):
    operator = st.sampled_from(["+", "-", "*", ":", "/", "%in%"])
    return st.tuples(spaces, inner, spaces, operator, spaces, inner).map(lambda p: f"({''.join(p)})")


terms = st.recursive(atoms, _algebra, max_leaves=5)
constants = st.sampled_from(["", "0 + ", "1 + ", "-1 + "])


@st.composite
def sums(draw, most=3):
    """Right-hand side, or effects, without group terms; may come out empty of terms."""
    parts = draw(st.lists(terms, min_size=0, max_size=most))
    tail = draw(st.sampled_from(["", " - 1", " + 0"]))
    return draw(constants) + " + ".join(parts) + tail if parts else "1"


@st.composite
def group_terms(draw, factor):
    """One group term of a given factor."""
    effects = draw(st.one_of(st.just("1"), names.map(lambda n: f"0 + {n}"), names, sums(most=2).map(lambda s: f"1 + {s} + 1")))
    bar = draw(st.sampled_from(["|", "||", "| p |"]))
    by = draw(st.sampled_from(["", ", by=arm", " ,by = `treatment arm`"]))
    tag = draw(st.sampled_from(["", "us", "cs", "covcs", "ar1"])) if bar != "||" else draw(st.sampled_from(["", "diag"]))
    return f"{tag}({effects} {bar} {factor}{by})"


@st.composite
def responses(draw):
    """Left-hand side."""
    base = draw(st.one_of(st.sampled_from(["y", "`my y`"]), values.map(lambda v: f"log({v})")))
    kind = draw(
        st.sampled_from(["{b}", "{b} | trials(n)", "prop({b}, n + 1)", "cbind({b}, n - {b})", "{b} | se(s)", "{b} | se(s) + weights(w^2)"])
    )
    return kind.format(b=base)


@st.composite
def formulas(draw):
    """Whole formulas; every grouping factor at most once, so that no effect stands twice."""
    grouping = draw(st.lists(st.sampled_from(["g", "h/k", "g2:h2", "`my group`"]), unique=True, max_size=3))
    groups = [draw(group_terms(g)) for g in grouping]
    offsets = draw(st.sampled_from([[], ["offset(log(n))"], ["offset(n)", "offset(log(n) + 1)"]]))
    dot = draw(st.sampled_from([[], ["."], [". - x - `my col`"], [". - x + x"], ["(x + . - z)"]]))
    right = " + ".join([draw(sums()), *draw(st.permutations([*groups, *offsets])), *dot])
    return f"{draw(responses())}{draw(spaces)}~{draw(spaces)}{right}"
