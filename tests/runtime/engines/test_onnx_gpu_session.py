"""ONNX Runtime on a GPU: what is asked of it, and that it refuses where there is none."""

import hashlib

import numpy as np
import onnxruntime
import pytest
from engine_plans import fake_machine

from t2f_runtime import EngineError, FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import GENERATOR, IMAGE, LATENT, PROCESSOR_GENERATOR, TEXT_ENCODER
from t2f_runtime.engines.gpu import Device, find_device
from t2f_runtime.engines.opening import open_engine
from t2f_runtime.engines.prepared import EngineWish
from t2f_runtime.sessions import onnx_gpu_session
from t2f_runtime.sessions.onnx_gpu_session import (
    CUDA,
    TENSORRT,
    OnnxGpuSession,
    cuda_providers,
    run_bound,
    tensorrt_providers,
)
from t2f_runtime.sessions.onnx_session import OnnxSession


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return (tiny_bundle / GENERATOR).read_bytes()


@pytest.fixture
def latent():
    return np.random.default_rng(0).standard_normal((1, 8)).astype(np.float32)


class FakeOnnxRuntime:
    """The names of ONNX Runtime that sessions on a GPU use, with sessions that run on the CPU."""

    __version__ = "1.99.0"
    ExecutionMode = onnxruntime.ExecutionMode
    SessionOptions = onnxruntime.SessionOptions

    class OrtValue:
        @staticmethod
        def ortvalue_from_numpy(array, kind, device):
            assert kind == "cuda"
            return onnxruntime.OrtValue.ortvalue_from_numpy(array, "cpu", 0)

    def __init__(self, providers):
        self.providers, self.opened, self.is_silent = providers, [], True

    def get_available_providers(self):
        return [*self.providers, "CPUExecutionProvider"]

    def preload_dlls(self):
        print("Failed to load libcublas.so.99: no such file")  # noqa: T201 (as it does)

    def InferenceSession(self, model, options, *, providers, enable_fallback):  # noqa: N802
        self.opened.append((model, options, providers, enable_fallback))
        return FakeSession(onnxruntime.InferenceSession(model), [name for name, _ in providers])


class FakeSession:
    def __init__(self, session, providers):
        self.session, self.providers = session, providers

    def get_providers(self):
        return [*self.providers, "CPUExecutionProvider"]

    def get_outputs(self):
        return self.session.get_outputs()

    def io_binding(self):
        return FakeBinding(self.session.io_binding())

    def run_with_iobinding(self, binding):
        self.session.run_with_iobinding(binding.inner)


class FakeBinding:
    """A binding to a GPU's memory that lies on the CPU."""

    def __init__(self, inner):
        self.inner = inner
        self.bind_ortvalue_input = inner.bind_ortvalue_input
        self.copy_outputs_to_cpu = inner.copy_outputs_to_cpu

    def bind_output(self, name, kind, device):
        assert kind == "cuda"
        self.inner.bind_output(name, "cpu", 0)


@pytest.fixture
def runtime(monkeypatch):
    fake = FakeOnnxRuntime([TENSORRT, CUDA])
    monkeypatch.setattr(onnx_gpu_session, "onnxruntime", fake)
    return fake


def test_bound_memory_gives_what_a_plain_run_gives_in_fresh_arrays(model, latent):
    session = onnxruntime.InferenceSession(model)
    expected = OnnxSession(model, threads=1).run({LATENT: latent})[IMAGE]
    given = [run_bound(session, [IMAGE], ("cpu", 0), {LATENT: latent})[IMAGE] for _ in range(2)]
    np.testing.assert_array_equal(given[0], expected)
    given[0][:] = 0
    np.testing.assert_array_equal(given[1], expected)
    assert given[1].flags.owndata


def test_a_network_that_cannot_run_is_told(model):
    session = onnxruntime.InferenceSession(model)
    with pytest.raises(EngineError, match="ONNX Runtime cannot run the network: "):
        run_bound(session, [IMAGE], ("cpu", 0), {LATENT: np.ones((1, 9), dtype=np.float32)})


def test_nothing_is_left_to_the_cpu_and_nothing_falls_back(runtime, model, latent, capsys):
    session = OnnxGpuSession(model, providers=cuda_providers(1), device=1)
    expected = OnnxSession(model, threads=1).run({LATENT: latent})[IMAGE]
    np.testing.assert_array_equal(session.run({LATENT: latent})[IMAGE], expected)
    _, options, providers, enable_fallback = runtime.opened[0]
    assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
    assert options.use_deterministic_compute
    assert enable_fallback == 0
    assert [name for name, _ in providers] == [CUDA]
    assert providers[0][1]["device_id"] == "1"
    assert capsys.readouterr().out == ""


def test_a_network_with_shapes_may_have_them_computed_on_the_cpu(runtime, model):
    OnnxGpuSession(model, providers=cuda_providers(0), device=0, has_shape_nodes=True)
    options = runtime.opened[0][1]
    with pytest.raises(RuntimeError, match="disable_cpu_ep_fallback"):
        options.get_session_config_entry("session.disable_cpu_ep_fallback")


def test_a_session_that_took_another_provider_is_refused_with_the_libraries_it_missed(
    runtime, model, monkeypatch
):
    monkeypatch.setattr(FakeSession, "get_providers", lambda _: ["CPUExecutionProvider"])
    message = (
        r"ONNX Runtime 1.99.0 does not run the network with CUDAExecutionProvider: it took "
        r"CPUExecutionProvider; Failed to load libcublas.so.99; it needs CUDA and cuDNN"
    )
    with pytest.raises(EngineError, match=message):
        OnnxGpuSession(model, providers=cuda_providers(0), device=0)


def test_the_options_of_cuda_are_those_that_keep_bytes_and_memory_as_they_are():
    [(name, options)] = cuda_providers(2)
    assert name == CUDA
    assert options == {
        "device_id": "2",
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": "0",
    }


@pytest.mark.parametrize(
    ("precision", "half", "bytes_"),
    [("float32", "0", "0"), ("float16", "1", "0"), ("int8", "0", "1")],
)
def test_tensorrt_builds_one_engine_for_every_description(tiny_manifest, precision, half, bytes_):
    graph = tiny_manifest.graphs["float32"].text_encoder
    providers = tensorrt_providers(
        0, graph=graph, precision=precision, maximum_tokens=64, cache="/somewhere"
    )
    assert [name for name, _ in providers] == [TENSORRT, CUDA]
    options = providers[0][1]
    shapes = [options[f"trt_profile_{which}_shapes"] for which in ("min", "opt", "max")]
    assert shapes == ["tokens:1x1", "tokens:1x32", "tokens:1x64"]
    assert (options["trt_fp16_enable"], options["trt_int8_enable"]) == (half, bytes_)
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == "/somewhere"


def test_engines_of_the_provider_are_kept_in_the_cache_by_network_precision_and_gpu(
    runtime, tiny_bundle, tmp_path, monkeypatch
):
    monkeypatch.setattr("t2f_runtime.engines.onnx_gpu_engines.check_alone", lambda: None)
    machine = fake_machine(onnxruntime=lambda: runtime, cache=tmp_path)
    bundle = Bundle.open(tiny_bundle)
    opened = open_engine(bundle, EngineWish(engine="onnx-tensorrt"), machine)
    assert (opened.engine.name, opened.engine.precision) == ("onnx-tensorrt", "float32")
    assert opened.engine.device == "cuda:0 NVIDIA RTX 4070 (sm_89)"
    graphs = bundle.manifest.graphs["float32"]
    hashes = [bundle.manifest.files[g.file].sha256 for g in (graphs.generator, graphs.text_encoder)]
    paths = [providers[0][1]["trt_engine_cache_path"] for _, _, providers, _ in runtime.opened]
    gpu = "nvidia-rtx-4070-sm_89-46"
    folders = [tmp_path / "onnx-tensorrt" / f"{sha256}-float32" / gpu for sha256 in hashes]
    assert paths == [str(folder) for folder in folders]
    assert all(folder.is_dir() for folder in folders)


def test_a_gpu_runs_the_form_of_convolutions(runtime, bundle, change_manifest, monkeypatch):
    monkeypatch.setattr("t2f_runtime.engines.onnx_gpu_engines.check_alone", lambda: None)
    other = (bundle / TEXT_ENCODER).read_bytes()  # any network that can be told from the generator
    (bundle / PROCESSOR_GENERATOR).write_bytes(other)
    entry = {"bytes": len(other), "sha256": hashlib.sha256(other).hexdigest()}
    change_manifest(lambda fields: fields["files"].update({PROCESSOR_GENERATOR: entry}))
    machine = fake_machine(onnxruntime=lambda: runtime)
    opened = Bundle.open(bundle, keep="float32")
    open_engine(opened, EngineWish(engine="onnx-cuda"), machine)
    assert runtime.opened[0][0] == (bundle / GENERATOR).read_bytes()


def test_a_cache_that_cannot_be_made_is_told(runtime, tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("t2f_runtime.engines.onnx_gpu_engines.check_alone", lambda: None)
    (tmp_path / "file").write_text("")
    machine = fake_machine(onnxruntime=lambda: runtime, cache=tmp_path / "file")
    message = "where ONNX Runtime keeps what TensorRT builds, cannot be made: .*T2F_CACHE"
    with pytest.raises(EngineError, match=message):
        open_engine(Bundle.open(tiny_bundle), EngineWish(engine="onnx-tensorrt"), machine)


def needs_gpu_build(provider):
    if provider not in onnxruntime.get_available_providers():
        pytest.skip(f"ONNX Runtime here was built without {provider}: needs onnxruntime-gpu")


@pytest.mark.parametrize("provider", [CUDA, TENSORRT])
@pytest.mark.parametrize("has_shape_nodes", [False, True])
def test_the_real_onnxruntime_gpu_is_not_let_draw_on_the_cpu(
    find_no_gpu, model, tiny_manifest, tmp_path, provider, has_shape_nodes
):
    needs_gpu_build(provider)
    graph = tiny_manifest.graphs["float32"].generator
    providers = (
        cuda_providers(0)
        if provider == CUDA
        else tensorrt_providers(
            0, graph=graph, precision="float32", maximum_tokens=64, cache=str(tmp_path)
        )
    )
    message = rf"ONNX Runtime \S+ does not run the network with {provider}: .* it needs CUDA"
    with pytest.raises(EngineError, match=message):
        OnnxGpuSession(model, providers=providers, device=0, has_shape_nodes=has_shape_nodes)


@pytest.mark.parametrize("engine", ["onnx-cuda", "onnx-tensorrt"])
def test_the_real_onnxruntime_gpu_refuses_with_the_reason_where_there_is_no_gpu(
    find_no_gpu, tiny_bundle, engine
):
    needs_gpu_build(CUDA)
    with pytest.raises(EngineError, match=rf"engine '{engine}' cannot run here: .*NVIDIA driver"):
        FaceGenerator.load(tiny_bundle, engine=engine)


@pytest.mark.gpu
@pytest.mark.parametrize("engine", ["onnx-cuda", "onnx-tensorrt"])
def test_a_gpu_draws_what_the_processor_draws(tiny_bundle, tmp_path, monkeypatch, engine):
    if not isinstance(find_device(), Device):
        pytest.skip("needs an NVIDIA GPU")
    needs_gpu_build(CUDA if engine == "onnx-cuda" else TENSORRT)
    monkeypatch.setenv("T2F_CACHE", str(tmp_path))
    on_gpu = FaceGenerator.load(tiny_bundle, engine=engine, precision="float32")
    on_cpu = FaceGenerator.load(tiny_bundle, engine="onnx-cpu")
    faces = [generator.generate("a bald man", seed=3, count=4) for generator in (on_gpu, on_cpu)]
    assert np.abs(faces[0].astype(int) - faces[1]).max() <= 2
    np.testing.assert_array_equal(faces[0][0], on_gpu.generate("a bald man", seed=3))
