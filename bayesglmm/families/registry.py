"""Every family by name. A family is complete with its file and its line here; the conformance tests then pick it up."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bayesglmm.errors import FamilyError
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

OTHER_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"normal": "gaussian", "gauss": "gaussian", "binary": "bernoulli", "logistic": "bernoulli", "logit": "bernoulli", "count": "poisson"}
)
"""What other programs and books call these families: letters alone would suggest another."""

OVERDISPERSED: Final = ("negbinomial", "negbin", "nbinom", "nb", "negativebinomial")
"""Names of the negative binomial family, which is none of these."""


def get_family(name: str) -> Family:
    """Return the family called ``name``.

    Raises
    ------
    FamilyError
        If there is no such family; lists all and the nearest.
    """
    asked = str(name).casefold().replace("_", "").replace(" ", "")
    hint = f"did you mean {OTHER_NAMES[asked]!r}?" if asked in OTHER_NAMES else ""
    if asked.rstrip("12") in OVERDISPERSED:
        hint = "for overdispersed counts take poisson with an effect of each row, (1 | id), id being a column that numbers the rows."
    if hint:
        raise FamilyError(f"the family {name!r} is not known", fix=f"{hint} Known: {', '.join(map(repr, FAMILIES))}")
    return lookup(FAMILIES, name, "family")
