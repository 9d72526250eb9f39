"""Real engines, built ahead of time by TensorRT for RTX, which needs no GPU."""

import _thread

import pytest
from click.testing import CliRunner
from engine_helpers import NO_DRIVER as NO_GPU
from engine_helpers import Told, copy_bundle, heeding_ctrl_c, host, read_manifest

from t2f_export.cli import engine
from t2f_export.engines.builder import build_engines
from t2f_export.engines.jobs import EngineWish, describe
from t2f_export.engines.libraries import import_library
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.engine_index import EngineOptions
from t2f_runtime.cli import CommandGroup
from t2f_runtime.engines.choice import Machine, choose_engines, version_numbers

tensorrt_rtx = pytest.importorskip(
    "tensorrt_rtx", reason="needs TensorRT for RTX: pip install 't2f[rtx]'"
)

TARGETS = ("sm_86", "sm_120")
MAGIC = b"vtrt"
"""What a plan of TensorRT for RTX begins with; its version stands at byte 24."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return copy_bundle(tmp_path_factory.mktemp("rtx") / "bundle")


@pytest.fixture(scope="module")
def told(bundle, tmp_path_factory):
    group = CommandGroup(commands=[engine])
    result = CliRunner().invoke(group, ["engine", str(bundle), "--for", ",".join(TARGETS)])
    assert result.exit_code == 0, result.output
    return result.output


def test_both_networks_are_built_for_every_gpu_and_entered_in_the_index(told, bundle):
    opened = Bundle.open(bundle)
    built = {(e.key.network, e.key.target.compute_capability) for e in opened.manifest.engines}
    assert built == {(n, t) for n in ("text_encoder", "generator") for t in TARGETS}
    version = version_numbers(tensorrt_rtx.__version__)
    for entry in opened.manifest.engines:
        plan = opened.read_engine(entry)
        assert plan.startswith(MAGIC)
        assert tuple(plan[24:28]) == version
        assert entry.key.library_version == tensorrt_rtx.__version__
        assert f"{describe(entry.key)}: " in told
        assert entry.file in told
    assert "warning" not in told
    assert f"bundle   {bundle}: 4 engines as wanted" in told


@pytest.mark.parametrize("target", TARGETS)
def test_the_runtime_finds_them_by_key(told, bundle, target):
    machine = Machine(
        flavour="rtx",
        library_version=tensorrt_rtx.__version__,
        compute_capability=target,
        gpu="any",
        multiprocessors=1,
        platform="windows-x86_64",
    )
    chosen = choose_engines(read_manifest(bundle), machine, "float32")
    assert {entry.key.target.compute_capability for entry in chosen.values()} == {target}


def test_building_again_keeps_them(told, bundle):
    group = CommandGroup(commands=[engine])
    arguments = ["engine", str(bundle), "--flavour", "rtx", "--for", "sm_86"]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.count("kept     ") == 2
    assert "built" not in result.output


def test_a_failed_build_tells_the_builders_own_reason(told, bundle, tmp_path):
    # No convolution or matrix product of this network works in so little memory.
    options = EngineOptions(workspace_mib=1)
    wish = EngineWish(
        flavour="rtx", targets=("sm_86",), networks=("text_encoder",), options=options
    )
    before = read_manifest(bundle)
    with pytest.raises(
        EngineBuildError,
        match=r"TensorRT for RTX .* cannot build text_encoder.onnx .* for sm_86: .*workspace",
    ):
        build_engines(bundle, wish, Told(), cache=tmp_path, host=real_host())
    assert read_manifest(bundle) == before


def test_a_build_is_cancelled_from_the_terminal(tmp_path):
    bundle = copy_bundle(tmp_path / "bundle")

    class Impatient(Told):
        def show(self, share, phase):
            if not self.shares:
                _thread.interrupt_main()  # what Ctrl-C does
            super().show(share, phase)

    wish = EngineWish(flavour="rtx", targets=("sm_86", "sm_89", "sm_120", "sm_121"))
    told = Impatient()
    with heeding_ctrl_c(), pytest.raises(KeyboardInterrupt):
        build_engines(bundle, wish, told, cache=tmp_path, host=real_host())
    assert len(told.built_entries) < 8
    assert read_manifest(bundle).engines == tuple(told.built_entries)


def real_host():
    return host(NO_GPU, {"rtx": import_library("rtx")})
