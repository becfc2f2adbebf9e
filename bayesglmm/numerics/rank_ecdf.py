"""Ranks of several chains' draws among all of them, which tell whether the chains draw from one distribution."""

import numpy as np

from bayesglmm.numerics.envelope import Envelope
from bayesglmm.numerics.ranks import pooled_ranks
from bayesglmm.types import FloatArray


def rank_excursion(draws: FloatArray, envelope: Envelope) -> float:
    r"""How far the worst chain's rank distribution leaves its envelope, 0 when all stay inside.

    .. math:: \max_{c, i} \max(\ell_i - \hat F_c(z_i),\; \hat F_c(z_i) - u_i,\; 0), \qquad
              \hat F_c(z) = N^{-1} \#\{t : r_{ct} \le z M N\}

    with :math:`r_{ct}` the rank of draw t of chain c among all M N draws.

    Parameters
    ----------
    draws
        Shape (M, N): N (nearly) independent draws of each of M chains.
    envelope
        For N uniform numbers. Ranks among all draws of the chains vary less than independent uniform numbers do, because the chains share
        them: an excursion is rarer than the envelope says, never more frequent.

    References
    ----------
    Säilynoja, T., Bürkner, P.-C. and Vehtari, A. (2022). *Statistics and Computing* 32, 32, section 3.
    """
    shares = pooled_ranks(draws) / draws.size
    below = np.stack([(shares <= z).mean(axis=1) for z in envelope.at.tolist()], axis=1)
    return float(max(0.0, np.max(envelope.lower - below), np.max(below - envelope.upper)))
