r"""How the effect of a change differs between subjects on the response scale: the law of :math:`h(\eta_2) - h(\eta_1)` of one subject.

The two predictors of a random subject are bivariate normal given the parameters. With
:math:`\eta_1 = m_1 + s_1 e`, :math:`\eta_2 = m_2 + a e + r u`, e and u independent standard normals, and h increasing,

.. math:: P(h(\eta_2) - h(\eta_1) \le t) = E_e\,\Phi\!\left(\frac{g(t + h(m_1 + s_1 e)) - m_2 - a e}{r}\right),

with :math:`t + h` cut off at the ends of the means. This is one integral, by the trapezoid rule, whose step is halved until the ends
settle; where the cut is within reach, places crowd towards it. Where r is zero (random intercepts alone: the subject's second predictor
follows from the first) the difference is a function of e alone; it is cut at its turning points into monotone pieces, and each piece has
its normal probability exactly.
Quantiles are found between proven brackets. No simulation.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.intervals import check_prob
from bayesglmm.numerics.links import Link
from bayesglmm.types import BoolArray, FloatArray, IntArray

SETTLED_END = 1e-6
"""An end is settled when halving the step moves it by less, relative to the length of its interval."""

_REACH = 7.5  # beyond it lies 6e-14 of a standard normal
_CROWDING = 30.0  # a place that far in u is 1e-13 from an edge
_FIRST_STEP, _LAST_STEP = 2.0**-1, 2.0**-7
_SCAN = 129  # places, beside the two centres, at which the slope of the difference is looked at
_HALVINGS = 54
_STEPS = 200  # bisection alone needs some fifty
_SOLVED = 1e-12
_NEARBY = 1e-3  # of an interval's length: where an end is looked for first after the step was halved
_FOLLOWS = 1e-10  # of the change's variance: below it the second predictor follows from the first
_VALUES_AT_ONCE = 262144

type _Height = Callable[[FloatArray, IntArray], FloatArray]


@dataclass(frozen=True, slots=True)
class SubjectPair:
    r"""Two predictors of a random subject, per draw: :math:`\eta_1 = m_1 + s_1 e`, :math:`\eta_2 = m_2 + a e + r u`.

    Attributes
    ----------
    first, first_sd
        Shape (S,): m_1 and s_1.
    second, loading, rest_sd
        Shape (S,): m_2, a and r.
    """

    first: FloatArray
    first_sd: FloatArray
    second: FloatArray
    loading: FloatArray
    rest_sd: FloatArray


@dataclass(frozen=True, slots=True)
class DifferenceIntervals:
    """Where the differences of the subjects are.

    Attributes
    ----------
    lower, upper
        Shape (S,): ends of the central interval given the parameters of each draw.
    predictive_lower, predictive_upper
        Ends for a new subject, over draws and random effects.
    error
        Largest change of an end when the rule's step was last halved, which overestimates its error; 0 without the rule.
    """

    lower: FloatArray
    upper: FloatArray
    predictive_lower: float
    predictive_upper: float
    error: float


@dataclass(frozen=True, slots=True)
class _Points:
    """Places (k,) of as many functions, and the heights there."""

    place: FloatArray
    height: FloatArray

    def copy(self) -> "_Points":
        return _Points(self.place.copy(), self.height.copy())

    def at(self, index: IntArray) -> "_Points":
        return _Points(self.place[index], self.height[index])

    def put(self, index: IntArray, points: "_Points") -> None:
        self.place[index], self.height[index] = points.place, points.height

    def where(self, chosen: BoolArray, others: "_Points") -> "_Points":
        return _Points(np.where(chosen, self.place, others.place), np.where(chosen, self.height, others.height))

    def nearer(self, others: "_Points") -> "_Points":
        return self.where(np.abs(self.height) <= np.abs(others.height), others)


@dataclass(frozen=True, slots=True)
class _Law:
    """A pair under a link, with the step of each draw's rule (S,), zero where the difference is a function of e, and its pieces there."""

    link: Link
    pair: SubjectPair
    step: FloatArray
    knots: FloatArray


def subject_pair(m: FloatArray, v: FloatArray, change: FloatArray, change_variance: FloatArray, second_variance: FloatArray) -> SubjectPair:
    r"""Write the law of a predictor and its change as one of two predictors.

    .. math:: c = \tfrac12 (v_2 - v - v_\Delta), \quad s_1 = \sqrt v, \quad a = s_1 + c / s_1, \quad r^2 = v_\Delta - c^2 / v

    Parameters
    ----------
    m, v
        Shape (S,): mean and variance of the first predictor.
    change, change_variance
        Shape (S,): mean and variance of the second minus the first.
    second_variance
        Shape (S,): variance of the second.

    Raises
    ------
    ArgumentError
        If a variance is negative or something is not finite.
    """
    given = [np.asarray(x, dtype=np.float64) for x in (m, v, change, change_variance, second_variance)]
    m, v, change, change_variance, second_variance = np.broadcast_arrays(*given)
    if not all(np.isfinite(x).all() for x in given) or min(x.min(initial=0.0) for x in (v, change_variance, second_variance)) < 0.0:
        raise ArgumentError(
            "the mean of a predictor is not finite, or its variance is negative or not finite",
            fix="choose rows nearer to the data, and check that the draws are finite and no standard deviation is negative",
        )
    covariance = np.where(v > 0.0, 0.5 * (second_variance - v - change_variance), 0.0)
    some = np.where(v > 0.0, v, 1.0)
    rest = change_variance - np.square(covariance) / some
    loading = np.where(v > 0.0, np.sqrt(v) + covariance / np.sqrt(some), 0.0)
    return SubjectPair(m, np.sqrt(v), m + change, loading, np.sqrt(np.where(rest > _FOLLOWS * change_variance, rest, 0.0)))


def difference_intervals(link: Link, pair: SubjectPair, level: float) -> DifferenceIntervals:
    r"""Central intervals of :math:`h(\eta_2) - h(\eta_1)` over subjects.

    Parameters
    ----------
    link
        With an increasing inverse on all real predictors.
    pair
        S draws.
    level
        Share of subjects inside.

    Returns
    -------
    DifferenceIntervals
        The predictive interval is that of the mixture over draws.

    Raises
    ------
    ArgumentError
        If ``level`` is not inside (0, 1), or a mean is beyond the range of a double.

    Notes
    -----
    An end t with probability p lies between :math:`h(y_{p/2}) - h(x_{1 - p/2})` and :math:`h(y_{(1 + p)/2}) - h(x_{(1 - p)/2})`, x and y
    the quantiles of the two predictors, whatever their correlation.
    """
    check_prob("level", level)
    probs = 0.5 * (1.0 - level), 0.5 * (1.0 + level)
    law, ends, error = _settled(_make_law(link, pair, _FIRST_STEP), probs)
    predictive = [_mixture_quantile(law, p, end) for p, end in zip(probs, ends, strict=True)]
    return DifferenceIntervals(ends[0], ends[1], predictive[0], predictive[1], error)


def _make_law(link: Link, pair: SubjectPair, step: float) -> _Law:
    """Set the rule's step, and find the pieces of the differences that need no rule."""
    farthest = np.concatenate([pair.first + _REACH * pair.first_sd, pair.second + _REACH * (np.abs(pair.loading) + pair.rest_sd)])
    if not np.isfinite(link.inverse(farthest)).all():
        raise ArgumentError(f"means under the {link.name} link are beyond the range of numbers", fix="choose values nearer to the data")
    return _Law(link, pair, np.where(pair.rest_sd > 0.0, step, 0.0), _knots(link, pair))


def _settled(law: _Law, probs: tuple[float, float]) -> tuple[_Law, FloatArray, float]:
    """Find the ends (2, S), halving the step of the draws whose ends still move; the law with these steps, the ends, the last movement."""
    everyone = np.arange(len(law.step))
    ends = np.stack([_quantile(law, p, everyone, _brackets(law, p, everyone)) for p in probs])
    error, active = np.zeros(len(everyone)), np.flatnonzero(law.step > 0.0)
    while active.size:
        law = replace(law, step=np.where(np.isin(everyone, active), 0.5 * law.step, law.step))
        old, length = ends[:, active], ends[1, active] - ends[0, active]
        near = [(end - _NEARBY * length, end + _NEARBY * length) for end in old]
        ends[:, active] = np.stack([_quantile(law, p, active, around) for p, around in zip(probs, near, strict=True)])
        error[active] = np.abs(ends[:, active] - old).max(axis=0)
        active = active[(error[active] > SETTLED_END * length) & (law.step[active] > _LAST_STEP)]
    return law, ends, float(error.max(initial=0.0))


def _cdf(law: _Law, t: FloatArray, index: IntArray) -> FloatArray:
    """Distribution function at t for some of the draws, both of shape (k,)."""
    height = np.empty(len(index))
    for step in np.unique(law.step[index]):
        part = np.flatnonzero(law.step[index] == step)
        width = law.knots.shape[1] if step == 0.0 else int((2.0 * _REACH + _CROWDING) / step)
        block = max(1, _VALUES_AT_ONCE // width)
        for start in range(0, len(part), block):
            some = part[start : start + block]
            value = _cdf_of_pieces(law, t[some], index[some]) if step == 0.0 else _cdf_by_rule(law, t[some], index[some], float(step))
            height[some] = value
    return np.clip(height, 0.0, 1.0)


def _cdf_by_rule(law: _Law, t: FloatArray, index: IntArray, step: float) -> FloatArray:
    """Average over e of the share of subjects at or below t among those with that e."""
    edge, height = _edges(law, t, index), np.empty(len(index))
    count = int(np.ceil(_REACH / step))
    e = step * np.arange(-count, count + 1, dtype=np.float64)
    weight = np.exp(-0.5 * np.square(e))
    whole, cut = np.flatnonzero(np.isnan(edge)), np.flatnonzero(~np.isnan(edge))
    height[whole] = _shares(law, t[whole], index[whole], e) @ (weight / weight.sum())
    height[cut] = _average_to_edge(law, t[cut], index[cut], edge[cut], step)
    return height


def _edges(law: _Law, t: FloatArray, index: IntArray) -> FloatArray:
    """Find the e beyond which the second mean would have to leave its range, (k,); nan where there is none.

    The share is one beyond it for a positive t, zero for a negative one, and for some links (cloglog) it as good as jumps there.
    """
    low, high = law.link.mean_interval
    last = np.where(t > 0.0, high, low) - t
    exists = (last > low) & (last < high) & (law.pair.first_sd[index] > 0.0)
    sd = np.where(exists, law.pair.first_sd[index], 1.0)
    place = (law.link.link(np.where(exists, last, 0.5)) - law.pair.first[index]) / sd
    return np.where(exists & (np.abs(place) < _REACH), place, np.nan)


def _average_to_edge(law: _Law, t: FloatArray, index: IntArray, edge: FloatArray, step: float) -> FloatArray:
    r"""Average over e on both sides of an edge: trapezoid rule in u, with :math:`\log(1 + e^{-u})` the distance from the edge.

    Far from it places are one step apart, near it they crowd, so that no place of the rule crosses the edge when t changes.
    """
    above = t > 0.0
    u = step * np.arange(-np.ceil(2.0 * _REACH / step), np.ceil(_CROWDING / step) + 1.0)
    e = edge[:, None] + np.where(above, -1.0, 1.0)[:, None] * np.log1p(np.exp(-u))
    weight = np.exp(-0.5 * np.square(e)) * special.expit(-u) * (step / np.sqrt(2.0 * np.pi))
    return np.asarray((_shares(law, t, index, e) * weight).sum(axis=1) + np.where(above, special.ndtr(-edge), 0.0))


def _shares(law: _Law, t: FloatArray, index: IntArray, e: FloatArray) -> FloatArray:
    """Share of subjects at or below t (k,) among those with an e, of shape (j,) or (k, j): (k, j)."""
    link, pair = law.link, law.pair
    first = link.inverse(pair.first[index, None] + pair.first_sd[index, None] * e)
    needed = link.link(np.clip(t[:, None] + first, *link.mean_interval))
    with np.errstate(over="ignore"):
        z = (needed - pair.second[index, None] - pair.loading[index, None] * e) / pair.rest_sd[index, None]
    return np.asarray(special.ndtr(z))


def _cdf_of_pieces(law: _Law, t: FloatArray, index: IntArray) -> FloatArray:
    """Add up the normal probability of the e with a difference at or below t: in each piece, on one side of where it is t."""
    left, right = law.knots[index, :-1], law.knots[index, 1:]
    rising = _difference(law.link, law.pair, right, index) >= _difference(law.link, law.pair, left, index)
    low, high = left, right
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        beyond = (_difference(law.link, law.pair, middle, index) <= t[:, None]) == rising
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    root = special.ndtr(0.5 * (low + high))
    shares = np.where(rising, root - special.ndtr(left), special.ndtr(right) - root)
    return np.asarray(shares.sum(axis=1))


def _difference(link: Link, pair: SubjectPair, e: FloatArray, index: IntArray) -> FloatArray:
    """Subtract the mean at the first from that at the second predictor at e (k, j), without the rest."""
    second = link.inverse(pair.second[index, None] + pair.loading[index, None] * e)
    return second - link.inverse(pair.first[index, None] + pair.first_sd[index, None] * e)


def _knots(link: Link, pair: SubjectPair) -> FloatArray:
    """Find the ends of the difference's monotone pieces in e, (S, P + 1); draws with fewer pieces repeat the last end."""
    centres = np.stack([_centre(pair.first, pair.first_sd), _centre(pair.second, pair.loading)], axis=1)
    places = np.sort(np.concatenate([np.tile(np.linspace(-_REACH, _REACH, _SCAN), (len(centres), 1)), centres], axis=1), axis=1)
    rises = _rises(link, pair, places)
    turns = rises[:, :-1] != rises[:, 1:]
    turns[pair.rest_sd > 0.0] = False
    order = np.argsort(~turns, axis=1, kind="stable")[:, : int(turns.sum(axis=1).max(initial=0))]
    low, high = np.take_along_axis(places, order, axis=1), np.take_along_axis(places, order + 1, axis=1)
    before = np.take_along_axis(rises, order, axis=1)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        same = _rises(link, pair, middle) == before
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    found = np.where(np.take_along_axis(turns, order, axis=1), 0.5 * (low + high), _REACH)
    outer = np.full((len(centres), 1), _REACH)
    return np.concatenate([-outer, found, outer], axis=1)


def _rises(link: Link, pair: SubjectPair, e: FloatArray) -> BoolArray:
    """Whether the difference increases at e (S, j)."""
    first = link.derivative(pair.first[:, None] + pair.first_sd[:, None] * e)
    second = link.derivative(pair.second[:, None] + pair.loading[:, None] * e)
    return np.asarray(pair.loading[:, None] * second > pair.first_sd[:, None] * first)


def _centre(mean: FloatArray, scale: FloatArray) -> FloatArray:
    """Place e at which a predictor is zero, where its inverse link is steepest; kept within reach."""
    with np.errstate(over="ignore"):
        place = -mean / np.where(scale == 0.0, 1.0, scale)
    return np.clip(np.where(scale == 0.0, 0.0, place), -_REACH, _REACH)


def _quantile(law: _Law, prob: float, index: IntArray, around: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Find the end with a probability, for some of the draws; first between two guesses, then between proven brackets."""

    def height(t: FloatArray, some: IntArray) -> FloatArray:
        return _cdf(law, t, index[some]) - prob

    everyone = np.arange(len(index))
    low, high = (guess.copy() for guess in around)
    below, above = height(low, everyone), height(high, everyone)
    missed = np.flatnonzero((below > 0.0) | (above < 0.0))
    if missed.size:
        low[missed], high[missed] = _brackets(law, prob, index[missed])
        below[missed], above[missed] = height(low[missed], missed), height(high[missed], missed)
    return _solve(height, (low, below), (high, above))


def _mixture_quantile(law: _Law, prob: float, ends: FloatArray) -> float:
    """Find the end with a probability for the mixture over draws, which lies between the smallest and the largest end of a draw."""
    everyone = np.arange(len(law.step))

    def height(t: FloatArray, _: IntArray) -> FloatArray:
        return _cdf(law, np.full(len(everyone), t[0]), everyone).mean(keepdims=True) - prob

    low, high = ends.min(keepdims=True), ends.max(keepdims=True)
    return float(_solve(height, (low, height(low, everyone)), (high, height(high, everyone)))[0])


def _brackets(law: _Law, prob: float, index: IntArray) -> tuple[FloatArray, FloatArray]:
    """Two numbers between which the quantile must be, from the two predictors apart (Bonferroni's inequality)."""
    pair, h = law.pair, law.link.inverse
    second_sd = np.hypot(pair.loading, pair.rest_sd)[index]
    low, high = float(special.ndtri(0.5 * prob)), float(special.ndtri(0.5 + 0.5 * prob))
    first, first_sd, second = pair.first[index], pair.first_sd[index], pair.second[index]
    return h(second + low * second_sd) - h(first - low * first_sd), h(second + high * second_sd) - h(first - high * first_sd)


def _solve(height: _Height, left: tuple[FloatArray, FloatArray], right: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Zeros of increasing functions between two places (k,), each given with its heights.

    Inverse quadratic interpolation where three points allow it, otherwise bisection.

    References
    ----------
    Chandrupatla, T. R. (1997). A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function without using
    derivatives. *Advances in Engineering Software* 28, 145-149.
    """
    new, other, old = _Points(*left).copy(), _Points(*right).copy(), _Points(*right).copy()
    active, share = np.arange(len(new.place)), np.full(len(new.place), 0.5)
    close = _SOLVED * np.abs(other.place - new.place) + 4.0 * np.spacing(np.maximum(np.abs(other.place), np.abs(new.place)))
    best = new.nearer(other)
    for _ in range(_STEPS):
        active = active[(np.abs(other.place - new.place)[active] > close[active]) & (np.abs(best.height[active]) > _SOLVED)]
        if not active.size:
            break
        place = new.place[active] + share[active] * (other.place - new.place)[active]
        found = _Points(place, height(place, active))
        same = np.sign(found.height) == np.sign(new.height[active])
        old.put(active, new.at(active).where(same, other.at(active)))
        other.put(active, other.at(active).where(same, new.at(active)))
        new.put(active, found)
        best.put(active, found.nearer(best.at(active)))
        share[active] = _next_share(new.at(active), other.at(active), old.at(active), close[active])
    return best.place


def _next_share(new: _Points, other: _Points, old: _Points, close: FloatArray) -> FloatArray:
    """Where between the newest and the opposite place to look next, as a share of the way."""
    way, rise = old.place - other.place, old.height - other.height
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        xi, phi = (new.place - other.place) / way, (new.height - other.height) / rise
        curved = (phi**2 < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
        first = new.height / (other.height - new.height) * old.height / (other.height - old.height)
        second = (old.place - new.place) / (other.place - new.place) * new.height / (old.height - new.height)
        share = np.where(curved, first + second * other.height / (old.height - other.height), 0.5)
    least = np.minimum(0.5 * close / np.maximum(np.abs(other.place - new.place), close), 0.5)
    return np.clip(np.where(np.isfinite(share), share, 0.5), least, 1.0 - least)
