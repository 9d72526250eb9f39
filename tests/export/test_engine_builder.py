"""Engines that are built, of which GPU and options, and those that are kept."""

import dataclasses
import hashlib
import json

import msgspec
import pytest
from engine_helpers import (
    ADA,
    BOTH_GPUS,
    NO_DRIVER,
    ORIN,
    RTX,
    TENSORRT,
    add_precision,
    fake_host,
    read_manifest,
)

from t2f_export.engines.jobs import EngineWish
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.engine_index import EngineOptions, EngineTarget, ShapeRange
from t2f_runtime.bundle.manifest import MANIFEST, encode_manifest
from t2f_runtime.engines.choice import Machine, choose_engines
from t2f_runtime.engines.gpu import Device, this_platform


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
