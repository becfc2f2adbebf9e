"""A Bambi model read as one of ours: formula, family, link and table. What has no counterpart is refused by its Bambi name.

Nothing of Bambi is imported: a model is read through its attributes (Bambi 0.20 and later), so that this file costs nothing until a
model is there. Terms are read as Bambi has expanded them, not from its formula's text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError, NotBuiltError
from bayesglmm.spec.gate import quote
from bayesglmm.types import FloatArray

FAMILIES = {
    "Gaussian": ("gaussian", "Normal"),
    "Bernoulli": ("bernoulli", "Bernoulli"),
    "Binomial": ("binomial", "Binomial"),
    "Poisson": ("poisson", "Poisson"),
}
"""Bambi's class of a family: our name of it, and the likelihood that it must have."""

PROPORTIONS = frozenset({"p", "prop", "proportion"})
WEIGHTED = "weighted"
RENAMED = {"standardize": "scale", "absolute": "abs"}
"""Functions that both formulas have under different names."""

CONSTANT = "1"
_LITERALS = frozenset({"True", "False", "None"})


@dataclass(frozen=True, slots=True)
class BambiTerm:
    """One term of a Bambi model.

    Attributes
    ----------
    name
        Bambi's name of it: ``x``, ``x:f``, ``x|g``.
    variable
        Its posterior variable: the name, or its alias.
    text
        The term, or the effect of a group term, in our formula; ``1`` for the constant.
    columns
        Shape (n, k): its columns of the design, or of the effects.
    labels
        One per column along the variable's own dim; None when it has none.
    prior
        Bambi's prior.
    sd_variable
        Posterior variable of the standard deviations of a group term; empty for fixed terms.
    groups
        Labels of a group term's levels; empty for fixed terms.
    index
        Shape (n,): the level of each row; None for fixed terms.
    factor
        Columns of the grouping factor in our formula, ``("g", "h")``; empty for fixed terms.
    """

    name: str
    variable: str
    text: str
    columns: FloatArray
    labels: tuple[str, ...] | None
    prior: Any
    sd_variable: str = ""
    groups: tuple[str, ...] = ()
    index: Any = None
    factor: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BambiReading:
    """What a Bambi model says, in our words.

    Attributes
    ----------
    formula, family, link
        As for ``glmm``.
    data
        The model's table; categories in Bambi's order, truth values that Bambi takes for numbers as 0 and 1.
    fixed, groups
        Terms.
    notes
        What was recoded, in words.
    """

    formula: str
    family: str
    link: str
    data: pd.DataFrame
    fixed: tuple[BambiTerm, ...]
    groups: tuple[BambiTerm, ...]
    notes: tuple[str, ...]


def read_model(model: Any) -> BambiReading:
    """Read a Bambi model.

    Parameters
    ----------
    model
        A ``bambi.Model``.

    Raises
    ------
    ArgumentError
        If it is no Bambi model.
    NotBuiltError
        Naming the part that has no counterpart here, with the reason.
    """
    family = check_model(model)
    component = main_component(model)
    columns = tuple(str(c) for c in model.data.columns)
    by_kind: dict[str, list[Any]] = {"CommonTerm": [], "OffsetTerm": [], "GroupSpecificTerm": []}
    for term in component.terms.values():
        kind = type(term).__name__
        if kind not in by_kind:
            raise refused(str(term.name), f"it is of the kind {kind}", "a spline of fixed degrees of freedom is ns(x, 4)")
        by_kind[kind].append(term)
    fixed = tuple(_fixed_term(t, columns) for t in by_kind["CommonTerm"])
    groups = tuple(_group_term(t, columns) for t in by_kind["GroupSpecificTerm"])
    offsets = [_offset_text(t.term, columns) for t in by_kind["OffsetTerm"]]
    response = _response_text(model, columns)
    formula = " + ".join([_sum_text([t.text for t in fixed]), *_group_texts(groups), *(f"offset({o})" for o in offsets)])
    data, notes = _recoded(model, [*by_kind["CommonTerm"], *by_kind["GroupSpecificTerm"]])
    return BambiReading(f"{response} ~ {formula}", family, model.family.link[component.name].name, data, fixed, groups, notes)


def check_model(model: Any) -> str:
    """Return our name of a Bambi model's family.

    Raises
    ------
    ArgumentError
        If it is no Bambi model.
    NotBuiltError
        If the family has no counterpart, or a part besides the linear predictor has none.
    """
    if not type(model).__module__.startswith("bambi.") or not hasattr(model, "family"):
        raise ArgumentError(f"a Bambi model is needed, not {type(model).__name__}", fix="from_bambi(model, model.fit(...))")
    kind = type(model.family).__name__
    name, likelihood = FAMILIES.get(kind, ("", ""))
    if not name or model.family.likelihood.name != likelihood:
        listed = ", ".join(family for family, _ in FAMILIES.values())
        raise NotBuiltError(f"the Bambi family {model.family.name!r} has no counterpart", fix=f"families here: {listed}")
    if model.potentials:
        raise NotBuiltError("potentials change the density, and no fit here can say so", where="potentials=", fix="leave them out")
    if model.formula.additionals:
        raise NotBuiltError("a formula for a second parameter has no counterpart", where=", ".join(model.formula.additionals))
    for flag in ("censored", "constrained", "truncated"):
        if getattr(response_term(model), f"is_{flag}", False):
            raise NotBuiltError(f"{flag} responses are out of scope", where=response_term(model).name)
    return name


def main_component(model: Any) -> Any:
    """Return the component that holds the linear predictor of the mean."""
    return components(model)[model.family.likelihood.parent]


def components(model: Any) -> Mapping[str, Any]:
    """Return a model's components by the names of their parameters, under the older and the newer attribute."""
    found: Mapping[str, Any] = model.parameters if hasattr(model, "parameters") else model.components
    return found


def response_term(model: Any) -> Any:
    """Return the term on the left-hand side, under the older and the newer attribute."""
    return model.response_term if hasattr(model, "response_term") else model.response_component.term


def refused(name: str, reason: str, fix: str | None = None) -> NotBuiltError:
    """Make the error for a Bambi term that has no counterpart."""
    return NotBuiltError(f"the Bambi term {name!r} has no counterpart here", where=reason, fix=fix)


def _posterior_name(term: Any) -> str:
    return str(term.alias or term.name)


def _fixed_term(term: Any, columns: Sequence[str]) -> BambiTerm:
    return BambiTerm(
        name=term.name,
        variable=_posterior_name(term),
        text=_term_text(term.term, columns),
        columns=_block(term.data),
        labels=_own_labels(term.coords),
        prior=term.prior,
    )


def _group_term(term: Any, columns: Sequence[str]) -> BambiTerm:
    variable = _posterior_name(term)
    factor = term.term.factor
    if not all(type(c).__name__ == "Variable" for c in factor.components):
        raise refused(term.name, f"the grouping factor {factor.name} is computed", "make it a column of the table")
    return BambiTerm(
        name=term.name,
        variable=variable,
        text=_term_text(term.term.expr, columns),
        columns=_block(term.predictor),
        labels=_own_labels({d: v for d, v in term.coords.items() if not d.endswith("__factor_dim")}),
        prior=term.prior,
        sd_variable=f"{variable}_{term.hyperprior_alias.get('sigma', 'sigma')}",
        groups=tuple(str(g) for g in term.groups),
        index=np.asarray(term.group_index, dtype=np.int64),
        factor=tuple(quote(c.name) for c in factor.components),
    )


def _block(values: Any) -> FloatArray:
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[:, None] if numbers.ndim == 1 else numbers


def _own_labels(coords: Mapping[str, Any]) -> tuple[str, ...] | None:
    return tuple(str(v) for v in next(iter(coords.values()))) if coords else None


def _sum_text(texts: Sequence[str]) -> str:
    """Right-hand side of some terms: the constant said aloud."""
    rest = [t for t in texts if t != CONSTANT]
    return " + ".join([CONSTANT if len(rest) < len(texts) else "0", *rest])


def _group_texts(groups: Sequence[BambiTerm]) -> list[str]:
    """One group term per grouping factor: Bambi's effects are independent, ours are with two bars."""
    by_factor: dict[tuple[str, ...], list[BambiTerm]] = {}
    for term in groups:
        by_factor.setdefault(term.factor, []).append(term)
    found = []
    for factor, terms in by_factor.items():
        bar = "|" if sum(t.columns.shape[1] for t in terms) == 1 else "||"
        found.append(f"({_sum_text([t.text for t in terms])} {bar} {':'.join(factor)})")
    return found


def _term_text(term: Any, columns: Sequence[str]) -> str:
    if type(term).__name__ == "Intercept":
        return CONSTANT
    return ":".join(_component_text(c, term.name, columns) for c in term.components)


def _component_text(component: Any, name: str, columns: Sequence[str]) -> str:
    if type(component).__name__ == "Variable":
        return quote(component.name)
    return _expression(component.call, name, columns)


def _expression(node: Any, name: str, columns: Sequence[str]) -> str:
    """Write an expression of Bambi's formula as our formula writes it; our gate decides whether it may stand there."""
    kind = type(node).__name__
    if kind == "LazyVariable":
        if node.name not in columns and node.name not in _LITERALS:
            raise refused(name, f"{node.name!r} is no column of the table", "make what the term computes a column")
        return quote(node.name) if node.name in columns else str(node.name)
    if kind == "LazyOperator":
        parts = [_expression(a, name, columns) for a in node.args]
        return f"({node.symbol}{parts[0]})" if len(parts) == 1 else f"({parts[0]} {node.symbol} {parts[1]})"
    if kind == "LazyCall":
        given = [_expression(a, name, columns) for a in node.args]
        given += [f"{key}={_expression(a, name, columns)}" for key, a in node.kwargs.items()]
        function = node.callee.removeprefix("np.")
        return f"{RENAMED.get(function, function)}({', '.join(given)})"
    return repr(node.value)


def _offset_text(term: Any, columns: Sequence[str]) -> str:
    return _expression(term.components[0].call.args[0], term.name, columns)


def _response_text(model: Any, columns: Sequence[str]) -> str:
    """Left-hand side: a column, an expression, successes of trials, or a weighted column."""
    component = response_term(model).term.components[0]
    if type(component).__name__ == "Variable":
        return quote(component.name)
    call = component.call
    parts = [_expression(a, str(component.name), columns) for a in call.args]
    if call.callee in PROPORTIONS:
        return f"{parts[0]} | trials({parts[1]})"
    if call.callee == WEIGHTED:
        return f"{parts[0]} | weights({parts[1]})"
    return _expression(call, str(component.name), columns)


def _recoded(model: Any, terms: Sequence[Any]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the table with categories in Bambi's order, truth values and a textual response as Bambi's numbers, and what was changed."""
    data, notes = model.data.copy(deep=False), []
    for component in _variables(terms):
        column = data[component.name]
        if component.levels is not None and isinstance(column.dtype, pd.CategoricalDtype):
            data[component.name] = column.cat.set_categories(list(component.levels))
        elif component.kind == "numeric" and pd.api.types.is_bool_dtype(column):
            data[component.name] = column.astype(np.int64)
    response = response_term(model)
    if response.categorical:
        name = response.term.components[0].name
        values = data[name]
        data[name] = pd.Series(np.where(values.isna(), np.nan, (values == response.success).astype(float)), index=data.index)
        notes.append(f"{name} is 1 where it was {str(response.success)!r}")
    return data, tuple(notes)


def _variables(terms: Sequence[Any]) -> list[Any]:
    """Plain columns of all terms and grouping factors, as formulae has read them."""
    inner = [t.term for t in terms]
    parts = [*(getattr(t, "expr", t) for t in inner), *(t.factor for t in inner if hasattr(t, "factor"))]
    return [c for p in parts for c in getattr(p, "components", ()) if type(c).__name__ == "Variable"]
