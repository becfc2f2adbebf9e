"""Whether probability integral transforms are uniform: their empirical distribution function within a simultaneous envelope."""

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.envelope import Envelope, ecdf_envelope
from bayesglmm.post.check_replicates import chosen_factors, is_outside, spaced_draws
from bayesglmm.post.check_rows import predict_rows
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import check_probability
from bayesglmm.post.new_groups import listed
from bayesglmm.post.pit import pit_notes, pit_target, pit_values
from bayesglmm.post.result import Result, run_notes
from bayesglmm.types import FloatArray, IntArray


@takes_fit
def check_pit(  # noqa: PLR0913 (one public call; all but one are keywords)
    fit: Fit,
    *,
    factor: str | None = None,
    level: object = None,
    loo: bool = True,
    draws: int = 400,
    seed: int = 1,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Check that the probability integral transforms of the rows are uniform.

    .. math:: \hat F(z) - z, \qquad \hat F(z) = n^{-1} \textstyle\sum_i 1(u_i \le z)

    with u as in :func:`bayesglmm.post.pit.pit_residuals`. Below zero on the left and above on the right: the data vary less than predicted;
    the other way round: more. Of one sign: the data are larger (below zero) or smaller than predicted.

    Parameters
    ----------
    fit
        A fit.
    factor, level
        A grouping factor and one of its levels: the rows of this level alone. All rows when None.
    loo, draws, seed
        As for :func:`bayesglmm.post.pit.pit_residuals`.
    ci_prob
        Probability that the whole curve is inside the envelope under a correct model.
    ci_kind
        ``eti`` only: an envelope has equal tails.

    Returns
    -------
    Result
        ``table``: ``at`` (z), ``difference``, ``lower``, ``upper`` (ends of the envelope of the difference), ``outside``; only places
        where the envelope excludes something. ``draws`` is empty. The first note tells the verdict.

    Raises
    ------
    ArgumentError
        If a factor is named without a level or a level without a factor, there is no such factor or none at all, or there are too few rows
        for an envelope; if another argument is not what it must be.
    LevelError
        If the factor has no such level in the data.

    Notes
    -----
    The envelope is that of independent uniform numbers; its coverage is computed exactly. Transforms of rows that share estimated effects
    depend on each other a little, negatively as a rule, which makes the check cautious.

    References
    ----------
    Säilynoja, T., Bürkner, P.-C. and Vehtari, A. (2022). Graphical test for discrete uniformity and its applications in goodness-of-fit
    evaluation and multiple sample comparison. *Statistics and Computing* 32, 32.
    """
    prob = check_probability("ci_prob", ci_prob)
    if ci_kind != "eti":
        raise ArgumentError(f"ci_kind={ci_kind!r}: a simultaneous envelope has equal tails", fix="leave ci_kind out")
    which = _rows_of(fit, factor, level)
    envelope = ecdf_envelope(len(fit.design.y) if which is None else len(which), prob)
    found = predict_rows(fit, draws, loo=loo, which_rows=which)
    table = _table(pit_values(fit, found, seed, which), envelope)
    place = "" if factor is None else f", {factor} = {level}"
    title = f"Uniformity of the probability integral transforms of {fit.design.response}{place}"
    notes = (_verdict(table, envelope, prob), *pit_notes(fit, found, len(spaced_draws(fit, draws)), seed, loo=loo), *run_notes(fit))
    return Result(title, pit_target(fit, loo=loo), table, xr.Dataset(), notes)


def _rows_of(fit: Fit, factor: str | None, level: object) -> IntArray | None:
    """Rows of one level; None for all."""
    if factor is None and level is None:
        return None
    if factor is None or level is None:
        raise ArgumentError(
            "the rows of one group are named by factor and level together",
            where=f"factor={factor!r}, level={level!r}",
            fix="give both, or none for all rows; check_groups() looks at all levels",
        )
    (name,) = chosen_factors(fit, factor)
    group: GroupDesign = next(g for g in fit.design.groups if g.name == name)
    if str(level) not in group.levels:
        raise LevelError("no row of the data has this level", where=f"{name}: {level!r}", fix=f"levels of {name}: {listed(group.levels)}")
    return np.flatnonzero(group.index == group.levels.index(str(level))).astype(np.int64)


def _table(pit: FloatArray, envelope: Envelope) -> pd.DataFrame:
    """Compare the empirical distribution function with the envelope."""
    useful = (envelope.lower > 0.0) | (envelope.upper < 1.0)
    if not useful.any():
        raise ArgumentError(
            "the envelope of so few rows excludes nothing", where=f"{len(pit)} rows", fix="look at more rows together, or lower ci_prob"
        )
    at, lower, upper = envelope.at[useful], envelope.lower[useful], envelope.upper[useful]
    share = np.searchsorted(np.sort(pit), at, side="right") / len(pit)
    columns = {"at": at, "difference": share - at, "lower": lower - at, "upper": upper - at, "outside": is_outside(share, lower, upper)}
    return pd.DataFrame(columns)


def _verdict(table: pd.DataFrame, envelope: Envelope, prob: float) -> str:
    """Tell whether the curve stays inside, and what the envelope covers."""
    outside = int(table["outside"].sum())
    found = f"leaves the envelope at {outside} of {len(table)} places" if outside else "stays inside the envelope"
    covered = f"{100 * prob:g} % simultaneous envelope: independent uniform numbers stay inside with probability {envelope.coverage:.3f}"
    return f"The curve {found} ({covered})."
