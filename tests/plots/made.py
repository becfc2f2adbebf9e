"""Fits for the pictures of checks and of data, and what a panel has drawn."""

from functools import cache

import numpy as np

from bayesglmm.fit.fit import Fit
from tests.fits import make_fit
from tests.post.makers import table

MODELS = {"gaussian": "y ~ x + (x | g)", "poisson": "count ~ x + (x | g)", "bernoulli": "zero_one ~ x + (x | g)"}


@cache
def fit_of(family: str = "gaussian", **options: int) -> Fit:
    """A fit with a random slope; 100 draws unless said otherwise."""
    return make_fit(MODELS[family], table(), family=family, sd=[0.8, 0.4], **{"n_draws": 50, **options})


def labelled(axes, label):
    """The lines of a panel that carry a label."""
    return [line for line in axes.lines if line.get_label() == label]


def data_of(line):
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def band_of(axes, at=0):
    """Corners (k, 2) of a filled band."""
    return axes.collections[at].get_paths()[0].vertices
