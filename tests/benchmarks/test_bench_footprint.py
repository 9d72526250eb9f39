import json
import os
import sys
from types import SimpleNamespace

import pytest


def test_what_is_installed_is_added_up_without_what_every_environment_has(script, tmp_path):
    footprint = script("footprint")
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    contents = {
        "numpy/core.so": 3000,
        "numpy/__pycache__/core.pyc": 500,
        "numpy.libs/libblas.so": 2000,
        "numpy-2.0.dist-info/METADATA": 100,
        "t2f_runtime/__init__.py": 40,
        "pip/__init__.py": 9000,
        "setuptools-65.dist-info/METADATA": 800,
    }
    for name, size in contents.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    found = footprint.installed(tmp_path)
    assert found["by_name"] == {"numpy": 5600, "t2f_runtime": 40}
    assert found["bytes"] == 5640
    assert found["bytes_of_blocks"] >= 5640


@pytest.mark.slow
def test_a_process_that_draws_tells_its_memory(script):
    footprint = script("footprint")
    bundle = footprint.ROOT / "tests" / "runtime" / "tiny_bundle"
    options = SimpleNamespace(bundle=bundle, run=None, faces=12)
    found = footprint.drawn_by(sys.executable, footprint.KIOSK, options)
    assert found["imports"] == ["onnxruntime"]
    assert 20 < found["resident_mib"] <= found["peak_mib"] < 300
    assert json.dumps(found)


def test_the_import_of_the_runtime_is_measured_beyond_numpy(script):
    start_up = script("start_up")
    what = "import sys; assert 'numpy' in sys.modules; assert 't2f_runtime' not in sys.modules"
    spent, printed = start_up.run(start_up._BEYOND_NUMPY.format(what))
    assert float(printed) >= 0
    assert spent["wall"] > 0
    assert spent["processor"] > 0


def test_what_starts_is_compiled_as_where_pip_installed_it(script, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    _, printed = script("start_up").run("print(sys.dont_write_bytecode)")
    assert printed == "False\n"
