"""What type checkers see of the package root is what there is; mypy itself runs over the stub with everything else."""

from tests.stub import STUB, stub_text


def test_the_stub_is_current():
    assert STUB.read_text(encoding="utf-8") == stub_text(), "python -m tests.stub"
