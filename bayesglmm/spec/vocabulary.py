"""The closed vocabulary of formulas: listed transforms, contrasts, tags, and the words that are refused with a reason."""

from difflib import get_close_matches

from bayesglmm.types import CovarianceKind

type Signature = tuple[int, int, tuple[str, ...]]

TRANSFORMS: dict[str, Signature] = {
    "C": (1, 3, ()),
    "I": (1, 1, ()),
    "scale": (1, 1, ()),
    "center": (1, 1, ()),
    "log": (1, 1, ()),
    "log1p": (1, 1, ()),
    "log2": (1, 1, ()),
    "log10": (1, 1, ()),
    "exp": (1, 1, ()),
    "sqrt": (1, 1, ()),
    "abs": (1, 1, ()),
    "poly": (1, 2, ("degree", "raw")),
    "ns": (1, 2, ("df", "knots", "lower_bound", "upper_bound")),
    "bs": (1, 2, ("df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound")),
    "lag": (1, 1, ("by", "time")),
    "cumulative": (1, 1, ("by", "time")),
    "locf": (1, 1, ("by", "time")),
}
"""Every function a formula may call: fewest and most positional arguments, names of keyword arguments."""

ELEMENTWISE = frozenset({"I", "log", "log1p", "log2", "log10", "exp", "sqrt", "abs"})
"""One number in, one number out, no state: the only functions of the response, weights, offsets and derived columns."""

OUTERMOST = frozenset({"C", "poly", "ns", "bs"})
"""They make several columns, so nothing can be done with their result but to be a term."""

COLUMN_KEYWORDS = frozenset({"by", "time"})
"""Keyword arguments that name a column; all others take numbers, booleans, None or lists of numbers."""

BASIS_SIZES = frozenset({"df", "degree"})
"""Keyword arguments that say how many columns there will be; so does the second argument of poly, ns and bs."""

MAX_BASIS = 100

CONTRASTS = ("treatment", "sum", "helmert", "poly", "diff")

NOT_BUILT_TRANSFORMS: dict[str, str] = {
    "lag": "make the lagged column in the table, for example with a group-wise shift",
    "cumulative": "make the cumulative column in the table",
    "locf": "carry the values forward in the table",
}
"""Known to the grammar, not computed by this version: what to do until then."""

TAGS: dict[str, CovarianceKind] = {"us": "us", "diag": "diag", "cs": "cs", "covcs": "cs", "ar1": "ar1"}

ADDITIONS = ("trials", "se", "weights")
"""What may stand behind the bar of a response."""

OUT_OF_SCOPE: dict[str, tuple[str, str]] = {
    "s": ("penalized smooth terms are out of scope", "ns(x, 4) or bs(x, df=4)"),
    "t2": ("tensor-product smooths are out of scope", "an interaction of spline bases, ns(x, 3):ns(z, 3)"),
    "mo": ("monotonic effects of ordered predictors are out of scope", "C(x), or x as a number"),
    "mm": ("multi-membership grouping is out of scope", "(1 | g) with one grouping column"),
    "rr": ("reduced-rank covariances are out of scope", "(x | g) or (x || g)"),
    "gr": (
        "gr() and what it stands for (known covariances, Student-t effects) is out of scope",
        "(1 | g), or (0 + arm || g) for one SD per arm",
    ),
    "cens": ("censored responses are out of scope", "y, y | se(s) or y | weights(w) on the left"),
    "trunc": ("truncated responses are out of scope", "y, y | se(s) or y | weights(w) on the left"),
}

_ELSEWHERE = {
    "factor": "C(x)",
    "ordered": "C(x, 'poly')",
    "relevel": "C(x, 'treatment', 'level')",
    "standardize": "scale(x)",
    "ln": "log(x)",
    "rcs": "ns(x, 4)",
    "cr": "ns(x, 4)",
    "pow": "I(x ** 2)",
    "offset": "offset(...) as a term of its own: y ~ x + offset(log(n))",
    "trials": "trials(n) on the left: k | trials(n) ~ x",
    "weights": "weights(w) on the left: y | weights(w) ~ x",
    "se": "se(s) on the left: y | se(s) ~ x",
    "prop": "prop(k, n) alone on the left: prop(k, n) ~ x",
    "cbind": "cbind(k, n - k) alone on the left: cbind(k, n - k) ~ x",
    "us": "a covariance tag stands around a group term: us(x | g)",
    "diag": "a covariance tag stands around a group term: diag(x | g)",
    "cs": "a covariance tag stands around a group term, cs(x | g); a spline is ns(x, 4) or bs(x, df=4)",
    "covcs": "a covariance tag stands around a group term: covcs(x | g)",
    "ar1": "a covariance tag stands around a group term: ar1(0 + t | g)",
}


def unknown_function(name: str, functions: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Return what is wrong with a call of an unlisted function, and the closest supported form."""
    if name in OUT_OF_SCOPE:
        reason, closest = OUT_OF_SCOPE[name]
        return f"{name}(): {reason}", f"the closest supported form is {closest}"
    if name in _ELSEWHERE:
        return f"{name}() cannot be called here", f"write {_ELSEWHERE[name]}"
    known = [*TRANSFORMS, *sorted(functions)]
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}()? " if near else ""
    return (
        f"the function {name}() is not listed",
        f"{hint}Listed: {', '.join(known)}; your own functions enter through the argument functions= and can be called in terms only",
    )


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """``did you mean 'x'? `` for a misspelt word, or nothing."""
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}? " if near else ""
