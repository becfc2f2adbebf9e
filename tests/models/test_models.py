"""Every file of models/ reads, names a data set that exists, and gives the design that R built for the same model."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from bayesglmm import datasets
from bayesglmm.datasets.external import find_local
from bayesglmm.design.derive import derive_columns
from bayesglmm.design.design import build_design
from bayesglmm.design.table import read_table
from bayesglmm.families.registry import get_family
from bayesglmm.numerics.links import get_link
from bayesglmm.spec.schema import file_from_dict, file_to_dict, load_spec

REPOSITORY = Path(__file__).parents[2]
FILES = sorted((REPOSITORY / "models").glob("*.toml"))
EXTERNAL = {p.stem for p in FILES if not datasets.card(load_spec(p).data.dataset).bundled}
GOLDEN = REPOSITORY / "tests" / "golden"
# The reference fit whose rows, coefficients and groups a model's design must have; where it is not "<model>_reml" or "<model>".
REFERENCES = {
    "aids_low_cd4": "aids_glmm_ri_exact",
    "aids_timefactor": "aids_timefactor_exact",
    "pbc_high_chol": "pbc_chol_code_exact",
    "pbc_chol_h0": "pbc_chol_H0_exact",
    "pbc_chol_ha": "pbc_chol_Ha_exact",
    "pbc_chol_effectplot": "pbc_chol_effectplot_exact",
    "contraception_age10": "contraception_age10_agq11",
    "cbpp": "cbpp_nagq25",
    "rehab_sim_null": "rehab_sim_null_nagq25",
    "rehab_sim_lower": "rehab_sim_lower_nagq25",
    "rehab_sim_higher": "rehab_sim_higher_nagq25",
    "epil_poisson": "epil_poisson_nagq25",
    "insteval_crossed": "insteval_crossed_ml",
    "muscatine": "muscatine_exact",
    "guprenat": "guprenat_nagq0",
}


@pytest.fixture(params=FILES, ids=lambda p: p.stem)
def path(request):
    return request.param


@pytest.fixture
def model(path):
    return load_spec(path)


def _reference(name: str) -> dict:
    candidates = (REFERENCES.get(name, name), f"{name}_reml")
    found = next(p for p in (GOLDEN / f"{c}.json" for c in candidates) if p.is_file())
    return json.loads(found.read_text(encoding="utf-8"))


def _bib_keys() -> list[str]:
    return re.findall(r"^@\w+\{(\w+),", (REPOSITORY / "models" / "references.bib").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_there_are_model_files():
    assert len(FILES) >= 40


def test_file_is_named_as_its_model(path, model):
    assert model.name == path.stem


def test_model_says_what_it_is_for(model):
    assert model.title
    assert model.description.endswith(".")
    assert model.keywords


def test_titles_are_unique():
    titles = Counter(load_spec(p).title for p in FILES)
    assert [t for t, n in titles.items() if n > 1] == []


def test_data_set_exists_and_has_the_columns(model):
    known = {c.name for c in datasets.card(model.data.dataset).columns}
    derived = {name for name, _ in model.data.derive}
    assert not derived & known
    assert set(model.spec.columns) <= known | derived


def test_references_are_in_the_bibliography(model):
    assert model.references
    assert set(model.references) <= set(_bib_keys())


def test_every_entry_of_the_bibliography_is_cited():
    keys = Counter(_bib_keys())
    assert max(keys.values()) == 1
    assert set(keys) == {r for p in FILES for r in load_spec(p).references}


def test_model_survives_its_own_dictionary(model):
    assert file_from_dict(file_to_dict(model)) == model


def _check_design(path: Path) -> None:
    """Rows, number of coefficients and of levels of each factor equal those of the reference fit."""
    model, reference = load_spec(path), _reference(path.stem)
    data = derive_columns(datasets.load(model.data.dataset), model.data.derive)
    table, dropped = read_table(data, model.spec.columns, missing=model.data.missing)
    design = build_design(model.spec, table, get_family(model.spec.family), get_link(model.spec.link), dropped=dropped)
    assert design.X.shape == (reference["n_obs"], len(reference["fixed"]))
    assert {g.name: len(g.levels) for g in design.groups} == reference["n_groups"]
    assert design.dropped.total - design.dropped.kept == datasets.card(model.data.dataset).rows - reference["n_obs"]


@pytest.mark.parametrize("path", [p for p in FILES if p.stem not in EXTERNAL], ids=lambda p: p.stem)
def test_design_has_the_rows_coefficients_and_groups_of_the_reference_fit(path):
    _check_design(path)


@pytest.mark.external
@pytest.mark.parametrize("path", [p for p in FILES if p.stem in EXTERNAL], ids=lambda p: p.stem)
def test_design_of_an_external_table_has_those_of_the_reference_fit(path):
    card = datasets.card(load_spec(path).data.dataset)
    if find_local(card, None) is None:
        pytest.skip(f"{card.name} is not in the directory named by BAYESGLMM_DATA")
    _check_design(path)
