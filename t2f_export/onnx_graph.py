"""Writes the two graphs of a bundle in ONNX, node by node.

The graphs are small and fixed, so they are written rather than traced: every node is wanted, every
name is ours, equal weights give equal bytes, and no exporter decides what becomes of an epsilon.
Opset 17 is what ONNX Runtime, OpenVINO and TensorRT from 10.3 on all read.
"""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from t2f_export.errors import ExportError
from t2f_export.frozen_model import (
    FrozenConvolution,
    FrozenGenerator,
    FrozenLinear,
    FrozenTextEncoder,
)
from t2f_runtime.bundle.manifest import (
    BATCH,
    CONDITION_LOG_VARIANCE,
    CONDITION_MEAN,
    IMAGE,
    LATENT,
    LENGTH,
    TOKENS,
)
from t2f_train.layers import LEAKY_SLOPE

OPSET = 17
IR_VERSION = 8
EPSILON = "epsilon"
NORM_SHARES = "one_in_"
"""What the names of the kernels begin with by which pixel norm takes its means. Other precisions
leave these convolutions in float32, where squares do not overflow."""


@dataclass
class GraphBuilder:
    """Collects nodes and weights; each node's output is named after what it is."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def weight(self, name: str, values: NDArray[np.generic]) -> str:
        """Adds a constant and returns its name."""
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Adds a node with one output and returns the output's name."""
        node = helper.make_node(operator, inputs, [output], name=output, **attributes)
        self.nodes.append(node)
        return output

    def model(
        self,
        name: str,
        inputs: list[onnx.ValueInfoProto],
        outputs: list[onnx.ValueInfoProto],
    ) -> onnx.ModelProto:
        """Makes the model and checks it.

        Raises:
            ExportError: If the checker or strict shape inference refuses it.
        """
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.weights)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="t2f",
        )
        try:
            onnx.checker.check_model(model, full_check=True)
            onnx.shape_inference.infer_shapes(
                model, check_type=True, strict_mode=True, data_prop=True
            )
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ExportError(f"the graph {name!r} is not valid ONNX: {error}") from error
        return model


def text_encoder_graph(encoder: FrozenTextEncoder) -> onnx.ModelProto:
    """The graph from tokens to the condition's mean and log-variance.

    Inputs: `tokens`, int64 `(batch, length)`, padded with 0. Outputs: `condition_mean` and
    `condition_log_variance`, float32 `(batch, condition)`. The LSTM is told each row's length, so
    its last state is the one after the last real token.
    """
    build = GraphBuilder()
    sentence_size = encoder.state_weight.shape[1]
    padding = build.weight("padding_token", np.array(0, np.int64))
    is_padding = build.node("Equal", [TOKENS, padding], "is_padding")
    is_token = build.node("Not", [is_padding], "is_token")
    ones = build.node("Cast", [is_token], "token_count", to=TensorProto.INT32)
    axis = build.weight("length_axis", np.array([1], np.int64))
    lengths = build.node("ReduceSum", [ones, axis], "lengths", keepdims=0)
    # The LSTM wants (length, batch, embedding).
    by_length = build.node("Transpose", [TOKENS], "tokens_by_length", perm=[1, 0])
    table = build.weight("embedding", encoder.embedding)
    embedded = build.node("Gather", [table, by_length], "embedded")
    bias = np.concatenate([onnx_gates(encoder.input_bias), onnx_gates(encoder.state_bias)])
    inputs = [
        embedded,
        build.weight("lstm_input_weight", onnx_gates(encoder.input_weight)[None]),
        build.weight("lstm_state_weight", onnx_gates(encoder.state_weight)[None]),
        build.weight("lstm_bias", bias[None]),
        lengths,
    ]
    build.nodes.append(
        helper.make_node("LSTM", inputs, ["", "last_state"], name="lstm", hidden_size=sentence_size)
    )
    direction = build.weight("direction_axis", np.array([0], np.int64))
    sentence = build.node("Squeeze", ["last_state", direction], "sentence")
    for output, layer in (
        (CONDITION_MEAN, encoder.mean),
        (CONDITION_LOG_VARIANCE, encoder.log_variance),
    ):
        weight = build.weight(f"{output}_weight", layer.weight)
        offset = build.weight(f"{output}_bias", layer.bias)
        build.node("Gemm", [sentence, weight, offset], output, transB=1)
    condition_size = len(encoder.mean.bias)
    return build.model(
        "text_encoder",
        [helper.make_tensor_value_info(TOKENS, TensorProto.INT64, [BATCH, LENGTH])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, condition_size])
            for name in (CONDITION_MEAN, CONDITION_LOG_VARIANCE)
        ],
    )


def onnx_gates(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reorders an LSTM's gates from torch's (input, forget, cell, output) to ONNX's."""
    input_gate, forget, cell, output = np.split(weights, 4)
    return np.concatenate([input_gate, output, forget, cell])


def generator_graph(generator: FrozenGenerator) -> onnx.ModelProto:
    """The graph from latents to pictures.

    Inputs: `latent`, float32 `(batch, latent)`. Outputs: `image`, uint8 `(batch, height, width,
    3)`, RGB. The scaling from -1..1 to 0..255 is folded into the last convolution; the half that
    makes the cast round to the nearest level is in its bias.
    """
    build = GraphBuilder()
    channels = generator.convolutions[0].kernel.shape[1]
    build.weight(EPSILON, np.array(generator.epsilon, np.float32))
    add_norm_shares(build, channels, *(len(layer.bias) for layer in generator.convolutions))
    dense = dense_layer(build, generator, generator.dense)
    shape = build.weight("first_shape", np.array([-1, channels, 4, 4], np.int64))
    features = build.node("Reshape", [dense, shape], "first")
    if generator.has_first_norm:
        features = activate(build, features, channels)
    else:
        features = leaky_relu(build, features)
    for index, convolution in enumerate(generator.convolutions):
        features = convolve(build, features, convolution, f"convolution_{index}")
        features = activate(build, features, len(convolution.bias))
    draw_levels(build, features, generator)
    return generator_model(build, generator)


def generator_model(build: GraphBuilder, generator: FrozenGenerator) -> onnx.ModelProto:
    """Makes the model of a generator of which all nodes are written."""
    latent_size = generator.dense.weight.shape[1]
    side = generator.image_size
    return build.model(
        "generator",
        [helper.make_tensor_value_info(LATENT, TensorProto.FLOAT, [BATCH, latent_size])],
        [helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [BATCH, side, side, 3])],
    )


def add_norm_shares(build: GraphBuilder, *channels: int) -> None:
    """Adds the kernels with which `activate` takes means over these numbers of channels."""
    for count in sorted(set(channels)):
        share = np.full((1, count, 1, 1), 1.0 / count, np.float32)
        build.weight(f"{NORM_SHARES}{count}", share)


def dense_layer(build: GraphBuilder, generator: FrozenGenerator, layer: FrozenLinear) -> str:
    """From the latent to the features at 4x4: shape `(batch, outputs)`.

    Args:
        build: The graph.
        generator: What the latent is for.
        layer: Its dense layer, with its outputs in whatever order is wanted.
    """
    inputs = [
        _unscaled(build) if generator.has_scale else LATENT,
        build.weight("dense_weight", layer.weight),
        build.weight("dense_bias", layer.bias),
    ]
    return build.node("Gemm", inputs, "dense", transB=1)


def levels_layer(generator: FrozenGenerator) -> FrozenConvolution:
    """The last convolution, to 0.5 to 255.5: what a cast to whole numbers cuts to levels."""
    last = generator.to_rgb
    return FrozenConvolution(
        last.kernel * np.float32(127.5), last.bias * np.float32(127.5) + np.float32(128.0)
    )


def draw_levels(build: GraphBuilder, features: str, generator: FrozenGenerator) -> None:
    """From the last features, `(batch, channels, height, width)`, to the picture."""
    rgb = clip_levels(build, convolve(build, features, levels_layer(generator), "levels"))
    rows = build.node("Transpose", [rgb], "channels_last", perm=[0, 2, 3, 1])
    build.node("Cast", [rows], IMAGE, to=TensorProto.UINT8)


def clip_levels(build: GraphBuilder, levels: str) -> str:
    """Holds levels to 0 to 255."""
    low = build.weight("lowest_level", np.array(0.0, np.float32))
    high = build.weight("highest_level", np.array(255.0, np.float32))
    return build.node("Clip", [levels, low, high], "clipped")


def convolve(build: GraphBuilder, features: str, convolution: FrozenConvolution, name: str) -> str:
    """A convolution of features `(batch, channels, height, width)`, with its bias."""
    bias = build.weight(f"{name}_bias", convolution.bias)
    if convolution.is_upsampling:
        return _upsample(build, features, convolution.kernel, bias, name)
    kernel = build.weight(f"{name}_kernel", convolution.kernel)
    side = convolution.kernel.shape[2]
    pads = [side // 2] * 4
    return build.node("Conv", [features, kernel, bias], name, kernel_shape=[side, side], pads=pads)


def _upsample(
    build: GraphBuilder, features: str, kernel: NDArray[np.float32], bias: str, name: str
) -> str:
    """A transposed convolution of 4x4 with stride 2 as four convolutions of 2x2.

    Each gives one pixel of every 2x2 of the result, from the four taps that meet it, so that no
    multiplication is added. Engines are quicker at it (benchmarks/graph_forms.py), and their INT8
    convolutions have a scale for each output channel.
    """
    parts = []
    for row, column in product((0, 1), repeat=2):
        # Tap 3 - row, then 1 - row: a transposed convolution applies its kernel turned around.
        taps = kernel[:, :, 3 - row :: -2, 3 - column :: -2].transpose(1, 0, 2, 3)
        parts.append(
            build.node(
                "Conv",
                [features, build.weight(f"{name}_kernel_{row}{column}", taps), bias],
                f"{name}_{row}{column}",
                kernel_shape=[2, 2],
                pads=[1 - row, 1 - column, row, column],
            )
        )
    joined = build.node("Concat", parts, f"{name}_parts", axis=1)
    return build.node("DepthToSpace", [joined], name, blocksize=2, mode="DCR")


def _unscaled(build: GraphBuilder) -> str:
    """The latent divided by its first value; see `FrozenGenerator.has_scale`."""
    bounds = [
        build.weight(f"scale_{name}", np.array([value], np.int64))
        for name, value in (("start", 0), ("end", 1), ("axis", 1))
    ]
    scale = build.node("Slice", [LATENT, *bounds], "scale")
    return build.node("Div", [LATENT, scale], "unscaled")


def leaky_relu(build: GraphBuilder, features: str) -> str:
    """Leaky ReLU of features of any shape."""
    return build.node("LeakyRelu", [features], f"{features}_active", alpha=LEAKY_SLOPE)


def activate(build: GraphBuilder, features: str, channels: int) -> str:
    """Leaky ReLU, then pixel norm (ProGAN, arXiv:1710.10196, section 4.2).

    The mean over the channels is a convolution of 1x1, at which ONNX Runtime is quicker than at its
    own reduction (benchmarks/graph_forms.py).
    """
    active = leaky_relu(build, features)
    square = build.node("Mul", [active, active], f"{features}_square")
    shares = f"{NORM_SHARES}{channels}"
    mean = build.node("Conv", [square, shares], f"{features}_mean", kernel_shape=[1, 1])
    offset = build.node("Add", [mean, EPSILON], f"{features}_offset")
    root = build.node("Sqrt", [offset], f"{features}_root")
    return build.node("Div", [active, root], f"{features}_normed")
