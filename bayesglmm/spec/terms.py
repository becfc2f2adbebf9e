"""The records that a formula becomes: terms, parts, group terms and the response.

Every expression in these records is canonical text that has passed the gate of :mod:`bayesglmm.spec.gate`: a column name
(back-quoted when it is not an identifier), or a call or ``I(...)`` of listed functions. Nothing here is evaluated.
"""

from dataclasses import dataclass

from bayesglmm.types import CovarianceKind

INTERCEPT = "1"


@dataclass(frozen=True, slots=True)
class Term:
    """A product of factors, ``obstime:drug``.

    Attributes
    ----------
    factors
        Canonical expressions, in the order in which the formula names them.
    """

    factors: tuple[str, ...]

    @property
    def name(self) -> str:
        """The term as text: factors joined by colons."""
        return ":".join(self.factors)


@dataclass(frozen=True, slots=True)
class Part:
    """One linear predictor part: the fixed effects, or the effects of one group term.

    Attributes
    ----------
    intercept
        Whether the constant column is in.
    terms
        Expanded terms in R's order: by number of factors, then as written.
    """

    intercept: bool
    terms: tuple[Term, ...]

    @property
    def text(self) -> str:
        """Right-hand side that parses back to this part."""
        names = [INTERCEPT if self.intercept else "0", *(t.name for t in self.terms)]
        return " + ".join(names)


@dataclass(frozen=True, slots=True)
class GroupTerm:
    """Random effects of one grouping factor, ``(obstime | patient)``.

    Attributes
    ----------
    factor
        Columns that make the grouping factor: ``("g",)``, or ``("g", "h")`` for ``g:h``.
    effects
        The effects that vary between groups.
    covariance
        ``us`` unstructured, ``diag`` independent, ``cs`` compound symmetry, ``ar1`` first-order autoregressive.
    shared_id
        The ``id`` of ``(x | id | g)``, or None.
    by
        The column of ``(x | g, by=column)``, or None.
    """

    factor: tuple[str, ...]
    effects: Part
    covariance: CovarianceKind = "us"
    shared_id: str | None = None
    by: str | None = None

    @property
    def name(self) -> str:
        """The grouping factor's name: ``g`` or ``g:h``."""
        return ":".join(self.factor)

    @property
    def text(self) -> str:
        """The term as a formula writes it, so that it parses back to itself."""
        bar = "||" if self.covariance == "diag" else "|"
        shared = f"{self.shared_id} | " if self.shared_id else ""
        by = f", by={self.by}" if self.by else ""
        inner = f"({self.effects.text} {bar} {shared}{self.name}{by})"
        return inner if self.covariance in ("us", "diag") else f"{self.covariance}{inner}"


@dataclass(frozen=True, slots=True)
class Response:
    """The left-hand side.

    Attributes
    ----------
    expression
        What is modelled: a column or an expression of columns; the successes for a binomial response.
    trials
        Expression of the number of trials, ``k | trials(n)`` and ``prop(k, n)``; None otherwise.
    failures
        Expression of the failures, ``cbind(k, n - k)``; None otherwise.
    se
        Expression of known standard errors, ``y | se(s)``; None otherwise.
    weights
        Expression of likelihood weights, ``y | weights(w)``; None otherwise.
    """

    expression: str
    trials: str | None = None
    failures: str | None = None
    se: str | None = None
    weights: str | None = None

    @property
    def text(self) -> str:
        """The left-hand side as a formula writes it, so that it parses back to itself."""
        base = self.expression if self.failures is None else f"cbind({self.expression}, {self.failures})"
        extras = [f"{k}({v})" for k, v in (("trials", self.trials), ("se", self.se), ("weights", self.weights)) if v]
        return f"{base} | {' + '.join(extras)}" if extras else base
