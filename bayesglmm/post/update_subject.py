"""Dynamic prediction: a new subject with some data of its own, updated as they come."""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval
from bayesglmm.post.new_children import check_children
from bayesglmm.post.new_groups import (
    GroupRows,
    check_seed,
    level_generator,
    listed,
    make_source,
    new_group_notes,
    read_group_rows,
)
from bayesglmm.post.own_data import PROPOSALS, OwnData, Updated, check_new_level, effect_labels, read_own_data, update
from bayesglmm.post.predict import mean_result, predict, predict_title, predicted_rows
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes
from bayesglmm.types import Scale, UnseenLevels, check_choice

EFFECT, COLUMN = "random_effect", "effect_of_level"
WHICH = "factor", "level", "effect"
"""Coordinates that say which random effect it is."""
STREAM = "update"
FEW = 100.0
"""Effective draws below which the notes say that the tails of a summary are poorly known."""
HEAVY = 0.7
"""Shape of the tail of the weights above which averages over them cannot be trusted (Vehtari et al. 2024)."""


@takes_fit
def update_subject(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    newdata: Any,
    *,
    at: Any = None,
    new_groups: UnseenLevels = "error",
    scale: Scale = "response",
    seed: int | None = None,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Means of a new subject given data of its own: target ``group``, updated without a new fit.

    .. math:: p(\theta, b \mid y, y^*) \propto p(\theta \mid y)\;p(y^* \mid \theta)\;p(b \mid y^*, \theta), \qquad
              p(y^* \mid \theta) = \int p(y^* \mid b, \theta)\,N(b; 0, D)\,db

    Bayes' rule moves two things: the subject's effects b, and the posterior draws of theta (all that the fit estimated), which count in
    proportion to how well each predicts y*. Draws of both are chosen together by their weights: in the result all draws count alike.

    Parameters
    ----------
    fit
        A fit.
    newdata
        Rows of the new subject with its responses, as for :func:`bayesglmm.post.predict.predict`; at least one level of a grouping factor
        of each row is new (and more than one may be: a new child of a new parent), since the fit has counted the others already. None
        for no data yet: the result is that of ``predict``.
    at
        Rows to predict, such as future visits of the subject; those of ``newdata`` when None.
    new_groups
        What a level in ``at`` means that neither the fit nor ``newdata`` has; as for ``predict``. Without ``newdata`` the new levels of
        ``at`` are the subject itself, and ``error`` stands for ``population``.
    scale
        ``response``, or ``link`` for the linear predictor.
    seed
        Integer; a fresh one when None; the notes name it.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals of the mean.

    Returns
    -------
    Result
        ``table``, one row per row of ``at``: all its columns, then ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. ``draws``:
        ``mean_response`` with dims (chain, draw, row) and ``random_effect``, the effects of the new levels, with dims (chain, draw,
        effect_of_level) and coordinates ``factor``, ``level``, ``effect``; one chain. The notes tell how many draws the weights are worth.

    Raises
    ------
    ArgumentError
        If the model has no grouping factor, a row of ``newdata`` names no new level, or too many levels are new; if its data are impossible
        under every draw; if there are neither ``newdata`` nor ``at``; if without ``newdata`` no level of ``at`` is new.
    LevelError
        If a level in ``at`` is new, not in ``newdata``, and ``new_groups`` is ``error``; if a level of a nested factor stands with one that
        it does not belong to, or a new one with two.
    ColumnError, MissingValueError, ResponseError, DesignError
        If a row is not what it must be.

    Notes
    -----
    Gaussian responses with the identity link: both factors in closed form (Lindley and Smith 1972). Otherwise 16 proposals per draw from a
    multivariate t around the mode of b, weighted exactly (importance sampling, Geweke 1989): an approximation of the proposal, not of the
    posterior. A shape of the weights' tail above 0.7, or few effective draws, means that the data of this subject disagree with the fit so
    much that it should be fitted again with them.

    References
    ----------
    Rizopoulos, D. (2011). Dynamic predictions and prospective accuracy in joint models for longitudinal and time-to-event data.
    *Biometrics* 67, 819-829.
    """
    choice = make_interval(ci_prob, ci_kind)
    check_choice("new_groups", new_groups, UnseenLevels)
    check_choice("scale", scale, Scale)
    seed = check_seed(seed)
    if newdata is None:
        return _without_data(fit, at, new_groups, scale, seed, (ci_prob, ci_kind))
    own = read_own_data(fit, newdata)
    rows = own.rows if at is None else _read_at(fit, at, own.rows, new_groups)
    updated = update(fit, own, level_generator(seed, STREAM))
    source = make_source(fit, rows, new_groups=new_groups, seed=seed, which=updated.which, given=updated.effects)
    sizes = (1, len(updated.which))
    found = predicted_rows(source, rows, fit.link, scale, choice)
    notes = (*_notes(own, updated, seed), *new_group_notes(source, new_groups), *run_notes(fit))
    title = f"{predict_title(fit.link, scale)}: a new subject, updated by {_counted(own)} of its own"
    result = mean_result(fit, scale, _renamed(rows), found, sizes, (notes, choice))
    return replace(result, title=title, draws=xr.merge([result.draws, _effects(fit, updated, sizes)]))


def _without_data(fit: Fit, at: Any, new_groups: UnseenLevels, scale: Scale, seed: int, interval: tuple[float, str]) -> Result:
    """No data yet: the new levels of ``at`` are the new subject, which is drawn."""
    if at is None:
        raise ArgumentError("there are no rows to predict", where="newdata=None, at=None", fix="give the rows to predict, at=...")
    check_new_level(fit, read_group_rows(fit, at, new_groups="population"), "at", "give the subject's data, newdata=...")
    drawn: UnseenLevels = "population" if new_groups == "error" else new_groups
    result = predict(fit, at, new_groups=drawn, scale=scale, seed=seed, ci_prob=interval[0], ci_kind=interval[1])
    who = "one of the population" if drawn == "population" else "like a randomly chosen observed one"
    notes = (f"No data of its own yet: the new subject is {who}.", *result.notes)
    return Result(result.title, result.target, result.table, result.draws, notes, result.interval)


def _read_at(fit: Fit, at: Any, own: GroupRows, new_groups: UnseenLevels) -> GroupRows:
    """Rows to predict, whose new levels must be those of the subject unless ``new_groups`` says what others are."""
    rows = read_group_rows(fit, at, new_groups="population")
    for group, levels, known in zip(fit.design.groups, rows.new_levels, own.new_levels, strict=True):
        strange = [name for name in levels if name not in known]
        if strange and new_groups == "error":
            raise LevelError(
                "rows of at name new levels that have no data in newdata",
                where=f"{group.name}: {listed(strange)}",
                fix="name the subject as newdata does, or say what they are: new_groups='population' or 'observed'",
            )
    check_children(fit, [own.named("newdata"), rows.named("at")])
    return rows


def _renamed(rows: GroupRows) -> GroupRows:
    """Rename columns of the rows that are called as the effects and their coordinates are, which stand in the same data set."""
    frame = join_columns(rows.rows.frame, {}, reserved=(EFFECT, COLUMN, *WHICH), keep_index=True)
    return replace(rows, rows=replace(rows.rows, frame=frame))


def _effects(fit: Fit, updated: Updated, sizes: tuple[int, int]) -> xr.Dataset:
    """Draws of the subject's effects."""
    labels = effect_labels(fit, list(updated.effects))
    coords = {name: np.array([label[k] for label in labels], dtype=object) for k, name in enumerate(WHICH)}
    values = np.concatenate(list(updated.effects.values()), axis=1)
    return draws_dataset({EFFECT: values}, sizes, COLUMN, coords)


def _counted(own: OwnData) -> str:
    return "1 row" if len(own.y) == 1 else f"{len(own.y)} rows"


def _notes(own: OwnData, updated: Updated, seed: int) -> tuple[str, ...]:
    """Tell what was updated, how, and how many draws it is worth."""
    subject = "; ".join(dict.fromkeys(listed(levels) for levels in own.rows.new_levels if levels))
    how = "exact, the responses are normal"
    if updated.proposals_effective is not None:
        how = f"{PROPOSALS} proposals per draw, worth {100 * updated.proposals_effective:.0f} % of as many exact draws"
    tail = f", shape of their tail {updated.pareto:.2f}" if np.isfinite(updated.pareto) else ""
    notes = [
        f"{_counted(own)} of {subject}; its effects given the parameters: {how}. Seed {seed}.",
        f"The posterior draws, weighted by p(own data | parameters), are worth {updated.effective:.0f} of {len(updated.which)}{tail}.",
    ]
    if updated.effective < FEW or updated.pareto > HEAVY:
        notes.append("Few effective draws or a heavy tail of weights: fit again with the subject's data to be sure.")
    return tuple(notes)
