import re

import msgspec
import pytest

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.engine_index import (
    EngineEntry,
    EngineKey,
    EngineOptions,
    EngineTarget,
    ShapeRange,
)
from t2f_runtime.bundle.manifest import MANIFEST, decode_manifest, encode_manifest
from t2f_runtime.engines.choice import Machine, build_command, choose_engines, misfit
from t2f_runtime.errors import BundleError, EngineError

RTX = Machine(
    flavour="rtx",
    library_version="1.7.1.116",
    compute_capability="sm_86",
    gpu="NVIDIA GeForce RTX 3060",
    multiprocessors=28,
    platform="linux-x86_64",
)
ORIN = Machine(
    flavour="tensorrt",
    library_version="10.3.0",
    compute_capability="sm_87",
    gpu="Orin",
    multiprocessors=8,
    platform="linux-aarch64",
)
ORIN_TARGET = EngineTarget(
    compute_capability="sm_87", gpu="Orin", multiprocessors=8, platform="linux-aarch64"
)


def change(thing, **fields):
    return msgspec.structs.replace(thing, **fields)


@pytest.fixture
def sources(tiny_manifest):
    return {
        "generator": tiny_manifest.files["generator.onnx"].sha256,
        "text_encoder": tiny_manifest.files["text_encoder.onnx"].sha256,
    }


@pytest.fixture
def make_entry(sources):
    def make(network="generator", file=None, **fields) -> EngineEntry:
        key = {
            "network": network,
            "precision": "float32",
            "source_sha256": sources[network],
            "flavour": "rtx",
            "library_version": "1.7.1.116",
            "target": EngineTarget(compute_capability="sm_86"),
            "profile": {"latent": ShapeRange(minimum=(1, 8), optimum=(1, 8), maximum=(16, 8))},
            "options": EngineOptions(),
        }
        return EngineEntry(
            file=file or f"engines/{network}.engine",
            bytes=1,
            sha256="0" * 64,
            key=EngineKey(**{**key, **fields}),
        )

    return make


@pytest.fixture
def indexed(tiny_manifest):
    def make(*engines):
        return change(tiny_manifest, engines=engines)

    return make


def test_a_machine_gets_the_engines_of_its_gpu(make_entry, indexed):
    other = EngineTarget(compute_capability="sm_120")
    engines = [
        make_entry("generator", "engines/a", target=other),
        make_entry("generator", "engines/b"),
        make_entry("text_encoder", "engines/c"),
        make_entry("text_encoder", "engines/d", target=other),
    ]
    chosen = choose_engines(indexed(*engines), RTX, "float32")
    assert chosen == {"text_encoder": engines[2], "generator": engines[1]}


def test_a_model_without_text_needs_the_generators_engine_alone(textless_bundle, make_entry):
    manifest = decode_manifest((textless_bundle / MANIFEST).read_bytes())
    entry = make_entry(source_sha256=manifest.files["generator.onnx"].sha256)
    assert choose_engines(change(manifest, engines=(entry,)), RTX, "float32") == {
        "generator": entry
    }


def test_precisions_that_share_a_network_share_its_engine(make_entry, tiny_manifest):
    graphs = {**tiny_manifest.graphs, "float16": tiny_manifest.graphs["float32"]}
    engines = (make_entry("text_encoder"), make_entry("generator"))
    manifest = change(tiny_manifest, graphs=graphs, engines=engines)
    chosen = choose_engines(manifest, RTX, "float16")
    assert chosen == {"text_encoder": engines[0], "generator": engines[1]}


@pytest.mark.parametrize(
    ("fields", "machine", "reason"),
    [
        ({}, RTX, None),
        ({}, ORIN, "it is one of TensorRT for RTX"),
        ({"source_sha256": "1" * 64}, RTX, "it was built from another ONNX file"),
        (
            {"library_version": "1.7.0.9"},
            RTX,
            "it is of version 1.7.0.9, not 1.7.1.116",
        ),
        (
            {"target": EngineTarget(compute_capability="sm_89")},
            RTX,
            "it is for sm_89, not sm_86",
        ),
        ({"flavour": "tensorrt", "library_version": "10.3.0", "target": ORIN_TARGET}, ORIN, None),
        (
            {
                "flavour": "tensorrt",
                "library_version": "10.3.0",
                "target": change(ORIN_TARGET, multiprocessors=16),
            },
            ORIN,
            "it is for Orin with 16 multiprocessors, not 8",
        ),
        (
            {
                "flavour": "tensorrt",
                "library_version": "10.3.0",
                "target": change(ORIN_TARGET, gpu="Xavier"),
            },
            ORIN,
            "it is for Xavier, not Orin",
        ),
        (
            {
                "flavour": "tensorrt",
                "library_version": "10.3.0",
                "target": change(ORIN_TARGET, platform="linux-x86_64"),
            },
            ORIN,
            "it is for linux-x86_64, not linux-aarch64",
        ),
    ],
)
def test_an_engine_fits_only_what_it_was_built_for(make_entry, sources, fields, machine, reason):
    assert misfit(make_entry(**fields), machine, sources["generator"]) == reason


@pytest.mark.parametrize(
    ("built", "running", "runs"),
    [
        ("10.3.0", "10.3.0", True),
        ("10.3.0", "10.10.0", True),
        ("10.10.0", "10.3.0", False),
        ("10.3.0", "11.4.0", True),
        ("11.4.0", "10.3.0", False),
        ("11.4.0", "12.0.0", False),
    ],
)
def test_a_version_compatible_engine_runs_on_newer_versions_alone(
    make_entry, sources, built, running, runs
):
    target = EngineTarget(compute_capability="sm_86")
    machine = Machine(
        flavour="tensorrt",
        library_version=running,
        compute_capability="sm_86",
        gpu="any",
        multiprocessors=1,
        platform="linux-x86_64",
    )
    entry = make_entry(
        flavour="tensorrt",
        library_version=built,
        target=target,
        options=EngineOptions(is_version_compatible=True),
    )
    assert (misfit(entry, machine, sources["generator"]) is None) is runs


@pytest.mark.parametrize(
    ("level", "compute_capability", "reason"),
    [
        ("ampere_plus", "sm_120", None),
        ("ampere_plus", "sm_86", None),
        ("ampere_plus", "sm_75", "it is for sm_80 on, not sm_75"),
        ("same_compute_capability", "sm_89", None),
        ("same_compute_capability", "sm_86", "it is for sm_89, not sm_86"),
    ],
)
def test_a_hardware_compatible_engine_runs_on_the_gpus_of_its_level(
    make_entry, sources, level, compute_capability, reason
):
    machine = Machine(
        flavour="tensorrt",
        library_version="11.4.0",
        compute_capability=compute_capability,
        gpu="another",
        multiprocessors=3,
        platform="linux-x86_64",
    )
    entry = make_entry(
        flavour="tensorrt",
        library_version="11.4.0",
        target=EngineTarget(compute_capability="sm_89", platform="linux-x86_64"),
        options=EngineOptions(hardware_compatibility=level),
    )
    assert misfit(entry, machine, sources["generator"]) == reason


def test_an_engine_built_for_the_very_gpu_comes_before_compatible_ones(make_entry, indexed):
    common = {"flavour": "tensorrt", "target": ORIN_TARGET}
    anything = EngineOptions(hardware_compatibility="ampere_plus", is_version_compatible=True)
    engines = [
        make_entry("generator", "engines/a", library_version="10.2.0", options=anything, **common),
        make_entry("generator", "engines/b", library_version="10.3.0", **common),
        make_entry("generator", "engines/c", library_version="10.3.0", options=anything, **common),
        make_entry("text_encoder", "engines/d", library_version="10.3.0", **common),
    ]
    assert choose_engines(indexed(*engines), ORIN, "float32")["generator"] == engines[1]


def test_where_none_fits_the_error_says_why_and_what_builds_one(make_entry, indexed):
    entry = make_entry("text_encoder", target=EngineTarget(compute_capability="sm_89"))
    message = (
        "kiosk has no TensorRT for RTX engine of its text_encoder in float32 that runs here "
        "(engines/text_encoder.engine: it is for sm_89, not sm_86); build it, on any machine, "
        "with: t2f engine kiosk --flavour rtx --precision float32 --for sm_86"
    )
    with pytest.raises(EngineError, match=f"^{re.escape(message)}$"):
        choose_engines(indexed(entry), RTX, "float32", bundle="kiosk")


def test_a_bundle_without_engines_says_which_command_builds_them(tiny_manifest):
    message = (
        "BUNDLE has no TensorRT engine of its text_encoder in float32 that runs here; build it on "
        "this machine with: t2f engine BUNDLE --flavour tensorrt --precision float32"
    )
    with pytest.raises(EngineError, match=f"^{re.escape(message)}$"):
        choose_engines(tiny_manifest, ORIN, "float32")


def test_a_gpu_that_tensorrt_for_rtx_does_not_serve_is_sent_to_tensorrt():
    machine = Machine(
        flavour="rtx",
        library_version="1.7.1.116",
        compute_capability="sm_90",
        gpu="NVIDIA H100",
        multiprocessors=132,
        platform="linux-x86_64",
    )
    assert build_command("b", machine, "int8") == (
        "TensorRT for RTX does not serve sm_90; install TensorRT here, and build with: "
        "t2f engine b --flavour tensorrt --precision int8"
    )


def test_a_precision_that_the_bundle_lacks_is_named(tiny_manifest):
    message = "BUNDLE holds no networks of precision 'int8'; it has: float32"
    with pytest.raises(EngineError, match=message):
        choose_engines(tiny_manifest, RTX, "int8")


def test_engines_are_no_part_of_a_bundles_identity(bundle, make_entry):
    before = Bundle.open(bundle)
    changed = change(before.manifest, engines=(make_entry(),))
    (bundle / MANIFEST).write_bytes(encode_manifest(changed))
    after = Bundle.open(bundle)
    assert after.manifest.engines == (make_entry(),)
    assert after.bundle_id == before.bundle_id


def test_an_engine_is_verified_when_it_is_read(bundle, make_entry):
    opened = Bundle.open(bundle)
    with pytest.raises(BundleError, match=r"engines/generator.engine is missing"):
        opened.read_engine(make_entry())
    (bundle / "engines").mkdir()
    (bundle / "engines" / "generator.engine").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"generator.engine is altered: its SHA-256 is 2d71"):
        opened.read_engine(make_entry())
    sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert opened.read_engine(change(make_entry(), sha256=sha256)) == b"x"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"file": "generator.engine"}, "engines names 'generator.engine', which is not in engines"),
        ({"file": "engines/../generator.onnx"}, r"names 'engines/../generator.onnx'; a file of a"),
        ({"file": "/engines/x"}, "names '/engines/x'; a file of a bundle has a relative path"),
        ({"sha256": "x"}, "matching regex"),
    ],
)
def test_an_index_that_leaves_the_engines_folder_is_refused(indexed, make_entry, edit, message):
    fields = msgspec.json.decode(encode_manifest(indexed(make_entry())))
    fields["engines"][0].update(edit)
    with pytest.raises(BundleError, match=message):
        decode_manifest(msgspec.json.encode(fields))


def test_an_index_that_lists_a_file_twice_is_refused(indexed, make_entry):
    with pytest.raises(ValueError, match=r"engine', which the manifest lists already"):
        indexed(make_entry("generator", "engines/a.engine"), make_entry(file="engines/a.engine"))


@pytest.mark.parametrize(
    "shapes",
    [
        ShapeRange(minimum=(1, 8), optimum=(1, 8), maximum=(16,)),
        ShapeRange(minimum=(2, 8), optimum=(1, 8), maximum=(16, 8)),
    ],
)
def test_shapes_that_are_no_range_are_refused(indexed, make_entry, shapes):
    with pytest.raises(ValueError, match=r"engine' takes latent from .* which is no range"):
        indexed(make_entry(profile={"latent": shapes}))
