"""The bundled model files: in the installed package, or beside it in a checkout."""

from difflib import get_close_matches
from pathlib import Path

from bayesglmm.errors import SpecError

SUFFIX = ".toml"


def list_models() -> tuple[str, ...]:
    """Names of the bundled models, sorted; none is read."""
    return tuple(sorted(p.stem for p in _folder().glob(f"*{SUFFIX}")))


def model_path(name: str) -> Path:
    """Return the file of a bundled model.

    Parameters
    ----------
    name
        Its name, as :func:`list_models` gives it: the file name without ``.toml``.

    Raises
    ------
    SpecError
        If there is no such model; names the nearest.
    """
    known = list_models()
    if name in known:
        return _folder() / f"{name}{SUFFIX}"
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise SpecError(f"there is no bundled model {name!r}", fix=f"{hint}'bayesglmm models' lists them; a file of your own ends in {SUFFIX}")


def _folder() -> Path:
    """Where the model files are; a folder of that name counts only beside the project file of a checkout."""
    package = Path(__file__).parent.parent
    installed, checkout = package / "_models", package.parent / "models"
    return checkout if not installed.is_dir() and (package.parent / "pyproject.toml").is_file() else installed
