"""Writes MiniLM and the conditioning layer as the text encoder of a bundle, node by node."""

import math
from typing import cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from t2f_export.frozen_model import FrozenLinear
from t2f_export.onnx_graph import GraphBuilder
from t2f_runtime.bundle.manifest import (
    BATCH,
    CONDITION_LOG_VARIANCE,
    CONDITION_MEAN,
    LENGTH,
    TOKENS,
)
from t2f_train.minilm import Layer, MiniLMEncoder

HIDDEN = -10_000.0
"""Added to the attention on padding: 0 after the softmax, and a number in half precision too."""


def minilm_graph(
    encoder: MiniLMEncoder, mean: FrozenLinear, log_variance: FrozenLinear
) -> onnx.ModelProto:
    """The graph from tokens to the condition's mean and log-variance.

    Inputs: `tokens`, int64 `(batch, length)`, padded with 0, with one real token a row and
    `encoder.sizes.positions` at most. Outputs: `condition_mean` and `condition_log_variance`,
    float32 `(batch, condition)`.

    Args:
        encoder: The pretrained encoder; its operations are explained in `t2f_train.minilm`.
        mean: From the sentence embedding to the condition's mean.
        log_variance: From the sentence embedding to the condition's log-variance.

    Raises:
        ExportError: If the checker refuses the graph.
    """
    writer = _Writer(encoder)
    build = writer.build
    padding = build.weight("padding_token", np.array(0, np.int64))
    is_padding = build.node("Equal", [TOKENS, padding], "is_padding")
    features = writer.embed()
    hiding = writer.hide(is_padding)
    for number, module in enumerate(encoder.layers):
        features = writer.layer(f"layer_{number}", cast("Layer", module), features, hiding)
    sentence = writer.pool(features, is_padding)
    for output, linear in ((CONDITION_MEAN, mean), (CONDITION_LOG_VARIANCE, log_variance)):
        weight = build.weight(f"{output}_weight", linear.weight)
        offset = build.weight(f"{output}_bias", linear.bias)
        build.node("Gemm", [sentence, weight, offset], output, transB=1)
    return build.model(
        "text_encoder",
        [helper.make_tensor_value_info(TOKENS, TensorProto.INT64, [BATCH, LENGTH])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, len(mean.bias)])
            for name in (CONDITION_MEAN, CONDITION_LOG_VARIANCE)
        ],
    )


class _Writer:
    """Writes the parts of one encoder into one graph."""

    def __init__(self, encoder: MiniLMEncoder) -> None:
        self.build = GraphBuilder()
        self._encoder = encoder
        self._epsilon = encoder.sizes.norm_epsilon
        heads, size = encoder.sizes.heads, encoder.sentence_size
        self._head_size = size // heads
        split, joined = [0, 0, heads, self._head_size], [0, 0, size]
        self._split = self.build.weight("split_shape", np.array(split, np.int64))
        self._joined = self.build.weight("joined_shape", np.array(joined, np.int64))
        self._root_of_2 = self.build.weight("root_of_2", np.array(math.sqrt(2.0), np.float32))
        self._one = self.build.weight("one", np.array(1.0, np.float32))
        self._half = self.build.weight("half", np.array(0.5, np.float32))

    def embed(self) -> str:
        build, encoder = self.build, self._encoder
        words = build.weight("words", _array(encoder.words.weight))
        positions = build.weight("positions", _array(encoder.positions.weight))
        embedded = build.node("Gather", [words, TOKENS], "embedded")
        length = build.node("Shape", [TOKENS], "length", start=1, end=2)
        first = build.weight("first_position", np.array([0], np.int64))
        # TensorRT takes no Slice without its axes.
        axis = build.weight("position_axis", np.array([0], np.int64))
        placed = build.node("Slice", [positions, first, length, axis], "placed")
        summed = build.node("Add", [embedded, placed], "embedded_and_placed")
        return self._norm("first_norm", summed, encoder.first_norm)

    def hide(self, is_padding: str) -> str:
        """What is added to attention, of shape `(batch, 1, 1, length)`."""
        build = self.build
        axes = build.weight("hiding_axes", np.array([1, 2], np.int64))
        spread = build.node("Unsqueeze", [is_padding, axes], "is_padding_by_head")
        hidden = build.weight("hidden", np.array(HIDDEN, np.float32))
        shown = build.weight("shown", np.array(0.0, np.float32))
        return build.node("Where", [spread, hidden, shown], "hiding")

    def layer(self, name: str, module: Layer, features: str, hiding: str) -> str:
        build = self.build
        # The scaling of arXiv:1706.03762, section 3.2.1, is part of the query's weights.
        scale = 1.0 / math.sqrt(self._head_size)
        query = self._heads(f"{name}_query", features, module.query, [0, 2, 1, 3], scale)
        key = self._heads(f"{name}_key", features, module.key, [0, 2, 3, 1])
        value = self._heads(f"{name}_value", features, module.value, [0, 2, 1, 3])
        scores = build.node("MatMul", [query, key], f"{name}_scores")
        masked = build.node("Add", [scores, hiding], f"{name}_masked")
        attention = build.node("Softmax", [masked], f"{name}_attention", axis=-1)
        mixed = build.node("MatMul", [attention, value], f"{name}_mixed")
        by_token = build.node("Transpose", [mixed], f"{name}_by_token", perm=[0, 2, 1, 3])
        joined = build.node("Reshape", [by_token, self._joined], f"{name}_joined")
        attended = self._linear(f"{name}_attended", joined, module.attended)
        summed = build.node("Add", [features, attended], f"{name}_attended_sum")
        features = self._norm(f"{name}_attended_norm", summed, module.attended_norm)
        inner = self._gelu(name, self._linear(f"{name}_inner", features, module.inner))
        outer = self._linear(f"{name}_outer", inner, module.outer)
        summed = build.node("Add", [features, outer], f"{name}_outer_sum")
        return self._norm(f"{name}_outer_norm", summed, module.outer_norm)

    def pool(self, features: str, is_padding: str) -> str:
        """The mean over real tokens, scaled to unit length."""
        build = self.build
        is_token = build.node("Not", [is_padding], "is_token")
        weight = build.node("Cast", [is_token], "token_weight", to=TensorProto.FLOAT)
        last = build.weight("last_axis", np.array([2], np.int64))
        column = build.node("Unsqueeze", [weight, last], "token_weight_column")
        weighted = build.node("Mul", [features, column], "weighted")
        by_length = build.weight("length_axis", np.array([1], np.int64))
        total = build.node("ReduceSum", [weighted, by_length], "total", keepdims=0)
        count = build.node("ReduceSum", [column, by_length], "token_count", keepdims=0)
        mean = build.node("Div", [total, count], "mean")
        norm = build.node("ReduceL2", [mean], "mean_length", axes=[1], keepdims=1)
        return build.node("Div", [mean, norm], "sentence")

    def _heads(
        self, name: str, features: str, linear: nn.Linear, perm: list[int], scale: float = 1.0
    ) -> str:
        mapped = self._linear(name, features, linear, scale)
        split = self.build.node("Reshape", [mapped, self._split], f"{name}_split")
        return self.build.node("Transpose", [split], f"{name}_by_head", perm=perm)

    def _linear(self, name: str, features: str, linear: nn.Linear, scale: float = 1.0) -> str:
        factor = np.float32(scale)
        weight = self.build.weight(f"{name}_weight", _array(linear.weight).T * factor)
        bias = self.build.weight(f"{name}_bias", _array(linear.bias) * factor)
        product = self.build.node("MatMul", [features, weight], f"{name}_product")
        return self.build.node("Add", [product, bias], name)

    def _norm(self, name: str, features: str, norm: nn.LayerNorm) -> str:
        scale = self.build.weight(f"{name}_weight", _array(norm.weight))
        offset = self.build.weight(f"{name}_bias", _array(norm.bias))
        inputs = [features, scale, offset]
        return self.build.node("LayerNormalization", inputs, name, axis=-1, epsilon=self._epsilon)

    def _gelu(self, name: str, features: str) -> str:
        """X times the normal distribution function of x (arXiv:1606.08415), by the exact erf."""
        build = self.build
        scaled = build.node("Div", [features, self._root_of_2], f"{name}_inner_scaled")
        error = build.node("Erf", [scaled], f"{name}_inner_erf")
        doubled = build.node("Add", [error, self._one], f"{name}_inner_doubled")
        gated = build.node("Mul", [features, doubled], f"{name}_inner_gated")
        return build.node("Mul", [gated, self._half], f"{name}_inner_active")


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().numpy()
    return array
