"""Tables without their draws print as they do with them: the number of draws behind a table is known either way."""

import pytest

import bayesglmm as bg
from bayesglmm.post import attenuation, lines, means, variance_partition
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table

GRID = {"x": [-1.0, 0.0, 1.0], "drug": ["a", "b"]}
CALLS = {
    "means": lambda f, **k: bg.means(f, GRID, target="population", **k),
    "means by": lambda f, **k: bg.means(f, target="population", by="drug", **k),
    "contrasts": lambda f, **k: bg.contrasts(f, "drug", at={"x": [0.0, 1.0, 2.0]}, target="population", **k),
    "pairwise": lambda f, **k: bg.pairwise(f, "drug", at={"x": [0.0, 1.0]}, target="average_subject", **k),
    "slopes": lambda f, **k: bg.slopes(f, "x", GRID, target="population", **k),
    "compare_targets": lambda f, **k: bg.compare_targets(f, at=GRID, **k),
    "compare_targets of contrasts": lambda f, **k: bg.compare_targets(f, "drug", at={"x": [0.0, 1.0]}, **k),
    "shares": lambda f, **k: bg.shares(f, GRID, threshold=[0.2, 0.8], **k),
    "opposite_slopes": lambda f, **k: bg.opposite_slopes(f, "x", {"drug": "all"}, **k),
    "heterogeneity": lambda f, **k: bg.heterogeneity(f, GRID, **k),
    "variance_partition": lambda f, **k: bg.variance_partition(f, GRID, **k),
    "predict": lambda f, **k: bg.predict(f, **k),
    "simulate": lambda f, **k: bg.simulate(f, seed=1, **k),
    "simulate some draws": lambda f, **k: bg.simulate(f, draws=10, seed=1, **k),
}


def printed(result) -> str:
    """Everything but the notes."""
    return str(result).split("\nNote: ")[0]


@pytest.mark.parametrize("few", [False, True], ids=["at once", "a few rows at a time"])
@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_the_print_does_not_depend_on_whether_draws_are_kept(call, few, monkeypatch):
    fit = crossed_fit()
    kept = call(fit, keep_draws=True)
    for module in (attenuation, lines, means, variance_partition) if few else ():
        monkeypatch.setattr(module, "AT_ONCE", 1)
    left = call(fit, keep_draws=False)
    assert not left.draws.data_vars
    assert left.n_draws == kept.n_draws > 0
    assert printed(left) == printed(kept)


def test_a_mean_without_draws_has_the_digits_that_its_error_allows():
    fit = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", beta=[0.2, 0.5], sd=0.5, n_draws=200)
    result = bg.means(fit, {"x": 0.0}, target="average_subject", keep_draws=False)
    shown = printed(result).splitlines()[-1].split()[1]
    assert shown == f"{result.table['mean'].iloc[0]:.3f}"  # an SD of 0.012 and 400 draws: an error of 0.0006
