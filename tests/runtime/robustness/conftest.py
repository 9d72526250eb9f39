"""The harness in benchmarks/, of which these tests run the short form."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"

if BENCHMARKS.is_dir():
    sys.path.append(str(BENCHMARKS))
else:  # they are in the repository alone, not in the package
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def skip_without_cryptography():
    """Skips what needs keys where the extra `signing` is not installed; gives what does it."""

    def skip(needs_keys: bool) -> None:
        if needs_keys and importlib.util.find_spec("cryptography") is None:
            pytest.skip("needs the extra signing")

    return skip
