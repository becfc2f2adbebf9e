"""Sampler settings: defaults, checks, and the seed."""

import secrets
from collections.abc import Mapping

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.provenance import Settings
from bayesglmm.types import EffectDraws, check_choice

DEFAULTS: Mapping[str, int | float] = {"draws": 1000, "tune": 1000, "chains": 4, "target_accept": 0.8, "max_treedepth": 10}


def make_settings(asked: Mapping[str, int | float], *, seed: int | None, cores: int | None, effects: EffectDraws = "float64") -> Settings:
    """Return checked sampler settings; what is not asked for takes its default, and a seed of None becomes a fresh one that is recorded.

    Raises
    ------
    ArgumentError
        If a number is not positive, or ``target_accept`` not between 0 and 1.
    """
    check_choice("effects", effects, EffectDraws)
    values = {**DEFAULTS, **asked}
    for name in ("draws", "tune", "chains", "max_treedepth"):
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ArgumentError(f"{name}={value!r} is not a positive whole number", fix=f"for example {name}={DEFAULTS[name]}")
    accept = values["target_accept"]
    if not isinstance(accept, (int, float)) or not 0 < accept < 1:
        raise ArgumentError(f"target_accept={accept!r} is not between 0 and 1", fix="0.8 is the default; 0.95 to 0.99 against divergences")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise ArgumentError(f"seed={seed!r} is not a whole number from 0", fix="pass an integer, or None for a fresh seed")
    if cores is not None and cores < 1:
        raise ArgumentError(f"cores={cores!r} is not a positive whole number", fix="pass None to use all processors")
    whole = {name: int(values[name]) for name in ("draws", "tune", "chains", "max_treedepth")}
    return Settings(**whole, seed=secrets.randbits(32) if seed is None else seed, target_accept=float(accept), cores=cores, effects=effects)


def one_seed(seed: int | None, random_seed: int | None) -> int | None:
    """Return the seed under either of its two names.

    Raises
    ------
    ArgumentError
        If both are given and differ.
    """
    if seed is not None and random_seed is not None and seed != random_seed:
        raise ArgumentError(
            "seed and random_seed are two names of one argument", where=f"seed={seed}, random_seed={random_seed}", fix="pass one of them"
        )
    return random_seed if seed is None else seed
