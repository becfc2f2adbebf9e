"""The record of everything that was asked of one model: formula, family, link, priors, centering, contrasts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

from bayesglmm.errors import ArgumentError, FormulaError
from bayesglmm.spec.formula import ParsedFormula, expand_dot, parse_formula
from bayesglmm.spec.gate import check_expression, names_in, quote
from bayesglmm.spec.priors import Prior, check_priors
from bayesglmm.spec.terms import GroupTerm, Part, Response
from bayesglmm.spec.vocabulary import CONTRASTS, nearest


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model, apart from any table. Hashable; equal when the same was asked.

    Attributes
    ----------
    response
        The left-hand side.
    fixed
        Fixed effects.
    groups
        Group terms, in the order of the formula.
    family, link
        Names of registry entries.
    priors
        Canonical address and prior, sorted by address.
    offsets
        Expressions that are added to the linear predictor.
    center
        Whether the intercept's prior refers to the centered design.
    contrasts
        Column and contrast name, sorted by column.
    functions
        Names of the user's own functions that the formula calls, sorted.
    dot
        Whether ``.`` stands for columns that are not named; see :func:`expand_spec`.
    without
        Columns that ``.`` shall not add.
    """

    response: Response
    fixed: Part
    groups: tuple[GroupTerm, ...]
    family: str
    link: str
    priors: tuple[tuple[str, Prior], ...] = ()
    offsets: tuple[str, ...] = ()
    center: bool = True
    contrasts: tuple[tuple[str, str], ...] = ()
    functions: tuple[str, ...] = ()
    dot: bool = False
    without: tuple[str, ...] = ()

    @property
    def parsed(self) -> ParsedFormula:
        """The formula as records."""
        return ParsedFormula(self.response, self.fixed, self.groups, self.offsets, self.dot, self.without)

    @property
    def formula(self) -> str:
        """Canonical text of the formula; parsing it gives :attr:`parsed` back."""
        return self.parsed.text

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the model reads, in order, each once."""
        return self.parsed.columns

    def __str__(self) -> str:
        """Return a few lines for people."""
        lines = [f"formula    {self.formula}", f"family     {self.family} ({self.link} link)"]
        lines += [f"prior      {address} ~ {prior.text}" for address, prior in self.priors]
        lines += [f"contrasts  {column}: {contrast}" for column, contrast in self.contrasts]
        if self.functions:
            lines.append(f"functions  {', '.join(self.functions)}")
        if not self.center:
            lines.append("center     no: the intercept's prior refers to covariates at zero")
        return "\n".join(lines)


class SpecOptions(TypedDict, total=False):
    """What may be said about a model besides formula, family and link.

    Attributes
    ----------
    priors
        Priors by address.
    center
        Whether the intercept's prior refers to the centered design; True by default.
    contrasts
        Contrast names by column.
    functions
        Names of the user's own functions (a mapping from names will do).
    weights, offset
        Expressions of likelihood weights and of an offset, besides what the formula says.
    """

    priors: Mapping[str, Prior] | None
    center: bool
    contrasts: Mapping[str, str] | None
    functions: Collection[str] | None
    weights: str | None
    offset: str | None


def make_spec(formula: str, *, family: str, link: str, **options: Unpack[SpecOptions]) -> ModelSpec:
    """Read a formula and check what is asked with it; no table is needed, nothing is evaluated.

    Parameters
    ----------
    formula
        For example ``"y ~ year * drug + (year | id)"``.
    family, link
        Names of registry entries, checked by whoever knows the registry.
    **options
        See :class:`SpecOptions`.

    Returns
    -------
    ModelSpec
        A finished record.

    Raises
    ------
    FormulaError
        Outside the grammar, one-sided, or with weights both in the formula and beside it.
    PriorError
        Bad address, or a prior that does not fit it.
    ArgumentError
        Unknown option, or one of a wrong type; family or link that is no name, unknown contrast.
    """
    unknown = [name for name in options if name not in SpecOptions.__annotations__]
    if unknown:
        raise ArgumentError(
            f"{unknown[0]!r} is no option of a model", fix=nearest(unknown[0], list(SpecOptions.__annotations__)).strip() or None
        )
    functions = frozenset(options.get("functions") or ())
    parsed = parse_formula(formula, functions=functions)
    if parsed.response is None:
        raise FormulaError("the formula has no response", where=parsed.text, fix="write what is modelled before '~'")
    return ModelSpec(
        response=_weighted(parsed.response, options.get("weights")),
        fixed=parsed.fixed,
        groups=parsed.groups,
        family=_registry_name("family", family),
        link=_registry_name("link", link),
        priors=check_priors(_mapping("priors", options.get("priors"), "{'b': Normal(0, 2.5)}"), functions=functions),
        offsets=_offsets(parsed.offsets, options.get("offset")),
        center=_flag(options.get("center", True)),
        contrasts=_contrasts(_mapping("contrasts", options.get("contrasts"), "{'drug': 'sum'}")),
        functions=tuple(sorted(functions & parsed.called)),
        dot=parsed.dot,
        without=parsed.without,
    )


def expand_spec(spec: ModelSpec, columns: Sequence[str]) -> ModelSpec:
    """Return the spec with ``.`` replaced by the columns of a table; see :func:`bayesglmm.spec.formula.expand_dot`."""
    parsed = expand_dot(spec.parsed, columns)
    return replace(spec, fixed=parsed.fixed, dot=parsed.dot, without=parsed.without)


def _weighted(response: Response, weights: str | None) -> Response:
    """Return the response with weights that were given beside the formula."""
    if weights is None:
        return response
    if response.weights is not None:
        raise FormulaError("weights are given twice", where=f"{response.text} and weights={weights!r}", fix="keep one")
    return replace(response, weights=check_expression(_text("weights", weights), plain=True))


def _offsets(offsets: tuple[str, ...], offset: str | None) -> tuple[str, ...]:
    """Return the offsets with one that was given beside the formula."""
    if offset is None:
        return offsets
    text = check_expression(_text("offset", offset), plain=True)
    if text in offsets:
        raise FormulaError("the same offset is given twice", where=f"offset({text})", fix="keep one")
    return (*offsets, text)


def _text(what: str, value: object) -> str:
    """Check that weights or an offset are named, not brought along as numbers."""
    if not isinstance(value, str):
        fix = f"put the numbers in a column of the table and name it, {what}='w' or {what}='log(n)'"
        raise ArgumentError(f"{what}= takes the name of a column or an expression, not {type(value).__name__}", fix=fix)
    return value


def _mapping[T](what: str, value: Mapping[str, T] | None, example: str) -> Mapping[str, T]:
    """Check that priors or contrasts are given by name."""
    if value is not None and not isinstance(value, Mapping):
        raise ArgumentError(f"{what}= takes a mapping, not {type(value).__name__}", fix=f"for example {what}={example}")
    return value or {}


def _contrasts(contrasts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Columns with contrast names, sorted."""
    for column, contrast in contrasts.items():
        if contrast not in CONTRASTS:
            hint = nearest(str(contrast), CONTRASTS)
            raise ArgumentError(
                f"the contrast {contrast!r} is not known", where=f"column {column!r}", fix=f"{hint}Known: {', '.join(CONTRASTS)}"
            )
        names_in(quote(column))
    return tuple(sorted(contrasts.items()))


def _registry_name(what: str, value: str) -> str:
    """Check that a family or link is a name."""
    if not isinstance(value, str) or not (value.isascii() and value.isidentifier()):
        raise ArgumentError(
            f"{what}={value!r} is no name", fix=f"give the name of a {what}, such as {'poisson' if what == 'family' else 'log'!r}"
        )
    return value


def _flag(value: object) -> bool:
    """Check that a flag is True or False, and nothing that only behaves like it."""
    if not isinstance(value, bool):
        raise ArgumentError(f"center={value!r} is not True or False", fix="write center=False for a prior at covariates zero")
    return value
