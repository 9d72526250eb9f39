"""Engines from the exporter's builder to the runtime's sessions: with stand-ins, and on a GPU."""

import numpy as np
import pytest
from engine_helpers import Told, copy_bundle, host
from fake_cuda import FakeCuda
from fake_tensorrt import fake_library
from fake_tensorrt_names import VERSIONS
from fake_tensorrt_running import answer

from t2f_export.engines.builder import build_engines
from t2f_export.engines.jobs import EngineWish
from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import IMAGE, LATENT
from t2f_runtime.engines.gpu import Device, find_device
from t2f_runtime.engines.host import Host
from t2f_runtime.engines.opening import open_engine
from t2f_runtime.engines.prepared import EngineWish as RunningWish
from t2f_runtime.engines.probe import probe_engine

ADA = Device(name="NVIDIA RTX 4070", compute_capability="sm_89", multiprocessors=46)
ENGINES = {"tensorrt": "tensorrt", "rtx": "tensorrt-rtx"}


def flavour_of(version):
    return "rtx" if version.startswith("tensorrt_rtx") else "tensorrt"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_runtime_takes_what_the_builder_has_built_for_its_gpu(tmp_path, version):
    path, flavour, cuda = copy_bundle(tmp_path / "bundle"), flavour_of(version), FakeCuda()
    library = fake_library(version, cuda=cuda)
    wish = EngineWish(flavour=flavour)
    build_engines(path, wish, Told(), cache=tmp_path / "cache", host=host(ADA, {flavour: library}))
    machine = Host(
        find_device=lambda _: ADA, load_library=lambda _: library, load_cuda=lambda: cuda
    )
    opened = open_engine(Bundle.open(path), RunningWish(), machine)
    assert (opened.engine.name, opened.engine.version) == (ENGINES[flavour], VERSIONS[version])
    latent = np.random.default_rng(1).standard_normal((1, 8)).astype(np.float32)
    expected = answer({LATENT: latent}, IMAGE, (1, 8, 8, 3), np.uint8)
    for _ in range(3):
        np.testing.assert_array_equal(opened.generator.run({LATENT: latent})[IMAGE], expected)


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.parametrize("flavour", ENGINES)
def test_a_gpu_draws_with_a_new_engine_what_the_processor_draws(tmp_path, flavour):
    if not isinstance(find_device(), Device):
        pytest.skip("needs an NVIDIA GPU")
    state = probe_engine(ENGINES[flavour])
    if not state.works:
        pytest.skip(f"{state.reason}; {state.repair}")
    path = copy_bundle(tmp_path / "bundle")
    build_engines(path, EngineWish(flavour=flavour), Told(), cache=tmp_path / "cache")
    on_gpu = FaceGenerator.load(path, engine=ENGINES[flavour], precision="float32")
    on_cpu = FaceGenerator.load(path, engine="onnx-cpu")
    texts = ["a bald man", "a smiling woman with long brown hair and glasses", "x"] * 3
    drawn, expected = (
        generator.generate_batch(texts, seeds=range(9)) for generator in (on_gpu, on_cpu)
    )
    assert np.abs(drawn.astype(int) - expected).max() <= 2
    np.testing.assert_array_equal(drawn[4], on_gpu.generate(texts[4], seed=4))
