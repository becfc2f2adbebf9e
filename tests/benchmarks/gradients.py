"""The compiled density of a model as the sampler calls it: through its C function pointer, no Python but the call itself."""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesglmm.approx.refine import refined_sketch
from bayesglmm.design.prepare import Prepared, prepare
from bayesglmm.kernel.pointers import copy_out
from bayesglmm.sampler.centering import choose_forms
from bayesglmm.sampler.engines import asked_forms, make_sampled
from bayesglmm.sampler.integration import choose_integration
from bayesglmm.spec.model_spec import make_spec

LEAST_SECONDS, BLOCKS = 0.1, 5
DENSITY = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)
EXPAND = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint64, *[ctypes.c_void_p] * 3)


@dataclass(frozen=True)
class Evaluation:
    """One density at one point; calling ``function`` with ``arguments()`` fills ``gradient`` and ``value``.

    Attributes
    ----------
    program
        Kept so that the addresses in its record stay valid.
    function, size
        The compiled function and the length of the flat vector.
    x, gradient, value
        Point, and where the results go.
    """

    program: Any
    function: Any
    size: int
    x: np.ndarray
    gradient: np.ndarray
    value: np.ndarray

    def arguments(self) -> tuple[Any, ...]:
        """Return what the compiled function takes."""
        places = [self.x, self.gradient, self.value, self.program.record]
        return (ctypes.c_uint64(self.size), *(ctypes.c_void_p(a.ctypes.data) for a in places))


def ready_for(formula: str, data: Any, family: str = "gaussian") -> Prepared:
    """Prepare a model with default priors and the family's default link."""
    from bayesglmm.families.registry import get_family

    return prepare(make_spec(formula, family=family, link=get_family(family).links[0]), data)


def sampled(ready: Prepared) -> Evaluation:
    """Return the density with all random effects among its parameters."""
    sketch = refined_sketch(ready)
    program = make_sampled(ready, sketch, choose_forms(ready.design, asked_forms(ready.design, "auto"), sketch))
    return _evaluation(program, program.pointer(), program.layout.size)


def integrated(ready: Prepared) -> Evaluation:
    """Return the density with the random effects integrated out.

    Raises
    ------
    NotBuiltError
        If the model has no integrated form.
    """
    sketch = refined_sketch(ready)
    sampled_form = make_sampled(ready, sketch, asked_forms(ready.design, "noncentered"))
    program: Any = choose_integration(ready, sketch, sampled_form, asked="all", form_given=False)
    return _evaluation(program, program.pointer(), program.size)


def _evaluation(program: Any, pointer: Any, size: int) -> Evaluation:
    x = 0.1 * np.random.default_rng(11).normal(size=size)
    return Evaluation(program, DENSITY(pointer.address), size, x, np.empty(size), np.empty(1))


def microseconds(evaluation: Evaluation) -> float:
    """Return microseconds of one evaluation, the best of five blocks of calls, less those of an empty call."""
    function, arguments = evaluation.function, evaluation.arguments()
    if function(*arguments) != 0:
        raise ValueError("the density is not finite where it should be timed")
    empty, nothing = EXPAND(copy_out.address), (ctypes.c_uint64(0), ctypes.c_uint64(0), None, None, None)
    return 1e6 * (_best(function, arguments) - _best(empty, nothing))


def _best(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Return the smallest mean time of a call over blocks of at least ``LEAST_SECONDS``."""
    count, best = 1, float("inf")
    for _ in range(BLOCKS):
        seconds = _block(function, arguments, count)
        while seconds < LEAST_SECONDS:
            count = max(2 * count, int(1.2 * count * LEAST_SECONDS / max(seconds, 1e-7)))
            seconds = _block(function, arguments, count)
        best = min(best, seconds / count)
    return best


def _block(function: Callable[..., Any], arguments: tuple[Any, ...], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        function(*arguments)
    return time.perf_counter() - begin
