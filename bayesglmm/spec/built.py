"""What this version computes: a formula may say more than that, and is then refused by name."""

from typing import Protocol

from bayesglmm.errors import NotBuiltError
from bayesglmm.spec.gate import functions_in
from bayesglmm.spec.terms import GroupTerm, Part
from bayesglmm.spec.vocabulary import NOT_BUILT_TRANSFORMS


class HasParts(Protocol):
    """A parsed formula or a model spec: whatever has fixed effects and group terms."""

    @property
    def fixed(self) -> Part:
        """Fixed effects."""
        ...

    @property
    def groups(self) -> tuple[GroupTerm, ...]:
        """Group terms."""
        ...


def check_built(parsed: HasParts) -> None:
    """Refuse what the grammar knows and this version does not compute.

    Parameters
    ----------
    parsed
        A parsed formula or a model spec.

    Raises
    ------
    NotBuiltError
        Naming the part and the nearest form that is computed: covariances ``cs`` and ``ar1``, effects correlated across group
        terms ``(x | id | g)``, covariances by a column ``(1 | g, by=arm)``, and ``lag``, ``cumulative``, ``locf``.
    """
    for group in parsed.groups:
        _check_group(group)
    for part in (parsed.fixed, *(g.effects for g in parsed.groups)):
        _check_transforms(part)


def _check_group(group: GroupTerm) -> None:
    """Covariance, id and ``by=`` of one group term."""
    plain = f"({group.effects.text} | {group.name})"
    independent = f"({group.effects.text} || {group.name})"
    if group.shared_id is not None:
        raise NotBuiltError(
            f"effects correlated across group terms by the id {group.shared_id!r} are not computed yet",
            where=group.text,
            fix=f"write {plain}",
        )
    if group.by is not None:
        raise NotBuiltError(f"a covariance for each value of {group.by} (by=) is not computed yet", where=group.text, fix=f"write {plain}")
    if group.covariance not in ("us", "diag"):
        raise NotBuiltError(
            f"the covariance {group.covariance}() is not computed yet", where=group.text, fix=f"write {plain} or {independent}"
        )


def _check_transforms(part: Part) -> None:
    """Refuse transforms that are known but not computed, wherever they stand in an expression."""
    for term in part.terms:
        for name in (n for factor in term.factors for n in functions_in(factor)):
            if name in NOT_BUILT_TRANSFORMS:
                raise NotBuiltError(f"{name}() is not computed yet", where=f"the term {term.name}", fix=NOT_BUILT_TRANSFORMS[name])
