"""Quantiles of the priors."""

from bayesglmm.post.prior_laws import correlation_law, prior_law
from bayesglmm.spec.priors import LKJ, Prior


def prior_quantile(prior: Prior, prob: float) -> float:
    """Quantile of a prior on one number.

    Parameters
    ----------
    prior
        Any prior but LKJ.
    prob
        Probability below, in (0, 1).

    Raises
    ------
    PriorError
        If the prior has no quantiles here.
    """
    return float(prior_law(prior).ppf(prob))


def correlation_quantile(prior: LKJ, size: int, prob: float) -> float:
    r"""Quantile of each correlation of a q x q matrix under LKJ(eta): :math:`(\rho + 1) / 2 \sim Beta(a, a)`, :math:`a = \eta - 1 + q / 2`.

    Parameters
    ----------
    prior
        The prior of the matrix.
    size
        q, at least 2.
    prob
        Probability below, in (0, 1).
    """
    return float(correlation_law(prior, size).ppf(prob))
