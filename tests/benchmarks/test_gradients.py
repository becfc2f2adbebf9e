"""Time of one gradient for five models: ``pytest tests/benchmarks --benchmark-only``. Nothing is asserted about the time."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.design.prepare import prepare
from tests.benchmarks.models import MODELS, ROOT

TIMED = ("sleepstudy", "Penicillin", "epil", "Contraception", "PBC")


def evaluation_of(name, form):
    from tests.benchmarks import gradients

    ready = prepare(bg.load_spec(ROOT / "models" / f"{MODELS[name]}.toml"))
    return getattr(gradients, form)(ready)


@pytest.mark.parametrize("form", ["sampled", "integrated"])
@pytest.mark.parametrize("name", TIMED)
def test_gradient(benchmark, name, form):
    evaluation = evaluation_of(name, form)
    arguments = evaluation.arguments()
    assert benchmark(evaluation.function, *arguments) == 0
    assert np.all(np.isfinite(evaluation.gradient))
