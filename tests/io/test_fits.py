"""A stored fit comes back as it was: draws bit by bit, everything else equal, new rows encoded alike."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pandas.testing import assert_frame_equal

from bayesglmm.design.encoding import encode_rows
from bayesglmm.errors import FitFileError
from bayesglmm.io.fits import FRAME, TREE, load, save
from bayesglmm.io.netcdf import read_tree
from bayesglmm.post.density import log_likelihood
from bayesglmm.post.means import means
from bayesglmm.spec.priors import LKJ, HalfNormal, Normal
from tests.io.hand import hand_made_fit

N = 60


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "y": rng.integers(0, 2, N),
            "k": rng.integers(0, 4, N),
            "n": rng.integers(4, 9, N),
            "real": rng.normal(size=N),
            "se": rng.uniform(0.5, 1, N),
            "x": rng.normal(size=N),
            "my col": rng.normal(size=N) + 3,
            "drug": pd.Categorical(rng.choice(["ddC", "ddI", "é / ü"], N), categories=["ddI", "ddC", "é / ü", "unused"]),
            "g": rng.integers(0, 6, N),
            "h": np.tile(["u", "v", "w"], N // 3),
            "flag": rng.random(N) < 0.5,
        }
    )


CASES = [
    ("y ~ x * drug + (1 | g)", {}),
    ("y ~ x:real + I(x ^ 2) + scale(x) + `my col` + (x | g)", {}),
    ("y ~ x + (x | g) + (0 + flag | h) + offset(`my col`)", {}),
    ("y ~ flag + poly(x, 2) + (1 + x || g)", {"priors": {"b": Normal(0, 1), "sd[g, x]": HalfNormal(2)}, "center": False}),
    ("y ~ ns(x, 3) + C(drug, 'sum') + (1 | h:g)", {"contrasts": {}}),
    ("y ~ drug + (1 | h / g)", {"contrasts": {"drug": "helmert"}}),
    ("k | trials(n) ~ x + (x | g)", {"family": "binomial", "link": "probit", "priors": {"cor": LKJ(4)}}),
    ("cbind(k, n - k) ~ x + (1 | g)", {"family": "binomial", "link": "cloglog"}),
    ("k ~ x + (1 | g)", {"family": "poisson", "link": "log", "offset": "log(n)", "weights": "se"}),
    ("real ~ x + (x | g)", {"family": "gaussian", "link": "identity"}),
    ("real | se(se) ~ x + (1 | g)", {"family": "gaussian", "link": "identity"}),
    ("log(n) ~ x + (1 | g)", {"family": "gaussian", "link": "identity"}),
    ("y ~ 1", {}),
    ("y ~ 0 + drug", {}),
]


def text_of(path):
    return read_tree(path, (*TREE, FRAME)).text


def assert_same(loaded, fit):
    assert loaded.posterior.identical(fit.posterior)
    for name in TREE:
        assert loaded.idata[name].to_dataset().equals(fit.idata[name].to_dataset())
        assert dict(loaded.idata[name].attrs) == dict(fit.idata[name].attrs)
    for attribute in ("spec", "priors", "quality", "provenance"):
        assert getattr(loaded, attribute) == getattr(fit, attribute)
    assert loaded.design.dropped == fit.design.dropped
    assert_frame_equal(loaded.frame, fit.frame, check_exact=True)


@pytest.mark.parametrize(("formula", "asked"), CASES, ids=[c[0][:50] for c in CASES])
def test_a_stored_fit_comes_back_as_it_was(formula, asked, table, tmp_path):
    fit = hand_made_fit(formula, table, **asked)
    path = save(fit, tmp_path / "fit.nc")
    loaded = load(path)
    assert_same(loaded, fit)
    assert np.array_equal(log_likelihood(loaded), log_likelihood(fit))
    again = save(loaded, tmp_path / "again.nc")
    assert text_of(again) == text_of(path)
    assert again.read_bytes() == path.read_bytes()


def test_names_longer_than_netcdf_allows(table, tmp_path):
    long = table.rename(columns={"x": "x" * 150, "real": "r" * 150})
    fit = hand_made_fit(f"y ~ {'x' * 150}:{'r' * 150} + ({'x' * 150} | g)", long)
    assert_same(load(save(fit, tmp_path / "fit.nc")), fit)


@pytest.mark.parametrize("formula", ["y ~ ns(x, 3) * drug + scale(real) + (x | g)", "y ~ poly(x, 2) + C(drug, 'sum') + (1 | g)"])
def test_new_rows_are_encoded_as_before(formula, table, tmp_path):
    fit = hand_made_fit(formula, table)
    loaded = load(save(fit, tmp_path / "fit.nc"))
    rows = table.iloc[[3, 1, 4]]
    before, after = encode_rows(fit.design.encoding, rows), encode_rows(loaded.design.encoding, rows)
    assert np.array_equal(before.X, after.X)
    assert all(np.array_equal(a.Z, b.Z) and np.array_equal(a.index, b.index) for a, b in zip(before.groups, after.groups, strict=True))


def test_a_loaded_fit_answers_alike(table, tmp_path):
    fit = hand_made_fit("y ~ x * drug + (x | g)", table)
    loaded = load(save(fit, tmp_path / "fit.nc"))
    grid = {"x": [-1, 0, 1], "drug": "all"}
    assert_frame_equal(means(loaded, grid, target="population").table, means(fit, grid, target="population").table, check_exact=True)


def test_rows_left_out_are_remembered(table, tmp_path):
    holes = table.assign(x=table["x"].where(table.index > 6))
    fit = hand_made_fit("y ~ x + (1 | g)", holes, missing="drop")
    loaded = load(save(fit, tmp_path / "fit.nc"))
    assert (loaded.design.dropped.total, loaded.design.dropped.kept, loaded.design.dropped.by_column) == (N, N - 7, (("x", 7),))
    assert_same(loaded, fit)


def test_a_partial_run_stays_partial(table, tmp_path):
    loaded = load(save(hand_made_fit("y ~ x + (1 | g)", table, size=(4, 20), requested=50), tmp_path / "fit.nc"))
    assert loaded.provenance.partial


def test_one_chain_of_few_draws(table, tmp_path):
    fit = hand_made_fit("y ~ x + (1 | g)", table, size=(1, 1))
    assert_same(load(save(fit, tmp_path / "fit.nc")), fit)


def test_other_programs_read_the_file(table, tmp_path):
    fit = hand_made_fit("y ~ x * drug + (x | g)", table)
    path = save(fit, tmp_path / "fit.nc")
    with xr.open_datatree(path, engine="netcdf4") as tree:
        posterior = tree["posterior"].to_dataset().load()
    assert posterior.identical(fit.posterior)
    assert tuple(posterior["drug_dim"].to_numpy()) == ("ddC", "é / ü")


def test_saving_over_a_file_needs_force(table, tmp_path):
    fit = hand_made_fit("y ~ x", table)
    path = save(fit, tmp_path / "fit.nc")
    with pytest.raises(FitFileError, match="exists already"):
        save(fit, path)
    assert save(fit, path, force=True) == path
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]


def test_saving_over_the_file_a_fit_came_from(table, tmp_path):
    fit = hand_made_fit("y ~ x + (1 | g)", table)
    path = save(fit, tmp_path / "fit.nc")
    assert_same(load(save(load(path), path, force=True)), fit)


def test_an_unwritable_place_is_refused(table, tmp_path):
    with pytest.raises(FitFileError, match="cannot be written"):
        save(hand_made_fit("y ~ x", table), tmp_path / "no" / "fit.nc")


def test_draws_that_are_not_finite_are_not_stored(table, tmp_path):
    fit = hand_made_fit("y ~ x", table)
    fit.idata["posterior"]["x"][2, 3] = np.nan
    with pytest.raises(FitFileError, match=r"no finite numbers.*Where: x"):
        save(fit, tmp_path / "fit.nc")
    assert list(tmp_path.iterdir()) == []


def double(x):
    return 2.0 * x


def test_functions_of_the_author_must_be_given_again(table, tmp_path):
    fit = hand_made_fit("y ~ f(x) + (1 | g)", table, functions={"f": double})
    path = save(fit, tmp_path / "fit.nc")
    with pytest.raises(FitFileError, match=r"calls functions of its author.*f.*functions="):
        load(path)
    loaded = load(path, functions={"f": double, "unused": abs})
    assert_same(loaded, fit)
    assert np.array_equal(loaded.design.X, fit.design.X)


def test_a_function_that_does_not_give_what_it_gave_is_noticed(table, tmp_path):
    fit = hand_made_fit("y ~ f(x) + (1 | g)", table, functions={"f": double})
    with pytest.raises(FitFileError, match="log likelihood of 20 rows"):
        load(save(fit, tmp_path / "fit.nc"), functions={"f": np.tanh})


BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pymc", "pytensor", "nutpie", "bambi", "arviz", "arviz_plots", "numba", "statsmodels"}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocker())
import bayesglmm as bg
fit = bg.load(sys.argv[1])
for result in (bg.summary(fit), bg.random_effects(fit), bg.marginal_coefficients(fit), bg.heterogeneity(fit, {"x": 0.0}),
               *(bg.means(fit, target=t, by="drug") for t in ("average_subject", "population", "observed_groups"))):
    sys.stdout.write(str(result))
bg.save(fit, sys.argv[1], force=True)
"""


def test_everything_after_sampling_works_without_pymc(table, tmp_path):
    path = save(hand_made_fit("y ~ x * drug + (x | g)", table), tmp_path / "fit.nc")
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-W", "error", "-c", BLOCKED, str(path)], cwd=root, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "population" in ran.stdout
