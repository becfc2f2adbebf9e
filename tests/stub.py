"""The stub of the package root, for type checkers: ``python -m tests.stub`` writes ``bayesglmm/__init__.pyi``; a test compares.

Public names are lazy, which type checkers and editors cannot follow; the stub says where each one is.
"""

from pathlib import Path

import bayesglmm

STUB = Path(bayesglmm.__file__).with_suffix(".pyi")


def stub_text() -> str:
    """One import for each public name, in order of the modules."""
    where = bayesglmm._WHERE
    modules: dict[str, list[str]] = {}
    for name, module in where.items():
        modules.setdefault(module, []).append(name)
    lines = [f"from bayesglmm import {m} as {m}" for m in bayesglmm._MODULES]
    lines += [f"from bayesglmm.{module} import {name} as {name}" for module in sorted(modules) for name in sorted(modules[module])]
    return "\n".join(["# ruff: noqa: I001", *lines, "", "__version__: str", "__all__: list[str]", ""])


if __name__ == "__main__":
    STUB.write_text(stub_text(), encoding="utf-8")
