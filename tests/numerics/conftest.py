"""Fixtures for the numerics."""

import tracemalloc
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def tracked_peak() -> Iterator[Callable[[Callable[[], object]], int]]:
    """Give a function that runs another one and returns the peak of memory it took, in bytes."""
    tracemalloc.start()

    def run(work: Callable[[], object]) -> int:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before

    yield run
    tracemalloc.stop()
