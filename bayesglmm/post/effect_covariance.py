r"""The covariance of two random effects of one factor, at the posterior means of their SDs and of their correlation."""

from collections.abc import Sequence

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.accessors import VarCorr
from bayesglmm.spec.names import bare_names
from bayesglmm.types import FloatArray


def effect_covariance(fit: Fit, factor: str, effects: Sequence[str]) -> FloatArray:
    r"""Covariance matrix of effects of one grouping factor, :math:`D_{kl} = \bar\tau_k\,\bar\rho_{kl}\,\bar\tau_l`.

    Parameters
    ----------
    fit
        A fit.
    factor
        Name of a grouping factor.
    effects
        q labels of its effects; of different group terms they are uncorrelated.

    Returns
    -------
    ndarray, shape (q, q)
        In units of the linear predictor per unit of the effects' columns. Bars are posterior means, as in
        :func:`bayesglmm.post.accessors.VarCorr`; for a posterior mean of D itself, average over the draws.

    Raises
    ------
    ArgumentError
        If the factor has no such effect.
    """
    table = VarCorr(fit)
    own = table[table["factor"] == bare_names(dict.fromkeys(g.name for g in fit.design.groups)).get(factor, factor)]
    sds = own[own["with"].isna()].set_index("effect")["sd"].to_dict()
    unknown = [e for e in effects if e not in sds]
    if unknown:
        listed = f"its effects are: {', '.join(map(str, sds))}" if sds else "there is no such grouping factor"
        raise ArgumentError(f"{factor} has no random effect {unknown[0]!r}", fix=listed)
    sd = np.array([sds[e] for e in effects], dtype=np.float64)
    R = np.eye(len(effects))
    for pair in own[own["with"].notna()].itertuples(index=False):
        one, other, value = pair[1], pair[2], pair[5]
        if one in effects and other in effects:
            i, j = list(effects).index(one), list(effects).index(other)
            R[i, j] = R[j, i] = value
    return sd[:, None] * R * sd[None, :]
