"""What is refused before an engine is built, or by the library that builds it."""

import dataclasses
import hashlib

import msgspec
import pytest
from engine_helpers import (
    ADA,
    BOTH_GPUS,
    NO_DRIVER,
    RTX,
    TENSORRT,
    TINY_BUNDLE_WITHOUT_TEXT,
    Told,
    add_precision,
    copy_bundle,
    fake_host,
    host,
    read_manifest,
)

from t2f_export.engines.builder import build_engines
from t2f_export.engines.jobs import EngineWish
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.engine_index import EngineOptions
from t2f_runtime.bundle.manifest import MANIFEST, encode_manifest
from t2f_runtime.errors import BundleError


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
