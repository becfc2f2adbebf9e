"""Log density of the priors at each draw."""

import numpy as np

from bayesglmm.fit.draws import correlation_draws, flatten
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.lkj import lkj_log_density
from bayesglmm.post.door import takes_fit
from bayesglmm.post.prior_parameters import CORRELATION, prior_parameters
from bayesglmm.types import FloatArray


@takes_fit
def log_prior(fit: Fit) -> FloatArray:
    r"""Log density of every prior at each draw, summed.

    .. math:: \log p(\theta_s) = \textstyle\sum_k \log p(\beta_{k,s})
              + \sum_k \log p(\tau_{k,s}) + \sum_t \log p(R_{t,s}) + \log p(\sigma_s),

    in the parameters as reported, with the constants of all densities: fixed effects (the intercept where its prior is, by
    default at the means of the columns), standard deviations, correlation matrices (per correlation below the diagonal), auxiliary
    parameters. Random effects are no part of it: their distribution given D belongs to the model.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    ndarray, shape (S,)
        Chains joined.

    Notes
    -----
    Power scaling of the prior needs it (Kallioinen, N., Paananen, T., Bürkner, P.-C. and Vehtari, A. 2024, *Statistics and Computing* 34,
    57). The intercept at the means differs from the one reported by a shift, so that the Jacobian between the two is one.
    """
    total = np.zeros(fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"])
    for parameter in prior_parameters(fit):
        if parameter.kind != CORRELATION:
            total += parameter.law.logpdf(flatten(parameter.draws))
    for group, prior in zip(fit.design.groups, fit.priors.cor, strict=True):
        matrices = correlation_draws(fit.posterior, group)
        if matrices is not None and prior is not None:
            total += lkj_log_density(flatten(matrices), prior.eta)
    return total
