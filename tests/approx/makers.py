"""Sketches, problems and modes of prepared models, for the tests of the Laplace approximation."""

import numpy as np

from bayesglmm.approx.laplace import laplace_mode, make_problem
from bayesglmm.approx.sketch import make_sketch


def sketched(ready):
    sketch = make_sketch(ready.design, ready.family, ready.link)
    return sketch, *make_problem(ready.design, ready.family, ready.link, ready.priors, sketch)


def found_for(ready):
    sketch = make_sketch(ready.design, ready.family, ready.link)
    return laplace_mode(ready.design, ready.family, ready.link, ready.priors, sketch)


def start_of(problem):
    return np.zeros(problem.structure.size)
