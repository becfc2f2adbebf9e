r"""Shares of variance: how much of a response's variance lies between the levels of grouping factors.

For given parameters the predictor at one row is :math:`\eta = m + \sum_f \sqrt{v_f}\,e_f` with independent standard normals, one
per factor f, and :math:`v = \sum_f v_f`. On the latent scale a share is :math:`v_f / (v + d)`, d the variance of the latent
residual. On the response scale, with :math:`\mu = h(\eta)`,

.. math:: \text{total} = \frac{\operatorname{Var}_b(\mu)}{\operatorname{Var}_b(\mu) + E_b \operatorname{var}(y \mid b)}, \qquad
          \text{share}_f = \frac{\operatorname{Var}(E[\mu \mid e_f])}{\operatorname{Var}_b(\mu) + E_b \operatorname{var}(y \mid b)},

closed under the identity, log and probit links, otherwise by the trapezoid rule of :mod:`bayesglmm.numerics.quadrature`; a
factor's share is then an outer rule over an inner one. Nothing is simulated.

References
----------
Nakagawa, S., Johnson, P. C. D. and Schielzeth, H. (2017). The coefficient of determination R2 and intra-class correlation coefficient from
generalized linear mixed-effects models revisited and expanded. *Journal of the Royal Society Interface* 14, 20170213.

Goldstein, H., Browne, W. and Rasbash, J. (2002). Partitioning variation in multilevel models. *Understanding Statistics* 1, 223-231
(response scale).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy import special

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.numerics.covariance import covariance_matrix
from bayesglmm.numerics.links import LINKS, Elementwise, Link, get_link
from bayesglmm.numerics.quadrature import NormalRule, normal_average, normal_rule
from bayesglmm.types import FloatArray

LATENT_VARIANCES: Final[Mapping[str, float]] = MappingProxyType(
    {"logit": np.pi**2 / 3.0, "probit": 1.0, "cloglog": np.pi**2 / 6.0, "loglog": np.pi**2 / 6.0}
)
"""Variance of the latent residual whose distribution function is the inverse link: logistic, normal, Gumbel."""

RESPONSE_SCALE: Final = "use scale='response' of variance_partition"
"""What to do where there is no latent residual."""

_FARTHEST = 37.0  # the last standard deviation whose density is a normal double
_LARGEST_EXPONENT = 700.0  # a sum of a few exponentials of it is still finite


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of variance, each in [0, 1].

    Attributes
    ----------
    factors
        (F, ...) one per grouping factor.
    total
        (...) all factors together; on the response scale not the sum of the factors' shares.
    bound
        Upper bound on the absolute error of the moments behind them, those of the factors included; 0 for a closed form.
    """

    factors: FloatArray
    total: FloatArray
    bound: float = 0.0


@dataclass(frozen=True, slots=True)
class VarianceFunction:
    r"""Variance of a response given its mean, :math:`\operatorname{var}(y) = c_0 + c_1 \mu + c_2 \mu^2`; arrays broadcast with mu.

    All natural exponential families in use are of this kind (Morris 1982, *Annals of Statistics* 10, 65-80).

    Attributes
    ----------
    constant, linear, quadratic
        The three coefficients.
    """

    constant: FloatArray
    linear: FloatArray
    quadratic: FloatArray

    def take(self, draws: slice) -> "VarianceFunction":
        """Take some of the draws, as views."""
        return VarianceFunction(self.constant[draws], self.linear[draws], self.quadratic[draws])


def latent_variance(link_name: str) -> float:
    """Variance of the latent residual of a binary response: pi^2/3 logit, 1 probit, pi^2/6 cloglog and loglog.

    Raises
    ------
    FamilyError
        If the link is unknown, or its latent residual has no variance (cauchit), or it is no link of a probability.
    """
    link = get_link(link_name)
    if link.name not in LATENT_VARIANCES:
        reason = "a Cauchy residual has no variance" if link.onto_unit_interval else "only links of a probability have a latent residual"
        raise FamilyError(f"there is no latent residual variance under the {link_name} link", where=reason, fix=RESPONSE_SCALE)
    return LATENT_VARIANCES[link.name]


def lognormal_variance(log_mean: FloatArray, variance: VarianceFunction) -> FloatArray:
    r"""Residual variance on the log scale, :math:`\log(1 + \operatorname{var}(\lambda) / \lambda^2)`.

    For a Poisson response this is :math:`\log(1 + 1/\lambda)`.

    Parameters
    ----------
    log_mean
        (...) logarithm of the mean lambda.
    variance
        Its coefficients are not negative.

    Returns
    -------
    ndarray, shape (...)

    References
    ----------
    Nakagawa et al. (2017), table 1 (lognormal approximation).
    """
    with np.errstate(divide="ignore"):
        logs = (
            np.log(variance.constant) - 2.0 * log_mean,
            np.log(variance.linear) - log_mean,
            np.log1p(variance.quadratic) + 0.0 * log_mean,
        )
    return np.asarray(np.logaddexp(np.logaddexp(logs[0], logs[1]), logs[2]))


def latent_shares(factors: FloatArray, residual: FloatArray) -> Shares:
    r"""Shares on the latent scale, :math:`v_f / (v + d)`.

    Parameters
    ----------
    factors
        (F, ...) variances of the predictor, one per factor.
    residual
        (...) variance d of the latent residual; broadcasts.
    """
    v = _checked_variances(factors)
    total = v.sum(axis=0)
    whole = total + residual
    return Shares(_ratio(v, whole), _ratio(total, whole))


def response_shares(link_name: str, m: FloatArray, factors: FloatArray, variance: VarianceFunction | None = None) -> Shares:
    r"""Shares on the response scale at rows with predictor :math:`\eta \sim N(m, \sum_f v_f)`.

    Parameters
    ----------
    link_name
        Name of the link.
    m
        (...) mean of the predictor.
    factors
        (F, ...) its variances, one per factor.
    variance
        Variance of the response given its mean; for links onto the unit interval None, and it is that of one trial, mu (1 - mu).

    Returns
    -------
    Shares

    Raises
    ------
    FamilyError
        If the link is unknown or has no population mean (inverse, sqrt).
    ArgumentError
        If a variance is negative, something is not finite, or the variance function is missing.
    """
    link, v = get_link(link_name), _checked_variances(factors)
    mean = np.broadcast_to(np.asarray(m, dtype=np.float64), v.shape[1:])
    if not np.isfinite(mean).all():
        raise ArgumentError("the mean of a linear predictor is not finite", fix="check the draws for missing values")
    if link.onto_unit_interval:
        return _probit_shares(mean, v) if link is LINKS["probit"] else _probability_shares(link, mean, v)
    if variance is None:
        raise ArgumentError(
            f"under the {link_name} link the variance of the response must be given", fix="pass it as a VarianceFunction, variance=..."
        )
    if link is LINKS["log"]:
        return _log_shares(mean, v, variance)
    if link is LINKS["identity"]:
        return _identity_shares(mean, v, variance)
    fix = "fit the model with a link that has a population mean, such as log or identity"
    raise FamilyError(f"there is no share of variance under the {link_name} link", where=link.refusal, fix=fix)


def row_variance(X: FloatArray, beta: FloatArray) -> FloatArray:
    r"""Variance of the fixed part :math:`x_i'\beta` over rows, divisor n - 1.

    Parameters
    ----------
    X
        (n, p) design, n at least 2.
    beta
        (S, p) draws.

    Returns
    -------
    ndarray, shape (S,)
        A sum of squares of R beta, R the triangle of the centered design: no array of draws x rows, no cancellation.
    """
    R = np.linalg.qr(X - X.mean(axis=0), mode="r")
    return np.asarray(np.square(beta @ R.T).sum(axis=-1) / (len(X) - 1))


def mean_predictor_variance(Z: FloatArray, sd: FloatArray, corr: FloatArray | None) -> FloatArray:
    r"""Mean over rows of :math:`z_i' D z_i`, which is :math:`\sum_{kl} D_{kl} (Z'Z/n)_{kl}`.

    Parameters
    ----------
    Z
        (n, q) effect columns.
    sd
        (S, q) standard deviations.
    corr
        (S, q, q) correlation matrices; None means uncorrelated.

    Returns
    -------
    ndarray, shape (S,)

    References
    ----------
    Johnson, P. C. D. (2014). Extension of Nakagawa & Schielzeth's R2 to random slopes models. *Methods in Ecology and Evolution* 5,
    944-946.
    """
    return np.maximum((covariance_matrix(sd, corr) * (Z.T @ Z / len(Z))).sum(axis=(-2, -1)), 0.0)


def _identity_shares(m: FloatArray, v: FloatArray, variance: VarianceFunction) -> Shares:
    """Without a link the variance between levels is v, that within them is taken at E mu and E mu^2."""
    total = v.sum(axis=0)
    within = variance.constant + variance.linear * m + variance.quadratic * (np.square(m) + total)
    return latent_shares(v, within)


def _log_shares(m: FloatArray, v: FloatArray, variance: VarianceFunction) -> Shares:
    r"""Log-normal means: Var mu is :math:`\lambda^2 (e^v - 1)`, Var E[mu | e_f] :math:`\lambda^2 (e^{v_f} - 1)`.

    Here :math:`\log \lambda = m + v/2`. Everything is divided by lambda^2, so that neither tiny nor huge means leave the range of a
    double.
    """
    total = v.sum(axis=0)
    log_mean = m + 0.5 * total
    within = variance.constant * _exp(-2.0 * log_mean) + variance.linear * _exp(-log_mean) + variance.quadratic * _exp(total)
    whole = np.expm1(np.minimum(total, _LARGEST_EXPONENT)) + within
    factors, between = (np.expm1(np.minimum(part, _LARGEST_EXPONENT)) for part in (v, total))
    return Shares(_ratio(factors, whole), _ratio(between, whole))


def _probit_shares(m: FloatArray, v: FloatArray) -> Shares:
    r"""Give the closed form for normal latent residuals.

    Two responses that share :math:`e_f` and nothing else have the latent correlation :math:`\rho = v_f / (1 + v)`. With
    :math:`a = m / \sqrt{1 + v}` and Owen's function T, :math:`E\,\mu_1 (1 - \mu_2) = 2 T(a, \sqrt{(1 - \rho) / (1 + \rho)})`
    (Owen 1956, *Annals of Mathematical Statistics* 27, 1075-1090); the share is 1 minus that over :math:`\Phi(a) \Phi(-a)`.
    """
    total = v.sum(axis=0)
    a = m / np.sqrt(1.0 + total)
    whole = special.ndtr(a) * special.ndtr(-a)

    def share(part: FloatArray) -> FloatArray:
        unlike = 2.0 * special.owens_t(a, np.sqrt((1.0 + total - part) / (1.0 + total + part)))
        return _ratio(whole - unlike, whole)

    return Shares(share(v), share(total))


def _probability_shares(link: Link, m: FloatArray, v: FloatArray) -> Shares:
    """Shares by quadrature, each row by whichever of mu and 1 - mu is below one half at the median, so that no tail is lost."""
    if link.complement is None:
        raise FamilyError(f"the {link.name} link has no complement of the mean", fix="use a link that has one, such as logit")
    factors, total, bound = np.empty(v.shape), np.empty(m.shape), 0.0
    upper = np.asarray(link.inverse(m) > 0.5)
    for side, tail in ((~upper, link.inverse), (upper, link.complement)):
        if side.any():
            found = _tail_shares(link.name, tail, m[side], v[:, side])
            factors[:, side], total[side], bound = found.factors, found.total, max(bound, found.bound)
    return Shares(factors, total, bound)


def _tail_shares(link_name: str, tail: Elementwise, m: FloatArray, v: FloatArray) -> Shares:
    r"""Shares of f = mu or 1 - mu at k rows: (E f^2 - p^2) / (p (1 - p)) with p = E f, and the same of E[f | e_f]."""
    s = np.sqrt(v.sum(axis=0))
    rule = _product_rule(link_name, float(s.max()), _FARTHEST)
    p, second = normal_average(tail, m, s, rule), normal_average(lambda eta: np.square(tail(eta)), m, s, rule)
    total = np.where(s > 0.0, _ratio(second - np.square(p), p * (1.0 - p)), 0.0)
    if len(v) == 1:
        return Shares(total[None], total, rule.bound)
    reach = _needed_reach(tail, m, s, rule)
    spread = [np.sqrt([part, np.maximum(np.square(s) - part, 0.0)]) for part in v]
    shares, bounds = zip(*(_conditional_share(link_name, tail, m, part, reach) for part in spread), strict=True)
    return Shares(np.stack(shares), total, max(rule.bound, *bounds))


def _conditional_share(link_name: str, tail: Elementwise, m: FloatArray, s: FloatArray, reach: float) -> tuple[FloatArray, float]:
    r"""Share of one factor, and the bound on the error of its moments; s (2, k) are the SDs of the factor and of all others.

    With :math:`C(e) = E[f \mid e_f = e]` the moments are E C and E C^2. C is an average of f over real shifts, so that it is analytic where
    f is and no larger there: the outer rule is for C what it is for f. At each of its nodes the inner rule misses C by at most its bound,
    :math:`|\hat C - C| \le \epsilon`, and with both in [0, 1] :math:`|\hat C^2 - C^2| \le 2 \epsilon`; the outer weights sum to one.
    """
    outer, inner = (_product_rule(link_name, float(part.max()), reach) for part in s)
    first, second = np.zeros(m.shape), np.zeros(m.shape)
    for node, weight in zip(outer.nodes, outer.weights, strict=True):
        conditional = normal_average(tail, m + s[0] * node, s[1], inner)
        first += weight * conditional
        second += weight * np.square(conditional)
    share = np.where(s[0] > 0.0, _ratio(second - np.square(first), first * (1.0 - first)), 0.0)
    return share, outer.bound + 2.0 * inner.bound


def _product_rule(link_name: str, largest_sd: float, reach: float) -> NormalRule:
    r"""Rule for the moments E f and E f^2, wide enough that rare events keep their relative accuracy.

    The rule for twice the standard deviation uses at most half the strip of h. There :math:`|h|^2 \le 2 |h|_{bound}` for every link
    (logit and loglog: |h| <= 1; cloglog: 2; cauchit: 1.02), so that twice its bound covers f^2. It is then continued to ``reach``, because
    f^2 times the density peaks away from zero when the mean is tiny.
    """
    rule = normal_rule(link_name, 2.0 * largest_sd)
    step = float(rule.nodes[-1] - rule.nodes[-2])
    count = int(np.ceil(max(reach, float(rule.nodes[-1])) / step))
    nodes = step * np.arange(-count, count + 1, dtype=np.float64)
    weights = np.exp(-0.5 * np.square(nodes))
    return NormalRule(nodes, weights / weights.sum(), 2.0 * rule.bound + float(np.finfo(np.float64).eps) * nodes.size)


def _needed_reach(tail: Elementwise, m: FloatArray, s: FloatArray, rule: NormalRule) -> float:
    """How far from zero f^2 times the density peaks, over all rows, and as far again as the density itself reaches."""
    best, place = np.zeros(m.shape), np.zeros(m.shape)
    for node, weight in zip(rule.nodes, rule.weights, strict=True):
        value = weight * np.square(tail(m + s * node))
        place = np.where(value > best, abs(node), place)
        best = np.maximum(value, best)
    density = -float(special.ndtri(rule.bound))
    return min(float(place.max()) + density, _FARTHEST)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Share of the whole, 0 where there is nothing to share.

    Part and whole are moments of one discrete distribution, or of one closed form: a share leaves [0, 1] by rounding only, which is
    clipped.
    """
    positive = whole > 0.0
    return np.clip(np.where(positive, part, 0.0) / np.where(positive, whole, 1.0), 0.0, 1.0)


def _exp(x: FloatArray) -> FloatArray:
    """e^x, held below the largest double."""
    return np.exp(np.minimum(x, _LARGEST_EXPONENT))


def _checked_variances(factors: FloatArray) -> FloatArray:
    """Variances of the factors as floats, (F, ...) with F at least 1."""
    v = np.asarray(factors, dtype=np.float64)
    if v.ndim == 0 or len(v) == 0:
        raise ArgumentError("shares of variance need the variance of at least one factor", fix="pass an array (F, ...), F at least 1")
    if not np.isfinite(v).all() or (v < 0.0).any():
        raise ArgumentError("a variance of a linear predictor is negative or not finite", fix="check the draws for missing values")
    return v
