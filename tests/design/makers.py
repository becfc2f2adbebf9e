"""Small tables and short ways through the design, for its tests."""

from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.design.columns import Columns, PartEncoding, build_columns
from bayesglmm.design.design import Design, build_design
from bayesglmm.design.records import Table
from bayesglmm.design.scaling import resolve_priors
from bayesglmm.design.table import read_table
from bayesglmm.families.registry import get_family
from bayesglmm.numerics.links import get_link
from bayesglmm.spec.formula import parse_formula
from bayesglmm.spec.model_spec import make_spec
from bayesglmm.spec.priors import ResolvedPriors


def small_table(n: int = 60, seed: int = 1) -> pd.DataFrame:
    """Two numbers, two factors (one with an order of its own), a boolean, two crossed groups, and responses of each kind."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "t": rng.gamma(2.0, size=n),
            "drug": rng.permutation(np.resize(["ddC", "ddI"], n)),
            "dose": pd.Categorical(rng.permutation(np.resize(["low", "mid", "high"], n)), categories=["low", "mid", "high"]),
            "flag": rng.permutation(np.resize([True, False], n)),
            "g": np.repeat(np.arange(1, n // 5 + 1), 5),
            "h": np.resize(["p", "q", "r", "s"], n),
            "zero_one": rng.permutation(np.resize([0, 1], n)),
            "count": rng.poisson(3.0, n),
            "trials": np.full(n, 12),
        }
    )


def table_of(data: Any) -> Table:
    """All columns of a frame."""
    return read_table(data, list(data))[0]


def columns_of(terms: str, data: Any, **options: Any) -> tuple[Columns, PartEncoding]:
    """Fixed columns of the right-hand side of a formula."""
    part = parse_formula(f"~ {terms}", functions=frozenset(options.get("functions") or ())).fixed
    return build_columns(part, table_of(data), **options)


def design_of(formula: str, data: Any, *, family: str = "gaussian", link: str | None = None, **options: Any) -> Design:
    """Design of a formula."""
    return design_and_priors(formula, data, family=family, link=link, **options)[0]


def design_and_priors(
    formula: str, data: Any, *, family: str = "gaussian", link: str | None = None, **options: Any
) -> tuple[Design, ResolvedPriors]:
    """Design of a formula and its resolved priors."""
    record = get_family(family)
    name = link or record.links[0]
    functions = options.get("functions")
    spec = make_spec(formula, family=family, link=name, **options)
    table, dropped = read_table(data, spec.columns)
    design = build_design(spec, table, record, get_link(name), functions=functions, dropped=dropped)
    return design, resolve_priors(spec, design, record, get_link(name))
