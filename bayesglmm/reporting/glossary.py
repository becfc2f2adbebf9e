"""Section 13: the vocabulary, the references, how to cite, and the commands."""

from typing import Final

from bayesglmm.fit.provenance import package_versions
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.records import Pairs, Section, Words

VOCABULARY: Final = (
    ("conditional", "Given the random effects: what changes for one subject. The coefficients of the formula are conditional."),
    ("average subject", "The subject whose random effects are zero, h(x'beta). Not the average over subjects, unless the link is linear."),
    ("population", "Averaged over the distribution of the random effects, E h(x'beta + z'b), b ~ N(0, D)."),
    ("observed groups", "Averaged over the groups that are in the data."),
    ("group", "One named group, old or new."),
    ("shrinkage", "How far a group's estimate is pulled towards the others, because its own data say little."),
    ("heterogeneity interval", "Where a share of the subjects are. It does not narrow with more data, as the interval of a mean does."),
    ("attenuation", "The population effect is nearer to zero than the conditional one, when subjects differ and the link is curved."),
    ("integrated LOO", "Leaving out one row or group with the random effects integrated out, as a new group is predicted."),
    ("boundary", "A variance near zero or a correlation near one: the data barely identify it."),
    ("divergence", "A point at which the sampler's path left the true one; draws near it are too few."),
    ("rule of thumb", "A threshold that is ours, not the literature's: a starting value."),
    ("verdict", "The worst of all checks. A required check that was not run counts as attention; an optional one counts as nothing."),
)
REFERENCES: Final = (
    "Albert, A. and Anderson, J. A. (1984). On the existence of maximum likelihood estimates in logistic regression models. Biometrika 71.",
    "Belsley, D. A., Kuh, E. and Welsch, R. E. (1980). Regression Diagnostics. Wiley.",
    "Betancourt, M. (2016). Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo. arXiv 1604.00695.",
    "Betancourt, M. (2017). A conceptual introduction to Hamiltonian Monte Carlo. arXiv 1701.02434.",
    "Bürkner, P.-C. (2017). brms: an R package for Bayesian multilevel models using Stan. Journal of Statistical Software 80(1).",
    "Depaoli, S. and van de Schoot, R. (2017). Improving transparency and replication in Bayesian statistics: the WAMBS-checklist. "
    "Psychological Methods 22.",
    "Gabry, J., Simpson, D., Vehtari, A., Betancourt, M. and Gelman, A. (2019). Visualization in Bayesian workflow. Journal of the Royal "
    "Statistical Society A 182.",
    "Gelman, A. et al. (2020). Bayesian workflow. arXiv 2011.01808.",
    "Kallioinen, N., Paananen, T., Bürkner, P.-C. and Vehtari, A. (2024). Detecting and diagnosing prior and likelihood sensitivity with "
    "power-scaling. Statistics and Computing 34.",
    "Kruschke, J. K. (2021). Bayesian analysis reporting guidelines. Nature Human Behaviour 5.",
    "Margossian, C. C. et al. (2024). Nested R-hat: assessing the convergence of Markov chain Monte Carlo when running many short chains. "
    "Bayesian Analysis.",
    "Säilynoja, T., Bürkner, P.-C. and Vehtari, A. (2022). Graphical test for discrete uniformity and its applications in goodness-of-fit "
    "evaluation and multiple sample comparison. Statistics and Computing 32.",
    "Vehtari, A., Gelman, A., Simpson, D., Carpenter, B. and Bürkner, P.-C. (2021). Rank-normalization, folding, and localization: an "
    "improved R-hat. Bayesian Analysis 16.",
    "Vehtari, A., Simpson, D., Gelman, A., Yao, Y. and Gabry, J. (2024). Pareto smoothed importance sampling. Journal of Machine Learning "
    "Research 25.",
)


def section(context: Context) -> Section:
    """Give the words their meaning.

    Parameters
    ----------
    context
        The file that was reported, if any.
    """
    versions = dict(package_versions())
    file = context.file or "fit.nc"
    cite = (
        f"bayesglmm, version {versions.get('bayesglmm', '?')}: Bayesian generalized linear mixed models in Python. "
        f"Sampled with the No-U-Turn sampler of nutpie, version {versions.get('nutpie', '?')}. "
        "Name the family, link, priors, chains and draws."
    )
    commands = (
        ("save the fit", f"bg.save(fit, {file!r})"),
        ("parameters", f"bayesglmm summary {file}"),
        ("this report", f"bayesglmm report {file} --out report.html"),
        ("stop a pipeline when the fit may not be used", f"bayesglmm report {file} --out report.html --gate"),
    )
    blocks = (Pairs("Vocabulary", VOCABULARY), Pairs("Commands", commands), Words((f"How to cite: {cite}",)), Words(REFERENCES))
    return Section("glossary", "Glossary and references", "What the words mean, where the rules come from, how to cite.", (), blocks)
