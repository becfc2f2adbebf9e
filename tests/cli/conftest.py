"""What the tests of the command line share: a runner, a stored fit, and a sampler that makes draws up."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from bayesglmm.cli.main import main
from bayesglmm.io.fits import save
from bayesglmm.kernel.pointers import copy_out
from bayesglmm.sampler import kernel
from bayesglmm.sampler.nutpie import FlatDraws
from tests.fits import Noise, sampler_statistics
from tests.io.hand import hand_made_fit

ESCAPE = "\x1b[31mred\x07\u202e"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="session")
def table():
    rng = np.random.default_rng(8)
    n = 80
    drug = pd.Categorical(rng.choice(["placebo", "active"], n), categories=["placebo", "active"])
    return pd.DataFrame({"y": rng.integers(0, 2, n), "year": rng.uniform(0, 10, n), "drug": drug, "id": np.arange(n) % 10})


@pytest.fixture(scope="session")
def stored(table, tmp_path_factory):
    """A stored logistic fit."""
    return save(hand_made_fit("y ~ year * drug + (1 | id)", table), tmp_path_factory.mktemp("cli") / "fit.nc")


@pytest.fixture
def csv(table, tmp_path):
    table.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.fixture
def sampler(monkeypatch):
    """In place of nutpie: draws of the right shapes at once; ``calls`` are the settings it was given, ``wrong`` makes chains disagree."""
    state = SimpleNamespace(calls=[], wrong=False, fewer=0, progress=[])

    def sample_flat(density, settings, *, progress):
        state.calls.append(settings)
        state.progress.append(progress)
        rng, size = np.random.default_rng(settings.seed), (settings.chains, settings.draws - state.fewer)
        apart = np.arange(size[0])[:, None, None] if state.wrong else 0.0
        noise = 0.3 * rng.standard_normal((*size, density.kept)) + apart
        # the sampler's own coordinates where all is derived later, else parameters: positive, as SDs must be
        values = density.start + noise if density.expand is copy_out else np.exp(noise)
        return FlatDraws(values, sampler_statistics(Noise(rng, size, 1.0)))

    monkeypatch.setattr(kernel, "sample_flat", sample_flat)
    return state
