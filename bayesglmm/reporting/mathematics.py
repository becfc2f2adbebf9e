r"""The model in mathematics, as MathML and in words: always in hierarchical (centered) form, whatever form was sampled.

.. math:: y \mid b \sim \text{family}(\mu), \quad g(\mu) = \eta, \quad \eta = x'\beta + z'b, \quad b \sim N(0, D)

Every name of the user's goes through :func:`_name`, which escapes it; everything else is written here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Final

from bayesglmm import naming
from bayesglmm.design.groups import GroupDesign
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import LINKS
from bayesglmm.reporting.records import Formulas
from bayesglmm.reporting.text import harmless
from bayesglmm.spec.terms import INTERCEPT as CONSTANT_EFFECT

MOST_TERMS: Final = 40
"""Columns of one part that are written out; the parameter table has all."""
GREEK: Final[Mapping[str, str]] = MappingProxyType({"sigma": "&#963;", "phi": "&#966;", "theta": "&#952;", "nu": "&#957;"})
DOT, PLUS, TRANSPOSED = "<mo>&#183;</mo>", "<mo>+</mo>", "<mo>&#8868;</mo>"
FOLLOWS = "<mo>&#8764;</mo>"
ROW, ETA, MU, BETA, EFFECT = "<mi>i</mi>", "<mi>&#951;</mi>", "<mi>&#956;</mi>", "<mi>&#946;</mi>", "<mi>b</mi>"
TAU = "<mi>&#964;</mi>"


@dataclass(frozen=True, slots=True)
class _Line:
    """One formula: MathML inside ``<math>``, and the same in words."""

    mathml: str
    words: str


def formulas(fit: Fit) -> Formulas:
    """Write a fit's model: response, link, linear predictor, random effects.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    Formulas
        One formula per line; every name of a column, level or factor is escaped.
    """
    lines = [_response(fit), _link(fit), _predictor(fit)]
    if fit.design.labels:
        lines.append(_fixed(fit))
    for group in fit.design.groups:
        lines += [_effects(group), _law(group)]
    return Formulas(tuple(_math(line) for line in lines), tuple(harmless(line.words) for line in lines))


def _math(line: _Line) -> str:
    return f'<math display="block" alttext="{escape(harmless(line.words))}"><mrow>{line.mathml}</mrow></math>'


def _name(text: str) -> str:
    """Write a user's name: the one way by which it gets into a formula."""
    return f"<mtext>{escape(harmless(text))}</mtext>"


def _sub(base: str, index: str) -> str:
    return f"<msub>{base}<mrow>{index}</mrow></msub>"


def _number(k: int) -> str:
    return f"<mn>{k}</mn>"


def _call(function: str, arguments: Sequence[str]) -> str:
    inside = "<mo>,</mo>".join(arguments)
    return f"<mtext>{escape(function)}</mtext><mo>(</mo>{inside}<mo>)</mo>"


def _response(fit: Fit) -> _Line:
    """Write the law of a row of the response, given the random effects; standard errors that are known take the place of sigma."""
    family, known = fit.family, fit.design.se is not None
    arguments = [(_sub("<mi>n</mi>", ROW), "n_i")] if family.needs_trials else []
    arguments.append((_sub(MU, ROW), "mu_i"))
    for name in family.auxiliary:
        arguments.append((_sub("<mi>s</mi>", ROW), "s_i") if known else (f"<mi>{GREEK.get(name, escape(name))}</mi>", name))
    given = ("<mo>|</mo>" + EFFECT, " | b") if fit.design.groups else ("", "")
    y = fit.design.response
    law = _call(family.pymc_name, [m for m, _ in arguments])
    words = f"{y}_i{given[1]} ~ {family.pymc_name}({', '.join(w for _, w in arguments)})"
    return _Line(f"{_sub(_name(y), ROW)}{given[0]}{FOLLOWS}{law}", words)


def _link(fit: Fit) -> _Line:
    eta, mu = _sub(ETA, ROW), _sub(MU, ROW)
    if fit.link is LINKS["identity"]:
        return _Line(f"{mu}<mo>=</mo>{eta}", "mu_i = eta_i")
    return _Line(f"{_call(fit.link.name, [mu])}<mo>=</mo>{eta}", f"{fit.link.name}(mu_i) = eta_i")


def _predictor(fit: Fit) -> _Line:
    """Write the linear predictor as a sum of its parts."""
    parts = [(_name(text), text) for text in fit.spec.offsets]
    if fit.design.labels:
        parts.append((f"{_row_of('x')}{BETA}", "x_i'beta"))
    for group in fit.design.groups:
        where = _at_level(group)
        parts.append((f"{_row_of('z', _block(group))}{_sub(EFFECT, where[0])}", f"z_i'b_{where[1]}"))
    return _Line(
        f"{_sub(ETA, ROW)}<mo>=</mo>{PLUS.join(m for m, _ in parts) or _number(0)}", f"eta_i = {' + '.join(w for _, w in parts) or '0'}"
    )


def _row_of(letter: str, block: str | None = None) -> str:
    """Write a row of a matrix, transposed: of X, or of the effect columns of a block."""
    index = ROW if block is None else f"{_name(block)}<mo>,</mo>{ROW}"
    return f"<msubsup><mi>{letter}</mi><mrow>{index}</mrow>{TRANSPOSED}</msubsup>"


def _block(group: GroupDesign) -> str:
    return naming.block(group.name, group.position)


def _at_level(group: GroupDesign) -> tuple[str, str]:
    """Write the level that a row belongs to."""
    return f"{_name(_block(group))}<mo>[</mo>{ROW}<mo>]</mo>", f"{_block(group)}[i]"


def _fixed(fit: Fit) -> _Line:
    """Write the fixed part, a coefficient per line, numbered from 0 where there is an intercept."""
    labels = fit.design.labels
    first = 0 if naming.INTERCEPT in labels else 1
    terms = [
        (_sub(BETA, _number(first + k)), f"beta_{first + k}", None if label == naming.INTERCEPT else label)
        for k, label in enumerate(labels)
    ]
    return _sum_of(f"{_row_of('x')}{BETA}", "x_i'beta", terms)


def _effects(group: GroupDesign) -> _Line:
    """Write the random part of one group term, an effect per line."""
    index, words = _at_level(group)
    terms = [
        (_sub(EFFECT, f"{_number(k)}<mo>,</mo>{index}"), f"b_{k},{words}", None if label == CONSTANT_EFFECT else label)
        for k, label in enumerate(group.labels)
    ]
    return _sum_of(f"{_row_of('z', _block(group))}{_sub(EFFECT, index)}", f"z_i'b_{words}", terms)


def _sum_of(left: str, left_words: str, terms: Sequence[tuple[str, str, str | None]]) -> _Line:
    """Write a sum of coefficients times columns, a term per line; a coefficient without a column stands alone."""
    shown = terms[:MOST_TERMS]
    cells = [m if label is None else f"{m}{DOT}{_name(label)}" for m, _, label in shown]
    words = [w if label is None else f"{w} {label}" for _, w, label in shown]
    if len(terms) > len(shown):
        more = f"{len(terms) - len(shown)} more terms"
        cells.append(f"<mtext>{more}</mtext>")
        words.append(more)
    rows = "".join(f"<mtr><mtd><mrow>{PLUS if k else ''}{cell}</mrow></mtd></mtr>" for k, cell in enumerate(cells))
    return _Line(f"{left}<mo>=</mo><mtable>{rows}</mtable>", f"{left_words} = {' + '.join(words)}")


def _law(group: GroupDesign) -> _Line:
    """Write the law of the random effects of one group term."""
    block, structure = _block(group), group.term.covariance
    b = _sub(EFFECT, f"{_name(block)}<mo>[</mo><mi>j</mi><mo>]</mo>")
    left, words = f"{b}{FOLLOWS}", f"b_{block}[j] ~ "
    tau = f"<msub>{TAU}{_name(block)}</msub>"
    if len(group.labels) == 1:
        squared = f"<msubsup>{TAU}{_name(block)}{_number(2)}</msubsup>"
        return _Line(f"{left}{_call('Normal', [_number(0), squared])}", f"{words}Normal(0, tau_{block}^2)")
    D = f"<msub><mi>D</mi>{_name(block)}</msub>"
    law = f"{left}{_call('Normal', [_number(0), D])}<mo>,</mo><mspace width='1em'></mspace>{D}<mo>=</mo>"
    words = f"{words}Normal(0, D_{block}), D_{block} = "
    diagonal = _call("diag", [tau])
    if structure == "diag":
        return _Line(f"{law}<msup><mrow>{diagonal}</mrow>{_number(2)}</msup>", f"{words}diag(tau_{block})^2")
    R = f"<msub><mi>R</mi>{_name(block)}</msub>"
    return _Line(f"{law}{diagonal}{R}{diagonal}", f"{words}diag(tau_{block}) R_{block} diag(tau_{block})")
