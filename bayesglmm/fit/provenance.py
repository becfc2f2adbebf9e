"""Where a fit comes from: settings, engine and why, versions, data hash."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pandas as pd

from bayesglmm.types import EffectDraws, SampledForm

PACKAGES = ("bayesglmm", "numpy", "scipy", "pandas", "formulaic", "pymc", "pytensor", "nutpie", "numba", "arviz-stats", "xarray")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the sampler was asked for; draws and warm-up draws are per chain, ``effects`` is the precision of their draws."""

    draws: int
    tune: int
    chains: int
    seed: int
    target_accept: float
    max_treedepth: int
    cores: int | None
    effects: EffectDraws = "float64"


@dataclass(frozen=True, slots=True)
class Provenance:
    """All that is needed to say how a fit was made.

    Attributes
    ----------
    engine, engine_reason
        Which form of the density was sampled, and why this one.
    parameterization
        ``centered``, ``noncentered``, ``partial`` or ``integrated`` for each covariance block.
    settings
        What the sampler was asked for; ``seed_given`` says whether the user chose the seed.
    chains_obtained, draws_obtained
        Chains and draws per chain that were obtained; fewer than asked for in a partial run.
    data_hash
        SHA-256 of the columns used, in order.
    versions
        Package versions, as pairs.
    created
        Time of the end of sampling, ISO 8601, UTC.
    seconds
        Wall time of compiling and sampling.
    """

    engine: str
    engine_reason: str
    parameterization: tuple[tuple[str, SampledForm], ...]
    settings: Settings
    seed_given: bool
    chains_obtained: int
    draws_obtained: int
    data_hash: str
    versions: tuple[tuple[str, str], ...]
    created: str
    seconds: float

    @property
    def partial(self) -> bool:
        """Whether the run was stopped before all draws were made."""
        return self.draws_obtained < self.settings.draws or self.chains_obtained < self.settings.chains

    @property
    def obtained(self) -> str:
        """What was obtained beside what was asked for, in words."""
        return describe_run(self.chains_obtained, self.draws_obtained, self.settings.chains, self.settings.draws)


def describe_run(chains: int, draws: int, requested_chains: int, requested_draws: int) -> str:
    """Say what a partial run obtained, beside what was asked for."""
    return f"{chains} chains of {draws} draws, asked for were {requested_chains} of {requested_draws}"


@cache
def package_versions() -> tuple[tuple[str, str], ...]:
    """Installed versions of the packages a fit depends on; a package that is absent is left out."""
    found = []
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def hash_frame(frame: pd.DataFrame) -> str:
    """SHA-256 of a table: column names, kinds and values in order; the same for equal tables whatever their index.

    Numbers are hashed as float64, everything else as text with its length, so that the hash survives a file.
    """
    digest = hashlib.sha256()
    for name in frame.columns:
        column = frame[name]
        digest.update(f"{len(str(name))}:{name};".encode())
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            values = np.ascontiguousarray(column.to_numpy(dtype="<f8", na_value=np.nan))
            digest.update(b"number;" + values.tobytes())
        else:
            digest.update(b"text;" + "".join(f"{len(t)}:{t};" for t in column.astype(str)).encode())
    return digest.hexdigest()
