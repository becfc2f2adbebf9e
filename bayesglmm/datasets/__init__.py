"""Small public tables with their cards: ``datasets.load``, ``datasets.list``, ``datasets.card``.

Import rule: errors only, from this package; pandas anywhere here, pooch and rdata in ``external.py`` alone. This
``__init__`` names the three public functions because the package is itself a public name space (``bg.datasets``).
"""

from bayesglmm.datasets.cards import card
from bayesglmm.datasets.catalog import list_datasets as list
from bayesglmm.datasets.catalog import load

__all__ = ["card", "list", "load"]
