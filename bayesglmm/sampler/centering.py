"""How each group's effects are sampled: non-centered where the data say little about a group, centered where they say much, or between."""

from collections.abc import Mapping

import numpy as np

from bayesglmm import naming
from bayesglmm.approx.sketch import Sketch
from bayesglmm.design.design import Design
from bayesglmm.kernel.layout import Centering, Form
from bayesglmm.types import FloatArray, Parameterization, SampledForm

ENOUGH = 8.0
"""Where the data do not rule out an SD of zero, centered effects make a funnel. With the shares s that the data have in the groups' effects
and r = s / (1 - s), the expected log likelihood ratio against zero is the sum of (r - log(1 + r)) / 2; below this, shares are lowered in
proportion."""
LARGEST_RATIO = 1e6


def choose_forms(design: Design, asked: Mapping[str, Parameterization], sketch: Sketch) -> dict[str, Form]:
    """Return the form of every covariance block for the kernel.

    Where nothing was asked, each effect of each group has its own share of centering: how much of its posterior precision comes from the
    data, :math:`1 - V / D` (Papaspiliopoulos, Roberts & Skold 2007, *Statistical Science* 22, 59-73).

    Parameters
    ----------
    design
        Names and levels of the blocks.
    asked
        For every block, ``auto`` where nothing was asked.
    sketch
        How much the data say about each group.
    """
    forms: dict[str, Form] = {}
    for group, moments in zip(design.groups, sketch.moments, strict=True):
        block, share = naming.block(group.name, group.position), moments.shrinkage
        auto = Centering(share * np.minimum(1.0, evidence(share) / ENOUGH), moments.sd)
        forms[block] = auto if asked[block] == "auto" else asked[block]
    return forms


def evidence(share: FloatArray) -> FloatArray:
    """Return the expected log likelihood ratio against SDs of zero, shape (q,), from the shares (J, q) that the data have in effects."""
    ratio = np.minimum(share / np.maximum(1.0 - share, 1.0 / LARGEST_RATIO), LARGEST_RATIO)
    return np.asarray(0.5 * np.sum(ratio - np.log1p(ratio), axis=0))


def describe_forms(forms: Mapping[str, Form]) -> dict[str, SampledForm]:
    """Return the name of each form: a block whose shares are not all 0 or all 1 is ``partial``."""
    return {block: _name(form) for block, form in forms.items()}


def _name(form: Form) -> SampledForm:
    if not isinstance(form, Centering):
        return "centered" if form == "centered" else "noncentered"
    share = form.share
    if np.all(share == 0.0):
        return "noncentered"
    return "centered" if np.all(share == 1.0) else "partial"
