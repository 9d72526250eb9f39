"""Which engine a bundle is opened in, with stand-ins for TensorRT and for CUDA."""

import copy
import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from engine_plans import add_engines, engine_of, fake_machine, flavour_of, missing
from fake_cuda import FakeCuda, Status
from fake_tensorrt_names import VERSIONS
from fake_tensorrt_running import answer

from t2f_runtime import ArgumentError, BundleError, EngineError, FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.engine_index import EngineOptions
from t2f_runtime.bundle.manifest import IMAGE, LATENT
from t2f_runtime.cli import main
from t2f_runtime.engines.gpu import Device, NoDevice, find_device
from t2f_runtime.engines.host import Host
from t2f_runtime.engines.names import AUTO_ORDER
from t2f_runtime.engines.onnx_runtime import check_alone, find_packages
from t2f_runtime.engines.opening import open_engine
from t2f_runtime.engines.prepared import EngineWish
from t2f_runtime.engines.running import PassedOver, RunningEngine, list_reasons
from t2f_runtime.engines.unavailable import UnavailableEngineError

NO_DRIVER = NoDevice("no NVIDIA driver is installed")
EVERY_VERSION = pytest.mark.parametrize("version", VERSIONS)


def opened(path, machine, **wish):
    return open_engine(Bundle.open(path), EngineWish(**wish), machine)


def reasons(engine):
    return {passed.name: passed.reason for passed in engine.passed_over}


@EVERY_VERSION
def test_auto_takes_tensorrt_where_the_bundle_has_its_engines(bundle, version):
    add_engines(bundle, version)
    networks = opened(bundle, fake_machine(version))
    assert networks.engine.name == engine_of(version)
    assert networks.engine.version == VERSIONS[version]
    assert networks.engine.device == "cuda:0 NVIDIA RTX 4070 (sm_89)"
    assert networks.engine.precision == "float32"
    latent = np.ones((1, 8), dtype=np.float32)
    expected = answer({LATENT: latent}, IMAGE, (1, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(networks.generator.run({LATENT: latent})[IMAGE], expected)


def test_auto_tries_the_faster_engine_first_and_says_what_it_passed_over(bundle):
    both = ("tensorrt 10.3", "tensorrt_rtx 1.7")
    add_engines(bundle, "tensorrt_rtx 1.7")
    engine = opened(bundle, fake_machine(*both)).engine
    assert engine.name == "tensorrt-rtx"
    assert list(reasons(engine)) == ["tensorrt"]
    assert (
        "has no TensorRT engine of its text_encoder in float32 that runs here"
        in (reasons(engine)["tensorrt"])
    )
    assert (
        f"t2f engine {bundle} --flavour tensorrt --precision float32"
        in (reasons(engine)["tensorrt"])
    )
    add_engines(bundle, "tensorrt 10.3")
    engine = opened(bundle, fake_machine(*both)).engine
    assert (engine.name, engine.passed_over) == ("tensorrt", ())


def test_auto_draws_on_the_processor_where_there_is_no_gpu(tiny_bundle):
    def never(_):
        raise AssertionError("nothing of NVIDIA's may be loaded where there is no GPU")

    machine = Host(find_device=lambda _: NO_DRIVER, load_library=never, load_cuda=never)
    engine = opened(tiny_bundle, machine).engine
    assert (engine.name, engine.device, engine.precision) == ("onnx-cpu", "cpu", "float32")
    assert list(reasons(engine)) == ["tensorrt", "tensorrt-rtx", "onnx-cuda"]
    assert all(reason.startswith(NO_DRIVER.reason) for reason in reasons(engine).values())


def test_auto_says_which_packages_are_missing_on_a_machine_with_a_gpu(tiny_bundle):
    engine = opened(tiny_bundle, fake_machine()).engine
    assert engine.name == "onnx-cpu"
    assert reasons(engine)["tensorrt"] == "the package 'tensorrt' is not installed; install it"
    assert reasons(engine)["tensorrt-rtx"].startswith("the package 'tensorrt_rtx' is not inst")


def test_auto_with_nothing_installed_lists_every_reason(tiny_bundle):
    machine = Host(
        find_device=lambda _: NO_DRIVER,
        load_onnxruntime=missing("onnxruntime"),
        load_openvino=missing("openvino"),
    )
    message = (
        f"no engine draws {tiny_bundle} here: tensorrt, tensorrt-rtx, onnx-cuda: no NVIDIA driver"
    )
    with pytest.raises(EngineError, match=re.escape(message)) as raised:
        opened(tiny_bundle, machine)
    assert "onnx-cpu: the package 'onnxruntime' is not installed" in str(raised.value)
    assert "openvino: the package 'openvino' is not installed" in str(raised.value)


def test_auto_takes_openvino_where_nothing_else_is(tiny_bundle):
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install 't2f[openvino]'")
    machine = Host(find_device=lambda _: NO_DRIVER, load_onnxruntime=missing("onnxruntime"))
    assert opened(tiny_bundle, machine).engine.name == "openvino"


@pytest.mark.parametrize("engine", ["tensorrt", "tensorrt-rtx", "onnx-cuda", "onnx-tensorrt"])
def test_a_named_engine_without_a_gpu_is_an_error_with_the_repair(tiny_bundle, engine):
    machine = Host(find_device=lambda _: NO_DRIVER)
    message = (
        f"engine '{engine}' cannot run here: no NVIDIA driver is installed; draw with the engine "
        "onnx-cpu, or give this machine an NVIDIA GPU and its driver (a container: --gpus all)"
    )
    with pytest.raises(EngineError, match=f"^{re.escape(message)}$"):
        opened(tiny_bundle, machine, engine=engine)


@pytest.mark.parametrize("engine", ["tensor-rt", "", "ONNX-CPU", "cpu"])
def test_an_unknown_engine_is_refused_with_those_that_exist(tiny_bundle, engine):
    message = (
        f"unknown engine {engine!r}; this T2F has: auto, tensorrt, tensorrt-rtx, onnx-cuda, "
        "onnx-tensorrt, onnx-cpu, openvino"
    )
    with pytest.raises(EngineError, match=f"^{re.escape(message)}$"):
        FaceGenerator.load(tiny_bundle, engine=engine)


@pytest.mark.parametrize(
    ("module", "engine", "repair"),
    [
        ("onnxruntime", "onnx-cpu", "pip install 't2f[cpu]'"),
        ("openvino", "openvino", "pip install 't2f[openvino]'"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tiny_bundle, monkeypatch, module, engine, repair
):
    monkeypatch.setitem(sys.modules, module, None)
    message = (
        f"engine '{engine}' cannot run here: the package '{module}' is not installed; install it "
        f"with: {repair}"
    )
    with pytest.raises(EngineError, match=f"^{re.escape(message)}$"):
        FaceGenerator.load(tiny_bundle, engine=engine)


def test_a_broken_package_is_named_with_its_own_error(tiny_bundle, monkeypatch, tmp_path):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libgomp.so.1 is missing')")
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    message = "the package 'onnxruntime' cannot be imported: libgomp.so.1 is missing; install it"
    with pytest.raises(EngineError, match=re.escape(message)):
        FaceGenerator.load(tiny_bundle, engine="onnx-cpu")


@EVERY_VERSION
def test_a_bundle_without_engines_is_told_the_command_that_builds_them(tiny_bundle, version):
    flavour = flavour_of(version)
    message = rf"that runs here; build it.* with: t2f engine \S+ --flavour {flavour} --precision"
    with pytest.raises(EngineError, match=message):
        opened(tiny_bundle, fake_machine(version), engine=engine_of(version))


@EVERY_VERSION
def test_float16_is_taken_before_float32_where_its_engines_are_there(
    bundle, change_manifest, version
):
    def add_half(fields):
        fields["graphs"]["float16"] = copy.deepcopy(fields["graphs"]["float32"])
        for network in ("text_encoder", "generator"):
            name = f"{network}.fp16.onnx"
            # A remark at its end makes it another network of the same numbers.
            content = (bundle / f"{network}.onnx").read_bytes() + b"\x32\x01x"
            (bundle / name).write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            fields["files"][name] = {"bytes": len(content), "sha256": sha256}
            fields["graphs"]["float16"][network]["file"] = name

    change_manifest(add_half)
    add_engines(bundle, version)
    machine = fake_machine(version)
    assert opened(bundle, machine).engine.precision == "float32"
    add_engines(bundle, version, precision="float16")
    assert opened(bundle, machine).engine.precision == "float16"
    assert opened(bundle, machine, precision="float32").engine.precision == "float32"
    cpu = opened(bundle, machine, engine="onnx-cpu").engine
    assert cpu.precision == "float32"


def test_a_precision_that_the_bundle_lacks_is_named(tiny_bundle):
    with pytest.raises(BundleError, match="holds no networks of precision 'int8'; it has: float32"):
        FaceGenerator.load(tiny_bundle, precision="int8")


@pytest.mark.parametrize("version", [v for v in VERSIONS if flavour_of(v) == "tensorrt"])
def test_an_engine_without_weights_takes_them_from_the_bundle(bundle, version):
    options = EngineOptions(is_stripped=True, is_version_compatible=True)
    add_engines(bundle, version, options=options)
    networks = opened(bundle, fake_machine(version), engine="tensorrt")
    assert networks.generator.run({LATENT: np.ones((1, 8), dtype=np.float32)})


@EVERY_VERSION
def test_an_altered_engine_ends_it_rather_than_being_passed_over(bundle, version):
    add_engines(bundle, version)
    path = next((bundle / "engines").glob("generator-*"))
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    with pytest.raises(BundleError, match=r"generator-\S+ is altered"):
        opened(bundle, fake_machine(version))


@EVERY_VERSION
def test_an_engine_that_does_not_load_names_its_file_and_what_builds_it_again(bundle, version):
    add_engines(bundle, version)
    message = (
        rf"has engines/generator-float32-{flavour_of(version)}.engine: the GPU has no memory to "
        rf"run it: OutOfMemory.*; build it.* with: t2f engine \S+ .*--force"
    )
    with pytest.raises(EngineError, match=message):
        opened(bundle, fake_machine(version, lacks_memory=True), engine=engine_of(version))


def test_tensorrt_is_not_touched_before_cuda_has_answered(bundle):
    add_engines(bundle, "tensorrt 11.4")
    cuda = FakeCuda(errors={"cudaGetDeviceCount": Status.cudaErrorNoDevice})
    machine = fake_machine("tensorrt 11.4", cuda=cuda)

    def never(_):
        raise AssertionError("TensorRT may end the process here")

    machine = Host(find_device=machine.find_device, load_cuda=machine.load_cuda, load_library=never)
    with pytest.raises(EngineError, match=r"CUDA answers cudaGetDeviceCount with cudaErrorNoDe"):
        opened(bundle, machine, engine="tensorrt")


def test_tensorrt_for_rtx_names_a_gpu_that_it_does_not_serve(tiny_bundle):
    hopper = Device(name="NVIDIA H100", compute_capability="sm_90", multiprocessors=132)
    machine = fake_machine("tensorrt_rtx 1.7", device=hopper)
    message = (
        r"TensorRT for RTX does not serve this NVIDIA H100 \(sm_90\); take the engine tensorrt"
    )
    with pytest.raises(EngineError, match=message):
        opened(tiny_bundle, machine, engine="tensorrt-rtx")


def test_a_gpu_is_asked_for_by_its_number(tiny_bundle):
    asked = []

    def find(index):
        asked.append(index)
        return NO_DRIVER

    assert opened(tiny_bundle, Host(find_device=find), device=3).engine.name == "onnx-cpu"
    assert set(asked) == {3}
    passed_over = opened(tiny_bundle, Host(find_device=find), device=3).engine.passed_over
    assert all(NO_DRIVER.reason in engine.reason for engine in passed_over)
    for device in (-1, 1.0, 10**6):
        with pytest.raises(ArgumentError, match="device "):
            FaceGenerator.load(tiny_bundle, device=device)


@pytest.mark.parametrize("engine", ["onnx-cpu", "openvino"])
def test_an_engine_on_the_cpu_that_is_named_takes_no_other_gpu(tiny_bundle, engine):
    message = f"device 3 is a GPU, and the engine '{engine}' draws on the CPU; leave the device out"
    with pytest.raises(ArgumentError, match=message):
        FaceGenerator.load(tiny_bundle, engine=engine, device=3)


@pytest.mark.parametrize("engine", ["auto", "onnx-cpu", "openvino"])
def test_a_generator_says_what_it_draws_with(tiny_bundle, engine):
    if engine == "openvino":
        pytest.importorskip("openvino", reason="needs OpenVINO: pip install 't2f[openvino]'")
    running = FaceGenerator.load(tiny_bundle, engine=engine).engine
    assert isinstance(running, RunningEngine)
    assert running.name in ({*AUTO_ORDER} if engine == "auto" else {engine})
    assert re.fullmatch(r"\d+(\.\d+)+.*", running.version)
    assert str(running).startswith(f"{running.name} {running.version} on {running.device}, ")
    with pytest.raises(AttributeError):
        running.name = "another"


def test_faces_of_openvino_have_the_same_bytes_alone_and_in_company(tiny_bundle, generator):
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install 't2f[openvino]'")
    openvino = FaceGenerator.load(tiny_bundle, engine="openvino")
    texts = ["a bald man", "x", "a smiling woman with long brown hair and glasses", "a bald man"]
    batch = openvino.generate_batch(texts, seeds=range(4))
    again = FaceGenerator.load(tiny_bundle, engine="openvino", threads=1)
    for seed, text in reversed(list(enumerate(texts))):
        np.testing.assert_array_equal(again.generate(text, seed=seed), batch[seed])
        on_cpu = generator.generate(text, seed=seed).astype(int)
        assert np.abs(on_cpu - batch[seed]).max() <= 1


def test_reasons_are_listed_once_each():
    passed = [PassedOver(name=n, reason=r) for n, r in (("a", "x"), ("b", "y"), ("c", "x"))]
    assert list_reasons(passed) == "a, c: x; b: y"


def test_packages_that_overwrite_each_other_are_refused(monkeypatch):
    versions = {"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.31.1"}
    where = "t2f_runtime.engines.onnx_runtime._version"
    monkeypatch.setattr(where, versions.get)
    assert find_packages() == ("onnxruntime 1.32.0", "onnxruntime-gpu 1.31.1")
    message = (
        "onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1 are both installed, and overwrite each "
        "other's files; keep one: pip uninstall -y onnxruntime onnxruntime-gpu && pip install "
        "'t2f[gpu]'"
    )
    with pytest.raises(UnavailableEngineError, match=f"^{re.escape(message)}$"):
        check_alone()
    versions.pop("onnxruntime")
    check_alone()


def test_the_real_tensorrt_for_rtx_refuses_where_there_is_no_gpu(find_no_gpu, tiny_bundle):
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 't2f[rtx]'")
    message = r"engine 'tensorrt-rtx' cannot run here: .*(driver|GPU).*; draw with the engine onnx"
    with pytest.raises(EngineError, match=message):
        FaceGenerator.load(tiny_bundle, engine="tensorrt-rtx")


def test_finding_no_gpu_imports_nothing_of_nvidias(find_no_gpu, tiny_bundle):
    code = (
        "import sys; from t2f_runtime import FaceGenerator; "
        f"FaceGenerator.load({str(tiny_bundle)!r}); print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert not loaded & {"tensorrt", "tensorrt_rtx", "cuda", "openvino", "platformdirs", "torch"}


@pytest.mark.gpu
@pytest.mark.parametrize("engine", ["tensorrt", "tensorrt-rtx"])
def test_a_gpu_refuses_a_bundle_without_engines_and_names_the_command(tiny_bundle, engine):
    if not isinstance(find_device(), Device):
        pytest.skip("needs an NVIDIA GPU")
    pytest.importorskip({"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}[engine])
    pytest.importorskip("cuda.bindings", reason="needs cuda-bindings")
    with pytest.raises(EngineError, match=r"t2f engine|does not serve"):
        FaceGenerator.load(tiny_bundle, engine=engine)


def test_the_command_draws_with_the_engine_that_it_is_told(tiny_bundle, tmp_path):
    output = tmp_path / "face.png"
    arguments = ["generate", str(tiny_bundle), "a girl", "-o", str(output), "--engine", "onnx-cpu"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.output) == (0, f"{output}: 1 face, 8x8 pixels\n")


def test_the_command_refuses_an_engine_that_cannot_run_here(find_no_gpu, tiny_bundle, tmp_path):
    arguments = ["generate", str(tiny_bundle), "a girl", "-o", str(tmp_path / "face.png")]
    result = CliRunner().invoke(main, [*arguments, "--engine", "onnx-cuda", "--device", "1"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: engine 'onnx-cuda' cannot run here: ")
    assert not (tmp_path / "face.png").exists()
