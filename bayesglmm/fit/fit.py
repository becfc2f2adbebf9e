"""The record of a fit: accessors only; every number after it is a function of it."""

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.families.registry import get_family
from bayesglmm.fit.html import fit_html
from bayesglmm.fit.provenance import Provenance
from bayesglmm.fit.quality import Quality
from bayesglmm.numerics.links import Link, get_link
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.spec.priors import ResolvedPriors


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Fit:
    """A fitted model. Two fits are equal when they are one object; compare their ``spec``, ``frame`` or ``idata``.

    Attributes
    ----------
    spec
        What was asked: formula, family, link, priors.
    design
        The arrays that were fitted, with the encoding that treats new rows alike.
    frame
        The columns of the user's table that were used, rows in the order of the design.
    priors
        Every prior with its numbers.
    idata
        Draws and data as an ArviZ ``DataTree``: posterior, sample_stats, observed_data, constant_data.
    quality
        The verdict and its checks.
    provenance
        Engine, settings, versions, data hash.
    """

    spec: ModelSpec
    design: Design
    frame: pd.DataFrame
    priors: ResolvedPriors
    idata: xr.DataTree
    quality: Quality
    provenance: Provenance

    @property
    def family(self) -> Family:
        """The response's family."""
        return get_family(self.spec.family)

    @property
    def link(self) -> Link:
        """The link function."""
        return get_link(self.spec.link)

    @property
    def posterior(self) -> xr.Dataset:
        """Posterior draws with dims (chain, draw, ...)."""
        return self.idata["posterior"].to_dataset()

    @property
    def engine(self) -> str:
        """Which form of the density was sampled, and why."""
        return f"{self.provenance.engine}: {self.provenance.engine_reason}"

    def _repr_html_(self) -> str:
        run, dropped = self.provenance, self.design.dropped
        lost = f"; {dropped.dropped} of {dropped.total} rows left out for missing values" if dropped.dropped else ""
        groups = "".join(f"; {g.name}: {len(g.levels)} levels" for g in self.design.groups)
        partial = " (partial run)" if run.partial else ""
        rows = (
            ("Model", self.spec.formula),
            ("Family", f"{self.spec.family}, {self.spec.link} link"),
            ("Data", f"{len(self.design.y)} rows{groups}{lost}"),
            ("Draws", f"{run.chains_obtained} chains of {run.draws_obtained}{partial}, {run.seconds:.1f} s, seed {run.settings.seed}"),
            ("Engine", self.engine),
        )
        return fit_html(rows, self.quality)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{g.name}: {len(g.levels)} levels" for g in self.design.groups) or "no grouping factor"
        partial = " PARTIAL RUN." if self.provenance.partial else ""
        return (
            f"<Fit {self.spec.formula} | {self.spec.family}({self.spec.link}); {len(self.design.y)} rows; {sizes}; "
            f"{self.provenance.chains_obtained} x {self.provenance.draws_obtained} draws; verdict: {self.quality.verdict}.{partial}>"
        )
