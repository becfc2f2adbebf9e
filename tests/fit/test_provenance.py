"""The data hash sees every change of a value, a name, an order or a kind, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.fit.provenance import hash_frame, package_versions

FRAME = pd.DataFrame({"y": [1.0, 2.0, 3.0], "g": pd.Categorical(["a", "b", "a"]), "n": [1, 2, 3]})


def test_equal_tables_have_one_hash():
    assert hash_frame(FRAME) == hash_frame(FRAME.set_index(np.array([5, 6, 7])))
    assert hash_frame(FRAME) == hash_frame(FRAME.assign(g=FRAME["g"].astype(str), n=FRAME["n"].astype(float)))


@pytest.mark.parametrize(
    "changed",
    [
        FRAME.assign(y=[1.0, 2.0, 3.0000001]),
        FRAME.assign(g=["a", "b", "b"]),
        FRAME.rename(columns={"y": "z"}),
        FRAME[["g", "y", "n"]],
        FRAME.iloc[::-1],
        FRAME.iloc[:2],
        FRAME.assign(n=["1", "2", "3"]),
    ],
    ids=["value", "level", "name", "column order", "row order", "fewer rows", "kind"],
)
def test_every_change_changes_the_hash(changed):
    assert hash_frame(changed) != hash_frame(FRAME)


def test_levels_cannot_be_moved_across_cells():
    assert hash_frame(pd.DataFrame({"g": ["ab", "c"]})) != hash_frame(pd.DataFrame({"g": ["a", "bc"]}))


def test_versions_name_the_packages_behind_a_fit():
    names = dict(package_versions())
    assert {"bayesglmm", "numpy", "pymc", "nutpie"} <= set(names)
