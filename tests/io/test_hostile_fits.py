"""Files that were damaged, altered or forged: refused with a message, and nothing in them runs."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayesglmm.errors import FitFileError
from bayesglmm.io.digest import digest
from bayesglmm.io.fits import FRAME, TREE, load, save
from bayesglmm.io.netcdf import read_tree, write_tree
from bayesglmm.io.records import SCHEMA, canonical, restore, seal
from tests.io.hand import hand_made_fit
from tests.spec.attacks import CANARY, EXPRESSIONS, watch

GROUPS = (*TREE, FRAME)


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"y": rng.integers(0, 2, 40), "x": rng.normal(size=40), "drug": rng.choice(["a", "b"], 40), "g": np.arange(40) % 8}
    )
    return hand_made_fit("y ~ x + drug + (x | g)", table, size=(4, 20))


@pytest.fixture(scope="module")
def stored(fit, tmp_path_factory):
    return save(fit, tmp_path_factory.mktemp("stored") / "fit.nc")


def forged(stored, path, change, *, resealed=True):
    """The file with changed contents; resealed, its hash is that of what it holds now, as a careful forger would leave it."""
    tree = read_tree(stored, GROUPS)
    groups = {name: data.copy(deep=True) for name, data in tree.groups.items()}
    outer = json.loads(tree.text)
    replaced = change(groups, outer["record"])
    groups = groups if replaced is None else replaced
    content = digest(groups, canonical(outer["record"])) if resealed else outer["content"]
    return write_tree(groups, seal(outer["record"], content), path, force=True)


def one_draw(groups, record):
    groups["posterior"]["x"][3, 17] += 1e-12


def one_random_effect(groups, record):
    groups["posterior"]["1|g"][0, 0, 0] += 1.0


def one_statistic(groups, record):
    groups["sample_stats"]["diverging"][1, 2] = True


def one_datum(groups, record):
    groups[FRAME]["column_1"][5] += 1e-9


def one_response(groups, record):
    groups["observed_data"]["y"][5] = 1 - groups["observed_data"]["y"][5]


def one_label(groups, record):
    labels = groups["posterior"]["drug_dim"].to_numpy().copy()
    labels[0] = "c"
    groups["posterior"] = groups["posterior"].assign_coords(drug_dim=labels)


def one_setting(groups, record):
    record["provenance"]["settings"]["seed"] += 1


def one_prior(groups, record):
    record["priors"]["b"][0]["sigma"] *= 2.0


def one_attribute(groups, record):
    groups["posterior"].attrs["created_at"] = "2020"


ALTERED = [one_draw, one_random_effect, one_statistic, one_datum, one_response, one_label, one_setting, one_prior, one_attribute]


@pytest.mark.parametrize("change", ALTERED, ids=lambda f: f.__name__)
def test_any_change_is_noticed(stored, tmp_path, change):
    path = forged(stored, tmp_path / "fit.nc", change, resealed=False)
    with pytest.raises(FitFileError, match=r"changed or damaged after it was written.*fit.nc"):
        load(path)


def test_an_unchanged_copy_is_not_refused(stored, tmp_path, fit):
    assert load(forged(stored, tmp_path / "fit.nc", lambda groups, record: None)).posterior.identical(fit.posterior)


def huge_draws(groups, record):
    groups["posterior"]["x"] = groups["posterior"]["x"] * np.inf


def fewer_draws(groups, record):
    groups["posterior"] = groups["posterior"].isel(draw=slice(0, 10))


def whole_numbers(groups, record):
    groups["posterior"]["x"] = groups["posterior"]["x"].astype(np.int64)


def no_slope(groups, record):
    groups["posterior"] = groups["posterior"].drop_vars("x|g_sigma")


def one_variable_more(groups, record):
    groups["posterior"]["z"] = groups["posterior"]["x"]


def levels_in_another_order(groups, record):
    levels = groups["posterior"]["g__factor_dim"].to_numpy()[::-1]
    groups["posterior"] = groups["posterior"].assign_coords(g__factor_dim=levels)


def other_dims(groups, record):
    groups["posterior"] = groups["posterior"].rename(g__factor_dim="other")


def statistics_of_other_draws(groups, record):
    groups["sample_stats"] = groups["sample_stats"].isel(chain=slice(0, 2))


def statistics_of_text(groups, record):
    groups["sample_stats"]["lp"] = groups["sample_stats"]["lp"].astype(str).astype(object)


def constant_more(groups, record):
    groups["constant_data"]["weights"] = groups["constant_data"]["offset"]


def no_response(groups, record):
    groups["observed_data"] = groups["observed_data"].drop_vars("y")


def swapped_rows(groups, record):
    groups[FRAME] = groups[FRAME].isel(row=slice(None, None, -1))


def more_chains_claimed(groups, record):
    record["provenance"]["chains_obtained"] = record["provenance"]["settings"]["chains"] = 10**12


def more_obtained_than_asked(groups, record):
    record["provenance"]["settings"]["chains"] = 1


def no_draws_claimed(groups, record):
    record["provenance"]["draws_obtained"] = 0


def negative_rows(groups, record):
    record["dropped"]["kept"] = -1


def other_hash(groups, record):
    record["provenance"]["data_hash"] = "0" * 64


def probe_of_other_rows(groups, record):
    record["probe"]["rows"] = [0]


def probe_outside(groups, record):
    record["probe"]["rows"] = [10**9] * 20


def probe_of_another_draw(groups, record):
    record["probe"]["draw"] = -1


def other_family(groups, record):
    record["spec"]["link"] = "probit"


def unknown_family(groups, record):
    record["spec"]["family"] = "os"


def unknown_link(groups, record):
    record["spec"]["link"] = "__import__"


def other_columns(groups, record):
    record["spec"]["formula"] = "y ~ x + (x | g)"


def other_columns_used(groups, record):
    record["spec"]["formula"] = "y ~ x + z + (x | g)"


def not_built(groups, record):
    record["spec"]["formula"] = "y ~ x + drug + cs(x | g)"


def dot(groups, record):
    record["spec"]["formula"] = "y ~ . + (x | g)"


def unknown_key(groups, record):
    record["spec"]["run"] = "os.system('true')"


def no_spec(groups, record):
    del record["spec"]


def a_prior_that_is_code(groups, record):
    record["priors"]["b"][0] = {"dist": "os.system", "mu": 0}


def too_few_priors(groups, record):
    record["priors"]["b"] = record["priors"]["b"][:1]


def a_correlation_that_is_no_correlation(groups, record):
    record["priors"]["cor"][0] = {"dist": "normal", "mu": 0, "sigma": 1}


def a_name_for_another(groups, record):
    record["names"] = {"x": "Intercept"}


def a_column_of_another_kind(groups, record):
    record["frame"][1]["kind"] = "object"


def a_column_of_another_type(groups, record):
    record["frame"][1]["dtype"] = "object"


def an_unknown_parameterization(groups, record):
    record["provenance"]["parameterization"] = {"g": "exec"}


def no_parameterization(groups, record):
    record["provenance"]["parameterization"] = {}


def another_format(groups, record):
    record["format"] = "other"


FORGED = [
    huge_draws,
    fewer_draws,
    whole_numbers,
    no_slope,
    one_variable_more,
    levels_in_another_order,
    other_dims,
    one_label,
    statistics_of_other_draws,
    statistics_of_text,
    constant_more,
    no_response,
    swapped_rows,
    one_datum,
    one_response,
    one_random_effect,
    more_chains_claimed,
    more_obtained_than_asked,
    no_draws_claimed,
    negative_rows,
    other_hash,
    probe_of_other_rows,
    probe_outside,
    probe_of_another_draw,
    other_family,
    unknown_family,
    unknown_link,
    other_columns,
    other_columns_used,
    not_built,
    dot,
    unknown_key,
    no_spec,
    a_prior_that_is_code,
    too_few_priors,
    a_correlation_that_is_no_correlation,
    a_name_for_another,
    a_column_of_another_kind,
    a_column_of_another_type,
    an_unknown_parameterization,
    no_parameterization,
    another_format,
]


@pytest.mark.parametrize("change", FORGED, ids=lambda f: f.__name__)
def test_a_forged_file_with_a_fitting_hash_is_refused_too(stored, tmp_path, change):
    path = forged(stored, tmp_path / "fit.nc", change)
    with pytest.raises(FitFileError):
        load(path)


def test_a_number_that_is_none_is_refused(stored, tmp_path):
    tree = read_tree(stored, GROUPS)
    text = tree.text.replace('"seconds": 1.25', '"seconds": NaN')
    assert text != tree.text
    write_tree(tree.groups, text, tmp_path / "fit.nc")
    with pytest.raises(FitFileError, match="no JSON"):
        load(tmp_path / "fit.nc")


def test_another_version_of_the_schema_is_named(stored, tmp_path):
    def newer(groups, record):
        record["schema"] = SCHEMA + 1

    with pytest.raises(FitFileError, match=f"version {SCHEMA + 1} of the schema, this package reads version {SCHEMA}"):
        load(forged(stored, tmp_path / "fit.nc", newer))


def test_the_recomputed_number_is_shown(stored, tmp_path):
    with pytest.raises(FitFileError, match=r"log likelihood of 20 rows at the first draw is .*stored is"):
        load(forged(stored, tmp_path / "fit.nc", one_random_effect))


def test_a_stored_verdict_cannot_lie(stored, tmp_path):
    def all_diverging(groups, record):
        groups["sample_stats"]["diverging"][:] = True

    assert load(forged(stored, tmp_path / "fit.nc", all_diverging)).quality.verdict == "do not use"


@pytest.mark.parametrize("attack", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_an_attack_in_the_stored_formula_is_refused(stored, tmp_path, monkeypatch, attack):
    record = json.loads(read_tree(stored, GROUPS).text)["record"]
    record["spec"]["formula"] = f"y ~ {attack} + drug + (x | g)"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FitFileError, match="model in the file is refused"):
        restore(record, "test")
    assert not Path(CANARY).exists()


def test_nothing_of_an_attack_is_compiled_or_run(stored, tmp_path):
    def attacked(groups, record):
        record["spec"]["formula"] = f"y ~ os.system('touch {CANARY}') + drug + (x | g)"

    path = forged(stored, tmp_path / "fit.nc", attacked)
    with watch() as seen, pytest.raises(FitFileError, match="model in the file is refused"):
        load(path)
    assert not [event for event in seen if event[0] in ("exec", "os.system", "os.posix_spawn", "subprocess.Popen", "pickle.find_class")]
    assert not [source for kind, source in seen if kind == "compile" and "os" in source]


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path(CANARY),)


def test_a_pickle_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.nc").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(FitFileError, match="no NetCDF-4 file"):
        load(tmp_path / "fit.nc")
    assert not Path(CANARY).exists()


def test_a_file_of_another_program_is_refused(fit, tmp_path):
    xr.DataTree.from_dict({name: fit.idata[name].to_dataset() for name in TREE}).to_netcdf(tmp_path / "fit.nc", engine="netcdf4")
    with pytest.raises(FitFileError, match="not written by bayesglmm"):
        load(tmp_path / "fit.nc")


def test_a_flipped_bit_is_noticed_or_without_effect(stored, tmp_path, fit):
    """Bits between the arrays of an HDF5 file mean nothing; any other makes the file unreadable or breaks its hash."""
    whole, rng, refused = stored.read_bytes(), np.random.default_rng(3), 0
    for position in rng.integers(0, len(whole), 60):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << int(rng.integers(8))
        (tmp_path / "fit.nc").write_bytes(flipped)
        try:
            loaded = load(tmp_path / "fit.nc")
        except FitFileError:
            refused += 1
        else:
            assert loaded.posterior.identical(fit.posterior)
            assert (loaded.spec, loaded.provenance, loaded.quality) == (fit.spec, fit.provenance, fit.quality)
    assert refused > 20
