"""Images of Z and of the covariance of rows hold the matrices."""

import numpy as np
import pytest

from bayesglmm.errors import ArgumentError
from bayesglmm.plots.structure import plot_structure
from bayesglmm.post.structure import row_covariance, structure
from bayesglmm.post.summary import summary
from tests.fits import make_fit
from tests.plots.made import fit_of
from tests.post.makers import crossed_fit, table

FORMULA = "y ~ x + (x | g) + (1 | h)"


def image_of(axes):
    return np.asarray(axes.images[0].get_array())


def test_z_is_scaled_by_effect():
    result = structure(FORMULA, table(), rows=18)
    axes = plot_structure(result).axes[0]
    z, effect, factor = (result.draws[c].to_numpy() for c in ("Z", "effect", "factor"))
    expected = np.array(z)
    for name, of in (("1", "g"), ("x", "g"), ("1", "h")):
        own = (effect == name) & (factor == of)
        expected[:, own] /= np.abs(z[:, own]).max()
    np.testing.assert_array_equal(image_of(axes), expected)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["intercept |\ng", "x |\ng", "intercept |\nh"]
    assert axes.get_ylabel() == "rows (18 of 120, sorted by level)"
    assert len(axes.lines) == 2


def test_a_fit_has_its_covariance_beside_z():
    fit = make_fit(FORMULA, table(), n_draws=10)
    result = row_covariance(fit)
    left, right = (a for a in plot_structure(fit).axes if a.get_label() != "<colorbar>")
    np.testing.assert_array_equal(image_of(left), image_of(plot_structure(FORMULA, table()).axes[0]))
    expected = result.draws["covariance"].mean(("chain", "draw"))
    np.testing.assert_allclose(image_of(right), expected)
    assert [t.get_text() for t in right.get_xticklabels()] == list(dict.fromkeys(result.draws["level"].to_numpy()))
    assert len(right.texts) == image_of(right).size
    assert right.get_title(loc="left") == "covariance of responses"


def test_levels_can_be_chosen():
    fit = crossed_fit()
    right = plot_structure(fit, factor="h", levels=["q", "r", "s"]).axes[1]
    assert [t.get_text() for t in right.get_xticklabels()] == ["q", "r", "s"]
    assert image_of(right).shape == (24, 24)
    assert not right.texts
    assert right.get_title(loc="left") == "covariance of linear predictors"


def test_other_things_are_refused():
    with pytest.raises(ArgumentError, match="structure or row_covariance"):
        plot_structure(summary(fit_of()))
    with pytest.raises(ArgumentError, match="a model is needed"):
        plot_structure(None)
    with pytest.raises(ArgumentError, match="needs a fit"):
        plot_structure(FORMULA, table(), levels=2)


def test_they_render(tmp_path):
    plot_structure(crossed_fit(), title="a $ title").savefig(tmp_path / "structure.png")


def test_the_picture_says_how_many_rows_it_shows():
    axes = plot_structure(crossed_fit(), factor="h", levels=["q", "r", "s"]).axes[1]
    total = sum(int((crossed_fit().frame["h"] == level).sum()) for level in ("q", "r", "s"))
    assert axes.get_xlabel() == f"rows of levels of h (24 of {total})"
