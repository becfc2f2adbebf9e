"""Maximum likelihood of the coefficients of some rows, alone or with the effects of nested groups integrated out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import logsumexp

from bayesglmm.approx.pirls import Response
from bayesglmm.errors import ResponseError
from bayesglmm.fit.fit import Fit
from bayesglmm.types import FloatArray, IntArray

STEPS = 25
HALVINGS = 12
CLOSE = 1e-16
"""The search ends when the step, in standard errors and squared, is this small."""
STILL = 1e-3
"""Largest change of the linear predictor in a last step; beyond it the estimate is on its way to infinity."""
NODES = 25
"""Of the adaptive rule for one nested group; at its mode it is exact for a log likelihood that is quadratic."""
LONGEST = 2.0
"""Most that a step to the mode of a nested group moves it, in SDs of its effect."""
SETTLED = 1e-12
"""As CLOSE, for the integrated likelihood, whose information is approximate for links that are not canonical."""
LEAST = 1e-3
"""Smallest information, as a share of that of complete data, that a step is taken by."""
TOO_FEW = "too few different rows"
UNSETTLED = "the search for its maximum did not settle"


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Maximum likelihood: coefficients (p,) and their covariance (p, p) at a residual SD of one."""

    beta: FloatArray
    covariance: FloatArray


def estimate(X: FloatArray, response: Response) -> Estimate | str:
    """Maximize the likelihood by Fisher scoring with halved steps.

    Parameters
    ----------
    X
        Shape (n, p).
    response
        The n rows.

    Returns
    -------
    Estimate or str
        The reason, in words, where there is no finite maximum with a covariance.
    """
    scale = np.sqrt(np.mean(X**2, axis=0))
    if lacks_rank(X):
        return TOO_FEW
    columns = X / scale
    try:
        center = response.family.response_center(response.y, response.link, trials=response.trials, weights=response.weights)
    except ResponseError:
        return "its mean response is impossible under the link"
    beta = np.linalg.lstsq(columns, center - response.offset, rcond=None)[0]
    eta = response.offset + columns @ beta
    for _ in range(STEPS):
        score, weights = response.score_and_weights(eta, 1.0)
        information = (columns.T * weights) @ columns
        try:
            step = np.linalg.solve(information, columns.T @ score)
        except np.linalg.LinAlgError:
            break
        share = _share(response, eta, columns @ step)
        beta, eta = beta + share * step, eta + share * (columns @ step)
        settled = float(step @ information @ step) <= CLOSE and float(np.abs(columns @ step).max()) <= STILL * max(1.0, float(np.ptp(eta)))
        if response.additive or settled:
            return Estimate(beta / scale, np.linalg.inv(information) / np.outer(scale, scale))
    return "no finite maximum: its responses are all alike or separated"


def lacks_rank(X: FloatArray) -> bool:
    """Whether rows (n, p) do not tell all coefficients."""
    scale = np.sqrt(np.mean(X**2, axis=0))
    return bool(len(X) < X.shape[1] or np.linalg.matrix_rank(X / np.where(scale > 0.0, scale, 1.0)) < X.shape[1])


def _share(response: Response, eta: FloatArray, change: FloatArray) -> float:
    """Halve a step until the likelihood does not fall beyond rounding."""
    before = response.log_likelihood(eta, 1.0)
    noise = np.finfo(float).eps * len(eta) * max(1.0, abs(before))
    for halving in range(HALVINGS):
        if response.log_likelihood(eta + 0.5**halving * change, 1.0) >= before - noise:
            return 0.5**halving
    return 0.0


def response_of(fit: Fit, offset: FloatArray) -> Response:
    """Take the rows of a fit, with another offset."""
    design = fit.design
    weights = np.ones(len(design.y)) if design.weights is None else design.weights
    return Response(design.y, offset, design.trials, weights, design.se, fit.family, fit.link)


def some_rows(whole: Response, rows: IntArray) -> Response:
    """Take some rows."""
    trials, errors = (None if v is None else v[rows] for v in (whole.trials, whole.errors))
    return Response(whole.y[rows], whole.offset[rows], trials, whole.weights[rows], errors, whole.family, whole.link)


def residual_sd(response: Response, squares: float, freedom: int) -> float:
    """Residual SD by which standard errors are multiplied: 1 where the family has none or it is known, missing without freedom."""
    if not response.family.auxiliary or response.errors is not None:
        return 1.0
    return float(np.sqrt(squares / freedom)) if freedom > 0 else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class NestedEffect:
    """One effect per nested group: the group of each row (n,), its column times the SD of the effect (n,), and the residual SD."""

    index: IntArray
    column: FloatArray
    sigma: float


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """At some coefficients: the integrated log likelihood, its gradient (p,) and its information (p, p)."""

    value: float
    score: FloatArray
    information: FloatArray


def integrated_estimate(X: FloatArray, response: Response, nested: NestedEffect) -> Estimate | str:
    r"""Maximize the likelihood with one effect per nested group integrated out.

    .. math:: \ell(\beta) = \textstyle\sum_c \log \int \prod_{i \in c} p(y_i \mid o_i + x_i'\beta + a_i e)\,N(e; 0, 1)\,de

    Parameters
    ----------
    X
        Shape (n, p).
    response
        The n rows.
    nested
        Groups c, and a, the column of the effect times its SD.

    Returns
    -------
    Estimate or str
        The reason, in words, where there is no finite maximum with a covariance.

    Notes
    -----
    Each integral by Gauss-Hermite quadrature at the mode and curvature of its group (Pinheiro and Bates 1995, *Journal of Computational
    and Graphical Statistics* 4, 12-35), gradient and information by the identities of Fisher and Louis (1982, *JRSS B* 44, 226-233).
    """
    order = np.argsort(nested.index, kind="stable")
    X, response = X[order], some_rows(response, order)
    group = np.unique(nested.index[order], return_inverse=True)[1].reshape(-1)
    nested = replace(nested, index=group.astype(np.int64), column=nested.column[order])
    first = estimate(X, response)
    if isinstance(first, str):
        return first
    beta, here = first.beta, _moments(X, response, nested, first.beta)
    for _ in range(2 * STEPS):
        if not np.isfinite(here.information).all() or np.linalg.eigvalsh(here.information)[0] <= 0.0:
            break
        step = np.linalg.solve(here.information, here.score)
        if float(step @ here.information @ step) <= SETTLED:
            return Estimate(beta, np.linalg.inv(here.information))
        moved = _uphill(X, response, nested, (beta, step, here.value))
        if moved is None:
            break
        beta, here = moved
    return UNSETTLED


def _uphill(
    X: FloatArray, response: Response, nested: NestedEffect, move: tuple[FloatArray, FloatArray, float]
) -> tuple[FloatArray, _Moments] | None:
    """Halve a step until the likelihood does not fall beyond rounding; None where it always does."""
    beta, step, value = move
    noise = np.finfo(float).eps * len(X) * max(1.0, abs(value))
    for halving in range(HALVINGS):
        trial = beta + 0.5**halving * step
        found = _moments(X, response, nested, trial)
        if found.value >= value - noise:
            return trial, found
    return None


def _moments(X: FloatArray, response: Response, nested: NestedEffect, beta: FloatArray) -> _Moments:
    """Integrate over each group's effect; rows are sorted by group."""
    eta, a, c = response.offset + X @ beta, nested.column, nested.index
    starts = np.searchsorted(c, np.arange(int(c[-1]) + 1))
    mode, width = _modes(eta, response, nested)
    x, w = hermegauss(NODES)
    e = mode + width * x[:, None]
    rows = eta + a * e[:, c]
    density = response.weights * response.family.log_prob(
        response.y, rows, response.link, trials=response.trials, **response.auxiliary(nested.sigma)
    )
    log_w = np.log(w)[:, None] + 0.5 * x[:, None] ** 2 + np.log(width) - 0.5 * np.log(2.0 * np.pi) - 0.5 * e**2
    joint = np.add.reduceat(density, starts, axis=1) + log_w
    each = logsumexp(joint, axis=0)
    share = np.exp(joint - each)
    score, weight = response.score_and_weights(rows, nested.sigma)
    own = np.add.reduceat(score[:, :, None] * X, starts, axis=1)
    mean = np.einsum("kc,kcp->cp", share, own)
    complete = (X.T * np.einsum("ki,ki->i", share[:, c], weight)) @ X
    information = complete - np.einsum("kc,kcp,kcq->pq", share, own, own) + mean.T @ mean
    if np.linalg.eigvalsh(information)[0] <= LEAST * np.linalg.eigvalsh(complete)[0]:
        information = complete  # far from the maximum; its step goes up, if slowly
    return _Moments(float(each.sum()), mean.sum(axis=0), information)


def _modes(eta: FloatArray, response: Response, nested: NestedEffect) -> tuple[FloatArray, FloatArray]:
    """Mode of each group's effect, in SDs, and the SD of a normal law of the same curvature there."""
    a, c = nested.column, nested.index
    mode, information = np.zeros(int(c[-1]) + 1), np.ones(int(c[-1]) + 1)
    for _ in range(STEPS):
        score, weight = response.score_and_weights(eta + a * mode[c], nested.sigma)
        information = 1.0 + np.bincount(c, weights=weight * a**2)
        step = np.clip((np.bincount(c, weights=score * a) - mode) / information, -LONGEST, LONGEST)
        mode = mode + step
        if np.abs(step).max() < STILL:
            break
    return mode, 1.0 / np.sqrt(information)
