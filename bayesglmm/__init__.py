"""Bayesian generalized linear mixed models: from a formula to a posterior, and to what it means for one subject and for the population.

Public names are lazy: importing the package loads none of PyMC, nutpie, ArviZ, Bambi or matplotlib.
"""

from importlib import import_module
from importlib.metadata import version as _version
from typing import Any

_API = ("glmm", "fit_spec", "pymc_model", "prior_summary")
_PRIORS = ("Normal", "StudentT", "Cauchy", "Laplace", "HalfNormal", "HalfStudentT", "HalfCauchy")
_MORE_PRIORS = ("Exponential", "Gamma", "InverseGamma", "Uniform", "LKJ")
_WHERE = {
    **dict.fromkeys(_API, "api"),
    **dict.fromkeys(_PRIORS + _MORE_PRIORS, "spec.priors"),
    "Fit": "fit.fit",
    "ModelSpec": "spec.model_spec",
    "ModelFile": "spec.schema",
    "load_spec": "spec.schema",
    "save_spec": "io.specs",
    "save": "io.fits",
    "load": "io.fits",
    "summary": "post.summary",
    "random_effects": "post.random_effects",
    "means": "post.means",
    "marginal_coefficients": "post.marginal",
    "heterogeneity": "post.heterogeneity",
    "log_likelihood": "post.density",
}
_MODULES = ("datasets", "errors", "types")

__version__ = _version("bayesglmm")
__all__ = [*sorted(_WHERE), *_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"bayesglmm.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'bayesglmm' has no attribute {name!r}")
    return getattr(import_module(f"bayesglmm.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
