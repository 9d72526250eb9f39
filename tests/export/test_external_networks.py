import hashlib
import re
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from engine_helpers import TINY_BUNDLE, copy_bundle, read_manifest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from t2f_export.bundle_writer import write_bundle
from t2f_runtime import Bundle, BundleError, FaceGenerator
from t2f_runtime.bundle.external_data import check_self_contained
from t2f_runtime.bundle.manifest import GENERATOR, MANIFEST, FileEntry, encode_manifest
from t2f_runtime.bundle.packing import pack_bundle

WEIGHTS = np.arange(4, dtype=np.float32)


def outside(location: str, offset: int = 0) -> TensorProto:
    """A tensor whose values lie in another file."""
    tensor = numpy_helper.from_array(WEIGHTS, "weight")
    external_data_helper.set_external_data(tensor, location, offset=offset, length=16)
    tensor.ClearField("raw_data")
    return tensor


def adding(tensor: TensorProto, *, is_constant: bool = False) -> bytes:
    """A network that adds a tensor to its input."""
    take = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    give = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    nodes = [helper.make_node("Add", ["x", "weight"], ["y"])]
    if is_constant:
        nodes.insert(0, helper.make_node("Constant", [], ["weight"], value=tensor))
    weights = [] if is_constant else [tensor]
    graph = helper.make_graph(nodes, "adding", [take], [give], weights)
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def with_generator(bundle: Path, model: bytes) -> Path:
    """Gives a bundle another generator, and the manifest its hash."""
    manifest = read_manifest(bundle)
    entry = FileEntry(bytes=len(model), sha256=hashlib.sha256(model).hexdigest())
    changed = msgspec.structs.replace(manifest, files={**manifest.files, GENERATOR: entry})
    (bundle / GENERATOR).write_bytes(model)
    (bundle / MANIFEST).write_bytes(encode_manifest(changed))
    return bundle


@pytest.fixture
def generator():
    """The tiny bundle's generator, its weights in another file."""
    model = onnx.load(TINY_BUNDLE / GENERATOR)
    external_data_helper.convert_model_to_external_data(
        model, location="weights.bin", size_threshold=0
    )
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    return model.SerializeToString()


@pytest.mark.parametrize("is_constant", [False, True])
@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd", ""])
def test_what_onnx_itself_calls_external_is_refused(location, is_constant):
    model = adding(outside(location), is_constant=is_constant)
    with pytest.raises(BundleError, match="keeps the tensor 'weight' in another file"):
        check_self_contained(model, "x.onnx")
    whole = adding(numpy_helper.from_array(WEIGHTS, "weight"), is_constant=is_constant)
    check_self_contained(whole, "x.onnx")


def test_onnx_runtime_alone_reads_such_a_file_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    WEIGHTS.tofile("weights.bin")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        adding(outside("weights.bin")), options, providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"x": np.zeros(4, np.float32)})
    # If this fails, ONNX Runtime has become stricter, and the check a second lock.
    np.testing.assert_array_equal(found, WEIGHTS)


def test_a_bundle_with_such_a_network_is_neither_loaded_nor_packed(
    generator, tmp_path, monkeypatch
):
    bundle = with_generator(copy_bundle(tmp_path / "bundle"), generator)
    (tmp_path / "weights.bin").write_bytes(bytes(100_000))
    monkeypatch.chdir(tmp_path)
    message = rf"{re.escape(str(bundle / GENERATOR))} keeps the tensor '\w+' in another file"
    for work in (
        lambda: FaceGenerator.load(bundle),
        lambda: Bundle.open(bundle, keep="float32"),
        lambda: Bundle.open(bundle).read(GENERATOR),
        lambda: pack_bundle(bundle, tmp_path / "face.t2f"),
    ):
        with pytest.raises(BundleError, match=message):
            work()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "weights.bin"]


def test_a_packed_bundle_with_such_a_network_is_not_loaded(generator, tmp_path, monkeypatch):
    bundle = with_generator(copy_bundle(tmp_path / "bundle"), generator)
    # As somebody would pack it who does not ask t2f.
    monkeypatch.setattr("t2f_runtime.bundle.bundle.check_self_contained", lambda data, source: None)
    pack_bundle(bundle, tmp_path / "face.t2f")
    monkeypatch.undo()
    with pytest.raises(BundleError, match=r"face.t2f: generator.onnx keeps the tensor '\w+' in an"):
        FaceGenerator.load(tmp_path / "face.t2f")


def test_a_network_that_cannot_be_moved_is_not_exported(generator, tmp_path):
    manifest = msgspec.structs.replace(read_manifest(TINY_BUNDLE), parity=())
    files = {name: (TINY_BUNDLE / name).read_bytes() for name in manifest.files}
    with pytest.raises(
        BundleError, match=r"^generator.onnx keeps the tensor '\w+' in another file"
    ):
        write_bundle(tmp_path / "bundle", manifest, {**files, GENERATOR: generator})
    assert list(tmp_path.iterdir()) == []
