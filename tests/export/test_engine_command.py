import _thread
import io
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from engine_helpers import (
    ADA,
    NO_DRIVER,
    ORIN,
    SLOW_STEPS,
    copy_bundle,
    fake_host,
    heeding_ctrl_c,
    host,
    read_manifest,
)
from rich.console import Console

from t2f_export.cli import engine
from t2f_export.engines.command import INTERRUPTED, build_and_tell
from t2f_export.engines.jobs import EngineWish
from t2f_export.engines.libraries import Host, choose_flavour, import_library, open_library
from t2f_export.engines.progress import EngineBar, run_interruptibly
from t2f_export.engines.targets import parse_targets
from t2f_export.engines.tensorrt_phases import Phases
from t2f_export.errors import EngineBuildError
from t2f_runtime.cli import CommandGroup
from t2f_runtime.engines.gpu import Device
from t2f_runtime.errors import EngineError

RTX = "tensorrt_rtx 1.7"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("T2F_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def bundle(tmp_path):
    return copy_bundle(tmp_path / "bundle")


@pytest.fixture
def t2f_engine(bundle):
    def run(*arguments):
        group = CommandGroup(commands=[engine])
        return CliRunner().invoke(group, ["engine", str(bundle), *arguments])

    return run


def test_without_a_gpu_and_without_targets_the_error_says_what_to_give(bundle):
    with pytest.raises(EngineBuildError) as caught:
        build_and_tell(bundle, EngineWish(), host(NO_DRIVER))
    assert str(caught.value) == (
        "no GPU to build for: no NVIDIA driver is installed; name the GPUs that will run the "
        "engines, such as --for sm_86,sm_89,sm_120, to build them here with TensorRT for RTX, or "
        "run this on the machine that will draw"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--for", "sm_87"], "not for sm_87: a Jetson Orin builds its own with TensorRT; run ther"),
        (["--for", "sm_110"], "not for sm_110: a Jetson Thor builds its own with TensorRT; run th"),
        (["--for", "sm_90"], "not for sm_90: a Hopper builds its own with TensorRT; run there: "),
        (["--for", "sm_61"], "not for sm_61: a GPU older than Turing draws with ONNX Runtime"),
        (["--for", "sm_999"], "not for sm_999: this T2F does not know it"),
        (["--for", "8.6"], "--for takes compute capabilities such as sm_86 or sm_86,sm_120, not"),
        (["--for", "sm_86,"], "--for takes compute capabilities such as sm_86 or sm_86,sm_120, n"),
        (["--for", "sm_86,sm_86"], "--for sm_86,sm_86 names a compute capability twice"),
        (["--flavour", "tensorrt", "--for", "sm_86"], "TensorRT builds for the GPU that is here"),
    ],
)
def test_what_cannot_be_built_is_one_line_of_error(t2f_engine, bundle, arguments, message):
    result = t2f_engine(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert result.output.count("\n") == 1
    assert not (bundle / "engines").exists()


def test_a_refused_gpu_is_told_which_ones_are_served():
    with pytest.raises(
        EngineBuildError,
        match=r"TensorRT for RTX builds for sm_75, sm_80, sm_86, sm_89, sm_120, sm_121, not for",
    ):
        parse_targets("sm_86,sm_87")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--precision", "half"], "--precision half: 'half' is none of float32, float16, int8, f"),
        (["--network", "text"], "--network text: 'text' is none of text_encoder, generator; or g"),
        (["--level", "6"], "Invalid value for '--level'"),
        (["--workspace", "0"], "Invalid value for '--workspace'"),
        (["--flavour", "onnx"], "Invalid value for '--flavour'"),
    ],
)
def test_options_that_make_no_sense_are_refused(t2f_engine, arguments, message):
    result = t2f_engine("--for", "sm_86", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_line_tells_of_each_engine(bundle, capsys):
    wish = EngineWish(flavour="rtx", targets=("sm_86",))
    build_and_tell(bundle, wish, fake_host(RTX, NO_DRIVER))
    first = capsys.readouterr().out.splitlines()
    files = {e.key.network: e.file for e in read_manifest(bundle).engines}
    assert first[0].startswith("built    generator float32 for sm_86: 0.0 MiB in ")
    assert first[0].endswith(files["generator"])
    assert first[1].endswith(files["text_encoder"])
    assert first[2] == f"bundle   {bundle}: 2 engines as wanted, 0.0 MiB"
    build_and_tell(bundle, wish, fake_host(RTX, NO_DRIVER))
    second = capsys.readouterr().out.splitlines()
    assert second[0] == f"kept     generator float32 for sm_86: as it is, {files['generator']}"


def test_ctrl_c_says_what_is_kept_and_exits_as_shells_expect(bundle, capsys):
    steps = []

    def interrupt(step):
        steps.append(step)
        if step == 0:
            _thread.interrupt_main()
        threading.Event().wait(0.01)  # a slow step

    library = fake_host(RTX, NO_DRIVER, steps=SLOW_STEPS, on_step=interrupt)
    with heeding_ctrl_c(), pytest.raises(SystemExit) as caught:
        build_and_tell(bundle, EngineWish(flavour="rtx", targets=("sm_86",)), library)
    assert caught.value.code == INTERRUPTED == 130
    assert len(steps) < SLOW_STEPS
    assert "stopped: the engine that was being built is not kept" in capsys.readouterr().out
    assert read_manifest(bundle).engines == ()


def test_building_engines_takes_neither_torch_nor_onnx():
    # A Jetson need not hold them: both are large, and JetPack's torch is its own.
    program = "import t2f_export.engines.command, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.decode().split()}
    assert "rich" in loaded
    assert not loaded & {"torch", "onnx", "onnxruntime", "tensorrt", "tensorrt_rtx"}


def test_named_gpus_need_none_here():
    assert choose_flavour(host(NO_DRIVER), has_targets=True) == "rtx"


@pytest.mark.parametrize(
    ("device", "installed", "expected"),
    [
        (ADA, {"tensorrt", "tensorrt_rtx"}, "tensorrt"),
        (ADA, {"tensorrt_rtx"}, "rtx"),
        (ORIN, {"tensorrt", "tensorrt_rtx"}, "tensorrt"),
    ],
)
def test_the_library_that_serves_the_gpu_is_taken(device, installed, expected):
    assert choose_flavour(host(device, installed=installed), has_targets=False) == expected


@pytest.mark.parametrize(
    ("device", "installed", "message"),
    [
        (
            ADA,
            set(),
            (
                r"for this NVIDIA RTX 4070; install it with: pip install 't2f\[tensorrt\]', or on "
                r"a Jetson: apt install python3-libnvinfer, or pip install 't2f\[rtx\]'$"
            ),
        ),
        (
            ORIN,
            {"tensorrt_rtx"},
            (
                r"for this Orin; install it with: pip install 't2f\[tensorrt\]', or on a Jetson: "
                r"apt install python3-libnvinfer$"
            ),
        ),
    ],
)
def test_where_nothing_serves_the_gpu_the_error_says_what_to_install(device, installed, message):
    with pytest.raises(EngineError, match=f"nothing is installed that builds engines {message}"):
        choose_flavour(host(device, installed=installed), has_targets=False)


@pytest.mark.parametrize(
    ("flavour", "version", "served"),
    [
        ("tensorrt", "10.2.0", False),
        ("tensorrt", "10.3.0", True),
        ("tensorrt", "11.4.1.9", True),
        ("tensorrt", "12.0.0", False),
        ("rtx", "1.6.9", False),
        ("rtx", "1.7.1.116", True),
        ("rtx", "2.0.0", False),
    ],
)
def test_versions_that_are_not_served_are_refused(flavour, version, served):
    library = SimpleNamespace(__version__=version)
    machine = host(ADA, {flavour: library})
    if served:
        assert open_library(flavour, machine, has_targets=False) == (library, ADA)
        return
    with pytest.raises(EngineError, match=rf"{version} is installed, and this T2F is made for"):
        open_library(flavour, machine, has_targets=False)


def test_a_library_that_is_not_installed_is_named():
    if Host().is_installed("tensorrt"):
        pytest.skip("TensorRT is installed here")
    message = (
        r"TensorRT cannot build here: the package 'tensorrt' is not installed; install it with: "
        r"pip install 't2f\[tensorrt\]'"
    )
    with pytest.raises(EngineError, match=message):
        import_library("tensorrt")


def test_tensorrt_for_rtx_on_a_gpu_that_it_does_not_serve_is_refused(bundle):
    hopper = Device(name="NVIDIA H100", compute_capability="sm_90", multiprocessors=132)
    with pytest.raises(EngineBuildError, match=r"not for sm_90: a Hopper builds its own with Te"):
        build_and_tell(bundle, EngineWish(flavour="rtx"), fake_host(RTX, hopper))


def test_work_in_another_thread_gives_its_result_or_its_error():
    assert run_interruptibly(lambda _: threading.current_thread().name.startswith("engine"))

    def fail(_):
        raise TimeoutError("the work's own")

    with pytest.raises(TimeoutError, match="the work's own"):
        run_interruptibly(fail)


def test_work_that_is_interrupted_as_it_begins_is_asked_to_end(monkeypatch):
    submit, ended = ThreadPoolExecutor.submit, []

    def submit_and_interrupt(pool, *work):
        submit(pool, *work)
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(lambda is_cancelled: ended.append(is_cancelled.wait(30)))
    assert ended == [True]


def test_nested_phases_add_up_to_one_share():
    told = []
    phases = Phases(lambda share, phase: told.append((round(share, 3), phase)))
    phases.start("all", None, 4)
    phases.complete("all", 0)
    phases.start("part", "all", 2)
    phases.complete("part", 0)
    phases.finish("part")  # before its last step, as happens
    phases.complete("all", 1)
    phases.finish("all")
    assert told == [
        (0.0, "all"),
        (0.25, "all"),
        (0.25, "part"),
        (0.375, "part"),
        (0.375, "part"),
        (0.5, "all"),
        (1.0, "all"),
    ]


def test_a_terminal_shows_a_bar_with_the_engine_and_the_phase():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100)
    with EngineBar(console) as bar:
        bar.begin("generator float32 for Orin")
        bar.show(0.5, "Timing")
        bar._bar.refresh()
        assert "generator float32 for Orin" in output.getvalue()
        assert " 50 %" in output.getvalue()
        assert "Timing" in output.getvalue()
        bar.end()


def test_where_there_is_no_terminal_there_is_no_bar():
    output = io.StringIO()
    with EngineBar(Console(file=output)) as bar:
        bar.begin("generator")
        bar.show(0.5, "Timing")
    assert output.getvalue().strip() == ""
