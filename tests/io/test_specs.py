"""Model files on disk: whole or not at all, never over an existing one unasked."""

import pytest

from bayesglmm.errors import SpecError
from bayesglmm.io.specs import dumps_spec, save_spec
from bayesglmm.spec.model_spec import make_spec
from bayesglmm.spec.priors import Exponential, Normal
from bayesglmm.spec.schema import DataSource, ModelFile, load_spec, loads_spec

SPEC = make_spec(
    "log(`my y`) ~ x*C(z, 'sum') + (x || g)", family="gaussian", link="identity", priors={"b[x]": Normal(0, 2), "sd": Exponential(1)}
)
FILE = ModelFile(
    SPEC, name="other", description='a\n"b"\\', data=DataSource("aids", "drop", (("low", "CD4 < 3"),)), sampler=(("draws", 10),)
)


def test_what_is_saved_loads_equal(tmp_path):
    path = save_spec(SPEC, tmp_path / "mine.toml")
    assert load_spec(path) == ModelFile(SPEC)
    assert load_spec(save_spec(FILE, str(tmp_path / "two.toml"))) == FILE
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.toml", "two.toml"]
    assert loads_spec(dumps_spec(FILE)) == FILE


def test_an_existing_file_stays_unless_forced(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("precious")
    with pytest.raises(SpecError, match="exists"):
        save_spec(SPEC, path)
    assert path.read_text() == "precious"
    save_spec(SPEC, path, force=True)
    assert load_spec(path).spec == SPEC


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = save_spec(SPEC, tmp_path / "mine.toml")
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bayesglmm.io.atomic.os.replace", fail)
    with pytest.raises(SpecError, match="No space left"):
        save_spec(FILE, path, force=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mine.toml"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(SpecError, match="nowhere"):
        save_spec(SPEC, tmp_path / "nowhere" / "mine.toml")


def test_users_functions_are_saved_by_name_in_the_formula_only(tmp_path):
    spec = make_spec("y ~ f(x)", family="poisson", link="log", functions=["f"])
    path = save_spec(spec, tmp_path / "mine.toml")
    assert load_spec(path, functions=["f"]).spec == spec
    assert "functions" not in path.read_text()
