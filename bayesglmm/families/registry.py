"""Every family by name. A family is complete with its file and its line here; the conformance tests then pick it up."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bayesglmm.families.base import Family
from bayesglmm.families.bernoulli import Bernoulli
from bayesglmm.families.binomial import Binomial
from bayesglmm.families.gaussian import Gaussian
from bayesglmm.families.poisson import Poisson
from bayesglmm.numerics.lookup import lookup

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {family.name: family for family in (Gaussian(), Bernoulli(), Binomial(), Poisson())}
)
"""Every family by name."""


def get_family(name: str) -> Family:
    """Return the family called ``name``.

    Raises
    ------
    FamilyError
        If there is no such family; lists all and the nearest.
    """
    return lookup(FAMILIES, name, "family")
