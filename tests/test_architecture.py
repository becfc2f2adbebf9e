"""The rules that keep the code as it was designed: layers, doors, sizes, types, style."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "bayesglmm"
FILES = sorted(PACKAGE.rglob("*.py"))

MAX_FILE_LINES = 400
MAX_BODY_LINES = 40
MAX_PUBLIC_METHODS = 12

DOORS = {
    "pymc": {"model/"},
    "pytensor": {"model/"},
    "nutpie": {"sampler/nutpie.py"},
    "formulaic": {"design/columns.py"},
    "narwhals": {"design/table.py"},
    "arviz": set(),
    "arviz_stats": {"fit/diagnostics.py"},
    "arviz_base": {"bridge/"},
    "bambi": {"bridge/"},
    "statsmodels": {"post/gee.py"},
    "matplotlib": {"plots/"},
    "arviz_plots": set(),
    "jinja2": {"reporting/"},
    "click": {"cli/"},
    "tomli_w": {"io/specs.py"},
    "netCDF4": {"io/"},
    "pooch": {"datasets/"},
    "rdata": {"datasets/"},
    "numba": {"kernel/"},
    "xarray": {"fit/", "post/", "io/", "sampler/", "bridge/", "workflows/", "api.py"},
    "pandas": {"datasets/", "design/", "post/", "fit/", "io/", "api.py", "cli/", "bridge/", "workflows/", "plots/", "reporting/"},
}
"""Third-party libraries and the only places that may import them."""

LAZY_INTERNAL = {"api.py": 1, "sampler/engines.py": 8}
"""Imports of our own modules inside functions, where a heavy library must stay out of the way; ``cli/`` loads its commands so."""


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [a.name for a in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def tool(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} is not installed beside {sys.executable}"
    return found


def test_imports_point_down():
    result = run(tool("lint-imports"), "--no-cache")
    assert result.returncode == 0, result.stdout + result.stderr


def test_ruff():
    result = run(tool("ruff"), "check", ".")
    assert result.returncode == 0, result.stdout


def test_format():
    result = run(tool("ruff"), "format", "--check", ".")
    assert result.returncode == 0, result.stdout


def test_types():
    result = run(tool("mypy"))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_each_library_has_its_door(path):
    for node in ast.walk(ast.parse(path.read_text())):
        for name in imported(node):
            doors = DOORS.get(name.split(".")[0])
            assert doors is None or any(relative(path).startswith(d) for d in doors), f"{relative(path)} imports {name}; its doors: {doors}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_sizes(path):
    source = path.read_text()
    assert source.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= MAX_BODY_LINES, f"{node.name}: {length} lines"
        if isinstance(node, ast.ClassDef):
            public = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
            assert len(public) <= MAX_PUBLIC_METHODS, node.name


def test_lazy_internal_imports_are_the_known_ones():
    found = {}
    for path in FILES:
        functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
        count = sum(name.startswith("bayesglmm") for f in functions for n in ast.walk(f) for name in imported(n))
        if count and not relative(path).startswith("cli/"):
            found[relative(path)] = count
    assert found == LAZY_INTERNAL


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py" and p.parent != PACKAGE], ids=relative)
def test_packages_hold_only_a_docstring(path):
    if path.parent.name == "datasets":
        pytest.skip("datasets is a public module: it names its two functions")
    tree = ast.parse(path.read_text())
    assert len(tree.body) == 1
    assert ast.get_docstring(tree)


def test_families_are_never_asked_for_their_name():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                asks = any(
                    isinstance(s, ast.Attribute) and s.attr == "name" and isinstance(s.value, ast.Name) and s.value.id == "family"
                    for s in sides
                )
                assert not asks, f"{relative(path)}:{node.lineno}"


def test_import_is_light():
    heavy = ("pymc", "nutpie", "arviz", "bambi", "matplotlib", "numba", "statsmodels")
    code = f"import sys, bayesglmm; print([m for m in {heavy!r} if m in sys.modules])"
    result = run(sys.executable, "-c", code)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr
