r"""What a family of response distributions must say about itself.

:math:`y \mid \eta \sim \text{family}(h(\eta), \text{auxiliary parameters})`. A family is one frozen class in one file; nobody
asks it for its name to decide something, every difference is a method. Auxiliary parameters (``sigma``) are passed as
keyword arrays that broadcast with the predictor.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayesglmm.errors import ArgumentError, FamilyError, ResponseError
from bayesglmm.numerics.links import Elementwise, Link, get_link
from bayesglmm.types import BoolArray, FloatArray, IntArray

_ROWS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Family(ABC):
    r"""A family of response distributions.

    Attributes
    ----------
    name
        Its name in the registry.
    links
        Names of the links it goes with, the default first.
    auxiliary
        Names of its parameters besides the mean.
    needs_trials
        Whether every row has a number of trials.
    discrete
        Whether the response is a count (a probability mass) or a measurement (a density).
    pymc_name
        Name of the PyMC distribution of the same density.
    """

    name: str
    links: tuple[str, ...]
    auxiliary: tuple[str, ...]
    needs_trials: bool
    discrete: bool
    pymc_name: str

    @abstractmethod
    def check_response(self, y: FloatArray, trials: FloatArray | None = None, *, numbers: IntArray | None = None) -> None:
        """Refuse a response outside the support.

        Parameters
        ----------
        y
            (n,) response.
        trials
            (n,) numbers of trials, for families that need them.
        numbers
            (n,) row numbers in the user's table, where some of its rows were left out.

        Raises
        ------
        ResponseError
            Names the first offending rows (counted from 0) and how many there are.
        """

    @abstractmethod
    def variance(self, mu: FloatArray, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        """Variance of the response given its mean parameter.

        Parameters
        ----------
        mu
            (...) mean, per trial for families with trials.
        trials
            Numbers of trials; the variance is that of the count.
        **aux
            Auxiliary parameters by name.

        Returns
        -------
        ndarray, shape (...)
        """

    @abstractmethod
    def log_prob(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        """Log density or log mass of the response at a predictor.

        Parameters
        ----------
        y
            Response.
        eta
            (...) predictor; y, trials and the auxiliary parameters broadcast with it.
        link
            Link of the mean.
        trials
            Numbers of trials, for families that need them.
        **aux
            Auxiliary parameters by name.

        Returns
        -------
        ndarray, shape (...)
            Minus infinity outside the support.
        """

    @abstractmethod
    def cdf(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        r"""Distribution function of the response at a predictor, :math:`P(Y \le y \mid \eta)`.

        Parameters
        ----------
        y
            Any numbers; a count jumps at whole numbers and stands still in between.
        eta, link, trials, **aux
            As for :meth:`log_prob`.

        Returns
        -------
        ndarray, shape (...)
            In [0, 1]; NaN where y is NaN.
        """

    @abstractmethod
    def sample(
        self, rng: np.random.Generator, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray
    ) -> FloatArray:
        """Draw responses at a predictor.

        Parameters
        ----------
        rng
            Source of randomness.
        eta, link, trials, **aux
            As for :meth:`log_prob`.

        Returns
        -------
        ndarray, shape (...)
            Counts are returned as floats, like the response of a design.
        """

    @abstractmethod
    def response_center(self, y: FloatArray, link: Link, *, trials: FloatArray | None = None, weights: FloatArray | None = None) -> float:
        r"""Link of the mean response, :math:`g(\bar y)`: where the default prior of the intercept is centered.

        Parameters
        ----------
        y
            (n,) response.
        link
            Link of the mean.
        trials
            (n,) numbers of trials, for families that need them.
        weights
            (n,) row weights; none means one.

        Returns
        -------
        float
            Finite: a mean on the boundary is moved inside by half an observation.
        """

    def mean(self, eta: FloatArray, link: Link) -> FloatArray:
        r"""Mean parameter :math:`\mu = h(\eta)`; per trial for families with trials.

        Parameters
        ----------
        eta
            (...) predictor.
        link
            Link of the mean.

        Returns
        -------
        ndarray, shape (...)
        """
        return link.inverse(np.asarray(eta, dtype=np.float64))

    def response_scale(self, y: FloatArray, link_name: str) -> float:
        """Scale s_y of the linear predictor that the default priors are multiples of.

        Parameters
        ----------
        y
            (n,) response.
        link_name
            Name of the link.

        Returns
        -------
        float
            1, unless the family says otherwise.
        """
        return 1.0


def check_pair(family: Family, link_name: str) -> Link:
    """Return the link, if the family goes with it.

    Raises
    ------
    FamilyError
        If the link is unknown, or the family does not go with it; lists the links it goes with.
    """
    link = get_link(link_name)
    if link.name not in family.links:
        raise FamilyError(
            f"the {family.name} family does not go with the {link_name} link",
            fix=f"links of {family.name}: {', '.join(family.links)}",
        )
    return link


def take_parameters(family: Family, trials: FloatArray | None, aux: Mapping[str, FloatArray]) -> tuple[FloatArray, ...]:
    """Trials, if the family has them, followed by its auxiliary parameters in its own order, as float arrays.

    Raises
    ------
    ArgumentError
        If one is missing, or given to a family that has none.
    """
    if set(aux) != set(family.auxiliary):
        raise ArgumentError(f"the {family.name} family has the auxiliary parameters {list(family.auxiliary)}, given were {sorted(aux)}")
    if family.needs_trials and trials is None:
        raise ArgumentError(f"the {family.name} family needs the number of trials of every row", fix="write k | trials(n)")
    if trials is not None and not family.needs_trials:
        raise ArgumentError(f"the {family.name} family has no trials", fix="use the binomial family for k | trials(n)")
    given = [] if trials is None else [trials]
    return tuple(np.asarray(value, dtype=np.float64) for value in [*given, *(aux[name] for name in family.auxiliary)])


def log_tails(link: Link) -> tuple[Elementwise, Elementwise]:
    """Logarithms of the mean and of its complement, as functions of the predictor.

    Raises
    ------
    FamilyError
        If the mean under this link is not a probability.
    """
    if link.log_inverse is None or link.log_complement is None:
        raise FamilyError(f"under the {link.name} link the mean is not a probability")
    return link.log_inverse, link.log_complement


def refuse_rows(bad: BoolArray, what: str, fix: str, *, numbers: IntArray | None = None) -> None:
    """Name the first rows that are bad, if any.

    Parameters
    ----------
    bad
        (n,) which rows.
    what
        What a row must be, and is not.
    fix
        What to do.
    numbers
        (n,) numbers of the rows; None counts them from 0.

    Raises
    ------
    ResponseError
    """
    rows = np.flatnonzero(bad) if numbers is None else numbers[bad]
    if rows.size:
        shown = ", ".join(str(row) for row in rows[:_ROWS_SHOWN]) + (", ..." if rows.size > _ROWS_SHOWN else "")
        raise ResponseError(f"{what} ({rows.size} of {bad.size} rows)", where=f"rows {shown} (counted from 0)", fix=fix)


def is_count(y: FloatArray) -> BoolArray:
    """Which entries are whole numbers that are not negative (missing and infinite ones are not)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(y) & (y >= 0.0) & (y == np.floor(y)), dtype=np.bool_)


def interior_mean(totals: FloatArray, sizes: FloatArray, weights: FloatArray | None, upper: float) -> float:
    r"""Weighted mean :math:`\sum w y / \sum w n`, kept inside (0, upper).

    Parameters
    ----------
    totals, sizes
        (n,) counts and what they are counts of (trials, or ones).
    weights
        (n,) row weights; none means one.
    upper
        Upper end of the mean's interval.

    Returns
    -------
    float
        On an end, :math:`(\sum w y + 1/2) / (\sum w n + 1)` instead.
    """
    w = np.ones_like(sizes) if weights is None else np.asarray(weights, dtype=np.float64)
    total, size = float(np.sum(w * totals)), float(np.sum(w * sizes))
    inside = size > 0.0 and 0.0 < total < upper * size
    return total / size if inside else (total + 0.5) / (size + 1.0)
