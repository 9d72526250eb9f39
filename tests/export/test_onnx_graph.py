import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny_training import tiny_config

from t2f_export.errors import ExportError
from t2f_export.frozen_model import freeze_generator, freeze_text_encoder
from t2f_export.onnx_graph import NORM_SHARES, GraphBuilder, generator_graph, text_encoder_graph
from t2f_runtime.bundle import manifest
from t2f_train.conditioning import join_latent
from t2f_train.model import FaceModel, to_pixels

VOCABULARY = 40


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = FaceModel(tiny_config(), VOCABULARY)
    for parameter in model.parameters():  # biases start at zero, where mistakes would not show
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.text_encoder.embedding.weight.data[0] = 7.0  # padding's embedding must not matter
    return model.eval()


@pytest.fixture(scope="module")
def text_encoder(model):
    return text_encoder_graph(freeze_text_encoder(model))


@pytest.fixture(scope="module")
def generator(model):
    return generator_graph(freeze_generator(model.generator, depth=1))


def session(graph):
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def latents(model, count):
    random = torch.Generator().manual_seed(count)
    drawn = torch.randn(count, model.generator.latent_size, generator=random)
    return join_latent(drawn[:, :5], drawn[:, 5:])


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 9), (3, 5), (16, 128)])
def test_the_text_encoder_equals_torch_for_any_batch_and_length(model, text_encoder, batch, length):
    random = torch.Generator().manual_seed(length)
    tokens = torch.randint(1, VOCABULARY, (batch, length), generator=random)
    tokens[0, length // 2 + 1 :] = 0
    with torch.no_grad():
        expected = model.conditioning(model.text_encoder(tokens))
    outputs = session(text_encoder).run(None, {manifest.TOKENS: tokens.numpy()})
    for output, reference in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, reference.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [3, 4, 50])
def test_padding_never_changes_what_the_exported_text_encoder_gives(text_encoder, length):
    run = session(text_encoder).run
    tokens = np.zeros((1, length), np.int64)
    tokens[0, :3] = [5, 6, 7]
    for output, alone in zip(
        run(None, {manifest.TOKENS: tokens}),
        run(None, {manifest.TOKENS: tokens[:, :3]}),
        strict=True,
    ):
        np.testing.assert_allclose(output, alone, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("count", [1, 5])
def test_the_generator_draws_torchs_pixels(model, depth, count):
    latent = latents(model, count)
    with torch.no_grad():
        expected = to_pixels(model.generator(latent, depth)).numpy()
    graph = generator_graph(freeze_generator(model.generator, depth))
    (pictures,) = session(graph).run(None, {manifest.LATENT: latent.numpy()})
    assert pictures.dtype == np.uint8
    assert pictures.shape == expected.shape
    difference = np.abs(pictures.astype(int) - expected)
    assert difference.max() <= 1
    assert difference.mean() < 0.01
    assert expected.std() > 10  # real pictures, not one flat colour


def test_a_latent_of_zeros_draws_a_picture_and_no_nan(model, generator):
    latent = torch.zeros(1, model.generator.latent_size)
    with torch.no_grad():
        expected = to_pixels(model.generator(latent, 1)).numpy()
    (pictures,) = session(generator).run(None, {manifest.LATENT: latent.numpy()})
    assert np.abs(pictures.astype(int) - expected).max() <= 1


def tensors(values):
    types = {
        onnx.TensorProto.INT64: "int64",
        onnx.TensorProto.FLOAT: "float32",
        onnx.TensorProto.UINT8: "uint8",
    }
    return tuple(
        manifest.Tensor(
            name=value.name,
            dtype=types[value.type.tensor_type.elem_type],
            shape=tuple(d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim),
        )
        for value in values
    )


def test_the_graphs_have_the_tensors_that_the_manifest_promises(text_encoder, generator):
    promised = [
        (text_encoder, manifest.text_encoder_graph("file", condition_size=5)),
        (generator, manifest.generator_graph("file", latent_size=9, image_size=8)),
    ]
    for graph, contract in promised:
        assert tensors(graph.graph.input) == contract.inputs
        assert tensors(graph.graph.output) == contract.outputs


def test_constants_are_folded_and_upsampling_is_fused(generator):
    convolutions = [node for node in generator.graph.node if node.op_type == "Conv"]
    sides = [onnx.helper.get_node_attr_value(node, "kernel_shape")[0] for node in convolutions]
    # Two of 3x3, four of 2x2 for the one that doubles the side, to RGB, and a mean for each norm.
    assert sorted(sides) == [1] * 5 + [2] * 4 + [3] * 2
    means = [node for node in convolutions if node.input[1].startswith(NORM_SHARES)]
    assert len(means) == 4
    operators = [node.op_type for node in generator.graph.node]
    assert not {"Resize", "Upsample", "RandomNormal", "Dropout", "Identity"} & set(operators)
    # A scale that is not folded would be a product with a constant.
    constants = {weight.name for weight in generator.graph.initializer}
    for node in generator.graph.node:
        if node.op_type == "Mul":
            assert not constants & set(node.input)


def test_equal_weights_give_equal_bytes(model, generator):
    again = generator_graph(freeze_generator(model.generator, depth=1))
    serialised = [graph.SerializeToString(deterministic=True) for graph in (generator, again)]
    assert serialised[0] == serialised[1]


def test_a_graph_that_the_checker_refuses_is_an_error():
    build = GraphBuilder()
    build.node("Conv", ["x"], "y")
    value = onnx.helper.make_tensor_value_info
    with pytest.raises(ExportError, match="the graph 'broken' is not valid ONNX"):
        build.model("broken", [value("x", 1, [1])], [value("y", 1, [1])])
