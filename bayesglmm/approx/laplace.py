r"""The posterior near its mode, with the groups in it: coefficients, effects and how much they vary, by the Laplace approximation.

Given the covariances D of the effects and sigma, :mod:`bayesglmm.approx.pirls` finds the joint mode of effects and coefficients and the
inverse of its penalized information; :mod:`bayesglmm.approx.scoring` then improves D and sigma. For Gaussian responses with the identity
link this ends at the maximum of the likelihood with coefficients and effects integrated out (restricted maximum likelihood, up to the weak
priors of the coefficients). Elsewhere it is penalized quasi-likelihood, which finds SDs too small for binary responses in small groups.

References
----------
Breslow, N. E. and Clayton, D. G. (1993). Approximate inference in generalized linear mixed models. *JASA* 88, 9-25.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesglmm.approx.elimination import make_factor, make_gram, make_structure
from bayesglmm.approx.irls import INTERCEPT_SD, RIDGE_SD
from bayesglmm.approx.moments import MOST_SHARE
from bayesglmm.approx.pirls import Mode, Problem, Response, Scales, find_mode
from bayesglmm.approx.scoring import Block, assemble, em_step, has_sigma, scoring_step, variances_at
from bayesglmm.approx.sketch import Sketch
from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.families.base import Family
from bayesglmm.naming import INTERCEPT
from bayesglmm.numerics.links import Link
from bayesglmm.spec.priors import Normal, ResolvedPriors
from bayesglmm.types import FloatArray

ROUNDS = 8
"""Most steps for the covariances."""
SETTLED = 0.01
"""Steps end when no log SD, and no correlation, moved by more."""
LARGEST_WIDTH = 4000
"""Most effects outside the largest grouping factor, plus coefficients: they are factored densely."""
LEAST_SHARE = 0.02
"""Smallest SD, as a share of the linear predictor's scale."""
SLACK = 1e-10
"""Share of the log evidence that rounding may take."""
LOSS = 0.5
"""What a step may take of a log evidence that is approximate, and that the steps do not climb exactly."""
ROUGHLY = 1e-4
"""Squared length, in posterior SDs, of the last step of a search between two rounds."""
_TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class LaplaceMode:
    """Normal approximation of the posterior of coefficients and effects, and estimates of how much effects vary.

    Attributes
    ----------
    beta, beta_sd
        Coefficients at the mode on the columns less the sketch's means, and their posterior SDs given the covariances, shape (p,).
    sd
        SD of the effects between groups for each block, shape (q,).
    correlation
        For each block, shape (q, q); the identity where the model has no correlations.
    sigma
        Residual SD; 1 for families without one and where standard errors are known.
    effects, effect_sd
        For each block the effects at the mode and their posterior SDs given the covariances, shape (J, q).
    shrinkage
        For each block, shape (J, q): the share of the prior variance that the data take away, from 0 (the data say nothing about this
        group) to 1; of the first effect, of what the first does not tell about the second, and so on.
    log_likelihood
        Laplace approximation of the log likelihood of coefficients and covariances.
    log_evidence
        The same with the coefficients integrated out under their prior.
    converged
        Whether the last search for the mode ended by its own rule.
    """

    beta: FloatArray
    beta_sd: FloatArray
    sd: tuple[FloatArray, ...]
    correlation: tuple[FloatArray, ...]
    sigma: float
    effects: tuple[FloatArray, ...]
    effect_sd: tuple[FloatArray, ...]
    shrinkage: tuple[FloatArray, ...]
    log_likelihood: float
    log_evidence: float
    converged: bool


def laplace_mode(design: Design, family: Family, link: Link, priors: ResolvedPriors, sketch: Sketch) -> LaplaceMode | None:
    """Find mode, curvature and rough covariances of a model with group terms.

    Parameters
    ----------
    design
        Arrays of n rows.
    family, link
        Response family and link.
    priors
        Normal priors of slopes hold; other coefficients have the ridge of the fixed-effects fit. Priors of SDs are not used.
    sketch
        Where the search starts.

    Returns
    -------
    LaplaceMode or None
        None without group terms, where more than ``LARGEST_WIDTH`` unknowns remain beside the largest grouping factor, and where the
        search leaves the finite numbers. Deterministic.
    """
    if not design.groups or _width_beside_largest(design) > LARGEST_WIDTH:
        return None
    with np.errstate(all="ignore"):
        problem, blocks = make_problem(design, family, link, priors, sketch)
        try:
            found = _estimate(problem, blocks, first_scales(problem, blocks, sketch), _start(problem, sketch))
            return None if found is None else _report(problem, blocks, *found)
        except np.linalg.LinAlgError:
            return None


def make_problem(design: Design, family: Family, link: Link, priors: ResolvedPriors, sketch: Sketch) -> tuple[Problem, tuple[Block, ...]]:
    """Arrange a design for the search; terms of one grouping factor share their groups."""
    X = np.asarray(design.X, dtype=np.float64) - sketch.means
    names = sorted(dict.fromkeys(g.name for g in design.groups), key=lambda name: -_size(design.groups, name))
    members = [[g for g in design.groups if g.name == name] for name in names]
    factors = [make_factor(m[0].index, np.concatenate([g.Z for g in m], axis=1), len(m[0].levels)) for m in members]
    structure = make_structure(X, factors)
    weights = np.ones_like(design.y) if design.weights is None else design.weights
    response = Response(design.y, design.offset, design.trials, weights, design.se, family, link)
    penalty, center = _penalty(X, design, response, priors)
    gram = make_gram(structure, weights if design.se is None else weights / design.se**2) if response.additive else None
    blocks = tuple(_block(g, names.index(g.name), members[names.index(g.name)], sketch.mode.predictor_scale) for g in design.groups)
    return Problem(structure, response, penalty, center, gram), blocks


def first_scales(problem: Problem, blocks: Sequence[Block], sketch: Sketch) -> Scales:
    """Return the sketch's SDs without correlations, and the residual SD less what they explain."""
    sds = [np.clip(m.sd, b.least, b.most) for b, m in zip(blocks, sketch.moments, strict=True)]
    covariances = assemble(problem, blocks, [np.diag(s**2) for s in sds])
    if not has_sigma(problem):
        return Scales(covariances, 1.0)
    explained = sum(float(np.mean((f.Z @ D) * f.Z)) * len(D) for f, D in zip(problem.structure.factors, covariances, strict=True))
    total = sketch.mode.residual_sd**2
    left = total - explained if problem.response.additive else total
    return Scales(covariances, float(np.sqrt(max(left, LEAST_SHARE**2 * total, _TINY))))


def _estimate(problem: Problem, blocks: Sequence[Block], scales: Scales, start: FloatArray) -> tuple[Scales, Mode] | None:
    """Alternate searches and scoring steps; where a step went too far, so that the likelihood is lower, a cautious one takes its place.

    An EM step cannot lower a likelihood that is exact; where it is approximate and lower again, the search ends where it was.
    """
    mode = find_mode(problem, scales, start, close=ROUGHLY)
    for _ in range(ROUNDS):
        if mode is None:
            return None
        variances = variances_at(mode)
        new = scoring_step(problem, blocks, scales, mode, variances)
        moved = find_mode(problem, new, mode.unknowns, close=ROUGHLY)
        least = mode.log_evidence - (SLACK * abs(mode.log_evidence) if problem.response.additive else LOSS)
        if moved is None or moved.log_evidence < least:
            new = em_step(problem, blocks, scales, mode, variances)
            moved = find_mode(problem, new, mode.unknowns, close=ROUGHLY)
            if moved is not None and not problem.response.additive and moved.log_evidence < least:
                break
        settled = _distance(scales, new) < SETTLED
        scales, mode = new, moved
        if settled:
            break
    if mode is not None and not problem.response.additive:
        mode = find_mode(problem, scales, mode.unknowns)
    return None if mode is None else (scales, mode)


def _distance(old: Scales, new: Scales) -> float:
    """Largest change of a log SD or a correlation."""
    changes = [abs(float(np.log(new.sigma / old.sigma)))]
    for before, after in zip(old.covariances, new.covariances, strict=True):
        first, second = np.sqrt(np.diagonal(before)), np.sqrt(np.diagonal(after))
        changes.append(float(np.max(np.abs(np.log(second / first)))))
        changes.append(float(np.max(np.abs(after / np.outer(second, second) - before / np.outer(first, first)))))
    return max(changes)


def _report(problem: Problem, blocks: Sequence[Block], scales: Scales, mode: Mode) -> LaplaceMode | None:
    variances, beta_variance = mode.elimination.variances()
    effects = problem.structure.effects(mode.unknowns)
    sd = tuple(_sds(scales, b) for b in blocks)
    own = [np.diagonal(variances[b.factor], axis1=1, axis2=2)[:, b.columns] for b in blocks]
    parts = [scales.covariances[b.factor][b.columns, b.columns] for b in blocks]
    found = LaplaceMode(
        beta=mode.unknowns[problem.structure.parts[-1].stop :],
        beta_sd=np.sqrt(beta_variance),
        sd=sd,
        correlation=tuple(np.where(np.eye(len(s), dtype=bool), 1.0, D / np.outer(s, s)) for D, s in zip(parts, sd, strict=True)),
        sigma=scales.sigma,
        effects=tuple(np.ascontiguousarray(effects[b.factor][:, b.columns]) for b in blocks),
        effect_sd=tuple(np.sqrt(v) for v in own),
        shrinkage=tuple(_taken_away(variances[b.factor][:, b.columns, b.columns], D) for b, D in zip(blocks, parts, strict=True)),
        log_likelihood=mode.log_likelihood,
        log_evidence=mode.log_evidence,
        converged=mode.converged,
    )
    checked = (found.beta, found.beta_sd, *sd, *found.correlation, np.array(found.sigma), *found.effects, *found.effect_sd)
    return found if all(np.isfinite(a).all() for a in checked) else None


def _taken_away(V: FloatArray, D: FloatArray) -> FloatArray:
    """Return 1 - diag(A^-1 V A^-T), shape (J, q), for posterior variances V (J, q, q) and D = A A', A lower triangular."""
    q = len(D)
    A = np.linalg.cholesky(D + np.diag(np.diagonal(D)) * np.finfo(float).eps)
    inverse = np.linalg.solve(A, np.eye(q))
    left = np.einsum("ki,jil,kl->jk", inverse, V, inverse)
    return np.asarray(np.clip(1.0 - left, 0.0, 1.0))


def _start(problem: Problem, sketch: Sketch) -> FloatArray:
    """Effects of zero with the sketch's coefficients, or with the prior means where the likelihood at the former overflows."""
    effects, response = np.zeros(problem.structure.parts[-1].stop), problem.response
    start = np.concatenate([effects, sketch.mode.beta])
    value = response.log_likelihood(response.offset + problem.structure.predictor(start), 1.0)
    return start if np.isfinite(value) else np.concatenate([effects, problem.center])


def _penalty(X: FloatArray, design: Design, response: Response, priors: ResolvedPriors) -> tuple[FloatArray, FloatArray]:
    """Prior precision and mean of each coefficient: its normal prior if it has one, else the ridge of the fixed-effects fit."""
    largest, spread = np.abs(X).max(axis=0, initial=0.0), X.std(axis=0)
    scale = max(float(design.y.std()), 1e-8) if response.additive else 1.0
    constant = spread <= largest * np.finfo(float).eps
    penalty = np.where(constant, largest / (INTERCEPT_SD * scale), spread / (RIDGE_SD * scale)) ** 2
    level = response.family.response_center(design.y, response.link, trials=design.trials, weights=design.weights)
    center = np.where(constant, (level - float(design.offset.mean())) / np.where(constant, largest, 1.0), 0.0)
    slopes = iter(priors.b)
    for k, label in enumerate(design.labels):
        prior = None if label == INTERCEPT else next(slopes)
        if isinstance(prior, Normal):
            penalty[k], center[k] = prior.sigma**-2, prior.mu
    return penalty, center


def _block(group: GroupDesign, factor: int, members: Sequence[GroupDesign], scale: float) -> Block:
    before = sum(g.Z.shape[1] for g in members[: [g is group for g in members].index(True)])
    unit = scale / np.maximum(np.sqrt(np.mean(np.square(group.Z), axis=0)), _TINY)
    columns = slice(before, before + group.Z.shape[1])
    return Block(factor, columns, group.term.covariance == "us" and group.Z.shape[1] > 1, LEAST_SHARE * unit, MOST_SHARE * unit)


def _sds(scales: Scales, block: Block) -> FloatArray:
    return np.asarray(np.sqrt(np.diagonal(scales.covariances[block.factor])[block.columns]))


def _size(groups: Sequence[GroupDesign], name: str) -> int:
    """Effects of all terms of a factor."""
    return sum(len(g.levels) * len(g.labels) for g in groups if g.name == name)


def _width_beside_largest(design: Design) -> int:
    sizes = [_size(design.groups, name) for name in dict.fromkeys(g.name for g in design.groups)]
    return sum(sizes) - max(sizes) + int(design.X.shape[1])
