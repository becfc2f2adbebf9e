r"""The joint mode of effects and coefficients given their prior covariances, by penalized iteratively reweighted least squares.

With score s and Fisher weights W of the rows, and P the precision of the prior (inverse covariances of the effects, ridge of the
coefficients), a step solves :math:`(Z' W Z + P)\,\delta = Z' s - P\,(\theta - \theta_0)`. It is halved until the penalized log
likelihood does not fall; that, with finite prior variances, keeps the predictor finite where groups or designs separate. Under the
identity link one step arrives.

References
----------
Bates, D., Machler, M., Bolker, B. and Walker, S. (2015). Fitting linear mixed-effects models using lme4. *Journal of Statistical
Software* 67(1); Breslow, N. E. and Clayton, D. G. (1993). *JASA* 88, 9-25.
"""

from dataclasses import dataclass

import numpy as np

from bayesglmm.approx.elimination import Elimination, Gram, Structure, eliminate, make_gram
from bayesglmm.families.base import Family
from bayesglmm.numerics.links import Link
from bayesglmm.types import FloatArray

STEPS = 60
HALVINGS = 12
CLOSE = 1e-16
"""The search ends when the step, in posterior SDs and squared, is this small."""
_FLOOR = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """What the likelihood of the rows needs.

    Attributes
    ----------
    y, offset
        Shape (n,).
    trials
        Shape (n,), or None.
    weights
        Shape (n,): multipliers of each row's log likelihood; ones when there are none.
    errors
        Shape (n,): known standard errors, or None.
    family, link
        Of the response.
    """

    y: FloatArray
    offset: FloatArray
    trials: FloatArray | None
    weights: FloatArray
    errors: FloatArray | None
    family: Family
    link: Link

    @property
    def additive(self) -> bool:
        """Whether the log likelihood is quadratic in the linear predictor."""
        return self.link.name == "identity"

    def auxiliary(self, sigma: float) -> dict[str, FloatArray]:
        """Return the residual SD of each row under the family's name of it; nothing for families without one."""
        value = np.asarray(sigma) if self.errors is None else self.errors
        return dict.fromkeys(self.family.auxiliary, value)

    def log_likelihood(self, eta: FloatArray, sigma: float) -> float:
        """Sum of the weighted log densities of the rows at a predictor with the offset in it."""
        rows = self.family.log_prob(self.y, eta, self.link, trials=self.trials, **self.auxiliary(sigma))
        return float(np.sum(self.weights * rows))

    def score_and_weights(self, eta: FloatArray, sigma: float) -> tuple[FloatArray, FloatArray]:
        """Return the derivative of each row's log density in the predictor and its expected information, each of shape (n,)."""
        slope, mu = self.link.derivative(eta), self.link.inverse(eta)
        if self.link.complement is not None:
            n = np.ones_like(self.y) if self.trials is None else self.trials
            up, down = slope / np.maximum(mu, _FLOOR), slope / np.maximum(self.link.complement(eta), _FLOOR)
            return self.weights * (self.y * up - (n - self.y) * down), self.weights * n * slope * (up + down)
        ratio = slope / np.maximum(self.family.variance(mu, **self.auxiliary(sigma)), _FLOOR)
        return self.weights * (self.y - mu) * ratio, self.weights * slope * ratio

    def squares(self, eta: FloatArray) -> float:
        """Weighted sum of squared residuals."""
        return float(np.sum(self.weights * np.square(self.y - self.link.inverse(eta))))


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A design in the form the search works on.

    Attributes
    ----------
    structure, response
        Columns and rows.
    penalty, center
        Shape (p,): prior precision and mean of each coefficient.
    unit_gram
        Cross-products at sigma = 1 where they never change (identity link), else None.
    """

    structure: Structure
    response: Response
    penalty: FloatArray
    center: FloatArray
    unit_gram: Gram | None


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """Covariance of a group's effects for each factor of the structure, shape (q, q), and the residual SD (1 where there is none)."""

    covariances: tuple[FloatArray, ...]
    sigma: float


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """Where the search ended.

    Attributes
    ----------
    unknowns
        All effects, then the coefficients.
    eta
        Linear predictor with the offset, shape (n,).
    elimination
        The factored information there.
    log_likelihood
        Laplace approximation of the log likelihood of the coefficients at the mode, the effects integrated out.
    log_evidence
        The same with the coefficients integrated out too, under their prior.
    converged
        Whether the last step was small.
    """

    unknowns: FloatArray
    eta: FloatArray
    elimination: Elimination
    log_likelihood: float
    log_evidence: float
    converged: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """The penalized log likelihood at given scales."""

    problem: Problem
    precisions: tuple[FloatArray, ...]
    sigma: float

    def value(self, unknowns: FloatArray, eta: FloatArray) -> float:
        return self.problem.response.log_likelihood(eta, self.sigma) - 0.5 * float(self.deviation(unknowns) @ self.pull(unknowns))

    def eta(self, unknowns: FloatArray) -> FloatArray:
        return self.problem.response.offset + self.problem.structure.predictor(unknowns)

    def deviation(self, unknowns: FloatArray) -> FloatArray:
        """Unknowns less their prior means."""
        out = unknowns.copy()
        out[len(out) - len(self.problem.center) :] -= self.problem.center
        return out

    def pull(self, unknowns: FloatArray) -> FloatArray:
        """Prior precision times the deviation from the prior mean."""
        effects = self.problem.structure.effects(unknowns)
        beta = unknowns[len(unknowns) - len(self.problem.center) :]
        own = [(b @ P).ravel() for b, P in zip(effects, self.precisions, strict=True)]
        return np.concatenate([*own, self.problem.penalty * (beta - self.problem.center)])

    def local(self, unknowns: FloatArray, eta: FloatArray) -> tuple[FloatArray, Elimination | None]:
        """Gradient and factored information."""
        problem = self.problem
        score, weights = problem.response.score_and_weights(eta, self.sigma)
        gradient = problem.structure.transposed(score) - self.pull(unknowns)
        gram = make_gram(problem.structure, weights) if problem.unit_gram is None else problem.unit_gram.times(self.sigma**-2)
        return gradient, eliminate(problem.structure, gram, self.precisions, problem.penalty)


def find_mode(problem: Problem, scales: Scales, start: FloatArray, *, close: float = CLOSE) -> Mode | None:
    """Find the joint mode given the covariances.

    Parameters
    ----------
    problem
        The design.
    scales
        Covariances of the effects and residual SD.
    start
        Unknowns to start from: all effects, then the coefficients.
    close
        The search ends when the squared length of the step in posterior SDs is below it.

    Returns
    -------
    Mode or None
        None where the likelihood at the start or the factored information is not finite.
    """
    if not 0.0 < scales.sigma < np.inf:
        return None
    target = _Target(problem, tuple(np.linalg.inv(D) for D in scales.covariances), scales.sigma)
    unknowns, eta = start, target.eta(start)
    value = target.value(unknowns, eta)
    gradient, elimination = target.local(unknowns, eta)
    converged = False
    for _ in range(STEPS):
        if elimination is None or not np.isfinite(value):
            return None
        step = elimination.solve(gradient)
        if not np.isfinite(step).all():
            return None
        converged = problem.response.additive or bool(gradient @ step <= close)
        moved = _advance(target, unknowns, step, value)
        if moved is not None:
            unknowns, eta, value = moved
        if moved is None or converged:
            break
        gradient, elimination = target.local(unknowns, eta)
    return None if elimination is None else _mode_at(target, scales, (unknowns, eta, value), elimination, converged=converged)


def _advance(target: _Target, unknowns: FloatArray, step: FloatArray, value: float) -> tuple[FloatArray, FloatArray, float] | None:
    """Take a step, halved until the value does not fall beyond rounding; None where that takes too many halvings."""
    noise = np.finfo(float).eps * len(target.problem.response.y) * max(1.0, abs(value))
    for halving in range(HALVINGS):
        new = unknowns + 0.5**halving * step
        eta = target.eta(new)
        new_value = target.value(new, eta)
        if new_value >= value - noise:
            return new, eta, new_value
    return None


def _mode_at(
    target: _Target, scales: Scales, found: tuple[FloatArray, FloatArray, float], elimination: Elimination, *, converged: bool
) -> Mode | None:
    """Laplace approximations: the constants of prior and approximation cancel for the effects and for the coefficients."""
    unknowns, eta, value = found
    of_effects, of_coefficients = elimination.log_determinants()
    sizes = [f.n_levels for f in target.problem.structure.factors]
    prior = sum(J * float(np.linalg.slogdet(D)[1]) for J, D in zip(sizes, scales.covariances, strict=True))
    penalty = target.problem.penalty
    beta = unknowns[len(unknowns) - len(penalty) :] - target.problem.center
    own = value + 0.5 * float(penalty @ beta**2) - 0.5 * (prior + of_effects)
    evidence = value - 0.5 * (prior + of_effects + of_coefficients - float(np.sum(np.log(penalty))))
    if not (np.isfinite(own) and np.isfinite(evidence) and np.isfinite(unknowns).all()):
        return None
    return Mode(unknowns, eta, elimination, own, evidence, converged)
