"""Files that appear whole or not at all: written under a hidden name in the same folder, flushed to the disk, then moved."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayesglmm.errors import BayesglmmError, FitFileError


def check_target(
    path: str | os.PathLike[str], *, force: bool = False, error: type[BayesglmmError] = FitFileError, example: str = "fit.nc"
) -> Path:
    """Return the path, when a file can be written there. Nothing is left behind.

    Parameters
    ----------
    path
        The file to be written.
    force
        Whether an existing file may be replaced.
    error
        The class of what is raised.
    example
        Name of a file of this kind, for the message.

    Raises
    ------
    FitFileError
        Or the class given: if the file exists and ``force`` is false, or its folder is missing or cannot be written to.
    """
    target = Path(path).expanduser()
    if os.path.isdir(target):
        raise error("the output is a folder", where=str(target), fix=f"add a file name, such as {example}")
    if _present(target, error) and not force:
        raise error(
            "the file exists already", where=str(target), fix="choose another name, or allow it to be replaced with force=True (--force)"
        )
    probe = _temporary(target)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except (OSError, ValueError) as problem:
        raise unwritable(target, problem, error) from problem
    return target


@contextmanager
def moved_when_whole(target: Path) -> Iterator[Path]:
    """Give a temporary path to write to; when the block ends well its file is flushed and gets the name ``target``, else it is removed."""
    temporary = _temporary(target)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def unwritable(target: Path, problem: Exception, error: type[BayesglmmError]) -> BayesglmmError:
    """Make the error that a failed write becomes."""
    reason = getattr(problem, "strerror", None) or str(problem)
    return error(
        f"the file cannot be written: {reason}", where=str(target), fix="choose a folder that exists, can be written to and has room"
    )


def _present(target: Path, error: type[BayesglmmError]) -> bool:
    """Whether something of this name is there already; a name that cannot be is refused."""
    try:
        target.lstat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as problem:
        raise unwritable(target, problem, error) from problem
    return True


def _temporary(target: Path) -> Path:
    """Return a hidden name in the same folder, so that moving it is one step of the file system."""
    return target.with_name(f".{target.name[:80]}.{secrets.token_hex(4)}.part")
