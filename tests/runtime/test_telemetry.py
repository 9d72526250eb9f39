import importlib.util
import os
import subprocess
import sys

import pytest

from t2f_runtime.engines.onnx_runtime import import_onnxruntime
from t2f_runtime.telemetry import ONNX_RUNTIME_VARIABLE, silence_onnx_runtime, silenced_openvino

DRAW = """
import sys
from t2f_runtime import FaceGenerator
with FaceGenerator.load(sys.argv[1], engine=sys.argv[2]) as generator:
    generator.generate("a bald man")
"""


@pytest.mark.parametrize("engine", ["onnx-cpu", "openvino"])
def test_drawing_leaves_nothing_in_the_home_of_the_user(tiny_bundle, tmp_path, engine):
    if engine == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("needs OpenVINO: pip install 't2f[openvino]'")
    # Engines keep there what they are about to send.
    unset = {ONNX_RUNTIME_VARIABLE, "XDG_CACHE_HOME"}
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    subprocess.run(
        [sys.executable, "-c", DRAW, tiny_bundle, engine],
        env={**inherited, "HOME": str(tmp_path)},
        check=True,
        timeout=60,
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("", "1"), ("0", "0"), ("1", "1")])
def test_what_somebody_chose_stays(before, after):
    environment = {} if before is None else {ONNX_RUNTIME_VARIABLE: before}
    silence_onnx_runtime(environment)
    assert environment == {ONNX_RUNTIME_VARIABLE: after}


@pytest.mark.parametrize(("chosen", "calls"), [("1", 1), ("0", 0)])
def test_a_build_that_heeds_no_variable_is_told_when_it_is_imported(monkeypatch, chosen, calls):
    monkeypatch.setenv(ONNX_RUNTIME_VARIABLE, chosen)
    told = []
    monkeypatch.setattr("onnxruntime.disable_telemetry_events", lambda: told.append(1))
    import_onnxruntime()
    assert len(told) == calls


def test_a_build_without_telemetry_is_imported_as_well(monkeypatch):
    monkeypatch.delattr("onnxruntime.disable_telemetry_events")
    assert import_onnxruntime().__name__ == "onnxruntime"


@pytest.mark.parametrize("loaded", [None, sys])
def test_a_package_that_sends_is_hidden_for_a_moment_only(monkeypatch, loaded):
    if loaded is None:
        monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "openvino_telemetry", loaded)
    with silenced_openvino(), pytest.raises(ImportError):
        import openvino_telemetry  # noqa: F401, PLC0415 (that is what is tested)
    assert sys.modules.get("openvino_telemetry") is loaded
