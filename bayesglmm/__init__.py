"""Bayesian generalized linear mixed models: from a formula to a posterior, and to what it means for one subject and for the population.

Public names are lazy: importing the package loads none of PyMC, nutpie, ArviZ, Bambi or matplotlib.
"""

from importlib import import_module
from importlib.metadata import version as _version
from typing import Any

_API = ("glmm", "fit_spec", "pymc_model", "prior_summary", "prior_predictive")
_PRIORS = ("Normal", "StudentT", "Cauchy", "Laplace", "HalfNormal", "HalfStudentT", "HalfCauchy")
_MORE_PRIORS = ("Exponential", "Gamma", "InverseGamma", "Uniform", "LKJ")
_ACCESSORS = ("fixef", "ranef", "VarCorr", "sigma", "fitted", "residuals", "vcov", "nobs")
_PLOTS = (
    *("caterpillar", "covariance", "data", "dropout", "effects", "estimators", "fan", "heterogeneity", "lattice"),
    *("marginal_vs_conditional", "modes_scatter", "pit", "ppc", "prior_posterior", "qq", "shrinkage", "spaghetti", "structure", "trace"),
)
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
    "curves": "post.curves",
    "contrasts": "post.contrasts",
    "pairwise": "post.pairwise",
    "slopes": "post.slopes",
    "hypothesis": "post.hypothesis",
    "attenuation": "post.attenuation",
    "compare_targets": "post.attenuation",
    "variance_partition": "post.variance_partition",
    "r_squared": "post.r_squared",
    "variance_change": "post.r_squared",
    "implied_covariance": "post.implied_covariance",
    "predict": "post.predict",
    "simulate": "post.simulate",
    "update_subject": "post.update_subject",
    **dict.fromkeys(_ACCESSORS, "post.accessors"),
    "gee": "post.gee",
    "side_by_side": "post.side_by_side",
    "odds_ratios": "post.odds_ratios",
    **dict.fromkeys(("median_odds_ratio", "interval_odds_ratio"), "post.group_ratios"),
    **dict.fromkeys(("shares", "opposite_slopes"), "post.shares"),
    "check": "post.check",
    "check_groups": "post.check_groups",
    "check_distribution": "post.check_distribution",
    "check_calibration": "post.check_calibration",
    "check_autocorrelation": "post.check_autocorrelation",
    "check_effects": "post.check_effects",
    "check_pit": "post.check_pit",
    "pit_residuals": "post.pit",
    "lattice": "post.lattice",
    "fan": "post.fan",
    "data_view": "post.data_views",
    "visits": "post.visits",
    **dict.fromkeys(("structure", "row_covariance"), "post.structure"),
    **dict.fromkeys(("traces", "ranks"), "post.traces"),
    "prior_posterior": "post.prior_posterior",
    "prior_checks": "post.prior_checks",
    "log_prior": "post.log_prior",
    "report": "reporting.report",
    "pooling": "workflows.pooling",
    "update": "workflows.update",
    "from_bambi": "bridge.bambi",
    **dict.fromkeys(("dropout", "Scenario"), "workflows.dropout"),
    **{f"plot_{name}": f"plots.{name}" for name in _PLOTS},
    "plot_rank": "plots.trace",
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
