r"""Leaving a row out where importance weights of posterior draws fail: its own effect is integrated out.

A row that speaks loudest of its group's effects pulls them along, and no draw knows what they would be without it. The direction of the
effects that the row sees, :math:`u = z_i'b_j`, has given the rest of b and the parameters a law of one dimension,

.. math:: p(u \mid r_s, \theta_s, y_{-i}) \propto N(u; 0, z_i'Dz_i) \prod_{k \in j, k \ne i} p(y_k \mid u, r_s, \theta_s), \qquad
          b = \frac{Dz_i}{z_i'Dz_i} u + r,

which is integrated by a rule. Only r and the parameters are left to importance weights, :math:`1 / p(y_i \mid r_s, \theta_s, y_{-i})`,
which are nearly equal. With one random intercept r is zero.

References
----------
Vehtari, A., Mononen, T., Tolvanen, V., Sivula, T. and Winther, O. (2016). Bayesian leave-one-out cross-validation approximations for
Gaussian latent variable models. *Journal of Machine Learning Research* 17 (103).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.conditional import effect_root
from bayesglmm.numerics.conditional_line import NODES, LineLaw, line_law
from bayesglmm.numerics.pareto_smoothing import smoothed_weights
from bayesglmm.post.new_groups import Source, group_predictor
from bayesglmm.post.rows import Rows
from bayesglmm.post.simulate import observation_parameters
from bayesglmm.types import BoolArray, FloatArray, IntArray

AT_ONCE = 2**20
"""Numbers in rows x draws x nodes, or x members of a group, that are worked on together: 8 MiB in each of some ten arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """Predictions of rows that are left out, each of shape (m,); as in :class:`bayesglmm.post.check_rows.RowPredictions`."""

    below: FloatArray
    upto: FloatArray
    mean: FloatArray
    square: FloatArray
    shapes: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """R rows with the rows of their groups, M of them with what fills up smaller groups, for k draws.

    Attributes
    ----------
    own
        Shape (R,): the rows that are left out.
    members
        Shape (R, M): rows of the group; the row itself where it fills up.
    counts
        Shape (R, M): whether a member is another row of the group.
    eta0, A
        Shape (R k, M): predictors without the effect, and its factor in standard deviations.
    """

    own: IntArray
    members: IntArray
    counts: BoolArray
    eta0: FloatArray
    A: FloatArray


def leave_out(fit: Fit, source: Source, rows: Rows, which: IntArray) -> LeftOut:
    """Predictive laws of some rows given all others.

    Parameters
    ----------
    fit
        A fit with grouping factors.
    source, rows
        Its draws, random effects included, and its rows.
    which
        Shape (m,): rows to be left out, at least one, in increasing order.
    """
    done, parts = [], []
    for term, block in _blocks(fit, source, rows, which):
        done.append(block)
        parts.append(_predict(fit, source, _lines(fit, source, rows, term, block)))
    order = np.argsort(np.concatenate(done))
    return LeftOut(*(np.concatenate(column)[order] for column in zip(*parts, strict=True)))


def _blocks(fit: Fit, source: Source, rows: Rows, which: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Rows by the term whose effects vary most in them, those of the largest groups first, a few at a time."""
    spread = np.stack([_variance(source, rows, t, which) for t in range(len(fit.design.groups))])
    widest = np.argmax(spread, axis=0)
    for term in np.unique(widest).tolist():
        index = fit.design.groups[term].index
        chosen = which[widest == term]
        sizes = np.bincount(index)[index[chosen]]
        order = np.argsort(-sizes, kind="stable")
        at = 0
        while at < len(order):
            step = max(1, AT_ONCE // (len(source.which) * max(NODES, int(sizes[order[at]]))))
            yield term, chosen[order[at : at + step]]
            at += step


def _variance(source: Source, rows: Rows, term: int, which: IntArray) -> FloatArray:
    """Prior variance of a term's part of the predictor of some rows at the posterior mean of the covariance, shape (m,)."""
    group = source.parameters.groups[term]
    root = effect_root(group.sd.mean(axis=0), None if group.corr is None else group.corr.mean(axis=0))
    return np.asarray(np.sum(np.square(rows.Z[term][which] @ root), axis=1))


def _lines(fit: Fit, source: Source, rows: Rows, term: int, own: IntArray) -> _Lines:
    """Take the effect that each row sees out of the predictors of its group."""
    index, group = fit.design.groups[term].index, source.parameters.groups[term]
    groups = [np.flatnonzero(index == index[row]) for row in own]
    members = np.stack([np.concatenate([g, np.full(max(map(len, groups)) - len(g), i)]) for g, i in zip(groups, own, strict=True)])
    R, M, k = *members.shape, len(source.which)
    eta = group_predictor(source, rows.take(members.reshape(-1)), slice(None)).reshape(k, R, M).swapaxes(0, 1)
    root = effect_root(group.sd, group.corr)[source.which]
    seen = np.einsum("spq,rp->rsq", root, rows.Z[term][own])
    sd = np.sqrt(np.sum(np.square(seen), axis=2))
    slope = np.einsum("spq,rsq->rsp", root, seen) / np.where(sd > 0.0, sd, 1.0)[..., None]
    A = np.einsum("rmp,rsp->rsm", rows.Z[term][members], slope)
    if group.b is None:
        raise ArgumentError("these parameters were taken without random effects", fix="take them with effects=True")
    u = np.einsum("rp,srp->rs", rows.Z[term][own], group.b[np.ix_(source.which, index[own])])
    e = u / np.where(sd > 0.0, sd, 1.0)
    eta0 = eta - A * e[..., None]
    return _Lines(own, members, members != own[:, None], eta0.reshape(R * k, M), A.reshape(R * k, M))


def _predict(fit: Fit, source: Source, lines: _Lines) -> tuple[FloatArray, ...]:
    """Integrate over the effect of each row and draw, then average over draws."""
    k, y = len(source.which), np.repeat(fit.design.y[lines.members], len(source.which), axis=0)
    weights = np.ones(len(fit.design.y)) if fit.design.weights is None else fit.design.weights
    others = np.repeat(np.where(lines.counts, weights[lines.members], 0.0), k, axis=0)
    place = np.argmax(lines.members == lines.own[:, None], axis=1)
    whole = others.reshape(len(place), k, -1).copy()
    whole[np.arange(len(place)), :, place] = weights[lines.own][:, None]
    given = _row_parameters(fit, source, lines.members)

    def density(eta: FloatArray, counts: FloatArray) -> FloatArray:
        log_prob = fit.family.log_prob(y, eta, fit.link, **given)
        return counts * np.where(counts > 0.0, log_prob, 0.0)

    law = line_law(partial(density, counts=others), partial(density, counts=whole.reshape(others.shape)), lines.eta0, lines.A)
    at = np.repeat(place, k)[:, None]
    eta0, A = (np.take_along_axis(v, at, axis=1)[:, 0] for v in (lines.eta0, lines.A))
    return _averages(fit, source, lines.own, law, eta0 + A * law.nodes)


def _averages(fit: Fit, source: Source, own: IntArray, law: LineLaw, eta: FloatArray) -> tuple[FloatArray, ...]:
    """Average over the nodes (Q, R k) of each draw, then over draws by weights that leave the row out."""
    k, R, family, link = len(source.which), len(own), fit.family, fit.link
    given = _row_parameters(fit, source, own[:, None])
    y, wide, mass = np.repeat(fit.design.y[own], k)[:, None], eta[..., None], np.exp(law.log_mass)
    log_prob = family.log_prob(y, wide, link, **given)[..., 0]
    if fit.design.weights is not None:
        log_prob = np.repeat(fit.design.weights[own], k) * log_prob
    log_own = special.logsumexp(law.log_mass + log_prob, axis=0).reshape(R, k).T
    smoothed = smoothed_weights(-np.where(np.isfinite(log_own), log_own, 0.0))

    def average(values: FloatArray) -> FloatArray:
        return np.asarray(np.sum(smoothed.weights * np.sum(mass * values, axis=0).reshape(R, k).T, axis=0))

    upto = average(family.cdf(y, wide, link, **given)[..., 0])
    below = average(family.cdf(y - 1.0, wide, link, **given)[..., 0]) if family.discrete else upto
    mu = family.mean(eta, link)
    return below, upto, average(mu), average(np.square(mu)), smoothed.shapes


def _row_parameters(fit: Fit, source: Source, members: IntArray) -> dict[str, FloatArray]:
    """Trials and auxiliary parameters that broadcast with (R k, M)."""
    k, R, design = len(source.which), len(members), fit.design
    trials = {} if design.trials is None else {"trials": np.repeat(design.trials[members], k, axis=0)}
    if design.se is not None:
        return trials | dict.fromkeys(fit.family.auxiliary, np.repeat(design.se[members], k, axis=0))
    return trials | {name: np.tile(v, (R, 1)) for name, v in observation_parameters(fit, None, source.which).items()}
