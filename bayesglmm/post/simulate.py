"""New observations: what a response in each row may be, not what it is on average."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.design.checks import check_positive
from bayesglmm.errors import ArgumentError, ColumnError
from bayesglmm.fit.draws import CHAIN, DRAW, auxiliary_draws, flatten
from bayesglmm.fit.fit import Fit
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval
from bayesglmm.post.new_groups import (
    GroupRows,
    Source,
    check_seed,
    group_predictor,
    level_generator,
    make_source,
    new_group_notes,
    read_group_rows,
)
from bayesglmm.post.ranges import range_notes
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes, unkept_draws
from bayesglmm.post.row_blocks import summarise_rows
from bayesglmm.spec.gate import names_in
from bayesglmm.types import FloatArray, IntArray, UnseenLevels, check_choice

ROW = "row"
SUMMARIES = "mean", "sd", "median", "ci_lower", "ci_upper"
STREAM = "new observations"
"""Name of the stream of random numbers, apart from those of new levels."""


@takes_fit
def simulate(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    newdata: Any = None,
    *,
    new_groups: UnseenLevels = "error",
    seed: int | None = None,
    draws: int | None = None,
    keep_draws: bool = True,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Draw new observations of the response in each row, from the posterior predictive distribution.

    .. math:: \tilde y_s \sim \text{family}(h(\eta_s), \text{auxiliary parameters}_s), \qquad
              \eta_s = o + x'\beta_s + \textstyle\sum_t z_t' b_{t, j_t, s}

    one per posterior draw s and row. Their interval is a prediction interval of a new observation: it holds the spread of single responses
    beside what is not known of their mean, which is the subject of :func:`bayesglmm.post.predict.predict`.

    Parameters
    ----------
    fit
        A fit.
    newdata, new_groups
        As for :func:`bayesglmm.post.predict.predict`; a binomial response also needs the columns of its trials, and one with known standard
        errors their column.
    seed
        Integer; the same seed gives the same observations. A fresh one when None; the notes name it.
    draws
        How many posterior draws are used, equally spaced among all of them; all when None.
    keep_draws
        False leaves the draws out of the result, so that memory does not grow with draws x rows.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the prediction intervals.

    Returns
    -------
    Result
        ``table``, one row per row of ``newdata``: all its columns, then ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper`` of the new
        observation; a binomial one is a number of successes. ``draws``: a variable named as the response, with dims (chain, draw, row); one
        chain when ``draws`` is given. The columns of the rows are its coordinates, the response that a row has as ``response_``.

    Raises
    ------
    LevelError
        If a level is new and ``new_groups`` is ``error``, or a factor among the predictors has a new level; if a level of a nested factor
        stands with one that it does not belong to, or a new one with two.
    ArgumentError, ColumnError, MissingValueError, ResponseError, DesignError
        If an argument or a row is not what it must be, trials and known standard errors included; if the mean of a row is beyond the
        largest number in some draw, so that nothing can be drawn.

    References
    ----------
    Gelman, A., Carlin, J. B., Stern, H. S., Dunson, D. B., Vehtari, A. and Rubin, D. B. (2013). *Bayesian Data Analysis*, 3rd ed., sections
    1.3 and 6.3.
    """
    choice = make_interval(ci_prob, ci_kind)
    check_choice("new_groups", new_groups, UnseenLevels)
    rows = read_group_rows(fit, newdata, new_groups=new_groups)
    check_observation_columns(fit, rows)
    seed = check_seed(seed)
    sizes = fit.posterior.sizes[CHAIN], fit.posterior.sizes[DRAW]
    which = None if draws is None else _spaced(draws, sizes[0] * sizes[1])
    source = make_source(fit, rows, new_groups=new_groups, seed=seed, which=which)
    new = _Observations(fit, rows, source)
    found = summarise_rows(new.draw, rows.rows.n_rows, len(source.which), choice, keep_draws=keep_draws)
    shape = sizes if draws is None else (1, len(source.which))
    kept = unkept_draws(shape) if found.draws is None else _dataset(fit.design.response, rows.rows.frame, found.draws, shape)
    notes = (*rows.rows.notes, *_notes(fit, len(source.which), seed), *new_group_notes(source, new_groups), *run_notes(fit))
    title = f"New observations of {fit.design.response}: posterior predictive distribution"
    table = join_columns(rows.rows.frame, found.columns, keep_index=True)
    return Result(title, _target(fit), table, kept, notes, choice)


def _dataset(response: str, frame: pd.DataFrame, draws: FloatArray, sizes: tuple[int, int]) -> xr.Dataset:
    """Draws named as the response; coordinates are the columns of the rows, the response that a row has as ``response_``."""
    name = response + ("_" if response in (ROW, CHAIN, DRAW) else "")
    labels = join_columns(frame, {}, reserved=(name, *SUMMARIES))
    return draws_dataset({name: draws}, sizes, ROW, {str(c): labels[c].to_numpy() for c in labels.columns})


def check_observation_columns(fit: Fit, rows: GroupRows) -> None:
    """Refuse rows without the trials or known standard errors that an observation needs, or with impossible ones.

    Raises
    ------
    ColumnError
        If the table lacks their columns; names them.
    ResponseError, MissingValueError
        If a number of trials is no count, or a standard error is not positive and finite.
    """
    response = fit.design.encoding.response
    texts = [t for t in (response.trials, response.failures and response.expression, response.failures) if t]
    if fit.family.needs_trials and rows.trials is None:
        raise _lacking("the number of trials", texts)
    if response.se is not None and rows.se is None:
        raise _lacking("the known standard error", [response.se])
    if rows.trials is not None:
        fit.family.check_response(np.zeros(rows.rows.n_rows), rows.trials)
    if rows.se is not None:
        check_positive(rows.se, "known standard errors", None)


def observation_parameters(fit: Fit, se: FloatArray | None, which: IntArray) -> dict[str, FloatArray]:
    """Auxiliary parameters of the family: of each draw, shape (k, 1); known standard errors (n,) in place of sigma."""
    if se is not None:
        return dict.fromkeys(fit.family.auxiliary, se)
    return {name: flatten(values)[which, None] for name, values in auxiliary_draws(fit.posterior, fit.family.auxiliary).items()}


class _Observations:
    """Draws of observations, a block of rows after the other.

    Rows come first in the arrays that random numbers are drawn for, so that the numbers do not depend on the size of the blocks.
    """

    def __init__(self, fit: Fit, rows: GroupRows, source: Source) -> None:
        self._fit, self._family, self._link = fit, fit.family, fit.link
        self._rows, self._source = rows, source
        self._auxiliary = observation_parameters(fit, rows.se, source.which)
        self._rng = level_generator(source.seed, STREAM)

    def draw(self, block: slice) -> FloatArray:
        """Observations of the rows of a block, shape (k, rows)."""
        eta = group_predictor(self._source, self._rows.rows, block).T
        self._check_finite(eta, block)
        trials = None if self._rows.trials is None else self._rows.trials[block, None]
        return self._family.sample(self._rng, eta, self._link, trials=trials, **self._of(block)).T

    def _check_finite(self, eta: FloatArray, block: slice) -> None:
        """Refuse predictors (rows, k) of means that no number holds: nothing can be drawn with them."""
        infinite = ~np.isfinite(self._family.mean(eta, self._link))
        if not infinite.any():
            return
        row = int(np.flatnonzero(infinite.any(axis=1))[0])
        frame = self._rows.rows.frame.iloc[[block.start + row]]
        outside = " ".join(range_notes(self._fit, frame))
        raise ArgumentError(
            f"a new observation cannot be drawn: its mean is too large for a number in {infinite[row].sum()} of {eta.shape[1]} draws",
            where=f"row {block.start + row} (counted from 0){f'. {outside}' if outside else ''}",
            fix="leave this row out, or give one that is nearer to the data",
        )

    def _of(self, block: slice) -> Mapping[str, FloatArray]:
        """Auxiliary parameters that broadcast with (rows, k)."""
        if self._rows.se is not None:
            return {name: values[block, None] for name, values in self._auxiliary.items()}
        return {name: values.T for name, values in self._auxiliary.items()}


def _spaced(draws: int, n_draws: int) -> IntArray:
    """Positions of so many draws, equally spaced."""
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or not 1 <= draws <= n_draws:
        raise ArgumentError(f"draws={draws!r} is not a number of posterior draws", fix=f"give a whole number from 1 to {n_draws}, or None")
    return (np.arange(draws) * n_draws // draws).astype(np.int64)


def _lacking(what: str, texts: list[str]) -> ColumnError:
    columns = ", ".join(dict.fromkeys(name for text in texts for name in names_in(text)))
    return ColumnError(f"a new observation needs {what} of its row", where=columns, fix="add these columns to newdata")


def _target(fit: Fit) -> str:
    """Say that these are observations, and of whom."""
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    of = f" of the levels of {' and '.join(factors)} that the row names" if factors else ""
    return f"a new observation of {fit.design.response}{of}, not its mean"


def _notes(fit: Fit, n_draws: int, seed: int) -> tuple[str, ...]:
    notes = [
        f"ci_lower, ci_upper: prediction interval of a new observation; the interval of its mean is that of predict(). "
        f"One observation per row from each of {n_draws} posterior draws, seed {seed}."
    ]
    if fit.design.weights is not None:
        notes.append("Likelihood weights say how often a row counts, not how an observation varies: each is drawn with weight 1.")
    return tuple(notes)
