"""Tables that are not packaged: what is found is checked, what is not found is explained, nothing is taken silently."""

import hashlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest
import rdata

from bayesglmm import datasets
from bayesglmm.datasets import external
from bayesglmm.datasets.cards import DataFile
from bayesglmm.datasets.frames import typed
from bayesglmm.errors import DatasetError

AIDS = datasets.card("aids")
REMOTE = next(f for f in AIDS.files if f.url)
CONTENT = b"x\n1\n"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    """A server on this machine with one file; yields its address and a function that stops it."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "x.csv").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/x.csv", running.shutdown
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_directory_of_the_user(request, monkeypatch, tmp_path):
    if "external" not in request.keywords:
        monkeypatch.delenv(external.DATA_VARIABLE, raising=False)
        monkeypatch.setenv(external.CACHE_VARIABLE, str(tmp_path / "cache"))


def _refuse(error):
    def fetch(file):
        raise error

    return fetch


@pytest.mark.parametrize("error", [OSError("no network"), ValueError("SHA256 hash of downloaded file does not match")])
def test_failed_download_names_source_hash_and_variable(monkeypatch, error):
    monkeypatch.setattr(external, "fetch", _refuse(error))
    with pytest.raises(DatasetError) as caught:
        datasets.load("aids")
    for word in (str(error), REMOTE.url, REMOTE.sha256, "BAYESGLMM_DATA", "aids.rda"):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["aids.csv", "aids.rda"])
@pytest.mark.parametrize("by", ["variable", "argument"])
def test_file_with_another_hash_is_refused_and_nothing_is_fetched(tmp_path, monkeypatch, name, by):
    (tmp_path / name).write_bytes(b'"patient"\n"1"\n')
    monkeypatch.setattr(external, "fetch", _refuse(AssertionError("fetched although a file was there")))
    if by == "variable":
        monkeypatch.setenv("BAYESGLMM_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match=f"{name} is not the published file"):
        datasets.load("aids", data_dir=None if by == "variable" else tmp_path)


def test_argument_goes_before_the_variable(tmp_path, monkeypatch):
    (tmp_path / "aids.csv").write_bytes(b"not the table")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("BAYESGLMM_DATA", str(tmp_path))
    monkeypatch.setattr(external, "fetch", _refuse(OSError("asked the source")))
    with pytest.raises(DatasetError, match="asked the source"):
        datasets.load("aids", data_dir=tmp_path / "empty")


def test_fetched_file_with_another_hash_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "aids.rda"
    path.write_bytes(b"something else")
    monkeypatch.setattr(external, "fetch", lambda file: path)
    with pytest.raises(DatasetError, match="not the published file"):
        datasets.load("aids")


def test_data_set_without_a_source_says_where_to_put_it():
    with pytest.raises(DatasetError) as caught:
        datasets.load("Salamanders")
    for word in ("AGPL-3", "glmmTMB", "BAYESGLMM_DATA", "Salamanders.csv", datasets.card("Salamanders").files[0].sha256):
        assert word in str(caught.value)


def test_fetch_downloads_once_and_then_reads_the_cache(server, tmp_path):
    url, stop = server
    file = DataFile("x.csv", hashlib.sha256(CONTENT).hexdigest(), url)
    first = external.fetch(file)
    stop()
    assert external.fetch(file) == first
    assert first.parent == tmp_path / "cache"
    assert first.read_bytes() == CONTENT


def test_fetch_keeps_nothing_that_has_another_hash(server, tmp_path):
    url, _ = server
    with pytest.raises(ValueError, match="hash"):
        external.fetch(DataFile("x.csv", "0" * 64, url))
    assert not list((tmp_path / "cache").glob("*"))


def test_r_workspace_file_gives_the_table_of_its_card(tmp_path):
    table = datasets.load("Orthodont")
    rdata.write_rda(tmp_path / "Orthodont.rda", {"Orthodont": table.astype({"Sex": object, "Subject": object})})
    card = datasets.card("Orthodont")
    pd.testing.assert_frame_equal(typed(external._from_rda(tmp_path / "Orthodont.rda", card), card), table)


def test_r_workspace_file_without_the_table_is_refused(tmp_path):
    rdata.write_rda(tmp_path / "aids.rda", {"other": pd.DataFrame({"x": [1.0, 2.0]})})
    with pytest.raises(DatasetError, match="holds other, not aids"):
        external._from_rda(tmp_path / "aids.rda", AIDS)


def _load_if_there(name: str) -> pd.DataFrame:
    """The real table where it is found on this machine, without going to the network; a wrong file fails the test."""
    card = datasets.card(name)
    cached = any((external.cache_folder() / f.name).is_file() for f in card.files)
    if external.find_local(card, None) is None and not cached:
        pytest.skip(f"{name} is neither in the directory named by BAYESGLMM_DATA nor in the cache")
    return datasets.load(name)


@pytest.mark.external
def test_aids_is_the_published_table():
    table = _load_if_there("aids")
    assert table.shape == (1405, 12)
    assert table["patient"].nunique() == 467
    assert sorted(table["obstime"].unique()) == [0, 2, 6, 12, 18]
    assert list(table["drug"].cat.categories) == ["ddC", "ddI"]
    assert round(float(np.mean(table["CD4"] < np.sqrt(150))), 3) == 0.816


@pytest.mark.external
def test_salamanders_is_the_published_table():
    table = _load_if_there("Salamanders")
    assert table.shape == (644, 9)
    assert list(table["mined"].cat.categories) == ["yes", "no"]


def test_cache_folder_follows_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("BAYESGLMM_CACHE", str(tmp_path))
    assert external.cache_folder() == Path(tmp_path)
