"""The pictures of the prior, posterior, marginal and predictive sections, drawn for models of every shape."""

import struct

import pytest

from bayesglmm.reporting import marginal, posterior, predictive
from bayesglmm.reporting.figures import MOST_PIXELS
from bayesglmm.reporting.records import Image
from tests.reporting.models import MODELS, PNG, context_of

MOST_BYTES = 150_000
"""Of one picture: some twenty of them stay below the three megabytes of a report."""
MISSING = {
    "no covariate, trials": {"marg.side.curves"},
    "no intercept": set(),
    "no fixed effect": {"marg.side.curves"},
}
"""Pictures that a model does not have, by model."""


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("module", [posterior, marginal, predictive], ids=lambda m: m.__name__.rpartition(".")[2])
def test_pictures_are_drawn_and_small(module, name):
    section = module.section(context_of(MODELS[name]()))
    images = [b for b in section.blocks if isinstance(b, Image)]
    for made in images:
        assert made.png.startswith(PNG)
        assert len(made.png) < MOST_BYTES
        assert max(struct.unpack(">II", made.png[16:24])) <= MOST_PIXELS
    missing = {e.check.id for e in section.entries if e.check.threshold == "a picture"}
    assert missing <= MISSING.get(name, set())
    assert images or module is marginal
