"""What a coefficient of the population mean stands for: the contrast of population means that it is, in words."""

import itertools
from dataclasses import dataclass

from bayesglmm.design.columns import TermCoding
from bayesglmm.design.factors import TREATMENT, FactorEncoding
from bayesglmm.fit.fit import Fit
from bayesglmm.spec.gate import names_in

SCALES = {"identity": "population mean", "log": "log of the population mean", "logit": "log odds of the population mean"}
"""Names of g(E h) that readers know; for other links the link's own name is used."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What one factor of a term contributes to one column: a unit of a number, or a level against the reference."""

    factor: FactorEncoding
    level: str | None = None

    @property
    def origin(self) -> str:
        """Where the factor is when nothing is said about it."""
        return f"{self.factor.text} = 0" if self.level is None else f"{self.factor.column} = {_reference(self.factor)}"

    @property
    def place(self) -> str:
        """Where the factor is after the step."""
        return f"{self.factor.text} = 1" if self.level is None else f"{self.factor.column} = {self.level}"


def readings(fit: Fit) -> tuple[str, ...]:
    """One sentence per fixed coefficient that is a contrast; what has no such reading is named in the last.

    A coefficient has one if its term and the terms that it interacts with are made of plain factors: columns of numbers that no other
    factor reads, and treatment-coded levels.

    Parameters
    ----------
    fit
        A fit.
    """
    encoding, scale = fit.design.encoding.fixed, SCALES.get(fit.link.name, f"{fit.link.name} of the population mean")
    plain = _plain(encoding.factors)
    said, silent = [], []
    for term, coding in zip(fit.design.fixed, encoding.codings, strict=True):
        partners = _partners(coding, encoding.codings)
        involved = {*_positions(coding), *partners} if _positions(coding) else set(range(len(encoding.factors)))
        steps = _steps(coding, encoding.factors) if all(plain[p] for p in involved) else None
        labels = fit.design.labels[term.start : term.stop]
        if steps is None or len(steps) != len(labels):
            silent.append(term.name)
            continue
        where = _elsewhere(partners, encoding.factors)
        said += [f"{label}: {_sentence(step, scale)}{where}." for label, step in zip(labels, steps, strict=True)]
    others = (f"No single contrast of population means: {', '.join(silent)}; compare means instead.",) if silent else ()
    return (*said, *others)


def _plain(factors: tuple[FactorEncoding, ...]) -> list[bool]:
    """Tell for each factor whether one unit of it, or one level, can change while all others stay."""
    read, plain = [set(names_in(factor.text)) for factor in factors], []
    for here, factor in enumerate(factors):
        alone = not any(read[here] & other for k, other in enumerate(read) if k != here)
        itself = factor.contrast == TREATMENT if factor.levels is not None else {factor.text.strip("`")} == read[here]
        plain.append(alone and itself)
    return plain


def _positions(coding: TermCoding) -> set[int]:
    """Return the factors of a term, by position."""
    return {position for product in coding.products for position, _ in product}


def _steps(coding: TermCoding, factors: tuple[FactorEncoding, ...]) -> list[tuple[_Step, ...]] | None:
    """Return the steps of each column of a term, the first factor changing fastest; None where a column is no plain contrast."""
    if len(coding.products) != 1:
        return None
    choices = []
    for position, reduced in coding.products[0]:
        factor = factors[position]
        if factor.levels is None:
            choices.append([_Step(factor)])
        elif reduced:
            choices.append([_Step(factor, level) for level in factor.levels if level != _reference(factor)])
        else:
            return None
    return [tuple(reversed(chosen)) for chosen in itertools.product(*reversed(choices))]


def _reference(factor: FactorEncoding) -> str | None:
    return factor.reference if factor.reference is not None or not factor.levels else factor.levels[0]


def _sentence(steps: tuple[_Step, ...], scale: str) -> str:
    """Say the contrast: of a contrast, of a contrast, as often as the term has factors."""
    if not steps:
        return f"{scale} where all numbers are 0 and all factors at their reference"
    first, *rest = sorted(steps, key=lambda step: step.level is not None)
    if first.level is None:
        sentence = f"change of the {scale} per unit of {first.factor.text}"
    else:
        sentence = f"{scale} at {first.place} less that at {first.origin}"
    for step in rest:
        sentence = f"({sentence}) at {step.place} less the same at {step.origin}"
    return sentence


def _partners(coding: TermCoding, codings: tuple[TermCoding, ...]) -> list[int]:
    """Return the factors that a term's factors interact with, by position, in order."""
    own, found = _positions(coding), dict[int, None]()
    for other in codings:
        if own and own < _positions(other):
            found |= dict.fromkeys(sorted(_positions(other) - own))
    return list(found)


def _elsewhere(partners: list[int], factors: tuple[FactorEncoding, ...]) -> str:
    """Say where the factors are that the term's factors interact with."""
    places = [_Step(factors[p], None if factors[p].levels is None else "").origin for p in partners]
    return f", at {' and '.join(places)}" if places else ""
