"""Whether the draws fit: told before anything is sampled, not by a process that is killed."""

import os

from bayesglmm.design.design import Design
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.provenance import Settings

BYTES = {"float64": 8, "float32": 4, "none": 0}
SAMPLED = 16
"""Bytes of one draw of one effect that is sampled, at the end of a run: once in the sampler's hands, once in ours."""
GIB = 2.0**30


def draws_bytes(design: Design, settings: Settings, *, sampled: bool) -> float:
    """Return the memory that draws of the random effects take at most, whether they are sampled or drawn after they were integrated out."""
    n_effects = sum(len(g.levels) * len(g.labels) for g in design.groups)
    return float(settings.chains * settings.draws * n_effects * (SAMPLED if sampled else BYTES[settings.effects]))


def check_memory(design: Design, settings: Settings, *, sampled: bool) -> None:
    """Refuse a run whose draws cannot fit into the machine's memory.

    Raises
    ------
    ArgumentError
        Says how much is needed, and what takes less.
    """
    needed, total = draws_bytes(design, settings, sampled=sampled), _physical_memory()
    if total is not None and needed > total:
        n_effects = sum(len(g.levels) * len(g.labels) for g in design.groups)
        raise ArgumentError(
            f"the draws of the random effects need {needed / GIB:.1f} GiB, this machine has {total / GIB:.1f} GiB",
            where=f"{settings.chains} chains of {settings.draws} draws of {n_effects} random effects",
            fix="use fewer draws" if sampled else "use effects='float32', effects='none', or fewer draws",
        )


def _physical_memory() -> float | None:
    """Return the machine's memory in bytes, None where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return None
