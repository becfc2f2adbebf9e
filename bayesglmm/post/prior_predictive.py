"""What the priors say about responses before any are seen."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.families.registry import get_family
from bayesglmm.numerics.links import LINKS, Link, get_link
from bayesglmm.numerics.spread import RATIO_NAMES, median_ratio
from bayesglmm.post.intervals import IntervalChoice, summarise
from bayesglmm.post.linear_predictor import GroupParameters
from bayesglmm.post.new_groups import check_seed, level_generator
from bayesglmm.post.prior_laws import LARGEST
from bayesglmm.post.prior_sample import PriorSample, sample_priors
from bayesglmm.post.result import Result, draws_dataset
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.spec.priors import ResolvedPriors
from bayesglmm.spec.terms import INTERCEPT as CONSTANT_EFFECT
from bayesglmm.types import FloatArray

STREAM = "prior predictive"
"""Name of the stream of random numbers."""
MEAN, RESPONSE, ROW = "mean_response", "response", "row"


def prior_draws(spec: ModelSpec, design: Design, priors: ResolvedPriors, *, draws: int, seed: int | None, choice: IntervalChoice) -> Result:
    r"""Prior predictive distribution on the scale of the response, in rows of the data.

    .. math:: \theta \sim p(\theta), \qquad b_j \sim N(0, D), \qquad \tilde y \sim \text{family}(h(o + x'\beta + z'b_j))

    Parameters
    ----------
    spec
        Family, link, and whether the intercept's prior refers to the centered design.
    design
        Rows and levels; at most 200 rows, equally spaced, are used. The response is not.
    priors
        All numbers resolved.
    draws
        Draws from the priors.
    seed
        Integer; the same seed gives the same draws. A fresh one when None; the notes name it.
    choice
        Level and kind of the intervals.

    Returns
    -------
    Result
        ``table``: ``quantity``, ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. The first rows are the mean response of an
        average subject, that of a subject, and a new response, each in a random one of the rows; then what the priors of the SDs imply for
        two levels of each factor, and the auxiliary parameters. ``draws``: variables ``mean_response`` (of the row's subject) and
        ``response`` with dims (chain, draw, row), chain of length one.

    Raises
    ------
    ArgumentError
        If ``draws`` or ``seed`` is not what it must be.

    References
    ----------
    Gabry, J., Simpson, D., Vehtari, A., Betancourt, M. and Gelman, A. (2019). Visualization in Bayesian workflow. *Journal of the Royal
    Statistical Society A* 182, 389-402.
    """
    seed, family, link = check_seed(seed), get_family(spec.family), get_link(spec.link)
    rng = level_generator(seed, STREAM)
    sample = sample_priors(design, priors, family, center=spec.center, draws=draws, rng=rng)
    eta = sample.subject_eta()
    mu, y = _means(link, eta), sample.responses(rng, family, link, eta)
    subjects = {"mean response of an average subject": _means(link, sample.average_eta()), "mean response of a subject": mu}
    quantities = {**(subjects if design.groups else {"mean response": mu}), "new response": y}
    quantities |= dict(_spreads(design, sample, link))
    quantities |= {f"{name}, in units of the response": sample.auxiliary[name] for name, _ in priors.aux}
    parts = [summarise(values.reshape(-1, 1), choice) for values in quantities.values()]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    table = pd.DataFrame({"quantity": list(quantities), **columns})
    kept = draws_dataset({MEAN: mu, RESPONSE: y}, (1, int(draws)), ROW, {ROW: sample.which})
    title = f"Prior predictive distribution of {design.response}: {spec.formula}, {spec.family} ({spec.link} link)"
    target = "prior: what is assumed about the response before the data are seen"
    return Result(title, target, table, kept, (*_notes(sample, len(design.y), seed), *_extreme(quantities), *_skewed(table)), choice)


def _means(link: Link, eta: FloatArray) -> FloatArray:
    """Mean responses, cut where sums of their squares would leave double precision."""
    return np.clip(link.inverse(eta), -LARGEST, LARGEST)


def _spreads(design: Design, sample: PriorSample, link: Link) -> Iterator[tuple[str, FloatArray]]:
    """Name what the SD of each random effect means for two levels, with its draws (S,)."""
    for group, drawn in zip(design.groups, sample.parameters.groups, strict=True):
        yield from _spreads_of(group, drawn, link)


def _spreads_of(group: GroupDesign, drawn: GroupParameters, link: Link) -> Iterator[tuple[str, FloatArray]]:
    """Median ratio of two random levels under the links that have ratios, else the SD itself."""
    for k, label in enumerate(group.labels):
        per = "" if label == CONSTANT_EFFECT else f", per unit of {label}"
        if link.name in RATIO_NAMES:
            name = f"median {RATIO_NAMES[link.name].singular} of two levels of {group.name}{per}"
            yield name, np.minimum(median_ratio(2.0 * np.square(drawn.sd[:, k])), LARGEST)
        else:
            scale = "in units of the response" if link is LINKS["identity"] else f"on the {link.name} scale"
            yield f"SD between levels of {group.name}{per}, {scale}", drawn.sd[:, k]


def _notes(sample: PriorSample, n_rows: int, seed: int) -> tuple[str, ...]:
    rows = f"all {n_rows} rows" if len(sample.which) == n_rows else f"{len(sample.which)} of the {n_rows} rows, equally spaced,"
    trials = () if sample.trials is None else ("A mean response is the probability of one success, a new response a number of successes.",)
    return (
        f"Responses and their means: over prior draws and {rows} of the data together, so that an interval is that of one random row.",
        *trials,
        f"{sample.parameters.n_draws} draws from the priors, seed {seed}.",
    )


def _extreme(quantities: dict[str, FloatArray]) -> Iterator[str]:
    """Name what is so large that its mean and SD say nothing."""
    for name, values in quantities.items():
        share = float(np.mean(np.abs(values) >= LARGEST))
        if share > 0.0:
            yield f"{name}: {100 * share:.2g} % of the draws are beyond {LARGEST:g} and count as that; its mean and SD say nothing."


def _skewed(table: pd.DataFrame) -> tuple[str, ...]:
    """Name what has a mean that a few draws rule, as it does where the prior's own mean is infinite."""
    ruled = table["quantity"][(table["mean"] > table["ci_upper"]) | (table["mean"] < table["ci_lower"])].tolist()
    return (f"The mean lies outside the interval, ruled by a few draws, of: {'; '.join(ruled)}. Read the median there.",) if ruled else ()
