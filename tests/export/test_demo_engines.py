"""The networks of `make demo`, hardly trained: every engine that a kiosk can be sent is built."""

import shutil

import pytest
from click.testing import CliRunner

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.cli import main
from t2f_runtime.engines.choice import Machine, choose_engines

TARGETS = ("sm_86", "sm_120")

pytestmark = pytest.mark.slow


def t2f(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A bundle of the preset `demo` in all precisions; its sizes are the demo's, its steps few."""
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 't2f[rtx]'")
    base = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("T2F_CACHE", str(base / "cache"))
        t2f("draw", "--count", "64", "--size", "32", "-o", base / "drawn")
        few = [option for n in range(4) for option in ("--set", f"phases.{n}.images=32")]
        t2f("train", "demo", "--data", base / "drawn", "--out", base / "run", *few)
        precisions = ("--precision", "float32,float16,int8")
        t2f("export", base / "run", "-o", base / "bundle", *precisions)
        yield base / "bundle"


@pytest.fixture(scope="module")
def built(demo):
    said = t2f(
        *("engine", demo, "--flavour", "rtx", "--for", ",".join(TARGETS)),
        *("--precision", "float16,int8"),
    )
    return Bundle.open(demo), said


def test_the_index_has_an_engine_for_every_network_precision_and_gpu(built):
    bundle, _ = built
    keys = {
        (e.key.network, e.key.precision, e.key.target.compute_capability)
        for e in bundle.manifest.engines
    }
    # INT8 leaves the text encoder as it is, so that both share its engine.
    networks = (("text_encoder", "float16"), ("generator", "float16"), ("generator", "int8"))
    assert keys == {(*network, target) for network in networks for target in TARGETS}


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_kiosk_with_that_gpu_finds_its_engines(built, target, precision):
    bundle, _ = built
    version = bundle.manifest.engines[0].key.library_version
    machine = Machine(
        flavour="rtx",
        library_version=version,
        compute_capability=target,
        gpu="NVIDIA GeForce",
        multiprocessors=20,
        platform="linux-x86_64",
    )
    chosen = choose_engines(bundle.manifest, machine, precision)
    assert set(chosen) == {"text_encoder", "generator"}
    assert all(e.key.target.compute_capability == target for e in chosen.values())


def test_every_engine_is_the_file_that_the_index_describes(built):
    bundle, _ = built
    for entry in bundle.manifest.engines:
        content = (bundle.path / entry.file).read_bytes()
        assert len(content) == entry.bytes
        assert content[:4] == b"vtrt"  # the mark of TensorRT for RTX's engines


def test_building_again_keeps_what_is_there(built, demo):
    bundle, _ = built
    before = {e.file: e.sha256 for e in bundle.manifest.engines}
    t2f("engine", demo, "--flavour", "rtx", "--for", "sm_86", "--precision", "int8")
    assert {e.file: e.sha256 for e in Bundle.open(demo).manifest.engines} == before


def test_an_altered_network_is_not_built_from(demo, built, tmp_path):
    copy = shutil.copytree(demo, tmp_path / "altered")
    model = bytearray((copy / "generator.onnx").read_bytes())
    model[len(model) // 2] ^= 1
    (copy / "generator.onnx").write_bytes(bytes(model))
    result = CliRunner().invoke(main, ["engine", str(copy), "--flavour", "rtx", "--for", "sm_86"])
    assert result.exit_code == 1
    assert "generator.onnx is altered: its SHA-256 is" in result.output
