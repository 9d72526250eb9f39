"""The scripts in benchmarks/, whose pure parts are tested; nothing here is timed."""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Imports one of the scripts by its name."""
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are in the repository alone, not in the package")
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module
