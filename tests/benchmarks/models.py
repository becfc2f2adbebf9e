"""The nine models of the table: their model files, and the same formula in the grammars of Bambi and R."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[2]

MODELS = {
    "sleepstudy": "sleepstudy_corr",
    "Penicillin": "penicillin",
    "Pastes": "pastes_nested",
    "cbpp": "cbpp",
    "epil": "epil_poisson",
    "Contraception": "contraception_cm4",
    "PBC": "pbc_high_chol",
    "AIDS": "aids_low_cd4",
    "ScotsSec": "scotssec_reduced",
}
"""Names in the table and their model files."""

TRIALS = re.compile(r"^(?P<hits>\S+) \| trials\((?P<trials>[^)]+)\) ~")


@dataclass(frozen=True)
class Case:
    """One model with its data on disk, ready for any tool.

    Attributes
    ----------
    name
        Name in the table.
    file
        Path of the model file.
    formula
        In this package's grammar.
    family
        Its name, which Bambi shares.
    table
        Path of the data as Parquet.
    sheet, levels
        Path of the data as CSV, and the levels of every categorical column in order.
    correlated
        Whether random effects are correlated, which Bambi leaves out.
    """

    name: str
    file: str
    formula: str
    family: str
    table: str
    sheet: str
    levels: dict[str, list[str]]
    correlated: bool


def bambi_formula(formula: str) -> str:
    """Return a formula in Bambi's grammar; it reads ``(x | g)`` as independent effects, whichever bar stands in it."""
    return TRIALS.sub(r"p(\g<hits>, \g<trials>) ~", formula).replace("||", "|")


def r_formula(formula: str) -> str:
    """Return a formula in lme4's grammar."""
    return TRIALS.sub(r"cbind(\g<hits>, \g<trials> - \g<hits>) ~", formula).replace("**", "^")


def load_case(name: str, folder: Path) -> Case:
    """Prepare one model's data and write them for the peers.

    Raises
    ------
    DatasetError
        If the table is neither bundled, nor in a cache, nor in the folder that ``BAYESGLMM_DATA`` names.
    """
    import bayesglmm as bg
    from bayesglmm.design.prepare import prepare

    file = ROOT / "models" / f"{MODELS[name]}.toml"
    ready = prepare(bg.load_spec(file))
    factors = {part for group in ready.design.groups for part in group.name.split(":")}
    frame = categorical(ready.frame, factors)
    return Case(
        name=name,
        file=str(file),
        formula=ready.spec.formula,
        family=ready.family.name,
        correlated=any(g.term.covariance == "us" and len(g.labels) > 1 for g in ready.design.groups),
        **write_table(frame, folder / name),
    )


def categorical(frame: pd.DataFrame, factors: set[str]) -> pd.DataFrame:
    """Return the table with its grouping factors as text categories, and integers where only integers stand."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if name in factors or not pd.api.types.is_numeric_dtype(column):
            text = column.astype("category")
            columns[name] = text.cat.rename_categories([str(c) for c in text.cat.categories])
        elif (column == column.round()).all():
            columns[name] = column.astype("int64")
        else:
            columns[name] = column
    return pd.DataFrame(columns)


def write_table(frame: pd.DataFrame, stem: Path) -> dict[str, Any]:
    """Write a table as Parquet and CSV; return both paths and the levels."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    table, sheet = stem.with_suffix(".parquet"), stem.with_suffix(".csv")
    frame.to_parquet(table)
    frame.to_csv(sheet, index=False)
    levels = {c: list(frame[c].cat.categories) for c in frame.columns if isinstance(frame[c].dtype, pd.CategoricalDtype)}
    return {"table": str(table), "sheet": str(sheet), "levels": levels}


def write_job(path: Path, **entries: Any) -> Path:
    """Write what a worker is to do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries))
    return path
