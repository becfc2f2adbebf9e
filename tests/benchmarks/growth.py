"""How the time of a gradient grows with rows, with distinct groups and with factors: ``python -m tests.benchmarks.growth``."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bayesglmm.errors import NotBuiltError
from tests.benchmarks import gradients, made_up
from tests.benchmarks.report import exponent, figure, markdown

ROWS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000)
GROUPS = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
FACTORS = (1, 2, 3, 4, 5)
LEVELS = (2_000, 300)
FACTOR_ROWS, FACTOR_LEVELS = 100_000, 300
COLOURS = ("#0072B2", "#D55E00")
"""Blue and vermilion of Okabe and Ito's palette, which differ for every kind of colour vision; markers differ too."""
PANELS = {"rows": "rows", "groups": "distinct groups", "factors": "crossed factors"}


@dataclass(frozen=True)
class Curve:
    """Microseconds per gradient against one size.

    Attributes
    ----------
    panel
        Key of ``PANELS``.
    label
        What was timed.
    sizes, microseconds
        The points.
    exponent
        Slope on logarithmic axes over the upper half of the range; None with fewer than two points there.
    """

    panel: str
    label: str
    sizes: tuple[int, ...]
    microseconds: tuple[float, ...]
    exponent: float | None


def by_rows(largest: int) -> Iterator[tuple[int, float]]:
    """Crossed measurements, all effects sampled."""
    for n in (n for n in ROWS if n <= largest):
        yield n, gradients.microseconds(gradients.sampled(gradients.ready_for(*made_up.crossed(n, LEVELS))))


def by_patterns(largest: int) -> Iterator[tuple[int, float]]:
    """Yes-or-no answers, intercepts integrated out."""
    for n in (n for n in GROUPS if n <= largest):
        formula, data, distinct = made_up.answers(n)
        yield distinct, gradients.microseconds(gradients.integrated(gradients.ready_for(formula, data, "bernoulli")))


def by_groups(largest: int) -> Iterator[tuple[int, float]]:
    """Measurements, intercepts and slopes integrated out."""
    for n in (n for n in GROUPS if n <= largest):
        yield n, gradients.microseconds(gradients.integrated(gradients.ready_for(*made_up.slopes(n))))


def by_factors(largest: int) -> Iterator[tuple[int, float]]:
    """Crossed measurements with one factor more each time."""
    n = min(FACTOR_ROWS, largest)
    for k in FACTORS:
        yield k, gradients.microseconds(gradients.sampled(gradients.ready_for(*made_up.crossed(n, (FACTOR_LEVELS,) * k))))


CURVES: dict[str, tuple[str, Callable[[int], Iterator[tuple[int, float]]]]] = {
    "measurements, two crossed factors, sampled": ("rows", by_rows),
    "yes or no, intercepts integrated out": ("groups", by_patterns),
    "measurements, slopes integrated out": ("groups", by_groups),
    f"measurements, {FACTOR_ROWS:,} rows, sampled": ("factors", by_factors),
}


def measure(largest: int) -> tuple[list[Curve], list[str]]:
    """Return all curves, and why one could not be drawn."""
    curves, absent = [], []
    for label, (panel, points) in CURVES.items():
        sys.stderr.write(f"{label}\n")
        try:
            found = list(points(largest))
        except NotBuiltError as error:
            absent.append(f"{label}: {error}")
            continue
        sizes, times = zip(*found, strict=True)
        curves.append(Curve(panel, label, sizes, times, slope_or_none(sizes, times)))
    return curves, absent


def slope_or_none(sizes: tuple[int, ...], times: tuple[float, ...]) -> float | None:
    """Return the exponent, None when there are too few points for one."""
    try:
        return exponent(sizes, times)
    except ValueError:
        return None


def render(curves: list[Curve]) -> str:
    """Return the table in Markdown: a row per point, the exponent beside the last."""
    rows = []
    for curve in curves:
        for k, (size, time) in enumerate(zip(curve.sizes, curve.microseconds, strict=True)):
            last = k == len(curve.sizes) - 1
            rows.append([curve.label, f"{size:,} {PANELS[curve.panel]}", figure(time), figure(curve.exponent) if last else ""])
    return markdown(("what", "size", "microseconds per gradient", "exponent, upper half"), rows)


def draw(curves: list[Curve], path: Path) -> None:
    """Draw three panels on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure_, axes = plt.subplots(1, len(PANELS), figsize=(12.0, 4.0), layout="constrained")
    for axis, (panel, name) in zip(axes, PANELS.items(), strict=True):
        here = [c for c in curves if c.panel == panel]
        for curve, colour, marker in zip(here, COLOURS, "os", strict=False):
            grows = "" if curve.exponent is None else f"\nexponent {curve.exponent:.2f}"
            axis.plot(curve.sizes, curve.microseconds, color=colour, marker=marker, label=curve.label + grows)
        scale = "linear" if panel == "factors" else "log"
        axis.set(xlabel=f"number of {name}", ylabel="time per gradient (µs)", xscale=scale, yscale=scale)
        if scale == "linear":
            axis.set_ylim(bottom=0.0)
            axis.set_xticks(FACTORS)
        axis.grid(alpha=0.3)
        if here:
            axis.legend(fontsize=8, loc="lower right")
    figure_.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("growth.png"), help="file of the figure")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    parser.add_argument("--largest", type=int, default=max(ROWS), help="leave out larger sizes, to try the program")
    options = parser.parse_args(arguments)
    curves, absent = measure(options.largest)
    draw(curves, options.out)
    sys.stdout.write("\n".join([render(curves), "", *absent, f"Figure: {options.out}"]) + "\n")
    if options.json:
        options.json.write_text(json.dumps([asdict(c) for c in curves], indent=1) + "\n")


if __name__ == "__main__":
    main()
