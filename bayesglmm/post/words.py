"""What the numbers of a fit are called, in tables and on axes."""

from bayesglmm.fit.fit import Fit


def mean_words(fit: Fit) -> str:
    """Name the mean of the response: ``probability of low``, ``mean of y``."""
    return f"{'probability' if fit.link.onto_unit_interval else 'mean'} of {fit.design.response}"


def link_words(fit: Fit) -> str:
    """Name the scale of the linear predictor: ``log odds``, ``log of the mean``, ``units of y``."""
    known = {"logit": "log odds", "log": "log of the mean", "identity": f"units of {fit.design.response}"}
    return known.get(fit.link.name, f"{fit.link.name} scale")
