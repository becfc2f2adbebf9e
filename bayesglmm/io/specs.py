"""Model files: a spec written as TOML, whole or not at all. Reading is :func:`bayesglmm.spec.schema.load_spec`."""

import os
from pathlib import Path

import tomli_w

from bayesglmm.errors import SpecError
from bayesglmm.io.atomic import check_target, moved_when_whole, unwritable
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.spec.schema import ModelFile, file_to_dict


def dumps_spec(spec: ModelSpec | ModelFile) -> str:
    """Write TOML text that reads back to the same model file; a bare spec is one without name and data."""
    return tomli_w.dumps(file_to_dict(spec if isinstance(spec, ModelFile) else ModelFile(spec)))


def save_spec(spec: ModelSpec | ModelFile, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a model file.

    Parameters
    ----------
    spec
        What to write.
    path
        The file, ending in ``.toml``.
    force
        Whether an existing file is replaced.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SpecError
        If the file exists and ``force`` is false, or it cannot be written; nothing is left behind.
    """
    text = dumps_spec(spec)
    target = check_target(path, force=force, error=SpecError)
    try:
        with moved_when_whole(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise unwritable(target, error, SpecError) from error
    return target
