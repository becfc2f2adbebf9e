"""Bambi models on a made-up table, and draws of them that are made up too: Bambi's names, dims and labels, no sampler."""

import logging
import warnings
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.fit.draws import effect_draws, fixed_draws
from bayesglmm.fit.fit import Fit

CHAINS, DRAWS = 2, 6
SAMPLE = ("chain", "draw")


def table(n: int = 60, seed: int = 3) -> pd.DataFrame:
    """Numbers, texts, categories in an order of their own, truth values, and grouping factors that are numbers and texts."""
    rng = np.random.default_rng(seed)
    arm = rng.choice(["placebo", "active"], n)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "zero_one": rng.integers(0, 2, n),
            "answer": rng.choice(["no", "yes"], n),
            "count": rng.poisson(2.0, n),
            "k": rng.integers(0, 4, n),
            "n": rng.integers(4, 9, n),
            "w": rng.uniform(0.5, 2.0, n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "time of day": rng.uniform(1.0, 3.0, n),
            "flag": rng.random(n) > 0.5,
            "drug": rng.permutation(np.resize(["a", "b", "c"], n)),
            "arm": pd.Categorical(arm, categories=["placebo", "active"]),
            "stage": pd.Categorical(rng.permutation(np.resize(["late", "early", "mid"], n)), ["late", "mid", "early"], ordered=True),
            "g": rng.permutation(np.resize([2, 10, 7, 30, 1, 4], n)),
            "h": rng.permutation(np.resize(["r", "p", "q"], n)),
        }
    )


def bambi_model(formula: str, data: pd.DataFrame | None = None, **options: Any) -> Any:
    """A Bambi model; nothing is compiled."""
    import bambi

    logging.getLogger("bambi").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bambi.Model(formula, table() if data is None else data, **options)


def made_up_idata(model: Any, *, seed: int = 5, shuffle: bool = True, signed: bool = True) -> xr.DataTree:
    """Draws with Bambi's names, dims and coordinates; with ``shuffle``, the labels of every dim in an order of their own."""
    rng = np.random.default_rng(seed)
    component = model.parameters[model.family.likelihood.parent]
    coords: dict[str, Any] = {"chain": np.arange(CHAINS), "draw": np.arange(DRAWS)}
    variables: dict[str, Any] = {}

    def add(name: str, dims: tuple[str, ...], positive: bool = False) -> None:
        values = rng.normal(size=(CHAINS, DRAWS, *(len(coords[d]) for d in dims)))
        variables[name] = ((*SAMPLE, *dims), np.exp(values) if positive else values)

    for term in component.terms.values():
        if type(term).__name__ == "OffsetTerm":
            continue
        name, own = term.alias or term.name, {str(d): list(v) for d, v in term.coords.items()}
        own = {d.replace(term.name, name) if term.alias else d: v for d, v in own.items()}
        for dim, labels in own.items():
            coords.setdefault(dim, list(rng.permutation(labels)) if shuffle else labels)
        factor = tuple(d for d in own if d.endswith("__factor_dim"))
        rest = tuple(d for d in own if d not in factor)
        add(name, (*rest, *factor))
        if factor:
            add(f"{name}_{term.hyperprior_alias.get('sigma', 'sigma')}", rest, positive=True)
    for name, other in model.parameters.items():
        if other is not component:
            add(other.alias or name, (), positive=True)
    posterior = xr.Dataset(variables, coords=coords, attrs={"modeling_interface": "bambi"} if signed else {})
    stats = xr.Dataset(
        {
            "diverging": (SAMPLE, np.zeros((CHAINS, DRAWS), dtype=bool)),
            "acceptance_rate": (SAMPLE, np.full((CHAINS, DRAWS), 0.8)),
            "warning": (SAMPLE, np.full((CHAINS, DRAWS), None, dtype=object)),
            "divergences": (("chain",), np.zeros(CHAINS)),
        }
    )
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def predictor(fit: Fit) -> np.ndarray:
    """Linear predictor of every row at every draw, (chain, draw, n), from the fit's own arrays."""
    eta = fit.design.offset + fixed_draws(fit.posterior, fit.design) @ fit.design.X.T
    for group in fit.design.groups:
        b = effect_draws(fit.posterior, group)[:, :, group.index]
        eta = eta + np.sum(b * group.Z, axis=-1)
    return eta


def bambi_means(model: Any, idata: xr.DataTree) -> np.ndarray:
    """Bambi's own means of every row at every draw, (chain, draw, n)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.predict(idata, kind="response_params", inplace=False)
    return found["posterior"][model.family.likelihood.parent].transpose("chain", "draw", "__obs__").to_numpy()
