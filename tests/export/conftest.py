"""What tests of several modules build engines with."""

import pytest
from engine_helpers import Told, copy_bundle

from t2f_export.engines.builder import build_engines
from t2f_export.engines.jobs import EngineWish


@pytest.fixture
def bundle(tmp_path):
    return copy_bundle(tmp_path / "bundle")


@pytest.fixture
def build(bundle, tmp_path):
    """Builds into `bundle` and returns what was told."""

    def run(host, wish=None, **fields):
        told = Told()
        wish = wish or EngineWish(**fields)
        build_engines(bundle, wish, told, cache=tmp_path / "cache", host=host)
        return told

    return run
