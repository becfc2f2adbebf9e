"""Options that several commands share, and the reading of ``--at`` and ``--prior``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from bayesglmm.errors import ArgumentError, PriorError
from bayesglmm.spec.priors import PRIORS, Prior, prior_from_dict
from bayesglmm.types import IntervalKind, Missing, Scale, Target, UnseenLevels, choices

if TYPE_CHECKING:
    import pandas as pd

TARGETS, SCALES, KINDS, MISSING = choices(Target), choices(Scale), choices(IntervalKind), choices(Missing)
NEW_GROUPS = choices(UnseenLevels)
ALL = "all"

fit_file = click.argument("fit_file", metavar="FIT.nc", type=click.Path())
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
at_option = click.option(
    "--at",
    "at",
    multiple=True,
    metavar="NAME=V1,V2",
    help="Values of a column; 'all' for all its levels or values. Repeat it for more columns.",
)
ci_prob = click.option("--ci-prob", type=float, default=0.95, show_default=True, help="Probability of the intervals.")
ci_kind = click.option("--ci-kind", type=click.Choice(KINDS), default="eti", show_default=True, help="Equal-tailed, or highest density.")

_SAMPLING = (
    click.option("--draws", type=int, help="Draws per chain. Default: the model file's, else 1000."),
    click.option("--tune", type=int, help="Warm-up draws per chain. Default: the model file's, else 1000."),
    click.option("--chains", type=int, help="Chains. Default: the model file's, else 4."),
    click.option("--seed", type=int, help="The same seed gives the same draws."),
    click.option("--cores", type=int, help="Chains that run at the same time. Default: all processors."),
    click.option("--target-accept", type=float, help="Acceptance rate that the step size is adapted to. Default 0.8."),
    click.option("--max-treedepth", type=int, help="Largest tree depth. Default 10."),
)


def sampling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the settings of the sampler; what is not given is None."""
    for option in reversed(_SAMPLING):
        command = option(command)
    return command


def parse_at(pairs: Sequence[str], frame: pd.DataFrame) -> dict[str, Any] | None:
    """``--at`` options as the grid that the package takes; None when there is none.

    Parameters
    ----------
    pairs
        Texts ``name=value,value``; one name given twice collects its values.
    frame
        The fit's columns: values of numeric ones are read as numbers.

    Raises
    ------
    ArgumentError
        If a text is of another form, or a value of a numeric column is no number.
    """
    grid: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name, values = name.strip(), [v.strip() for v in text.split(",")]
        if not equals or not name or not all(values):
            raise ArgumentError("--at takes a column and its values", where=repr(pair), fix="write --at year=0,5,10 or --at drug=all")
        if values == [ALL]:
            grid[name] = ALL
        else:
            before = grid.get(name, [])
            grid[name] = [*(before if before != ALL else []), *(_value(v, name, frame) for v in values)]
    return grid or None


def parse_priors(texts: Sequence[str]) -> dict[str, Prior] | None:
    """``--prior`` options, ``b[drug]=normal(0, 2.5)``, as priors by address; None when there is none.

    Raises
    ------
    PriorError
        If a text is of another form, names no distribution, or an address stands twice.
    """
    found: dict[str, Prior] = {}
    for text in texts:
        address, prior = _parse_prior(text)
        if address in found:
            raise PriorError("two priors for one address", where=address, fix="give --prior once for each address")
        found[address] = prior
    return found or None


def _value(text: str, name: str, frame: pd.DataFrame) -> str | int | float:
    """Read a number for a numeric column, text for any other; an unknown column is refused later, by name."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if name not in frame.columns or not is_numeric_dtype(frame[name]) or is_bool_dtype(frame[name]):
        return text
    number = _number(text)
    if number is None:
        raise ArgumentError(f"{text!r} is no number", where=f"--at {name}=...", fix=f"the column {name!r} is numeric")
    return number


def _number(text: str) -> int | float | None:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _parse_prior(text: str) -> tuple[str, Prior]:
    """Address and prior; the last '=' before the distribution separates them, an address may hold others."""
    head, parenthesis, tail = text.strip().rpartition("(")
    address, equals, name = head.rpartition("=")
    if not parenthesis or not equals or not tail.endswith(")") or not address.strip():
        raise PriorError("--prior takes an address and a distribution", where=repr(text), fix='write --prior "b[drug]=normal(0, 2.5)"')
    kind = {_plain(n): kind for n, kind in PRIORS.items()}.get(_plain(name))
    fields = [] if kind is None else [f.name for f in dataclasses.fields(kind)]
    numbers = [_number(n) for n in tail[:-1].split(",")] if tail[:-1].strip() else []
    if kind is not None and (None in numbers or len(numbers) > len(fields)):
        raise PriorError(f"{kind.name} takes numbers, in this order: {', '.join(fields)}", where=repr(text))
    return address.strip(), prior_from_dict({"dist": name.strip(), **dict(zip(fields, numbers, strict=False))}, where=repr(text))


def _plain(name: str) -> str:
    """Spelling without case and underscores, as :func:`bayesglmm.spec.priors.prior_from_dict` reads it."""
    return name.strip().lower().replace("_", "")
