"""What is left of builds that fail or end early, and what the next build takes over."""

import _thread
import dataclasses
import hashlib
import threading

import pytest
from engine_helpers import (
    BOTH_GPUS,
    NO_DRIVER,
    ORIN,
    RTX,
    SLOW_STEPS,
    TENSORRT,
    fake_host,
    heeding_ctrl_c,
    read_manifest,
)
from filelock import FileLock

from t2f_export.engines import files as engine_files
from t2f_export.engines.jobs import EngineWish
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.engine_index import EngineOptions
from t2f_runtime.bundle.manifest import MANIFEST


def test_a_failed_build_leaves_the_signature_there(build, bundle):
    (bundle / "signature.json").write_text("{}")
    wish = dataclasses.replace(BOTH_GPUS, drops_signature=True)
    with pytest.raises(EngineBuildError):
        build(fake_host(RTX, NO_DRIVER, fails="nothing"), wish)
    assert (bundle / "signature.json").exists()


def test_an_interrupted_build_ends_and_keeps_what_was_complete(build, bundle):
    steps = []

    def interrupt(step):
        if len(read_manifest(bundle).engines) == 1:
            steps.append(step)
            if step == 0:
                _thread.interrupt_main()  # what Ctrl-C does
            threading.Event().wait(0.01)  # a slow step, of so many that a busy machine has time

    with heeding_ctrl_c(), pytest.raises(KeyboardInterrupt):
        build(fake_host(RTX, NO_DRIVER, steps=SLOW_STEPS, on_step=interrupt), BOTH_GPUS)
    assert 0 < len(steps) < SLOW_STEPS
    assert len(read_manifest(bundle).engines) == 1
    files = {path.name for path in (bundle / "engines").iterdir()} - {".lock"}
    assert files == {entry.file.removeprefix("engines/") for entry in read_manifest(bundle).engines}
    told = build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    assert (len(told.kept_entries), len(told.built_entries)) == (1, 3)


def test_what_a_killed_build_left_is_removed(build, bundle):
    folder = bundle / "engines"
    folder.mkdir()
    for name in ("orphan.engine", ".half.engine.partial"):
        (folder / name).write_bytes(b"x")
    (folder / "notes.txt").write_text("somebody's own")
    build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    names = {path.name for path in folder.iterdir()}
    assert "notes.txt" in names
    assert not names & {"orphan.engine", ".half.engine.partial"}


def test_a_crash_before_the_index_is_written_leaves_the_bundle_as_it_was(
    build, bundle, monkeypatch
):
    before = (bundle / MANIFEST).read_bytes()
    write = engine_files.write_atomically

    def crash(path, content):
        if path.name == MANIFEST:
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(engine_files, "write_atomically", crash)
    with pytest.raises(EngineBuildError, match=r"cannot be written: .*No space left on device"):
        build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    assert (bundle / MANIFEST).read_bytes() == before
    Bundle.open(bundle)


def test_two_processes_do_not_build_into_one_bundle(build, bundle):
    (bundle / "engines").mkdir()
    with (
        FileLock(bundle / "engines" / ".lock"),
        pytest.raises(EngineBuildError, match=r"another process builds engines of .* now; wait"),
    ):
        build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)


@pytest.mark.parametrize("version", TENSORRT)
def test_what_was_timed_is_kept_for_the_next_build(build, tmp_path, version):
    wish = EngineWish(flavour="tensorrt", is_forced=True, networks=("generator",))
    build(fake_host(version, ORIN), wish)
    (path,) = (tmp_path / "cache" / "timing").iterdir()
    number = {"10.3": "10.3.0", "11.4": "11.4.0"}[version[-4:]]
    assert path.name == f"tensorrt-{number}-orin-8.cache"
    header = f"timed by {version}".encode()
    assert path.read_bytes()[32:] == header + b" and this one"
    build(fake_host(version, ORIN), wish)
    assert path.read_bytes()[32:] == header + b" and this one and this one"


def test_a_damaged_timing_cache_is_never_handed_to_the_library(build, tmp_path):
    wish = EngineWish(flavour="tensorrt", is_forced=True, networks=("generator",))
    build(fake_host("tensorrt 10.3", ORIN), wish)
    (path,) = (tmp_path / "cache" / "timing").iterdir()
    path.write_bytes(path.read_bytes().replace(b"and", b"AND"))
    build(fake_host("tensorrt 10.3", ORIN), wish)
    assert path.read_bytes()[32:] == b"timed by tensorrt 10.3 and this one"


def test_a_timing_cache_that_the_library_refuses_is_begun_anew(build, tmp_path):
    wish = EngineWish(flavour="tensorrt", networks=("generator",))
    path = tmp_path / "cache" / "timing" / "tensorrt-10.3.0-orin-8.cache"
    path.parent.mkdir(parents=True)
    path.write_bytes(hashlib.sha256(b"of another GPU").digest() + b"of another GPU")
    build(fake_host("tensorrt 10.3", ORIN), wish)
    assert path.read_bytes()[32:] == b"timed by tensorrt 10.3 and this one"


def test_tensorrt_for_rtx_keeps_no_timing_cache(build, tmp_path):
    build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("version", TENSORRT)
@pytest.mark.parametrize("is_stripped", [False, True])
def test_an_engine_that_does_not_load_here_is_not_kept(build, bundle, version, is_stripped):
    options = EngineOptions(is_stripped=is_stripped)
    broken = fake_host(version, ORIN)
    library = broken.load("tensorrt")
    runtime = library.Runtime

    def load_nothing(logger):
        made = runtime(logger)
        object.__setattr__(made, "deserialize_cuda_engine", lambda plan: None)
        return made

    library.Runtime = load_nothing
    with pytest.raises(
        EngineBuildError, match=r"generator.onnx .* was built, but TensorRT \S+ does not load it"
    ):
        build(broken, flavour="tensorrt", options=options)
    assert read_manifest(bundle).engines == ()


@pytest.mark.parametrize("version", TENSORRT)
def test_a_stripped_engine_that_does_not_take_its_weights_back_is_not_kept(build, bundle, version):
    broken = fake_host(version, ORIN)
    library = broken.load("tensorrt")
    refitter = library.Refitter

    def forgetful(engine, logger):
        engine._plan["source"] = "another"
        return refitter(engine, logger)

    library.Refitter = forgetful
    with pytest.raises(
        EngineBuildError,
        match=r"TensorRT \S+ does not take its weights back from the ONNX file \(it does not match "
        r"them\): the weights are of another network; build it without --strip",
    ):
        build(broken, flavour="tensorrt", options=EngineOptions(is_stripped=True))
    assert read_manifest(bundle).engines == ()
