from pathlib import Path

import pytest

from bayesglmm.errors import SpecError
from bayesglmm.io import library
from bayesglmm.io.library import list_models, model_path

MODELS = Path(__file__).parents[2] / "models"


def test_every_bundled_model_is_found():
    assert list_models() == tuple(sorted(p.stem for p in MODELS.glob("*.toml")))
    assert model_path("pbc_high_chol") == MODELS / "pbc_high_chol.toml"


@pytest.mark.parametrize("name", ["pbc_high_cholesterol", "../models/cbpp", "cbpp.toml", "", "/etc/passwd"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(SpecError, match="no bundled model"):
        model_path(name)


def test_the_nearest_name_is_given():
    with pytest.raises(SpecError, match="did you mean 'pbc_high_chol'"):
        model_path("pbc_hihg_chol")


def test_an_installed_package_reads_its_own_folder(tmp_path, monkeypatch):
    (tmp_path / "bayesglmm" / "_models").mkdir(parents=True)
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "models" / "b.toml").touch()
    (tmp_path / "bayesglmm" / "_models" / "a.toml").touch()
    monkeypatch.setattr(library, "__file__", str(tmp_path / "bayesglmm" / "io" / "library.py"))
    assert list_models() == ("a",)


def test_a_strange_folder_called_models_beside_an_installed_package_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "b.toml").touch()
    monkeypatch.setattr(library, "__file__", str(tmp_path / "bayesglmm" / "io" / "library.py"))
    assert list_models() == ()
