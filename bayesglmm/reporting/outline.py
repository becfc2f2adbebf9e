"""The sections of a report, in order; a section is added by a file and a line here."""

from collections.abc import Callable

from bayesglmm.reporting import (
    accuracy,
    calibration,
    computation,
    data,
    glossary,
    marginal,
    model,
    posterior,
    predictive,
    prior,
    provenance,
    sensitivity,
)
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.records import Section

SECTIONS: tuple[tuple[str, Callable[[Context], Section]], ...] = (
    ("provenance", provenance.section),
    ("model", model.section),
    ("data", data.section),
    ("prior", prior.section),
    ("computation", computation.section),
    ("posterior", posterior.section),
    ("marginal", marginal.section),
    ("predictive", predictive.section),
    ("accuracy", accuracy.section),
    ("sensitivity", sensitivity.section),
    ("calibration", calibration.section),
    ("glossary", glossary.section),
)
"""Identifier, which is the anchor on the page, and maker of each section; the verdict box stands before them."""
