"""The contract with nutpie: statistics by ArviZ's names, scattered starts, interrupted runs cut to whole draws."""

import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from bayesglmm.errors import SamplingError
from bayesglmm.sampler import nutpie as door


@pytest.fixture(scope="module")
def nutpie():
    return pytest.importorskip("nutpie")


def raw(lp):
    coords = {"chain": np.arange(lp.shape[0]), "draw": np.arange(lp.shape[1])}
    return door.RawDraws(*(xr.Dataset({name: (("chain", "draw"), lp)}, coords=coords) for name in ("x", "lp")))


@pytest.mark.parametrize(
    ("lengths", "chains", "draws"),
    [((10, 7, 4), 2, 7), ((10, 9, 8), 3, 8), ((10, 10, 0), 2, 10), ((10, 10, 1, 0), 2, 10), ((0, 6, 0), 1, 6), ((5, 5, 5), 3, 5)],
)
def test_trim_keeps_the_chains_that_give_the_most_draws(lengths, chains, draws):
    lp = np.zeros((len(lengths), 10))
    for chain, length in enumerate(lengths):
        lp[chain, length:] = np.nan
    kept = door.trim(raw(lp))
    assert dict(kept.posterior.sizes) == dict(kept.sample_stats.sizes) == {"chain": chains, "draw": draws}
    np.testing.assert_array_equal(kept.posterior["chain"], np.arange(chains))
    assert np.all(np.isfinite(kept.posterior["x"]))


def test_trim_leaves_a_full_run_alone():
    assert door.trim(raw(np.zeros((2, 10)))).posterior.sizes["draw"] == 10


def test_trim_refuses_a_run_without_draws():
    with pytest.raises(SamplingError, match="interrupted before any chain"):
        door.trim(raw(np.full((2, 5), np.nan)))


def test_statistics_get_arviz_names_and_missing_ones_stay_missing():
    some = {n: (("chain", "draw"), np.zeros((1, 2))) for n in door.STATISTICS if n != "energy"}
    renamed = door._rename(xr.Dataset({**some, "fisher_distance": (("chain", "draw"), np.zeros((1, 2)))}))
    assert set(renamed.data_vars) == set(door.STATISTICS.values()) - {"energy"}


def test_starts_are_scattered_by_the_spread_and_fixed_by_the_seed():
    scattered = door._scatter(lambda seed: np.zeros(3), np.array([0.0, 1.0, 10.0]))
    many = np.array([scattered(s) for s in range(400)])
    assert np.all(many[:, 0] == 0.0)
    # sd of 400 normal draws: relative standard error 1/sqrt(800), five of them
    np.testing.assert_allclose(many.std(axis=0)[1:], [1.0, 10.0], rtol=5 / np.sqrt(800))
    np.testing.assert_array_equal(scattered(7), scattered(7))


def gaussian(nutpie):
    """A model in plain Python: slow to evaluate, nothing to compile."""
    from nutpie.compiled_pyfunc import from_pyfunc

    def make_density(**_):
        return lambda x, **_: (-0.5 * float(x @ x), -x)

    def make_expand(*_, **__):
        return lambda x, **_: {"x": x}

    return from_pyfunc(2, make_density, make_expand, [np.dtype("float64")], [(2,)], ["x"], dims={"x": ("k",)}, coords={"k": ["0", "1"]})


def test_nutpie_writes_every_statistic_that_we_keep(nutpie):
    tree = nutpie.sample(gaussian(nutpie), draws=20, tune=20, chains=1, seed=1, progress_bar=False, save_warmup=False)
    assert set(door.STATISTICS) <= set(tree["sample_stats"].data_vars)


def test_an_interrupt_gives_the_draws_so_far(nutpie):
    settings = {"draws": 10_000_000, "tune": 20, "chains": 2, "cores": 2, "seed": 1, "progress_bar": False, "save_warmup": False}
    background = nutpie.sample(gaussian(nutpie), blocking=False, **settings)
    threading.Timer(1.5, lambda: signal.raise_signal(signal.SIGINT)).start()
    tree = door._wait(background)
    kept = door.trim(door.RawDraws(tree["posterior"].to_dataset(), door._rename(tree["sample_stats"].to_dataset())))
    assert 0 < kept.posterior.sizes["draw"] < settings["draws"]
    assert np.all(np.isfinite(kept.posterior["x"]))


def test_spread_follows_the_order_and_size_of_the_free_variables():
    value = {n: SimpleNamespace(name=f"{n}_log__") for n in ("a", "b", "c")}
    variables = [SimpleNamespace(name=n) for n in ("a", "b", "c")]
    model = SimpleNamespace(
        free_RVs=variables,
        rvs_to_values=_ByIdentity({id(v): value[v.name] for v in variables}),
        initial_point=lambda: {"a_log__": np.zeros(()), "b_log__": np.zeros(2), "c_log__": np.zeros((2, 2))},
    )
    start = SimpleNamespace(spread={"a": np.array(3.0), "b": np.array([1.0, 2.0]), "c": np.array(0.5)})
    np.testing.assert_array_equal(door._spread_vector(model, start), [3.0, 1.0, 2.0, 0.5, 0.5, 0.5, 0.5])


class _ByIdentity:
    def __init__(self, entries):
        self.entries = entries

    def __getitem__(self, key):
        return self.entries[id(key)]


def test_flat_draws_are_those_after_warm_up():
    """A chain that an interrupt left short is trimmed; one without draws is left out."""
    import pyarrow as pa

    def batch(n_warm, n_draws, chain):
        n = n_warm + n_draws
        values = pa.array([[100.0 * chain + k, -1.0] for k in range(n)], type=pa.list_(pa.float64(), 2))
        statistics = {"tuning": [True] * n_warm + [False] * n_draws, "logp": np.arange(n) + 0.5, "diverging": [False] * n}
        return pa.record_batch({door.FLAT: values}), pa.record_batch(statistics)

    draws, statistics = zip(batch(2, 3, 0), batch(2, 2, 1), batch(2, 0, 2), strict=True)
    found = door._from_arrow(draws, statistics)
    np.testing.assert_array_equal(found.values[..., 0], [[2, 3], [102, 103]])
    np.testing.assert_array_equal(found.sample_stats["lp"], [[2.5, 3.5], [2.5, 3.5]])
    assert set(found.sample_stats.data_vars) == {"lp", "diverging"}


def test_nutpie_comes_without_arviz_and_finds_it_when_it_asks():
    code = """
import sys
from bayesglmm.sampler.nutpie import import_nutpie
import_nutpie()
assert "arviz" not in sys.modules and "arviz_plots" not in sys.modules
assert sys.modules["nutpie.sample"].arviz.from_dict.__module__.startswith("arviz")
import arviz
assert arviz.from_dict is sys.modules["nutpie.sample"].arviz.from_dict
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
