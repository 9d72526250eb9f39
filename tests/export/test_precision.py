"""Networks of other precisions: what their graphs compute in, how they draw, what is refused."""

import json

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from engine_helpers import NO_DRIVER, Told, host
from onnx import TensorProto, helper, numpy_helper
from tiny_training import tiny_config, train_tiny_run

from t2f_export import cli
from t2f_export.bundle_writer import export_run
from t2f_export.engines.builder import build_engines
from t2f_export.engines.jobs import EngineWish
from t2f_export.engines.libraries import import_library
from t2f_export.errors import ExportError, PrecisionError
from t2f_export.onnx_graph import NORM_SHARES
from t2f_export.precision import adding
from t2f_export.precision.adding import PrecisionWish, add_precisions
from t2f_export.precision.half import half_graph, to_half
from t2f_export.precision.sensitivity import quantise_within
from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.packing import pack_bundle
from t2f_runtime.cli import CommandGroup, main

BOTH = PrecisionWish(precisions=("float16", "int8"))


def silent(_text):
    """Told what is being done, and says nothing of it."""


def command(*arguments):
    group = CommandGroup(commands=[cli.export, cli.precision])
    return CliRunner().invoke(group, list(map(str, arguments)))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    base = tmp_path_factory.mktemp("precision")
    train_tiny_run(base)
    return base / "run"


@pytest.fixture(scope="module")
def bundle(run):
    path = run.parent / "bundle"
    result = command("export", run, "-o", path, "--precision", "float32,float16,int8")
    assert result.exit_code == 0, result.output
    assert "int8     calibrated on 64 faces" in result.output
    return path


@pytest.fixture
def plain(run, tmp_path):
    export_run(run, tmp_path / "bundle")
    return tmp_path / "bundle"


def element_types(model):
    """The element type of every value in a graph, by its name."""
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*typed.value_info, *typed.input, *typed.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {weight.name: weight.data_type for weight in typed.initializer}


def test_float16_convolves_in_float16_and_norms_in_float32(bundle):
    model = onnx.load(bundle / "generator.fp16.onnx")
    types = element_types(model)
    norms = [n for n in model.graph.node if any(i.startswith(NORM_SHARES) for i in n.input)]
    assert len(norms) > 2
    for node in model.graph.node:
        if node.op_type in {"Conv", "Gemm"} and node not in norms:
            assert {types[name] for name in node.input} == {TensorProto.FLOAT16}, node.name
    for node in norms:
        assert {types[name] for name in (*node.input, *node.output)} == {TensorProto.FLOAT}
    for node in model.graph.node:
        if node.op_type in {"Sqrt", "Add"}:
            assert types[node.output[0]] == TensorProto.FLOAT, node.name
    assert types["latent"] == TensorProto.FLOAT
    assert types["image"] == TensorProto.UINT8


def test_int8_has_a_scale_for_each_output_channel_and_no_quantised_bias(bundle):
    model = onnx.load(bundle / "generator.int8.onnx")
    weights = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    nodes = {node.output[0]: node for node in model.graph.node}
    checked = 0
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            zero = weights[node.input[2]]
            assert zero.dtype == np.int8  # TensorRT refuses int32, which a bias would be
            assert not zero.any()  # symmetric
        if node.op_type == "Conv" and not any(i.startswith(NORM_SHARES) for i in node.input):
            activation, kernel = (nodes[name] for name in node.input[:2])
            assert activation.op_type == kernel.op_type == "DequantizeLinear"
            assert weights[kernel.input[1]].shape == (weights[kernel.input[0]].shape[0],)
            checked += 1
    assert checked >= 5


def test_pictures_of_every_precision_are_near_and_the_manifest_says_how_near(bundle):
    manifest = Bundle.open(bundle).manifest
    reports = {report.precision: report for report in manifest.parity}
    assert set(reports) == {"float32", "float16", "int8"} == set(manifest.graphs)
    assert reports["float16"].maximum_levels <= 2
    assert all(report.passes for report in reports.values())
    whole = FaceGenerator.load(bundle).generate("a smiling woman", seed=3).astype(np.int16)
    half = FaceGenerator.load(bundle, precision="float16").generate("a smiling woman", seed=3)
    assert np.abs(half - whole).max() <= 2
    eighth = FaceGenerator.load(bundle, precision="int8").generate("a smiling woman", seed=3)
    assert 0 < np.square(eighth - whole).mean() < 255**2 / 10**3  # 30 dB


def test_int8_keeps_what_it_was_calibrated_on_and_each_layers_loss(bundle):
    graphs = Bundle.open(bundle).manifest.graphs["int8"]
    assert graphs.calibration.faces == 64
    assert graphs.calibration.source == "the training part of folder"
    model = onnx.load(bundle / "generator.onnx")
    layers = [
        node.name
        for node in model.graph.node
        if node.op_type in {"Conv", "Gemm"} and not node.name.endswith("_mean")
    ]
    assert [layer.layer for layer in graphs.layers] == layers
    # An LSTM is read by no INT8 engine: the text encoder is float16's.
    assert graphs.text_encoder.file == "text_encoder.fp16.onnx"


def test_a_layer_that_costs_too_much_stays_in_float32(bundle):
    model = onnx.load(bundle / "generator.onnx")
    fragile = "convolution_0"
    plain = np.zeros((4, 8, 8, 3), np.uint8)

    def draw(drawn):
        node = next(node for node in drawn.graph.node if node.name == fragile)
        return plain if node.input[0] == "first_normed" else plain + 40  # 16 dB

    latent_size = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    latents = [{"latent": np.ones((1, latent_size), np.float32)}]
    found = quantise_within("generator", model, latents, draw)
    assert [layer.layer for layer in found.layers if not layer.is_quantised] == [fragile]
    node = next(node for node in found.model.graph.node if node.name == fragile)
    assert node.input[0] == "first_normed"
    losses = {layer.layer: layer.psnr_db for layer in found.layers}
    assert losses[fragile] == pytest.approx(16.09, abs=0.01)
    assert set(losses.values()) == {losses[fragile], None}


def test_int8_that_cannot_hold_is_refused(bundle):
    model = onnx.load(bundle / "generator.onnx")
    latent_size = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    latents = [{"latent": np.ones((1, latent_size), np.float32)}]

    def draw(drawn):
        is_quantised = any(node.op_type == "DequantizeLinear" for node in drawn.graph.node)
        return np.full((1, 4, 4, 3), 255 * is_quantised, np.uint8)

    with pytest.raises(PrecisionError, match=r"cannot be int8: its least sensitive .* 0\.0 dB"):
        quantise_within("generator", model, latents, draw)


def test_a_weight_that_float16_cannot_hold_names_its_layer():
    with pytest.raises(PrecisionError, match=r"layer 'dense' .* its kernel holds 4e\+04"):
        to_half(np.array([4e4], np.float32), "kernel", "dense")
    with pytest.raises(PrecisionError, match="is too small, and rounding it changes 100"):
        to_half(np.array([1e-9], np.float32), "kernel", "dense")
    with pytest.raises(PrecisionError, match="holds nan"):
        to_half(np.array([np.nan], np.float32), "kernel", "dense")


def test_activations_that_overflow_float16_are_refused_by_name(plain, monkeypatch):
    bundle = Bundle.open(plain)
    model = onnx.load_from_string(bundle.read("generator.onnx"))
    # The first layer gives values around 40,000, which its weights alone do not show.
    for weight in model.graph.initializer:
        if weight.name == "dense_bias":
            values = np.full_like(numpy_helper.to_array(weight), 3e4)
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        if weight.name == "dense_weight":
            values = numpy_helper.to_array(weight) * 1e4
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    read = Bundle.read
    changed = model.SerializeToString()
    monkeypatch.setattr(
        Bundle, "read", lambda self, name: changed if name == "generator.onnx" else read(self, name)
    )
    with pytest.raises(PrecisionError, match="dense"):
        add_precisions(plain, PrecisionWish(precisions=("float16",)), silent)
    assert not (plain / "generator.fp16.onnx").exists()


def test_half_leaves_graphs_within_graphs_alone():
    value = helper.make_tensor_value_info
    branch = helper.make_graph([], "branch", [], [value("x", TensorProto.FLOAT, [1])])
    node = helper.make_node("If", ["c"], ["y"], name="choice", then_branch=branch)
    graph = helper.make_graph(
        [node],
        "g",
        [value("c", TensorProto.BOOL, []), value("x", TensorProto.FLOAT, [1])],
        [value("y", TensorProto.FLOAT, [1])],
    )
    with pytest.raises(Exception, match=r"graph of its own|else_branch"):
        half_graph(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))


def test_precisions_can_be_added_later_and_are_made_again_only_if_forced(plain):
    id_before = Bundle.open(plain).bundle_id
    assert command("precision", plain, "--add", "float16").exit_code == 0
    manifest = Bundle.open(plain).manifest
    assert set(manifest.graphs) == {"float32", "float16"}
    assert "generator.fp16.onnx" in manifest.files
    assert Bundle.open(plain).bundle_id != id_before
    with pytest.raises(PrecisionError, match="'float16' already; give --force"):
        add_precisions(plain, PrecisionWish(precisions=("float16",)), silent)
    again = command("precision", plain, "--add", "float16", "--force")
    assert again.exit_code == 0, again.output
    assert Bundle.open(plain).manifest.files == manifest.files


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("fp8", "fp8 is not made"),
        ("float15", "'float15' is none of float32, float16, int8"),
        ("float32", "every bundle has it"),
    ],
)
def test_what_is_no_precision_to_add_is_said(plain, given, message):
    result = command("precision", plain, "--add", given)
    assert result.exit_code != 0
    assert message in result.output


def test_a_packed_bundle_is_refused(plain, tmp_path):
    packed = tmp_path / "faces.t2f"
    pack_bundle(plain, packed)
    with pytest.raises(ExportError, match="is a packed bundle, to which nothing can be added"):
        add_precisions(packed, BOTH, silent)


@pytest.mark.parametrize("allowed", range(4))
def test_a_disk_that_fills_up_leaves_a_bundle_that_opens(plain, monkeypatch, allowed):
    written = []
    write = adding.write_atomically

    def fail(path, content):
        if len(written) == allowed:
            raise OSError(28, "No space left on device")
        written.append(path)
        write(path, content)

    monkeypatch.setattr(adding, "write_atomically", fail)
    with pytest.raises(ExportError, match="cannot be written"):
        add_precisions(plain, BOTH, silent)
    assert set(Bundle.open(plain).manifest.graphs) == {"float32"}
    monkeypatch.undo()
    add_precisions(plain, BOTH, silent)
    assert set(Bundle.open(plain).manifest.graphs) == {"float32", "float16", "int8"}


def test_an_export_that_fails_on_the_way_leaves_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setattr(adding, "make_networks", lambda *_: 1 / 0)
    result = command("export", run, "-o", tmp_path / "bundle", "--precision", "float16")
    assert isinstance(result.exception, ZeroDivisionError)
    assert list(tmp_path.iterdir()) == []


def test_tensorrt_for_rtx_builds_every_precision_without_a_warning(bundle, tmp_path):
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 't2f[rtx]'")
    wish = EngineWish(flavour="rtx", targets=("sm_86", "sm_120"), precisions=("float16", "int8"))
    told = Told()
    here = host(NO_DRIVER, {"rtx": import_library("rtx")})
    build_engines(bundle, wish, told, cache=tmp_path, host=here)
    assert told.warnings == []
    built = {
        (e.key.network, e.key.precision, e.key.target.compute_capability)
        for e in Bundle.open(bundle).manifest.engines
    }
    for target in ("sm_86", "sm_120"):
        assert ("generator", "float16", target) in built
        assert ("generator", "int8", target) in built
        assert ("text_encoder", "float16", target) in built  # which int8 shares


def test_verify_against_the_run_draws_with_torch_and_openvino(run, tmp_path):
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install 't2f[verify]'")
    bundle, file = tmp_path / "bundle", tmp_path / "parity.json"
    assert command("export", run, "-o", bundle, "--precision", "float16").exit_code == 0
    options = ["--against", str(run), "--openvino", "--faces", "4", "-o", str(file), "--write"]
    result = CliRunner().invoke(main, ["verify", str(bundle), *options])
    assert result.exit_code == 0, result.output
    proof = json.loads(file.read_text())
    compared = {(report["precision"], report["engine"]) for report in proof["reports"]}
    engines = ("onnx-cpu", "openvino")
    assert compared == {(p, e) for p in ("float32", "float16") for e in engines}
    assert all(report["against"].startswith("torch ") for report in proof["reports"])
    assert "not run: onnx-cuda: no NVIDIA driver is installed" in result.output
    written = Bundle.open(bundle).manifest.parity
    assert {(report.precision, report.engine) for report in written} >= compared


def test_verify_refuses_another_run(bundle, tmp_path):
    train_tiny_run(tmp_path, config=tiny_config(seed=1))
    options = ["--against", str(tmp_path / "run"), "--faces", "2"]
    result = CliRunner().invoke(main, ["verify", str(bundle), *options])
    assert result.exit_code != 0
    assert "was not made from the latest checkpoint of" in result.output
