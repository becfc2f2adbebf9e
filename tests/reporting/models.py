"""Made-up fits of every shape that a report must cope with, and what every section must keep."""

import numpy as np
import pandas as pd

from bayesglmm.reporting.context import Context
from bayesglmm.reporting.parts import Part
from bayesglmm.reporting.records import Image
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table

DRAWS = {"n_chains": 4, "n_draws": 50}
PNG = b"\x89PNG"


def nested_table(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    school = np.repeat([f"s{i}" for i in range(6)], n // 6)
    room = np.array([f"{s}{'ab'[i % 2]}" for i, s in enumerate(school)])
    return pd.DataFrame({"school": school, "room": room, "x": rng.normal(size=n).round(2), "count": rng.poisson(2.0, n)})


MODELS = {
    "crossed logit": lambda: crossed_fit(**DRAWS),
    "nested log": lambda: make_fit(
        "count ~ x + (1 | school/room)", nested_table(), family="poisson", sd={"school": 0.4, "school:room": 0.2}, **DRAWS
    ),
    "slopes identity": lambda: make_fit("y ~ x + (x | g)", table(), sd=[0.8, 0.4], **DRAWS),
    "no covariate, trials": lambda: make_fit("k | trials(n) ~ 1 + (1 | g)", table(), family="binomial", sd=0.7, **DRAWS),
    "probit": lambda: make_fit("zero_one ~ drug + (1 | g)", table(), family="bernoulli", link="probit", sd=0.7, **DRAWS),
    "no groups": lambda: make_fit("count ~ x * drug", table(), family="poisson", **DRAWS),
    "factor slopes": lambda: make_fit("zero_one ~ drug + (drug | g)", table(), family="bernoulli", sd=0.6, **DRAWS),
    "no intercept": lambda: make_fit("y ~ 0 + drug + (1 | g)", table(), **DRAWS),
    "no fixed effect": lambda: make_fit("y ~ 0 + (1 | g)", table(), **DRAWS),
}


def sketch(row, draw, alt, caption) -> Part:
    """In place of a picture: quick, for tests that are about numbers."""
    return Part(blocks=(Image(PNG, alt, caption),))


def entries_of(section):
    return {e.check.id: e for e in section.entries}


def check_of(section, check_id):
    return entries_of(section)[check_id].check


def keeps_the_rules(section, ids):
    """Every check is there once, says something, and is never passed without a number or a sentence; pictures are pictures."""
    assert len(entries_of(section)) == len(section.entries)
    assert set(ids) <= set(entries_of(section))
    for entry in section.entries:
        check = entry.check
        assert check.threshold
        assert check.detail
        assert check.meaning
        assert check.value is None or np.isfinite(check.value)
        assert check.verdict != "attention" or check.remedy
    for block in section.blocks:
        if isinstance(block, Image):
            assert block.png.startswith(PNG)
            assert block.alt
            assert block.caption


def context_of(fit, time: str | None = None) -> Context:
    return Context(fit, seed=3, time=time)
