"""Array aliases and the option strings of the public interface, each defined once.

Option strings are converted at the door: :func:`check_choice` refuses an unknown one and names the nearest. The array aliases
are for type checkers: nothing evaluates them, so that formulas, model files and the command line's help do without NumPy.
"""

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, get_args

from bayesglmm.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

type FloatArray = NDArray[np.float64]
type IntArray = NDArray[np.int64]
type BoolArray = NDArray[np.bool_]

type Target = Literal["average_subject", "population", "observed_groups", "group"]
type Scale = Literal["response", "link"]
type IntervalKind = Literal["eti", "hdi"]
type UnseenLevels = Literal["error", "population", "observed"]
type Engine = Literal["auto", "kernel", "pymc"]
type Parameterization = Literal["auto", "centered", "noncentered"]
type SampledForm = Literal["centered", "noncentered", "partial", "integrated"]
type EffectDraws = Literal["float64", "float32", "none"]
type CovarianceKind = Literal["us", "diag", "cs", "ar1"]
type Integrate = Literal["auto", "none", "all"]
type Missing = Literal["error", "drop"]
type Verdict = Literal["ok", "attention", "do not use", "not run"]


def choices(option: object) -> tuple[str, ...]:
    """Return the strings that an option type allows, in the order of its definition."""
    return get_args(getattr(option, "__value__", option))


def check_choice(name: str, value: str, option: object) -> str:
    """Return ``value`` when the option type allows it.

    Parameters
    ----------
    name
        The argument's name, for the message.
    value
        What the caller passed.
    option
        One of the ``Literal`` aliases of this module.

    Raises
    ------
    ArgumentError
        If ``value`` is not allowed; lists what is, and the nearest match.
    """
    allowed = choices(option)
    if value in allowed:
        return value
    near = get_close_matches(str(value), allowed, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(repr(a) for a in allowed)
    raise ArgumentError(f"{name}={value!r} is not known", fix=f"{hint}Allowed: {listed}")
