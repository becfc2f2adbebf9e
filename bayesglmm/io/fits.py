"""Fits as files: one NetCDF file that holds draws, data and description, and proves itself when it is loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.design.design import Design, build_design
from bayesglmm.design.prepare import Functions, family_and_link
from bayesglmm.design.scaling import resolve_priors
from bayesglmm.design.table import read_table
from bayesglmm.errors import ArgumentError, BayesglmmError, FitFileError
from bayesglmm.families.base import Family
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.provenance import hash_frame
from bayesglmm.io.atomic import check_target
from bayesglmm.io.digest import digest, plain_attributes
from bayesglmm.io.frames import pack_frame, unpack_frame
from bayesglmm.io.netcdf import file_names, read_tree, write_tree
from bayesglmm.io.records import FitRecord, Probe, canonical, describe, restore, seal, unseal
from bayesglmm.io.verify import check_parameterization, check_posterior, check_priors, check_rows, check_statistics
from bayesglmm.numerics.links import Link
from bayesglmm.post.density import probe_log_likelihood
from bayesglmm.post.door import takes_fit
from bayesglmm.sampler.run import judge_run
from bayesglmm.types import IntArray

TREE = ("posterior", "sample_stats", "observed_data", "constant_data")
FRAME = "frame"
PROBE_ROWS = 20
PROBE_DRAW = 0
PROBE_RTOL = 1e-8
"""Relative tolerance of the recomputed log likelihood: two forms of one density on two machines."""
_ALTERED = "the file was changed or damaged after it was written"
_FIX = "copy the file again from where it was written, or fit the model again"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the stored table and the stored spec make again: family, link and design."""

    family: Family
    link: Link
    design: Design


@takes_fit
def save(fit: Fit, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a fit as one NetCDF-4 file: draws, sampler statistics, the columns used, spec, priors, settings, versions, hashes.

    The file is written under a temporary name in the same folder and moved when it is whole. ArviZ and xarray read it too.

    Parameters
    ----------
    fit
        The fit.
    path
        The file, ending in ``.nc``.
    force
        Whether an existing file is replaced.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FitFileError
        If the file exists and ``force`` is false, it cannot be written, or the fit holds what no file can; nothing is left behind.
    """
    target = check_target(path, force=force)
    posterior = fit.posterior
    check_posterior(posterior, fit.design, fit.family.auxiliary, fit.provenance)
    packed, columns = pack_frame(fit.frame)
    tree = {name: fit.idata[name].to_dataset() for name in TREE}
    names = file_names(str(n) for data in tree.values() for n in (*data.variables, *data.dims))
    groups = {**{name: _plain(_renamed(data, names)) for name, data in tree.items()}, FRAME: packed}
    probe = _probe(fit)
    record = FitRecord(fit.spec, fit.priors, fit.provenance, fit.design.dropped, tuple(columns), {v: k for k, v in names.items()}, probe)
    description = describe(record)
    return write_tree(groups, seal(description, digest(groups, canonical(description))), target, force=force)


def load(path: str | os.PathLike[str], *, functions: Functions | None = None) -> Fit:
    """Read a fit, and believe it only when it proves itself.

    Checked are the file's kind and declared sizes, the schema version, one hash of everything, the formula (by the same gate as
    any other), the hash of the data, names, shapes, labels and finite values of all draws against the design that the stored
    table makes again, and the log likelihood of some rows at the first draw. The verdict is computed again. Nothing in a file
    is ever executed; PyMC is not needed.

    Parameters
    ----------
    path
        A file written by :func:`save`.
    functions
        The user's own functions that the formula calls, by name.

    Returns
    -------
    Fit
        Equal to the fit that was saved, encoding of new rows included.

    Raises
    ------
    ArgumentError
        If ``path`` is no path.
    FitFileError
        Says what is wrong with the file and what to do.
    """
    check_path(path)
    where = str(path)
    stored = read_tree(path, (*TREE, FRAME))
    description, content = unseal(stored.text, where)
    if digest(stored.groups, canonical(description)) != content:
        raise FitFileError(_ALTERED, where=where, fix=_FIX)
    record = restore(description, where, functions=frozenset(functions or {}))
    frame = _frame(record, stored.groups[FRAME])
    rebuilt = _rebuild(record, frame, functions)
    tree = {name: _named(stored.groups[name], record.names) for name in TREE}
    _check_tree(tree, record, rebuilt)
    quality = judge_run(tree["posterior"], tree["sample_stats"], rebuilt.design, rebuilt.family, record.provenance.settings)
    fit = Fit(record.spec, rebuilt.design, frame, record.priors, xr.DataTree.from_dict(tree), quality, record.provenance)
    _check_probe(fit, record.probe)
    return fit


def check_path(value: object) -> None:
    """Refuse what names no file.

    Raises
    ------
    ArgumentError
        Says what it is.
    """
    if isinstance(value, str | os.PathLike):
        return
    fix = "name the file, load('fit.nc')"
    if isinstance(value, Fit):
        fix = "use this fit as it is; save(fit, 'fit.nc') writes it to a file, and load('fit.nc') reads that"
    raise ArgumentError(f"the path of a file is needed, not an object of type {type(value).__name__}", where="argument path", fix=fix)


def probe_rows(n_rows: int) -> IntArray:
    """Up to twenty rows, evenly spread."""
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, PROBE_ROWS)).astype(np.int64))


def _probe(fit: Fit) -> Probe:
    rows = probe_rows(len(fit.design.y))
    value = probe_log_likelihood(fit, rows, draw=PROBE_DRAW)
    if not np.isfinite(value):
        raise FitFileError("the log likelihood at the first draw is not finite", fix="look at fit.quality; such a fit cannot be used")
    return Probe(tuple(int(r) for r in rows), PROBE_DRAW, value)


def _renamed(data: xr.Dataset, names: Mapping[str, str]) -> xr.Dataset:
    """With other names for variables and dims, where they occur."""
    present = {str(n) for n in (*data.variables, *data.dims)}
    return data.rename({old: new for old, new in names.items() if old in present})


def _plain(data: xr.Dataset) -> xr.Dataset:
    """Attributes that a file gives back as they were; variables carry none."""
    bare = {str(n): xr.Variable(v.dims, v.values.astype(object) if v.dtype.kind in "OUT" else v.values) for n, v in data.variables.items()}
    coords = {n: v for n, v in bare.items() if n in data.coords}
    return xr.Dataset({n: v for n, v in bare.items() if n not in coords}, coords=coords, attrs=plain_attributes(data))


def _named(data: xr.Dataset, names: Mapping[str, str]) -> xr.Dataset:
    """With the names of the model in place of the file's."""
    try:
        return _plain(_renamed(data, names))
    except ValueError as error:
        raise FitFileError(f"the stored names do not fit together: {error}", fix=_FIX) from error


def _frame(record: FitRecord, data: xr.Dataset) -> pd.DataFrame:
    """Return the stored table, its hash and its columns checked."""
    frame = unpack_frame(data, record.columns, record.dropped.kept)
    if tuple(frame.columns) != tuple(record.spec.columns):
        raise FitFileError("the stored columns are not those of the formula", where=", ".join(frame.columns), fix=_FIX)
    if hash_frame(frame) != record.provenance.data_hash:
        raise FitFileError("the stored data are not those that were fitted: their hash differs", where="group frame", fix=_FIX)
    return frame


def _rebuild(record: FitRecord, frame: pd.DataFrame, functions: Functions | None) -> Rebuilt:
    """Family, link and design from the stored spec and table, by the code that makes them for any user."""
    spec = record.spec
    try:
        family, link = family_and_link(spec.family, spec.link)
        table, _ = read_table(frame, spec.columns)
        design = build_design(spec, table, family, link, functions=functions, dropped=record.dropped)
        check_priors(record.priors, resolve_priors(spec, design, family, link))
    except FitFileError:
        raise
    except BayesglmmError as error:
        raise FitFileError(f"the model in the file is refused: {error.what}", where=error.where, fix=error.fix) from error
    return Rebuilt(family, link, design)


def _check_tree(tree: Mapping[str, xr.Dataset], record: FitRecord, rebuilt: Rebuilt) -> None:
    check_posterior(tree["posterior"], rebuilt.design, rebuilt.family.auxiliary, record.provenance)
    check_statistics(tree["sample_stats"], record.provenance)
    check_rows(tree["observed_data"], tree["constant_data"], rebuilt.design)
    check_parameterization(record.provenance, rebuilt.design)


def _check_probe(fit: Fit, probe: Probe) -> None:
    """Compare the log likelihood of the probe rows, computed again, with the stored one."""
    rows = np.asarray(probe.rows, dtype=np.int64)
    if probe.draw != PROBE_DRAW or not np.array_equal(rows, probe_rows(len(fit.design.y))):
        raise FitFileError("the probe of the file is not the one that every file has", where="probe", fix=_FIX)
    found = float(probe_log_likelihood(fit, rows, draw=probe.draw))
    if not np.isclose(found, probe.log_likelihood, rtol=PROBE_RTOL, atol=0.0):
        what = f"the log likelihood of {len(rows)} rows at the first draw is {found:.10g}, stored is {probe.log_likelihood:.10g}"
        raise FitFileError(what, where="probe", fix=_FIX)
