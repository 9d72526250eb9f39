from typing import get_args

import numpy as np
import pytest
from engine_plans import engine_of, fake_machine, missing
from fake_tensorrt_names import VERSIONS

from t2f_runtime.engines.gpu import NoDevice
from t2f_runtime.engines.host import Host
from t2f_runtime.engines.names import EngineName
from t2f_runtime.engines.probe import _NETWORK, probe_engine
from t2f_runtime.sessions.onnx_session import OnnxSession

NO_DRIVER = NoDevice("no NVIDIA driver is installed")


def test_every_engine_is_tried_and_says_what_is_wrong():
    host = Host(find_device=lambda _: NO_DRIVER)
    states = [probe_engine(name, host=host) for name in get_args(EngineName)]
    for state in states:
        if state.works:
            assert (state.reason, state.repair) == (None, None)
            assert state.version
            assert state.device
        else:
            assert state.device is None
            assert state.reason
            assert state.repair
    by_name = {state.name: state for state in states}
    assert by_name["onnx-cpu"].works
    for name in ("tensorrt", "tensorrt-rtx", "onnx-cuda", "onnx-tensorrt"):
        assert by_name[name].reason == NO_DRIVER.reason
        assert by_name[name].repair.startswith("draw with the engine onnx-cpu, or give this")


def test_a_missing_package_has_no_version():
    host = Host(load_openvino=missing("openvino"))
    state = probe_engine("openvino", host=host)
    assert (state.works, state.reason) == (False, "the package 'openvino' is not installed")
    assert state.repair == "install it"


@pytest.mark.parametrize("version", VERSIONS)
def test_tensorrt_works_where_everything_that_it_needs_is_here(version):
    state = probe_engine(engine_of(version), host=fake_machine(version))
    assert (state.works, state.version) == (True, VERSIONS[version])
    assert state.device == "cuda:0 NVIDIA RTX 4070 (sm_89)"


def test_a_version_that_is_not_served_is_told():
    machine = fake_machine("tensorrt 11.4")
    machine.load_library("tensorrt").__version__ = "12.0.0"
    state = probe_engine("tensorrt", host=machine)
    assert not state.works
    assert state.reason == (
        "TensorRT 12.0.0 is installed, and this T2F is made for 10.3 up to, and without, 12"
    )
    assert state.repair.startswith("install it with: pip install 't2f[tensorrt]'")


def test_an_onnx_runtime_without_cuda_is_told_with_what_replaces_it():
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime here was built with CUDA")
    state = probe_engine("onnx-cuda", host=fake_machine())
    assert state.reason.endswith("here was built without CUDAExecutionProvider")
    assert state.repair == (
        "replace it with: pip uninstall -y onnxruntime && pip install 't2f[gpu]'"
    )


def test_the_network_that_is_tried_is_what_it_says():
    session = OnnxSession(_NETWORK, threads=1)
    for value in (-2, 0, 5):
        given = session.run({"x": np.array([value], dtype=np.float32)})["y"]
        np.testing.assert_array_equal(given, [max(0, value)])
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 't2f[export]'")
    onnx.checker.check_model(onnx.load_from_string(_NETWORK))


def test_an_engine_that_answers_wrongly_does_not_work(monkeypatch):
    wrong = {"y": np.array([4], dtype=np.float32)}
    monkeypatch.setattr(OnnxSession, "run", lambda self, inputs: wrong)
    state = probe_engine("onnx-cpu")
    assert (state.works, state.reason) == (False, "it answers [4.] for 3")
    assert state.repair == "install it again"
