"""Whether random effects are integrated out before sampling: when that costs less than it gains, by a count of operations."""

import numpy as np

from bayesglmm.approx.sketch import Sketch
from bayesglmm.design.prepare import Prepared
from bayesglmm.errors import NotBuiltError
from bayesglmm.kernel import gaussian_program, quadrature_program
from bayesglmm.kernel.integration import Integrated
from bayesglmm.kernel.program import Program
from bayesglmm.types import Integrate

WORTH = 20.0
"""Integration is chosen when a gradient costs at most this many times one of the density with all effects. With a handful of parameters
left, a draw takes 3 to 7 gradients and is worth nearly an independent one; with all effects it takes 7 to 30 and is worth 0.1 to 0.3."""


def choose_integration(ready: Prepared, sketch: Sketch, program: Program, *, asked: Integrate, form_given: bool) -> Integrated | None:
    """Return the density with the random effects integrated out when it is asked for or pays, or None.

    ``auto`` decides by a count of operations, never by a clock: the same data and seed give the same draws on every machine. It leaves the
    effects in when the user chose a parameterization for them.

    Parameters
    ----------
    ready
        Design and priors.
    sketch
        Rough SDs of the effects.
    program
        The density with all effects.
    asked
        ``auto``, ``all`` or ``none``.
    form_given
        Whether the user chose a parameterization.

    Raises
    ------
    NotBuiltError
        If ``all`` is asked for where it cannot be done; names what stands against it.
    """
    if asked == "none" or (asked == "auto" and form_given) or (asked == "auto" and not ready.design.groups):
        return None
    normal = bool(ready.family.auxiliary) and ready.link.name == "identity"
    against = (gaussian_program if normal else quadrature_program).not_integrable(ready.design, ready.family, ready.link.name)
    if against is not None and asked == "all":
        raise NotBuiltError("the random effects cannot be integrated out", where=f"integrate='all': {against}", fix="use integrate='auto'")
    if against is not None:
        return None
    found = _integrate(ready, sketch, normal=normal)
    return found if asked == "all" or found.cost <= WORTH * program.cost else None


def _integrate(ready: Prepared, sketch: Sketch, *, normal: bool) -> Integrated:
    family, link, center = ready.family, ready.link.name, ready.spec.center
    if normal:
        return gaussian_program.make_gaussian(ready.design, ready.priors, family=family, link=link, center=center)
    sds = np.concatenate([moments.sd for moments in sketch.moments])
    return quadrature_program.make_quadrature(ready.design, ready.priors, family=family, link=link, center=center, sd=sds)
