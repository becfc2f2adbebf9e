"""Every picture of the list is drawn for a Bernoulli, a Poisson and a Gaussian fit, or the error says why the model has none."""

from functools import cache

import numpy as np
import pytest
from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError, BayesglmmError
from bayesglmm.plots.gallery import GALLERY, check_format, picture, write_picture
from tests.fits import make_fit
from tests.post.makers import table

MODELS = {"bernoulli": "zero_one", "poisson": "count", "gaussian": "y"}
WITHOUT = {("covariance", "bernoulli"): "Gaussian", ("covariance", "poisson"): "Gaussian"}
"""Pictures that a model cannot have, with a word of the reason."""


@cache
def fit_of(family):
    beta = {"Intercept": 0.4, "x": 0.3, "drug[b]": -0.6, "drug[c]": 0.5}
    given = {"sd": [0.8, 0.4], "corr": [[1.0, 0.4], [0.4, 1.0]], "n_draws": 60, "n_chains": 4}
    data = table().assign(zero_one=np.random.default_rng(2).integers(0, 2, 120))  # each group its own share of ones
    return make_fit(f"{MODELS[family]} ~ x + drug + (x | g)", data, family=family, beta=beta, **given)


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("name", GALLERY)
def test_every_picture_of_every_family(name, family, tmp_path):
    if (name, family) in WITHOUT:
        with pytest.raises(BayesglmmError, match=WITHOUT[name, family]):
            picture(name, fit_of(family))
        return
    figure = picture(name, fit_of(family))
    assert isinstance(figure, Figure)
    drawn = [a for a in figure.axes if a.has_data()]
    assert drawn
    for panel in drawn:
        for line in panel.lines:
            y = np.asarray(line.get_ydata(), dtype=float)
            assert not y.size or np.isfinite(y).any()  # a line without points stands for others in the legend
    words = [figure.get_supxlabel(), *(text for p in drawn for text in (p.get_xlabel(), p.get_title(), p.get_title(loc="left")))]
    assert any(words)
    assert write_picture(figure, tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "options"),
    [("trace", {"variable": "x"}), ("caterpillar", {"at": {}}), ("nothing", None), ("spaghetti", {"at": {"drug": "a"}})],
)
def test_what_a_picture_cannot_take_is_refused(name, options):
    with pytest.raises(ArgumentError):
        picture(name, fit_of("gaussian"), options)


def test_options_reach_the_numbers():
    figure = picture("spaghetti", fit_of("bernoulli"), {"variable": "x", "at": {"drug": "c"}})
    assert figure.axes[0].get_xlabel() == "x"


@pytest.mark.parametrize("name", ["a.gif", "a", "a.png.txt"])
def test_unknown_formats_are_refused(name):
    with pytest.raises(ArgumentError, match="png"):
        check_format(name)


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path):
    figure = picture("spaghetti", fit_of("gaussian"), {"variable": "x"})
    with pytest.raises(ArgumentError, match="written"):
        write_picture(figure, tmp_path / "none" / "a.png")
    assert list(tmp_path.iterdir()) == []
