import sys
from pathlib import Path

import pytest

from t2f_runtime.cache_folder import cache_folder
from t2f_runtime.errors import MissingPackageError


def test_the_variable_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("T2F_CACHE", str(tmp_path / "here"))
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert cache_folder() == tmp_path / "here"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
def test_without_it_the_folder_is_the_users(monkeypatch, tmp_path):
    pytest.importorskip("platformdirs", reason="needs platformdirs: pip install platformdirs")
    monkeypatch.delenv("T2F_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == Path(tmp_path) / "t2f"


def test_a_missing_package_is_named_with_the_variable_that_does_without(monkeypatch):
    monkeypatch.delenv("T2F_CACHE", raising=False)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(
        MissingPackageError, match=r"with: pip install platformdirs, or .*T2F_CACHE"
    ):
        cache_folder()
