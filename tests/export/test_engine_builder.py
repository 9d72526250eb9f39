import _thread
import dataclasses
import hashlib
import json
import threading

import msgspec
import pytest
from engine_helpers import (
    ADA,
    NO_DRIVER,
    ORIN,
    TINY_BUNDLE_WITHOUT_TEXT,
    Told,
    add_precision,
    copy_bundle,
    fake_host,
    heeding_ctrl_c,
    host,
    read_manifest,
)
from filelock import FileLock

from t2f_export.engines import files as engine_files
from t2f_export.engines.builder import build_engines
from t2f_export.engines.jobs import EngineWish
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.engine_index import EngineOptions, EngineTarget, ShapeRange
from t2f_runtime.bundle.manifest import MANIFEST, encode_manifest
from t2f_runtime.engines.choice import Machine, choose_engines
from t2f_runtime.engines.gpu import Device, this_platform
from t2f_runtime.errors import BundleError

TENSORRT = ("tensorrt 10.3", "tensorrt 11.4")
RTX = "tensorrt_rtx 1.7"
BOTH_GPUS = EngineWish(flavour="rtx", targets=("sm_86", "sm_120"))


@pytest.fixture
def bundle(tmp_path):
    return copy_bundle(tmp_path / "bundle")


@pytest.fixture
def build(bundle, tmp_path):
    """Builds into `bundle` and returns what was told."""

    def run(host, wish=None, **fields):
        told = Told()
        wish = wish or EngineWish(**fields)
        build_engines(bundle, wish, told, cache=tmp_path / "cache", host=host)
        return told

    return run


def plans(bundle) -> dict[str, dict]:
    """What the stand-in was told to build, by network and GPU."""
    opened = Bundle.open(bundle)
    return {
        f"{entry.key.network} {entry.key.target.compute_capability}": json.loads(
            opened.read_engine(entry)
        )
        for entry in opened.manifest.engines
    }


@pytest.mark.parametrize("version", TENSORRT)
def test_tensorrt_builds_both_networks_for_the_gpu_at_hand(build, bundle, version):
    told = build(fake_host(version, ORIN), flavour="tensorrt")
    assert told.begun == ["generator float32 for Orin", "text_encoder float32 for Orin"]
    entries = Bundle.open(bundle).manifest.engines
    assert {entry.key.network for entry in entries} == {"generator", "text_encoder"}
    for entry in entries:
        content = Bundle.open(bundle).read_engine(entry)
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
        assert entry.key.library_version == {"10.3": "10.3.0", "11.4": "11.4.0"}[version[-4:]]
        assert entry.key.target == EngineTarget(
            compute_capability="sm_87", gpu="Orin", multiprocessors=8, platform=this_platform()
        )
    built = plans(bundle)
    assert built["generator sm_87"]["flags"] == []
    assert built["generator sm_87"]["shapes"] == {"latent": [[1, 8], [1, 8], [16, 8]]}
    assert built["text_encoder sm_87"]["shapes"] == {"tokens": [[1, 1], [1, 32], [16, 64]]}


@pytest.mark.parametrize("version", TENSORRT)
def test_the_runtime_finds_what_was_built_here(build, bundle, version):
    build(fake_host(version, ADA), flavour="tensorrt")
    manifest = read_manifest(bundle)
    machine = Machine(
        flavour="tensorrt",
        library_version=manifest.engines[0].key.library_version,
        compute_capability=ADA.compute_capability,
        gpu=ADA.name,
        multiprocessors=ADA.multiprocessors,
        platform=this_platform(),
    )
    assert set(choose_engines(manifest, machine, "float32")) == {"text_encoder", "generator"}


@pytest.mark.parametrize("version", TENSORRT)
def test_every_option_reaches_the_builder(build, bundle, version):
    options = EngineOptions(
        workspace_mib=256,
        builder_level=5,
        is_version_compatible=True,
        hardware_compatibility="ampere_plus",
        is_stripped=True,
    )
    build(fake_host(version, ADA), flavour="tensorrt", networks=("generator",), options=options)
    (plan,) = plans(bundle).values()
    assert plan["workspace"] == 256 * 2**20
    assert plan["level"] == 5
    assert plan["compatible"] == "AMPERE_PLUS"
    assert plan["flags"] == ["VERSION_COMPATIBLE", "STRIP_PLAN", "REFIT_IDENTICAL"]
    (entry,) = read_manifest(bundle).engines
    assert entry.key.options == options
    assert (entry.key.target.gpu, entry.key.target.compute_capability) == (None, "sm_89")


def test_the_same_compute_capability_is_an_option_of_newer_versions_alone(build, bundle):
    options = EngineOptions(hardware_compatibility="same_compute_capability")
    build(fake_host("tensorrt 11.4", ADA), flavour="tensorrt", options=options)
    assert plans(bundle)["generator sm_89"]["compatible"] == "SAME_COMPUTE_CAPABILITY"
    with pytest.raises(
        EngineBuildError,
        match=r"TensorRT 10.3.0 has no hardware compatibility with GPUs of the same compute",
    ):
        build(fake_host("tensorrt 10.3", ADA), flavour="tensorrt", options=options)


def test_turing_builds_nothing_for_ampere(build):
    turing = Device(name="T4", compute_capability="sm_75", multiprocessors=40)
    options = EngineOptions(hardware_compatibility="ampere_plus")
    with pytest.raises(EngineBuildError, match=r"ampere_plus builds on Ampere .* T4 is sm_75"):
        build(fake_host("tensorrt 11.4", turing), flavour="tensorrt", options=options)


def test_tensorrt_for_rtx_is_told_every_gpu(build, bundle):
    told = build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    assert len(told.built_entries) == 4
    built = plans(bundle)
    assert built["generator sm_86"]["capabilities"] == {"0": "SM86"}
    assert built["text_encoder sm_120"]["capabilities"] == {"0": "SM120"}
    for entry in read_manifest(bundle).engines:
        assert entry.key.target.gpu is None
        assert entry.key.target.platform is None


def test_tensorrt_for_rtx_builds_for_the_gpu_at_hand_where_none_is_named(build, bundle):
    build(fake_host(RTX, ADA), flavour="rtx", networks=("generator",))
    assert list(plans(bundle)) == ["generator sm_89"]


def test_a_second_call_keeps_what_is_there(build, bundle):
    build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    before = {path.name: path.read_bytes() for path in (bundle / "engines").iterdir()}
    told = build(fake_host(RTX, NO_DRIVER, fails="must not be asked"), BOTH_GPUS)
    assert (len(told.kept_entries), told.begun) == (4, [])
    assert {path.name: path.read_bytes() for path in (bundle / "engines").iterdir()} == before


def test_another_gpu_leaves_the_first_ones_engines_alone(build, bundle):
    one, two = (EngineWish(flavour="rtx", targets=(target,)) for target in ("sm_86", "sm_89"))
    build(fake_host(RTX, NO_DRIVER), one)
    told = build(fake_host(RTX, NO_DRIVER), two)
    assert told.kept_entries == []
    assert len(read_manifest(bundle).engines) == 4


def test_force_builds_again(build):
    build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    told = build(fake_host(RTX, NO_DRIVER), dataclasses.replace(BOTH_GPUS, is_forced=True))
    assert (len(told.built_entries), told.kept_entries) == (4, [])


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_a_damaged_engine_is_built_again(build, bundle, damage):
    build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    entry = read_manifest(bundle).engines[0]
    path = bundle / entry.file
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    told = build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    assert [built.key for built in told.built_entries] == [entry.key]
    assert len(told.kept_entries) == 3
    for after in read_manifest(bundle).engines:
        Bundle.open(bundle).read_engine(after)


def test_other_options_replace_the_engine_and_its_file(build, bundle):
    build(fake_host("tensorrt 10.3", ORIN), flavour="tensorrt")
    (old,) = (e for e in read_manifest(bundle).engines if e.key.network == "generator")
    wish = EngineWish(
        flavour="tensorrt", networks=("generator",), options=EngineOptions(builder_level=1)
    )
    build(fake_host("tensorrt 10.3", ORIN), wish)
    (new,) = (e for e in read_manifest(bundle).engines if e.key.network == "generator")
    assert new.key.options.builder_level == 1
    assert (bundle / new.file).exists()
    assert not (bundle / old.file).exists()


def test_engines_of_an_onnx_file_that_was_replaced_are_removed(build, bundle):
    build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    manifest = read_manifest(bundle)
    stale = [e.file for e in manifest.engines if e.key.network == "generator"]
    content = (bundle / "generator.onnx").read_bytes() + b"\x00"
    sha256 = hashlib.sha256(content).hexdigest()
    (bundle / "generator.onnx").write_bytes(content)
    entry = msgspec.structs.replace(
        manifest.files["generator.onnx"], bytes=len(content), sha256=sha256
    )
    files = {**manifest.files, "generator.onnx": entry}
    changed = msgspec.structs.replace(manifest, files=files)
    (bundle / MANIFEST).write_bytes(encode_manifest(changed))
    wish = EngineWish(flavour="rtx", targets=("sm_89",), networks=("text_encoder",))
    build(fake_host(RTX, NO_DRIVER), wish)
    left = {entry.file for entry in read_manifest(bundle).engines}
    assert not left & set(stale)
    assert not any((bundle / file).exists() for file in stale)


def test_networks_that_precisions_share_are_built_once(build, bundle):
    add_precision(bundle, "float16", shares_text_encoder=True)
    told = build(fake_host(RTX, NO_DRIVER), EngineWish(flavour="rtx", targets=("sm_86",)))
    assert sorted(told.begun) == [
        "generator float16 for sm_86",
        "generator float32 for sm_86",
        "text_encoder float32 for sm_86",
    ]


def test_float32_is_refused_for_turing_before_anything_is_built(build, bundle):
    add_precision(bundle, "float16", shares_text_encoder=True)
    library = fake_host(RTX, NO_DRIVER, fails="must not be asked")
    with pytest.raises(
        EngineBuildError,
        match=r"the generator is float32, which TensorRT for RTX does not multiply on sm_75",
    ):
        build(library, flavour="rtx", targets=("sm_86", "sm_75"))
    with pytest.raises(
        EngineBuildError, match=r"the text_encoder of precision 'float16' is float32, which"
    ):
        build(library, flavour="rtx", targets=("sm_75",), precisions=("float16",))
    assert not (bundle / "engines").exists()
    wish = {"precisions": ("float16",), "networks": ("generator",)}
    told = build(fake_host(RTX, NO_DRIVER), flavour="rtx", targets=("sm_75",), **wish)
    assert told.begun == ["generator float16 for sm_75"]


def test_fp8_is_refused_for_gpus_that_lack_it(build, bundle):
    add_precision(bundle, "fp8", shares_text_encoder=False)
    with pytest.raises(
        EngineBuildError,
        match=r"generator is fp8, which sm_86 does not have; these have it: sm_89, sm_120, sm_121",
    ):
        build(fake_host(RTX, NO_DRIVER), flavour="rtx", targets=("sm_86",), precisions=("fp8",))


def test_networks_and_precisions_that_the_bundle_lacks_are_named(tmp_path, build):
    with pytest.raises(EngineBuildError, match=r"no networks of precision 'int8'; it has: float32"):
        build(fake_host(RTX, ADA), flavour="rtx", precisions=("int8",))
    textless = copy_bundle(tmp_path / "textless", TINY_BUNDLE_WITHOUT_TEXT)
    wish = EngineWish(flavour="rtx", networks=("text_encoder",))
    with pytest.raises(EngineBuildError, match=r"no text_encoder: its faces are drawn from seeds"):
        build_engines(textless, wish, Told(), cache=tmp_path, host=fake_host(RTX, ADA))
    told = Told()
    wish = EngineWish(flavour="rtx")
    build_engines(textless, wish, told, cache=tmp_path, host=fake_host(RTX, ADA))
    assert told.begun == ["generator float32 for sm_89"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"is_version_compatible": True}, r"--version-compatible: its package lacks the runtime"),
        (
            {"hardware_compatibility": "ampere_plus"},
            r"--hardware-compatible: it ignores that; name every GPU with --for",
        ),
        ({"is_stripped": True}, r"--strip: it strips weights only where a GPU is"),
        ({"builder_level": 3}, r"--level: it picks its kernels when an engine is loaded"),
    ],
)
def test_options_that_tensorrt_for_rtx_lacks_are_refused(build, options, message):
    wish = {"flavour": "rtx", "targets": ("sm_86",), "options": EngineOptions(**options)}
    with pytest.raises(EngineBuildError, match=f"TensorRT for RTX does not build with {message}"):
        build(fake_host(RTX, NO_DRIVER), **wish)


def test_tensorrt_builds_for_no_gpu_that_is_elsewhere(build):
    with pytest.raises(EngineBuildError, match=r"TensorRT builds for the GPU that is here and no"):
        build(fake_host("tensorrt 11.4", ADA), flavour="tensorrt", targets=("sm_86",))


def test_tensorrt_is_not_touched_where_there_is_no_gpu(build):
    # `fake_host` fails the test if the library is loaded.
    with pytest.raises(
        EngineBuildError,
        match=r"builds an engine on the GPU that will run it, and no NVIDIA driver is installed",
    ):
        build(fake_host("tensorrt 11.4", NO_DRIVER), flavour="tensorrt")


def test_a_failed_build_is_one_error_with_the_builders_words(build, bundle):
    reason = "Error Code 1: Myelin (no tactics to implement\n the operation)"
    with pytest.raises(EngineBuildError) as caught:
        build(fake_host(RTX, NO_DRIVER, fails=reason), BOTH_GPUS)
    assert str(caught.value) == (
        "TensorRT for RTX 1.7.1.116 cannot build generator.onnx (generator, float32) for sm_86: "
        "Error Code 1: Myelin (no tactics to implement the operation)"
    )
    assert read_manifest(bundle).engines == ()
    assert [path.name for path in (bundle / "engines").iterdir()] == [".lock"]


@pytest.mark.parametrize("version", [*TENSORRT, RTX])
def test_what_is_no_onnx_is_refused_with_the_parsers_words(build, bundle, version):
    content = b"\x3a\x03\x5a\x01\xff"  # a graph, one of whose inputs is broken off
    manifest = read_manifest(bundle)
    (bundle / "generator.onnx").write_bytes(content)
    entry = msgspec.structs.replace(
        manifest.files["generator.onnx"],
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    changed = msgspec.structs.replace(manifest, files={**manifest.files, "generator.onnx": entry})
    (bundle / MANIFEST).write_bytes(encode_manifest(changed))
    flavour = "rtx" if version == RTX else "tensorrt"
    with pytest.raises(EngineBuildError, match=r"does not read generator.onnx .*: no ONNX: "):
        build(fake_host(version, ADA), flavour=flavour)


def test_a_network_that_the_manifest_does_not_describe_is_refused(build, bundle):
    manifest = read_manifest(bundle)
    swapped = msgspec.structs.replace(
        manifest.graphs["float32"].generator, file="text_encoder.onnx"
    )
    graphs = {"float32": msgspec.structs.replace(manifest.graphs["float32"], generator=swapped)}
    changed = msgspec.structs.replace(manifest, graphs=graphs)
    (bundle / MANIFEST).write_bytes(encode_manifest(changed))
    with pytest.raises(
        EngineBuildError,
        match=r"has the tensors tokens .*INT64 \(-1, -1\); the manifest says latent .*\(-1, 8\)",
    ):
        build(fake_host(RTX, ADA), flavour="rtx", networks=("generator",))


def test_a_bundle_that_does_not_match_its_hashes_is_refused(build, bundle):
    (bundle / "generator.onnx").write_bytes(b"x" * 9078)
    with pytest.raises(BundleError, match=r"generator.onnx is altered"):
        build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    assert not (bundle / "engines").exists()


def test_a_packed_bundle_is_refused(tmp_path):
    packed = tmp_path / "faces.t2f"
    packed.write_bytes(b"PK")
    with pytest.raises(
        EngineBuildError, match=r"faces.t2f is a packed bundle, .* unpack it with: t2f unpack"
    ):
        build_engines(packed, BOTH_GPUS, Told(), cache=tmp_path, host=host(NO_DRIVER))


def test_a_signed_bundle_is_changed_only_if_its_signature_may_go(build, bundle):
    signature = bundle / "signature.json"
    signature.write_text("{}")
    with pytest.raises(EngineBuildError, match=r"is signed, .* give --drop-signature, which"):
        build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    assert signature.exists()
    wish = dataclasses.replace(BOTH_GPUS, drops_signature=True)
    build(fake_host(RTX, NO_DRIVER), wish)
    assert not signature.exists()
    signature.write_text("{}")
    assert len(build(fake_host(RTX, NO_DRIVER), BOTH_GPUS).kept_entries) == 4
    assert signature.exists()


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
            threading.Event().wait(0.01)  # a slow step; there are 1000 of them, unless it ends

    with heeding_ctrl_c(), pytest.raises(KeyboardInterrupt):
        build(fake_host(RTX, NO_DRIVER, steps=1000, on_step=interrupt), BOTH_GPUS)
    assert 0 < len(steps) < 1000
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


def test_progress_rises_from_nothing_to_all_of_it(build):
    told = build(fake_host(RTX, NO_DRIVER, steps=4), flavour="rtx", targets=("sm_86",))
    first = told.shares[: len(told.shares) // 2]
    assert first == sorted(first)
    assert (first[0], first[-1]) == (0.0, 1.0)


def test_the_profile_covers_one_to_sixteen_faces_and_every_description(build, bundle):
    build(fake_host(RTX, NO_DRIVER), BOTH_GPUS)
    entry = next(e for e in read_manifest(bundle).engines if e.key.network == "text_encoder")
    assert entry.key.profile == {
        "tokens": ShapeRange(minimum=(1, 1), optimum=(1, 32), maximum=(16, 64))
    }
