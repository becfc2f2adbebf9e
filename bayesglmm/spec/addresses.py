"""Addresses of priors: ``intercept``, ``b``, ``b[drug]``, ``b[drug[ddI]]``, ``sd[patient, obstime]``, ``cor[patient]``, ``sigma``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from bayesglmm.errors import FormulaError, NotBuiltError, PriorError
from bayesglmm.spec.distributions import Prior, Support
from bayesglmm.spec.formula import parse_term
from bayesglmm.spec.gate import column_name, quote
from bayesglmm.spec.terms import INTERCEPT, Term
from bayesglmm.spec.tokenizer import bare, split_top, tokenize
from bayesglmm.spec.vocabulary import nearest

type AddressKind = Literal["intercept", "b", "sd", "cor", "sigma"]

_KINDS: dict[str, AddressKind] = {"intercept": "intercept", "b": "b", "sd": "sd", "cor": "cor", "sigma": "sigma"}
_SPACE = " \t\r\n"
_CONSTANTS = ("True", "False", "None")
_FORMS = "intercept, b, b[drug], b[drug[ddI]], sd, sd[patient], sd[patient, obstime], cor, cor[patient], sigma"
_FITTING: dict[str, tuple[Support, ...]] = {
    "intercept": ("real", "interval"),
    "b": ("real", "interval"),
    "sd": ("positive", "interval"),
    "sigma": ("positive", "interval"),
    "cor": ("correlation",),
}
_EXAMPLE = {"intercept": "Normal(0, 5)", "b": "Normal(0, 2.5)", "sd": "HalfNormal(1)", "sigma": "Exponential(1)", "cor": "LKJ(2)"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a prior is set.

    Attributes
    ----------
    kind
        ``intercept``, ``b``, ``sd``, ``cor`` or ``sigma``.
    factor
        Grouping factor of ``sd`` and ``cor``, as canonical text; None for all.
    effect
        Term of ``b``, effect of ``sd``, as canonical text (``1`` for the intercept of a group term); None for all.
    level
        Level of one column of that term, as its label spells it; None for all its columns.
    """

    kind: AddressKind
    factor: str | None = None
    effect: str | None = None
    level: str | None = None

    @property
    def label(self) -> str | None:
        """Term and level as the label of a column: ``drug[ddI]``."""
        return f"{self.effect}[{self.level}]" if self.level is not None else self.effect

    @property
    def text(self) -> str:
        """The address as one writes it; parses back to itself."""
        inner = ", ".join(i for i in (self.factor, self.label) if i is not None)
        return f"{self.kind}[{inner}]" if inner else self.kind

    @property
    def key(self) -> tuple[str, frozenset[str] | None, frozenset[str] | None, str | None]:
        """What makes two addresses the same: ``b[x:z]`` is ``b[z:x]``."""
        return self.kind, factors_key(self.factor), factors_key(self.effect), self.level


def factors_key(term: str | None) -> frozenset[str] | None:
    """Factors of a term or grouping factor in canonical text, as a set; None stays None."""
    if term is None:
        return None
    pieces = split_top(tokenize(term)[:-1], ":")
    return frozenset(term[p[0].start : p[-1].stop] for p in pieces if p)


def parse_address(text: str, *, functions: Collection[str] = frozenset()) -> Address:
    """Read an address.

    Parameters
    ----------
    text
        For example ``"sd[patient, obstime]"``. Terms are read as in a formula, so ``b[I(age^2)]`` is ``b[I(age ** 2)]``.
    functions
        Names of the user's own functions.

    Raises
    ------
    PriorError
        Unknown kind, or something between the brackets that the kind does not have.
    NotBuiltError
        For ``phi``, which belongs to residual correlations.
    """
    if not isinstance(text, str):
        raise PriorError(f"an address is text, not {text!r}", where="priors", fix=f"supported: {_FORMS}")
    kind, bracket, inner = text.strip(_SPACE).partition("[")
    if kind.strip(_SPACE) == "phi":
        raise NotBuiltError("residual correlations are not computed yet", where="prior for phi", fix="leave the prior out")
    known = _known(kind.strip(_SPACE), text)
    if bracket and not (inner.endswith("]") and inner[:-1].strip(_SPACE)):
        raise PriorError("the brackets hold nothing, or are not closed", where=f"prior for {text!r}", fix=f"supported: {_FORMS}")
    if bracket and known in ("intercept", "sigma"):
        raise PriorError(f"{known} has no parts", where=f"prior for {text!r}", fix=f"write {known!r}")
    try:
        return _inner(known, inner[:-1].strip(_SPACE), frozenset(functions)) if bracket else Address(known)
    except FormulaError as error:
        raise PriorError(
            f"the address cannot be read: {error.what}", where=f"prior for {text!r}", fix=error.fix or f"supported: {_FORMS}"
        ) from None


def check_fit(address: Address, prior: Prior) -> None:
    """Refuse a prior whose support does not fit the parameter.

    Raises
    ------
    PriorError
        Standard deviations take priors on positive numbers, coefficients priors on the whole line, correlations LKJ.
    """
    allowed = _FITTING[address.kind]
    negative = address.kind in ("sd", "sigma") and dict(prior.values).get("lower", 0) < 0
    if prior.support not in allowed or negative:
        example = _EXAMPLE[address.kind]
        raise PriorError(f"{prior.text} does not fit {address.kind}", where=f"prior for {address.text}", fix=f"for example {example}")


def check_priors(priors: Mapping[str, Prior], *, functions: Collection[str] = frozenset()) -> tuple[tuple[str, Prior], ...]:
    """Canonical addresses with their priors, sorted; each parameter addressed once.

    Raises
    ------
    PriorError
        Bad address, prior that does not fit, something that is no prior, or two spellings of one address.
    """
    found: dict[object, tuple[str, Prior]] = {}
    for text, prior in priors.items():
        address = parse_address(text, functions=functions)
        if not isinstance(prior, Prior):
            raise PriorError(f"{prior!r} is no prior", where=f"prior for {address.text}", fix=f"for example {_EXAMPLE[address.kind]}")
        check_fit(address, prior)
        if address.key in found:
            raise PriorError("two priors have the same address", where=f"{found[address.key][0]} and {text}", fix="keep one")
        found[address.key] = (address.text, prior)
    return tuple(sorted(found.values(), key=lambda item: item[0]))


def _known(kind: str, text: str) -> AddressKind:
    """Return the kind, if it is one."""
    if kind not in _KINDS:
        raise PriorError(f"{text!r} addresses nothing", where="priors", fix=f"{nearest(kind, list(_KINDS))}Supported: {_FORMS}")
    return _KINDS[kind]


def _inner(kind: AddressKind, inner: str, functions: frozenset[str]) -> Address:
    """Read what stands between the brackets of an address."""
    if kind == "b":
        effect, level = _label(inner, functions)
        if effect == INTERCEPT:
            raise PriorError("the intercept has an address of its own", where="prior for b[1]", fix="write 'intercept'")
        return Address(kind, None, effect, level)
    comma = _outside(inner, ",")
    factor = _factor(inner if comma is None else inner[:comma])
    if comma is None:
        return Address(kind, factor)
    if kind == "cor":
        raise PriorError("a correlation matrix has one prior", where=f"prior for cor[{inner}]", fix=f"write 'cor[{factor}]'")
    return Address(kind, factor, *_label(inner[comma + 1 :].strip(_SPACE), functions))


def _label(text: str, functions: frozenset[str]) -> tuple[str, str | None]:
    """Term and level of a column's label; the level is whatever stands in the last brackets, unread."""
    cut = _outside(text, "[") if text.endswith("]") else None
    term_text, level = (text, None) if cut is None else (text[:cut], text[cut + 1 : -1])
    if term_text.strip(_SPACE) in (INTERCEPT, "Intercept"):
        return INTERCEPT, level
    return _term(term_text, functions).name, level


def _term(text: str, functions: frozenset[str]) -> Term:
    """Read a term; a name that needs back-quotes in a formula may stand here without."""
    try:
        return parse_term(text, functions=functions)
    except FormulaError:
        names = [name.strip(_SPACE) for name in text.split(":")]
        if not all(_speakable(name) for name in names):
            raise
        return parse_term(":".join(quote(name) for name in names))


def _speakable(name: str) -> bool:
    """Whether a name is made of words with blanks between them: back-quotes would let it stand in a formula."""
    first, *rest = name.split(" ")
    return bare(first) and not first.startswith("_") and all(bare(f"a{word}") for word in rest) and name not in _CONSTANTS


def _outside(text: str, char: str) -> int | None:
    """First place of a character outside round brackets and quotes."""
    depth, quote = 0, ""
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c == char and depth == 0:
            return i
        elif c in "`'\"":
            quote = c
        else:
            depth += (c == "(") - (c == ")")
    return None


def _factor(text: str) -> str:
    """Read a grouping factor: columns joined by colons."""
    term = _term(text, frozenset())
    if any(column_name(f) is None for f in term.factors):
        raise PriorError(f"{text.strip(_SPACE)!r} is no grouping factor", where="priors", fix=f"supported: {_FORMS}")
    return term.name
