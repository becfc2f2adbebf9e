"""Pictures of section 8: curves and ranges of subjects along the first covariate, and the implied covariance."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bayesglmm.design.encoding import part_columns
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import LINKS
from bayesglmm.plots.covariance import plot_covariance
from bayesglmm.plots.fan import plot_fan
from bayesglmm.plots.heterogeneity import plot_heterogeneity
from bayesglmm.plots.spaghetti import plot_spaghetti
from bayesglmm.post.axis import axis_values, targets_of
from bayesglmm.post.curves import curves
from bayesglmm.post.fan import fan
from bayesglmm.post.heterogeneity import heterogeneity
from bayesglmm.post.implied_covariance import implied_covariance
from bayesglmm.post.means import means
from bayesglmm.post.rows import occurring
from bayesglmm.post.values import is_factor
from bayesglmm.reporting.figures import first_factor, first_number, picture
from bayesglmm.reporting.parts import Part, joined
from bayesglmm.reporting.records import not_run

POINTS: Final = 25
"""Values along a number."""
TIMES: Final = 6
"""Times of a picture of a covariance; more are thinned to so many."""
MOST_TIMES: Final = 12


def curve_pictures(fit: Fit) -> Part:
    """Draw what the numbers of section 8 look like.

    Parameters
    ----------
    fit
        A fit with a grouping factor.

    Returns
    -------
    Part
        Pictures along the first number of the model, or over the levels of its first factor; those that a model does not have are rows
        that say why.
    """
    return joined([*_along(fit), *_covariance(fit)])


def _along(fit: Fit) -> Iterator[Part]:
    """Curves, ranges of subjects and the fan along one covariate."""
    axis = first_number(fit) or first_factor(fit)
    if axis is None:
        yield Part((not_run("marg.side.curves", "a picture", "The model has no covariate to draw along.", required=False),))
        return
    yield picture(
        "marg.side.curves",
        lambda: plot_spaghetti(curves(fit, axis, ci_prob=0.95, ci_kind="eti")),
        f"Means along {axis}: single groups, average subject, population.",
        f"Single groups (grey), the average subject and the population along {axis}, posterior medians with 95 % equal-tailed bands.",
    )
    yield picture(
        "marg.intervals.heterogeneity",
        lambda: _range_and_mean(fit, {axis: axis_values(fit, axis, POINTS)}),
        f"Range of subjects along {axis}, the average subject and the population.",
        f"Where 95 % of subjects are along {axis}: a range of subjects; the population mean has an interval of its own.",
    )
    yield picture(
        "marg.intervals.fan",
        lambda: plot_fan(fan(fit, axis, values=axis_values(fit, axis, POINTS))),
        f"Quantiles of the mean of a new subject along {axis}.",
        f"Where the mean of a new subject may be along {axis}, over posterior draws and random effects.",
    )


def _range_and_mean(fit: Fit, at: Mapping[str, Any]) -> Any:
    """Draw the range of subjects, with the population mean where the link has one."""
    mean = means(fit, at, target="population", keep_draws=False) if "population" in targets_of(fit) else None
    return plot_heterogeneity(heterogeneity(fit, at, keep_draws=False), mean=mean)


def _covariance(fit: Fit) -> Iterator[Part]:
    """Return the implied covariance of the rows of one level, where it has a shape: Gaussian responses with random slopes in a number."""
    slopes = [(g.term.name, name) for g in fit.design.encoding.groups for name in part_columns(g.effects.part)]
    slopes = [(factor, name) for factor, name in slopes if not is_factor(fit, name)]
    if fit.family.discrete or fit.link is not LINKS["identity"] or not slopes:
        return
    factor, variable = slopes[0]
    times = occurring(fit.frame[variable])
    if len(times) > MOST_TIMES:
        times = axis_values(fit, variable, TIMES)
    yield picture(
        "marg.vpc.covariance",
        lambda: plot_covariance(implied_covariance(fit, times, variable=variable, factor=factor, ci_prob=0.95, ci_kind="eti")),
        f"Implied covariance and correlation of the responses of one level of {factor} along {variable}.",
        f"Covariance and correlation that the model implies for two responses of one level of {factor}, posterior means.",
    )
