"""Numbers made of parameters: their draws, and their linear form where they have one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np

from bayesglmm.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    r"""A number that depends on parameters.

    Attributes
    ----------
    draws
        Shape (S,); () for a number that depends on none.
    linear
        Coefficients :math:`a` by label when the number is :math:`c + \sum_k a_k \theta_k`; empty for a plain number; None otherwise.
    shift
        The constant c of the linear form.
    """

    draws: FloatArray
    linear: Mapping[str, float] | None = field(default_factory=dict)
    shift: float = 0.0

    @property
    def is_number(self) -> bool:
        """Whether it depends on no parameter."""
        return self.draws.ndim == 0


def number(value: float) -> Quantity:
    """Make a plain number."""
    return Quantity(np.asarray(value, dtype=np.float64), {}, value)


def parameter(label: str, draws: FloatArray) -> Quantity:
    """Make one parameter."""
    return Quantity(draws, {label: 1.0})


def add(left: Quantity, right: Quantity) -> Quantity:
    """Sum of two numbers."""
    draws = left.draws + right.draws
    if left.linear is None or right.linear is None:
        return Quantity(draws, None)
    labels = dict.fromkeys([*left.linear, *right.linear])
    linear = {name: left.linear.get(name, 0.0) + right.linear.get(name, 0.0) for name in labels}
    return Quantity(draws, linear, left.shift + right.shift)


def subtract(left: Quantity, right: Quantity) -> Quantity:
    """Difference of two numbers."""
    return add(left, multiply(number(-1.0), right))


def multiply(left: Quantity, right: Quantity) -> Quantity:
    """Product of two numbers; linear when one of them is plain."""
    draws = left.draws * right.draws
    plain, other = (left, right) if left.is_number else (right, left)
    if not plain.is_number or other.linear is None:
        return Quantity(draws, None)
    factor = float(plain.draws)
    return Quantity(draws, {name: factor * a for name, a in other.linear.items()}, factor * other.shift)


def divide(left: Quantity, right: Quantity) -> Quantity:
    """Quotient of two numbers; not finite where the second is zero."""
    draws = np.asarray(left.draws / right.draws)
    if not right.is_number or right.draws == 0.0 or left.linear is None:
        return Quantity(draws, None)
    factor = float(right.draws)
    return Quantity(draws, {name: a / factor for name, a in left.linear.items()}, left.shift / factor)


def apply(name: str, value: Quantity) -> Quantity:
    """Apply one of :data:`FUNCTIONS`; not finite where it is not defined."""
    draws = np.asarray(FUNCTIONS[name](value.draws))
    return number(float(draws)) if value.is_number else Quantity(draws, None)


FUNCTIONS: Final[Mapping[str, Callable[[FloatArray], FloatArray]]] = MappingProxyType({"abs": np.abs, "exp": np.exp, "log": np.log})
"""Functions that a hypothesis may use."""
