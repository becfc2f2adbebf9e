"""Quantiles of the priors: each prior record as its scipy distribution."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from scipy import stats

from bayesglmm.errors import PriorError
from bayesglmm.spec import priors as spec_priors
from bayesglmm.spec.priors import LKJ, Prior

type Quantile = Callable[[Any, float], Any]

_QUANTILES: Final[Mapping[type[Prior], Quantile]] = MappingProxyType(
    {
        spec_priors.Normal: lambda p, q: stats.norm(p.mu, p.sigma).ppf(q),
        spec_priors.StudentT: lambda p, q: stats.t(p.nu, p.mu, p.sigma).ppf(q),
        spec_priors.Cauchy: lambda p, q: stats.cauchy(p.mu, p.sigma).ppf(q),
        spec_priors.Laplace: lambda p, q: stats.laplace(p.mu, p.b).ppf(q),
        spec_priors.HalfNormal: lambda p, q: stats.halfnorm(0.0, p.sigma).ppf(q),
        spec_priors.HalfStudentT: lambda p, q: stats.t(p.nu, 0.0, p.sigma).ppf(0.5 * (1.0 + q)),
        spec_priors.HalfCauchy: lambda p, q: stats.halfcauchy(0.0, p.sigma).ppf(q),
        spec_priors.Exponential: lambda p, q: stats.expon(0.0, 1.0 / p.rate).ppf(q),
        spec_priors.Gamma: lambda p, q: stats.gamma(p.alpha, 0.0, 1.0 / p.beta).ppf(q),
        spec_priors.InverseGamma: lambda p, q: stats.invgamma(p.alpha, 0.0, p.beta).ppf(q),
        spec_priors.Uniform: lambda p, q: stats.uniform(p.lower, p.upper - p.lower).ppf(q),
    }
)


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
    if type(prior) not in _QUANTILES:
        raise PriorError(f"{prior.text} is no distribution of one number")
    return float(_QUANTILES[type(prior)](prior, prob))


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

    References
    ----------
    Lewandowski, D., Kurowicka, D. and Joe, H. (2009). *Journal of Multivariate Analysis* 100, 1989-2001.
    """
    shape = prior.eta - 1.0 + 0.5 * size
    return float(2.0 * stats.beta(shape, shape).ppf(prob) - 1.0)
