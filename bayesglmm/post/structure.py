r"""The structure that random effects give to data: their design matrix Z, and the covariance of the rows of some levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.design.design import Design
from bayesglmm.design.prepare import prepare
from bayesglmm.design.records import label
from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.fit.draws import CHAIN, DRAW
from bayesglmm.fit.fit import Fit
from bayesglmm.naming import SIGMA
from bayesglmm.numerics.implied import add_to_diagonal, shared_covariance
from bayesglmm.numerics.links import LINKS
from bayesglmm.post.check_replicates import nested_in
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.linear_predictor import fit_parameters
from bayesglmm.post.observed import AS_OBSERVED, Asked, as_spec, check_asked, dropped_notes
from bayesglmm.post.result import Result, run_notes
from bayesglmm.post.simulate import observation_parameters
from bayesglmm.post.variance_partition import factor_names, weights_note
from bayesglmm.types import FloatArray, IntArray

STRUCTURE: Final = "structure"
ROW_COVARIANCE: Final = "row_covariance"
ROWS = 200
"""Rows of Z that are shown."""
MOST_ROWS = 24
"""Rows of a covariance matrix: draws have S x rows x rows numbers, with 4,000 draws 18 MB."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Columns of Z of one effect of one term: dense on the rows shown, (m, J shown)."""

    factor: str
    effect: str
    levels: tuple[str, ...]
    matrix: FloatArray


def structure(given: Asked, data: Any = None, *, family: str = "gaussian", rows: int = ROWS) -> Result:
    """Random-effects design matrix Z with a column per effect and level, as a dense matrix of some rows.

    Parameters
    ----------
    given
        A formula, a spec, or a fit.
    data
        A table, for a formula or a spec; rows with missing values are left out.
    family
        For a formula.
    rows
        How many rows are shown, the first ones after sorting by the levels of the first grouping factor.

    Returns
    -------
    Result
        ``table``, a row per effect of a factor, over all rows: ``factor``, ``effect``, ``levels`` (columns of Z), ``fewest``, ``median``
        and ``most`` (rows of a level), ``share_nonzero`` (of the entries of its columns). ``draws``: ``Z`` with dims (row, column), the
        levels that occur in these rows only; coordinates ``row`` (of the data, from 0), ``factor``, ``effect``, ``level``.

    Raises
    ------
    ArgumentError
        If the formula has no grouping factor, or ``rows`` is no number of rows.
    BayesglmmError
        If anything about the formula or the data is wrong.
    """
    check_asked(given, data)
    if isinstance(rows, bool) or not isinstance(rows, int | np.integer) or rows < 1:
        raise ArgumentError(f"rows={rows!r} is no number of rows", fix="give a whole number from 1")
    spec, design = _design(given, data, family)
    if not design.groups:
        raise ArgumentError(
            "the formula has no grouping factor, so there is no Z", where=spec.formula, fix="add one, such as (1 | subject)"
        )
    shown = np.argsort(design.groups[0].index, kind="stable")[:rows]
    blocks = [block for term in range(len(design.groups)) for block in _blocks(design, term, shown)]
    coords = {
        "row": shown,
        "factor": ("column", np.array([b.factor for b in blocks for _ in b.levels], dtype=object)),
        "effect": ("column", np.array([b.effect for b in blocks for _ in b.levels], dtype=object)),
        "level": ("column", np.array([name for b in blocks for name in b.levels], dtype=object)),
    }
    matrix = np.concatenate([b.matrix for b in blocks], axis=1)
    draws = xr.Dataset({"Z": (("row", "column"), matrix)}, coords=coords, attrs={"kind": STRUCTURE, "rows": len(design.y)})
    note = f"{len(shown)} of {len(design.y)} rows, sorted by the levels of {design.groups[0].name}, and the levels that occur in them."
    title = f"Random-effects design matrix Z of {spec.formula}"
    return Result(title, AS_OBSERVED, _effects_table(design), draws, (note, *dropped_notes(design.dropped)))


@takes_fit
def row_covariance(
    fit: Fit, *, factor: str | None = None, levels: int | Sequence[Any] = 2, ci_prob: float = 0.95, ci_kind: str = "eti"
) -> Result:
    r"""Covariance that the model implies for rows of some levels, averaged over all random effects.

    .. math:: V_{ik} = \textstyle\sum_t 1[j_t(i) = j_t(k)]\,z_{ti}' D_t z_{tk} + 1[i = k]\,\sigma^2

    For a Gaussian response with identity link it is that of the responses; for others that of the linear predictors, without sigma.

    Parameters
    ----------
    fit
        A fit with a grouping factor.
    factor
        Whose levels are taken; None takes the first grouping factor.
    levels
        How many, those with most rows; or the levels themselves. At most 24 rows are shown, the first ones of each level; where other
        factors are nested in it, rows of several of their levels, two of each or more where there are as many.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, each pair of rows once: ``level``, ``row``, ``other_level``, ``other_row`` (rows of the data, from 0), ``mean``, ``sd``,
        ``median``, ``ci_lower``, ``ci_upper``. ``draws``: ``covariance`` with dims (chain, draw, row, column).

    Raises
    ------
    ArgumentError
        If there is no such grouping factor, or ``levels`` is no number of levels.
    LevelError
        If the fit has not seen a level.
    """
    choice = make_interval(ci_prob, ci_kind)
    name = _factor(fit, factor)
    group = next(g for g in fit.design.groups if g.name == name)
    chosen = _levels(name, group.levels, group.index, levels)
    inner = _nested(fit, name)
    at = np.concatenate([_sampled(np.flatnonzero(group.index == j), inner, max(1, MOST_ROWS // len(chosen))) for j in chosen])
    V, of_response = _covariance(fit, at)
    first, second = np.triu_indices(len(at))
    names = np.array(group.levels, dtype=object)[group.index[at]]
    pairs = {"level": names[first], "row": at[first], "other_level": names[second], "other_row": at[second]}
    table = pd.DataFrame({**pairs, **summarise(V[:, first, second], choice)})
    sizes = fit.posterior.sizes[CHAIN], fit.posterior.sizes[DRAW]
    coords = {CHAIN: np.arange(sizes[0]), DRAW: np.arange(sizes[1]), "row": at, "column": at, "level": ("row", names)}
    of = "responses" if of_response else "linear predictors"
    draws = xr.Dataset(
        {"covariance": ((CHAIN, DRAW, "row", "column"), V.reshape(*sizes, *V.shape[1:]))},
        coords=coords,
        attrs={"kind": ROW_COVARIANCE, "factor": name, "of": of, "rows": int(np.isin(group.index, chosen).sum())},
    )
    target = f"{of} of rows of named levels of {name}, over the distribution of all random effects: Z D Z'{' + sigma^2 I' * of_response}"
    notes = (_rows_note(len(at), draws.attrs["rows"], spread=bool(inner)), *weights_note(fit), *run_notes(fit))
    return Result(f"Implied covariance of rows of {len(chosen)} levels of {name}", target, table, draws, notes, choice)


def _design(given: Asked, data: Any, family: str) -> tuple[Any, Design]:
    """Spec and design of a fit, or of a formula on a table."""
    if isinstance(given, Fit):
        return given.spec, given.design
    ready = prepare(as_spec(given, family), data, missing="drop")
    return ready.spec, ready.design


def _blocks(design: Design, term: int, shown: IntArray) -> list[_Block]:
    """Columns of one term on some rows, effect by effect, a column per level that occurs there."""
    group = design.groups[term]
    occurring, position = np.unique(group.index[shown], return_inverse=True)
    names = tuple(group.levels[j] for j in occurring)
    blocks = []
    for k, effect in enumerate(group.labels):
        matrix = np.zeros((len(shown), len(occurring)))
        matrix[np.arange(len(shown)), position] = group.Z[shown, k]
        blocks.append(_Block(group.name, effect, names, matrix))
    return blocks


def _effects_table(design: Design) -> pd.DataFrame:
    """One line per effect of a factor, over all rows."""
    lines = []
    for group in design.groups:
        counts = np.bincount(group.index, minlength=len(group.levels))
        sizes = {"levels": len(group.levels), "fewest": int(counts.min()), "median": float(np.median(counts)), "most": int(counts.max())}
        for k, effect in enumerate(group.labels):
            share = np.count_nonzero(group.Z[:, k]) / (len(design.y) * len(group.levels))
            lines.append({"factor": group.name, "effect": effect, **sizes, "share_nonzero": share})
    return pd.DataFrame(lines)


def _factor(fit: Fit, factor: str | None) -> str:
    names = factor_names(fit)
    if factor is None:
        return names[0]
    if factor not in names:
        raise ArgumentError(f"factor={factor!r} is no grouping factor of the model", fix=f"the factors are: {', '.join(names)}")
    return factor


def _levels(factor: str, known: Sequence[str], index: IntArray, levels: int | Sequence[Any]) -> list[int]:
    """Positions of the levels whose rows are shown."""
    if isinstance(levels, int | np.integer) and not isinstance(levels, bool):
        if not 1 <= levels <= MOST_ROWS:
            raise ArgumentError(f"levels={levels} is no number of levels", fix=f"give a number from 1 to {MOST_ROWS}, or a list of levels")
        most = np.argsort(-np.bincount(index, minlength=len(known)), kind="stable")[:levels]
        return [int(j) for j in np.sort(most)]
    if isinstance(levels, str) or not isinstance(levels, Sequence) or not 1 <= len(levels) <= MOST_ROWS:
        raise ArgumentError(f"levels={levels!r} is no list of levels", fix=f"give 1 to {MOST_ROWS} levels in a list, or a number of them")
    names = [label(level) for level in known]
    wanted = list(dict.fromkeys(label(level) for level in levels))
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise LevelError("the fit has not seen these levels", where=f"{factor}: {', '.join(unknown)}", fix="name observed levels")
    return [names.index(name) for name in wanted]


def _covariance(fit: Fit, at: IntArray) -> tuple[FloatArray, bool]:
    """Draws (S, m, m) for m rows, and whether they are of responses rather than of linear predictors."""
    parameters = fit_parameters(fit, effects=False)
    V = np.zeros((parameters.n_draws, len(at), len(at)))
    for group, design in zip(parameters.groups, fit.design.groups, strict=True):
        index = design.index[at]
        V += shared_covariance(design.Z[at], group.sd, group.corr) * (index[:, None] == index)
    of_response = SIGMA in fit.family.auxiliary and fit.link is LINKS["identity"]
    if of_response:
        se = None if fit.design.se is None else fit.design.se[at]
        V = add_to_diagonal(V, observation_parameters(fit, se, np.arange(parameters.n_draws, dtype=np.int64))[SIGMA] ** 2)
    return V, of_response


def _nested(fit: Fit, factor: str) -> list[IntArray]:
    """Codes (n,) of the factors nested in one, the outermost first."""
    outer = next(g for g in fit.design.groups if g.name == factor)
    found = {}
    for position in nested_in(fit, factor):
        group = fit.design.groups[position]
        if len(outer.levels) < len(group.levels) < len(fit.design.y):
            found[group.name] = group
    return [group.index for group in sorted(found.values(), key=lambda group: len(group.levels))]


def _sampled(rows: IntArray, inner: Sequence[IntArray], most: int) -> IntArray:
    """Take rows of one level: of inner levels spaced evenly, two rows of each or more; sorted by inner level, so that they are blocks."""
    if not inner:
        return rows[:most]
    codes = np.unique(inner[0][rows])
    each = max(2, most // len(codes))
    chosen = codes[np.unique(np.linspace(0, len(codes) - 1, max(1, min(len(codes), most // each))).round().astype(np.int64))]
    return np.concatenate([_sampled(rows[inner[0][rows] == code], inner[1:], each) for code in chosen])[:most]


def _rows_note(shown: int, all_rows: int, *, spread: bool) -> str:
    if shown == all_rows:
        return f"All {shown} rows of these levels."
    which = "Rows of nested levels, spaced evenly" if spread else "The first rows of each level"
    return f"{which}, {shown} of {all_rows}."
