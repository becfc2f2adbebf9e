"""The sketch of a posterior, made better by the Laplace approximation where that is found."""

from dataclasses import replace

import numpy as np

from bayesglmm.approx.laplace import laplace_mode
from bayesglmm.approx.moments import EffectMoments
from bayesglmm.approx.sketch import Sketch, make_sketch
from bayesglmm.design.prepare import Prepared


def refined_sketch(ready: Prepared) -> Sketch:
    """Sketch the posterior of a prepared model: coefficients, SDs, effects, and how much the data say about each group.

    Where the Laplace approximation is not found (no group terms, too many effects beside the largest factor, a search
    that left the finite numbers) the sketch by moments stands, and says so in ``source``.

    Parameters
    ----------
    ready
        Design and priors.
    """
    sketch = make_sketch(ready.design, ready.family, ready.link)
    found = laplace_mode(ready.design, ready.family, ready.link, ready.priors, sketch)
    if found is None:
        return sketch
    residual_sd = found.sigma if ready.family.auxiliary and ready.design.se is None else sketch.mode.residual_sd
    dispersion = residual_sd**2 if ready.family.auxiliary else 1.0
    mode = replace(sketch.mode, beta=found.beta, se=found.beta_sd, residual_sd=residual_sd, dispersion=dispersion)
    moments = tuple(
        EffectMoments(sd, np.median(share / np.maximum(1.0 - share, np.finfo(float).eps), axis=0), share)
        for sd, share in zip(found.sd, found.shrinkage, strict=True)
    )
    return replace(
        sketch, mode=mode, moments=moments, effects=found.effects, correlations=found.correlation, source="Laplace approximation"
    )
