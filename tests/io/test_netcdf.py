import os
import unicodedata
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.errors import FitFileError
from bayesglmm.io import atomic, netcdf
from bayesglmm.io.atomic import check_target
from bayesglmm.io.netcdf import file_names, read_tree, write_tree

AWKWARD = ["1|g", "x|g_sigma", "x:z", "scale(x)", "I(x ** 2)", "C(drug, 'sum')", "ns(year, 2)", "a.b", "日本", "x y"]
ILLEGAL = ["`my col`", "-x", ".a", "#a", "end ", "tab\tx", "a/b", unicodedata.normalize("NFD", "é"), "long" * 100, "(x)"]


def dataset(names, values=(1.0, np.nan, -np.inf)):
    coords = {"g": np.array(["é", "", "b b"], dtype=object)}
    return xr.Dataset({n: ("g", np.array(values)) for n in names}, coords=coords, attrs={"note": "x", "n": 3, "t": 0.1})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.nc"


def leftovers(folder, *allowed):
    return sorted(p.name for p in Path(folder).iterdir() if p.name not in allowed)


def test_awkward_names_and_values_come_back(path):
    groups = {"a": dataset(AWKWARD), "b": xr.Dataset({"yes": ("n", [True, False]), "k": ("n", np.array([2**62, -1]))})}
    assert write_tree(groups, "text é", path) == path
    stored = read_tree(path, ["a", "b"])
    assert stored.text == "text é"
    for name, data in groups.items():
        assert stored.groups[name].identical(data)
        assert {n: v.dtype for n, v in stored.groups[name].data_vars.items()} == {n: v.dtype for n, v in data.data_vars.items()}


def test_names_that_netcdf_refuses_or_changes_get_others(path):
    names = file_names([*AWKWARD, *ILLEGAL, "name_0"])
    assert set(names) == set(ILLEGAL)
    assert "name_0" not in names.values()
    assert len(set(names.values())) == len(ILLEGAL)
    write_tree({"a": dataset(names.values())}, "", path)
    assert set(read_tree(path, ["a"]).groups["a"].data_vars) == set(names.values())


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), max_size=6, unique=True))
def test_what_counts_as_a_legal_name_is_stored_unchanged(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("names") / "a.nc"
    stored = [file_names(names).get(n, n) for n in names]
    write_tree({"a": xr.Dataset({n: ("dim", [1.0]) for n in stored if n != "dim"})}, "", path)
    assert set(read_tree(path, ["a"]).groups["a"].data_vars) == set(stored) - {"dim"}


def test_an_existing_file_is_replaced_only_when_allowed(path):
    write_tree({"a": dataset("x")}, "old", path)
    before = path.read_bytes()
    with pytest.raises(FitFileError, match=r"exists already.*--force"):
        write_tree({"a": dataset("x")}, "new", path)
    assert path.read_bytes() == before
    write_tree({"a": dataset("x")}, "new", path, force=True)
    assert read_tree(path, ["a"]).text == "new"
    assert leftovers(path.parent, "a.nc") == []


@pytest.mark.parametrize("make", [lambda f: f / "no" / "a.nc", lambda f: f, lambda f: f / "file" / "a.nc", lambda f: f / ("a" * 300)])
def test_what_cannot_be_written_is_refused_at_once(tmp_path, make):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FitFileError, match=r"cannot be written|is a folder"):
        check_target(make(tmp_path))
    assert leftovers(tmp_path, "file") == []


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_without_permission_is_refused():
    with pytest.raises(FitFileError, match="cannot be written"):
        check_target("/proc/self/a.nc")


@pytest.mark.parametrize("moment", ["write", "flush", "move"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(path, monkeypatch, moment):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    write_tree({"a": dataset("x")}, "old", path)
    target = {"write": (xr.DataTree, "to_netcdf"), "flush": (atomic.os, "fsync"), "move": (atomic.os, "replace")}[moment]
    monkeypatch.setattr(*target, fail)
    with pytest.raises(FitFileError, match="No space left"):
        write_tree({"a": dataset("x")}, "new", path, force=True)
    monkeypatch.undo()
    assert read_tree(path, ["a"]).text == "old"
    assert leftovers(path.parent, "a.nc") == []


def test_what_was_written_is_on_the_disk_before_it_gets_its_name(path, monkeypatch):
    calls = []
    monkeypatch.setattr(atomic.os, "fsync", lambda number: calls.append("flush"))
    replace = os.replace
    monkeypatch.setattr(atomic.os, "replace", lambda a, b: (calls.append("move"), replace(a, b)))
    write_tree({"a": dataset("x")}, "", path)
    assert calls == ["flush", "move"]


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(FitFileError, match="no such file"):
        read_tree(tmp_path / "no.nc", ["a"])
    with pytest.raises(FitFileError, match="cannot be read"):
        read_tree(tmp_path, ["a"])
    for content in (
        b"",
        b"PK\x03\x04",
        b"CDF\x01" + bytes(100),
        b"\x80\x04\x95",
        b"<html>",
        b"\x89HDF\r\n\x1a\n",
        b"\x89HDF\r\n\x1a\n" + bytes(5000),
    ):
        (tmp_path / "a.nc").write_bytes(content)
        with pytest.raises(FitFileError, match=r"no NetCDF-4 file|damaged"):
            read_tree(tmp_path / "a.nc", ["a"])


def test_the_file_of_another_program_is_refused(path):
    dataset("x").to_netcdf(path, engine="netcdf4")
    with pytest.raises(FitFileError, match="not written by bayesglmm"):
        read_tree(path, ["a"])


def test_a_file_cut_anywhere_is_refused(path):
    write_tree({"a": dataset("xyz", np.arange(3.0))}, "text", path)
    whole = path.read_bytes()
    for share in (0.05, 0.3, 0.5, 0.8, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(FitFileError, match="damaged"):
            read_tree(path, ["a"])


def crafted(path, build, text="text"):
    with netCDF4.Dataset(str(path), "w") as file:
        file.setncattr(netcdf.TEXT_ATTRIBUTE, text)
        group = file.createGroup("a")
        group.createDimension("n", 10)
        build(group)
    return path


def bomb(group):
    group.createDimension("huge", 10**12)
    group.createVariable("x", "f8", ("huge",), zlib=True)


def bomb_of_many_dims(group):
    for k in range(4):
        group.createDimension(f"d{k}", 2**31)
    group.createVariable("x", "f8", ("d0", "d1", "d2", "d3"), zlib=True)


def unwritten(group):
    group.createDimension("long", 10**6)
    group.createVariable("x", "f8", ("long",), zlib=True)


def text_of_any_length(group):
    group.createVariable("x", str, ("n",))


def many_dims(group):
    group.createVariable("x", "f8", ("n",) * 7)


def nested(group):
    group.createGroup("b").createVariable("x", "f8", ())


@pytest.mark.parametrize("build", [bomb, bomb_of_many_dims, unwritten, text_of_any_length, many_dims, nested], ids=lambda f: f.__name__)
def test_a_file_that_declares_too_much_is_refused_before_it_is_read(path, monkeypatch, build):
    crafted(path, build)
    monkeypatch.setattr(xr, "open_datatree", lambda *a, **k: pytest.fail("an array was read"))
    with pytest.raises(FitFileError):
        read_tree(path, ["a"])


def test_groups_must_be_those_expected(path):
    write_tree({"a": dataset("x"), "b": dataset("x")}, "", path)
    for expected in (["a"], ["a", "b", "c"]):
        with pytest.raises(FitFileError, match="groups of the file are a, b"):
            read_tree(path, expected)


def test_the_description_must_be_text_of_a_sane_length(path, monkeypatch):
    crafted(path, lambda group: None, text=3)
    with pytest.raises(FitFileError, match="no text"):
        read_tree(path, ["a"])
    crafted(path, lambda group: None, text="long text")
    monkeypatch.setattr(netcdf, "MAX_TEXT", 3)
    with pytest.raises(FitFileError, match="too long"):
        read_tree(path, ["a"])


def test_an_oversized_file_is_refused(path, monkeypatch):
    write_tree({"a": dataset("x")}, "", path)
    monkeypatch.setattr(netcdf, "MAX_BYTES", 100)
    with pytest.raises(FitFileError, match="more than the limit of 100"):
        read_tree(path, ["a"])


def test_attributes_of_a_foreign_hand_do_not_change_values(path):
    def scaled(group):
        variable = group.createVariable("x", "f8", ("n",))
        variable[:] = np.arange(10.0)
        variable.scale_factor, variable.add_offset, variable.units, variable.missing_value = 2.0, 1.0, "days since 2000-01-01", 3.0

    crafted(path, scaled)
    assert np.array_equal(read_tree(path, ["a"]).groups["a"]["x"].to_numpy(), np.arange(10.0))
