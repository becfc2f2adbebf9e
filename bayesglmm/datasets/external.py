"""Tables that are not packaged: found in a directory, in the cache, or fetched from their public source.

The order is fixed: the directory that the caller names or ``BAYESGLMM_DATA`` names, then the cache, then the URL on
the card. Whatever is found must have the SHA-256 of the card; a file that has not is refused, so that two people who
load a data set by name have the same numbers. The one door to pooch and rdata, both imported when first needed.
"""

import os
from hashlib import sha256
from pathlib import Path

import pandas as pd

from bayesglmm.datasets.cards import Card, DataFile
from bayesglmm.datasets.frames import from_csv, typed
from bayesglmm.errors import DatasetError

DATA_VARIABLE = "BAYESGLMM_DATA"
CACHE_VARIABLE = "BAYESGLMM_CACHE"
TIMEOUT = 60
"""Seconds to wait for the source."""


def load_external(card: Card, data_dir: str | Path | None) -> pd.DataFrame:
    """Load a table that is not packaged.

    Parameters
    ----------
    card
        Card of the data set.
    data_dir
        Directory to look in first; None takes the one that ``BAYESGLMM_DATA`` names, if any.

    Raises
    ------
    DatasetError
        If the table is neither found nor fetched, or its SHA-256 is not the one on the card.
    """
    found = find_local(card, data_dir)
    if found is None:
        return _read(fetch_or_explain(card), card)
    return _read(found, card)


def find_local(card: Card, data_dir: str | Path | None) -> Path | None:
    """Path of a file of the card in the data directory, checked by its SHA-256; None when there is none.

    Raises
    ------
    DatasetError
        If a file of that name is there, but is not the published one.
    """
    directory = data_dir if data_dir is not None else os.environ.get(DATA_VARIABLE)
    if not directory:
        return None
    for file in card.files:
        path = Path(directory) / file.name
        if path.is_file():
            check_hash(path.read_bytes(), file, where=str(path))
            return path
    return None


def fetch_or_explain(card: Card) -> Path:
    """Path of the cached file, downloaded when it is not there yet.

    Raises
    ------
    DatasetError
        If there is no source to download from, or the download fails; names URL, SHA-256 and ``BAYESGLMM_DATA``.
    """
    remote = next((f for f in card.files if f.url is not None), None)
    if remote is None:
        expected = " or ".join(f"{f.name} (SHA-256 {f.sha256})" for f in card.files)
        fix = f"take the table from its source, {card.source}, and set {DATA_VARIABLE} to the directory that holds {expected}"
        raise DatasetError(f"the data set {card.name!r} is not packaged ({card.licence}) and has no download", where=card.name, fix=fix)
    try:
        path = fetch(remote)
    except (OSError, ValueError) as error:
        fix = f"download {remote.url} (SHA-256 {remote.sha256}) as {remote.name}, and set {DATA_VARIABLE} to its directory"
        raise DatasetError(f"the data set {card.name!r} could not be fetched: {error}", where=card.name, fix=fix) from error
    check_hash(path.read_bytes(), remote, where=str(path))
    return path


def fetch(file: DataFile) -> Path:
    """Path of the file in the cache; downloads it first when it is not there.

    Raises
    ------
    OSError
        If the source cannot be reached.
    ValueError
        If what arrives has another SHA-256; it is not kept.
    """
    import pooch

    known = f"sha256:{file.sha256}"
    store = pooch.create(path=cache_folder(), base_url="", registry={file.name: known}, urls={file.name: file.url})
    return Path(store.fetch(file.name, downloader=pooch.HTTPDownloader(timeout=TIMEOUT)))


def cache_folder() -> Path:
    """Return the folder of fetched tables: the user's cache directory, or what ``BAYESGLMM_CACHE`` names."""
    import pooch

    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("bayesglmm"))


def check_hash(content: bytes, file: DataFile, *, where: str) -> None:
    """Refuse content whose SHA-256 is not the one on the card.

    Raises
    ------
    DatasetError
        If it differs.
    """
    found = sha256(content).hexdigest()
    if found != file.sha256:
        fix = f"the card expects {file.sha256}; take the published file, or read your own with pandas"
        raise DatasetError(f"{file.name} is not the published file: its SHA-256 is {found}", where=where, fix=fix)


def _read(path: Path, card: Card) -> pd.DataFrame:
    return from_csv(path.read_bytes(), card) if path.suffix == ".csv" else typed(_from_rda(path, card), card)


def _from_rda(path: Path, card: Card) -> pd.DataFrame:
    """Read the data frame of the card's name from an R workspace file."""
    import rdata

    objects = rdata.read_rda(path)
    if card.name not in objects:
        raise DatasetError(f"the file holds {', '.join(objects)}, not {card.name}", where=str(path))
    frame: pd.DataFrame = objects[card.name]
    return frame.reset_index(drop=True)
