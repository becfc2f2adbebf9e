"""Load a data set by name, and list what there is."""

from pathlib import Path

import pandas as pd

from bayesglmm.datasets.cards import Card, card, folder, names
from bayesglmm.datasets.external import check_hash, load_external
from bayesglmm.datasets.frames import from_csv, from_parquet

LIST_COLUMNS = ("name", "rows", "columns", "description", "licence", "source", "bundled")


def load(name: str, *, data_dir: str | Path | None = None) -> pd.DataFrame:
    """Load a data set.

    Factors are categories in the order of the card, whose first level is the reference; ordered factors are ordered
    categories; whole numbers are int64, float64 where values are missing; other numbers are float64. The file is
    checked by the SHA-256 of its card at every load.

    Parameters
    ----------
    name
        Name of the data set; :func:`list_datasets` names all.
    data_dir
        For the data sets that are not packaged: the directory to look in first. None takes the one named by
        the environment variable ``BAYESGLMM_DATA``. After it come the cache and the source on the card.

    Returns
    -------
    pandas.DataFrame
        A new frame, with the rows and columns of the card.

    Raises
    ------
    DatasetError
        If the name is unknown, the table cannot be found or fetched, or it is not the published one.

    Examples
    --------
    >>> load("sleepstudy").shape
    (180, 3)
    """
    wanted = card(name)
    return _load_packaged(wanted) if wanted.bundled else load_external(wanted, data_dir)


def list_datasets() -> pd.DataFrame:
    """List all data sets.

    Returns
    -------
    pandas.DataFrame
        One row per data set: ``name``, ``rows``, ``columns``, ``description``, ``licence``, ``source``, and
        ``bundled``, whether the table is part of the package.
    """
    cards = [card(n) for n in names()]
    rows = [(c.name, c.rows, len(c.columns), c.description, c.licence, c.source, c.bundled) for c in cards]
    return pd.DataFrame(rows, columns=[*LIST_COLUMNS])


def _load_packaged(wanted: Card) -> pd.DataFrame:
    file = wanted.files[0]
    content = folder().joinpath(file.name).read_bytes()
    check_hash(content, file, where=f"the packaged table of {wanted.name}")
    return from_parquet(content, wanted) if file.name.endswith(".parquet") else from_csv(content, wanted)
