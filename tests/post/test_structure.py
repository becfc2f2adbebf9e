"""Z against its definition, and the covariance of rows against Z D Z' + sigma^2 I."""

from itertools import pairwise

import numpy as np
import pytest

from bayesglmm.design.prepare import prepare
from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.post.implied_covariance import implied_covariance
from bayesglmm.post.structure import MOST_ROWS, row_covariance, structure
from bayesglmm.spec.model_spec import make_spec
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC

FORMULA = "y ~ x + (x | g) + (1 | h)"


def dense_z(design):
    """All columns of Z, effect by effect, level by level."""
    parts = []
    for group in design.groups:
        for k in range(group.Z.shape[1]):
            parts.append(group.Z[:, k, None] * (group.index[:, None] == np.arange(len(group.levels))))
    return np.concatenate(parts, axis=1)


def ready():
    return prepare(make_spec(FORMULA, family="gaussian", link="identity"), table())


def test_all_rows_of_z():
    design = ready().design
    result = structure(FORMULA, table(), rows=10_000)
    rows = result.draws["row"].to_numpy()
    assert sorted(rows) == list(range(120))
    np.testing.assert_array_equal(result.draws["Z"], dense_z(design)[rows])
    assert np.all(np.diff(design.groups[0].index[rows]) >= 0)


def test_some_rows_show_the_levels_that_occur():
    result = structure(FORMULA, table(), rows=12)
    z = result.draws["Z"].to_numpy()
    factor, effect, level = (result.draws[c].to_numpy() for c in ("factor", "effect", "level"))
    assert len(z) == 12
    assert set(level[factor == "g"]) == {"g00", "g01"}
    assert set(effect[factor == "g"]) == {"1", "x"}
    assert np.abs(z).sum(axis=0).all()
    assert result.notes[0].startswith("12 of 120 rows")


def test_the_table_speaks_of_all_rows():
    shown = structure(FORMULA, table(), rows=12).table
    design = ready().design
    assert shown[["factor", "effect"]].to_numpy().tolist() == [["g", "1"], ["g", "x"], ["h", "1"]]
    assert shown["levels"].tolist() == [20, 20, 4]
    assert shown["fewest"].tolist()[0] == shown["most"].tolist()[0] == 6
    z = dense_z(design)
    starts = np.cumsum([0, 20, 20, 4])
    share = [np.count_nonzero(z[:, a:b]) / z[:, a:b].size for a, b in pairwise(starts)]
    np.testing.assert_allclose(shown["share_nonzero"], share, rtol=ALGEBRAIC)


def test_a_fit_and_a_formula_have_one_z():
    fit = make_fit(FORMULA, table(), n_draws=4)
    np.testing.assert_array_equal(structure(fit).draws["Z"], structure(FORMULA, table()).draws["Z"])


def test_covariance_of_rows_is_zdz_plus_residual():
    fit = make_fit(
        FORMULA, table(), sd={"g": [1.2, 0.5], "h": 0.7}, corr={"g": [[1.0, 0.4], [0.4, 1.0]]}, aux={"sigma": 1.5}, spread=0.0, n_draws=3
    )
    result = row_covariance(fit, levels=["g03", "g07"])
    at = result.draws["row"].to_numpy()
    assert len(at) == 12
    design = fit.design
    sd = np.array([1.2, 0.5])
    d_g = sd[:, None] * np.array([[1.0, 0.4], [0.4, 1.0]]) * sd
    big = np.zeros((44, 44))
    for j in range(20):
        big[np.ix_([j, 20 + j], [j, 20 + j])] = d_g
    big[40:, 40:] = 0.49 * np.eye(4)
    z = dense_z(design)[at]
    expected = z @ big @ z.T + 2.25 * np.eye(12)
    np.testing.assert_allclose(result.draws["covariance"].to_numpy()[0, 0], expected, rtol=ALGEBRAIC, atol=ALGEBRAIC)
    first, second = np.triu_indices(12)
    np.testing.assert_allclose(result.table["mean"], expected[first, second], rtol=ALGEBRAIC, atol=ALGEBRAIC)
    assert result.table["row"].tolist() == at[first].tolist()
    assert result.table["other_row"].tolist() == at[second].tolist()
    assert result.target.endswith("Z D Z' + sigma^2 I")


def test_rows_of_one_level_agree_with_the_implied_covariance_at_times():
    frame = table().assign(time=np.resize(np.arange(6), 120))
    fit = make_fit("y ~ time + (time | g)", frame, sd=[1.0, 0.3], n_draws=6)
    rows = row_covariance(fit, levels=1).draws["covariance"].to_numpy()
    times = implied_covariance(fit, list(range(6))).draws["covariance"].to_numpy()
    np.testing.assert_allclose(rows, times, rtol=ALGEBRAIC)


def test_known_standard_errors_are_the_residual():
    fit = make_fit("y | se(s) ~ x + (1 | g)", table(), sd=1.0, spread=0.0, n_draws=2)
    result = row_covariance(fit, levels=["g00"])
    V = result.draws["covariance"].to_numpy()[0, 0]
    np.testing.assert_allclose(np.diag(V), 1.0 + table()["s"].to_numpy()[:6] ** 2, rtol=ALGEBRAIC)


def test_other_families_have_the_covariance_of_predictors():
    result = row_covariance(crossed_fit(spread=0.0, n_draws=2), factor="h", levels=2)
    assert result.draws.attrs["of"] == "linear predictors"
    assert len(result.draws["row"]) == MOST_ROWS
    assert result.notes[0].startswith(f"The first rows of each level, {MOST_ROWS} of")
    assert "sigma" not in result.target


def test_those_with_most_rows_are_taken():
    frame = table()
    frame = frame.drop(index=range(0, 114, 2))
    fit = make_fit("y ~ x + (1 | g)", frame, n_draws=3)
    result = row_covariance(fit, levels=1)
    assert set(result.draws["level"].to_numpy()) == {"g19"}


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"factor": "k"}, ArgumentError, "g, h"),
        ({"levels": 0}, ArgumentError, "number of levels"),
        ({"levels": True}, ArgumentError, "list of levels"),
        ({"levels": "g01"}, ArgumentError, "list of levels"),
        ({"levels": ["g99"]}, LevelError, "g99"),
    ],
)
def test_what_cannot_be_is_refused(options, error, match):
    with pytest.raises(error, match=match):
        row_covariance(make_fit(FORMULA, table(), n_draws=2), **options)


def test_without_groups_there_is_no_z():
    with pytest.raises(ArgumentError, match="no grouping factor"):
        structure("y ~ x", table())
    with pytest.raises(ArgumentError, match="no grouping factor"):
        row_covariance(make_fit("y ~ x", table(), n_draws=2))
    with pytest.raises(ArgumentError, match="rows=0"):
        structure(FORMULA, table(), rows=0)


def test_rows_of_several_children_of_a_level_are_shown():
    rows = table(240).assign(a=np.repeat(["s", "t"], 120), b=np.tile(np.repeat(list("klmnop"), 20), 2))
    fit = make_fit("y ~ x + (1 | a) + (1 | a:b)", rows, sd={"a": [1.0], "a:b": [0.5]}, n_draws=5)
    result = row_covariance(fit, factor="a")
    at = result.draws["row"].to_numpy()
    assert len(at) == len(set(at)) == MOST_ROWS
    children = rows.loc[at, ["a", "b"]].value_counts()
    assert len(children) == 12
    assert set(children) == {2}
    covariance = result.draws["covariance"].mean(("chain", "draw")).to_numpy()
    same_child = (rows.loc[at, "b"].to_numpy()[:, None] == rows.loc[at, "b"].to_numpy()) & (at[:, None] // 120 == at // 120)
    same_parent = at[:, None] // 120 == at // 120
    assert covariance[same_child & ~np.eye(len(at), dtype=bool)].min() > covariance[same_parent & ~same_child].max() > 0.0
    assert "Rows of nested levels, spaced evenly, 24 of 240." in result.notes
    assert result.draws.attrs["rows"] == 240


def test_more_children_than_rows_are_spaced_evenly():
    rows = table(240).assign(a=np.repeat(["s", "t"], 120), b=np.tile(np.repeat([f"c{k:02d}" for k in range(30)], 4), 2))
    fit = make_fit("y ~ x + (1 | a) + (1 | a:b)", rows, n_draws=5)
    at = row_covariance(fit, factor="a").draws["row"].to_numpy()
    shown = rows.loc[at[at < 120], "b"]
    assert shown.value_counts().tolist() == [2] * 6
    assert (shown.iloc[0], shown.iloc[-1]) == ("c00", "c29")
