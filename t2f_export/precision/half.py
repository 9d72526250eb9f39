"""Rewrites a float32 graph for float16: strongly typed, with every sum of squares in float32.

TensorRT 11 takes precision from the graph alone, so the graph says of every tensor what it is.
Products of matrices and convolutions, which take the time, are float16; so is what only moves
values about. Everything else stays float32: the squares, means and roots of pixel norm, where a
square of 256 overflows and an epsilon of 1e-8 is zero; softmax, layer norm, logarithms; the LSTM,
whose state would be rounded once a token. Its weights, and other large ones, are stored in float16
all the same, and become float32 when a network is loaded.

ONNX Runtime's own converter (`onnxruntime.transformers.float16`) was tried first. It clips what is
out of range in silence, keeps the weights of whatever stays float32 in float32 (so all of an LSTM),
and decides by the nodes that are named to it rather than by what they compute.
"""

from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from t2f_export.errors import PrecisionError
from t2f_export.onnx_graph import NORM_SHARES

COMPUTED_IN_HALF: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators that are worth float16: nearly all of the time is theirs."""

MOVED: Final = frozenset(
    {
        "Clip",
        "DepthToSpace",
        "Flatten",
        "Gather",
        "Identity",
        "LeakyRelu",
        "Relu",
        "Reshape",
        "Slice",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators that give what they get, or no more than that: of whatever type their input is."""

FEWEST_STORED: Final = 1024
"""Weights of fewer values stay float32 where they are computed with in float32: an epsilon must,
and the others take no room."""

_OF_ANY_TYPE: Final = frozenset({"Cast", "DequantizeLinear", "QuantizeLinear"})
"""Operators that take what they get; a quantiser's scales stay as it wrote them."""

LARGEST: Final = float(np.finfo(np.float16).max) / 2
"""The largest magnitude that is let into float16: half of what fits, since descriptions that nobody
has tried may reach further."""

LARGEST_LOSS: Final = 0.01
"""The largest share of a weight's norm that rounding it may change; all but what is too small for
float16 loses less than a thousandth."""


def half_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrites a graph for float16.

    Args:
        model: A graph in float32, without subgraphs; not changed.

    Returns:
        The graph, of the same inputs and outputs.

    Raises:
        PrecisionError: A weight does not fit into float16; the message names its layer.
    """
    return _Rewriter(model, computed=COMPUTED_IN_HALF).rewrite()


def stored_in_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Stores a graph's large float32 weights in float16 and computes with them in float32.

    Raises:
        PrecisionError: As `half_graph`.
    """
    return _Rewriter(model, computed=frozenset()).rewrite()


def is_norm(node: onnx.NodeProto) -> bool:
    """Whether a node takes a mean of pixel norm, of squares that float16 cannot hold."""
    return any(name.startswith(NORM_SHARES) for name in node.input)


def half_tensors(half: onnx.ModelProto) -> set[str]:
    """Names of the values in a graph that are computed or moved in float16."""
    typed = onnx.shape_inference.infer_shapes(half, strict_mode=True)
    return {
        value.name
        for value in typed.graph.value_info
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16
    }


def to_half(values: NDArray[np.float32], name: str, layer: str) -> NDArray[np.float16]:
    """Rounds a weight to float16.

    Args:
        values: The weight, of any shape.
        name: The weight's name.
        layer: The layer that it belongs to.

    Raises:
        PrecisionError: It has values that overflow, or is so small that rounding loses it.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if not largest <= LARGEST:  # NaN too
        raise PrecisionError(
            f"layer {layer!r} cannot be float16: its {name} holds {largest:.3g}, and float16 ends "
            f"at {np.finfo(np.float16).max:.0f} (with room, {LARGEST:.0f}); leave float16 out, or "
            "train with a lower learning rate"
        )
    rounded = values.astype(np.float16)
    norm = float(np.linalg.norm(values.astype(np.float64)))
    lost = float(np.linalg.norm(rounded.astype(np.float64) - values))
    if lost > LARGEST_LOSS * norm:
        raise PrecisionError(
            f"layer {layer!r} cannot be float16: its {name}, {largest:.3g} at most, is too small, "
            f"and rounding it changes {lost / norm:.1%} of it; leave float16 out"
        )
    return rounded


class _Rewriter:
    """Goes through a graph once, from its inputs to its outputs."""

    def __init__(self, model: onnx.ModelProto, *, computed: frozenset[str]) -> None:
        self._computed = computed
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self._graph = self._model.graph
        self._weights = {weight.name: weight for weight in self._graph.initializer}
        self._floats = _float_tensors(self._model)
        self._half: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []
        self._stored: dict[str, onnx.TensorProto] = {}
        self._outputs = {output.name for output in self._graph.output}

    def rewrite(self) -> onnx.ModelProto:
        for node in self._graph.node:
            if any(attribute.HasField("g") for attribute in node.attribute):
                raise PrecisionError(f"{node.name!r} holds a graph of its own, which is not served")
            self._rewrite_node(node)
        used = {name for node in self._nodes for name in node.input}
        weights = [*self._weights.values(), *self._stored.values()]
        del self._graph.node[:], self._graph.initializer[:], self._graph.value_info[:]
        self._graph.node.extend(self._nodes)
        self._graph.initializer.extend(weight for weight in weights if weight.name in used)
        onnx.checker.check_model(self._model, full_check=True)
        return self._model

    def _rewrite_node(self, node: onnx.NodeProto) -> None:
        first = node.input[0] if node.input else ""
        is_half = (node.op_type in self._computed and not is_norm(node)) or (
            node.op_type in MOVED and (first in self._half or first in self._weights)
        )
        is_half = is_half and first in self._floats
        if node.op_type not in _OF_ANY_TYPE:
            for index, name in enumerate(node.input):
                if name in self._floats:
                    node.input[index] = self._typed(name, node, is_half=is_half)
        self._nodes.append(node)
        if is_half:
            for index, name in enumerate(node.output):
                self._give(node, index, name)

    def _give(self, node: onnx.NodeProto, index: int, name: str) -> None:
        """Marks an output as float16; what the whole graph gives stays float32."""
        if name not in self._outputs:
            self._half.add(name)
            return
        node.output[index] = f"{name}_half"
        self._half.add(f"{name}_half")
        self._cast(f"{name}_half", name, TensorProto.FLOAT)

    def _typed(self, name: str, node: onnx.NodeProto, *, is_half: bool) -> str:
        """Name of a value in the type that a node takes it in."""
        if name in self._weights:
            return self._typed_weight(name, node, is_half=is_half)
        if (name in self._half) == is_half:
            return name
        wanted = f"{name}_as_half" if is_half else f"{name}_as_float"
        if all(wanted not in made.output for made in self._nodes):
            self._cast(name, wanted, TensorProto.FLOAT16 if is_half else TensorProto.FLOAT)
        return wanted

    def _typed_weight(self, name: str, node: onnx.NodeProto, *, is_half: bool) -> str:
        values: NDArray[np.float32] = numpy_helper.to_array(self._weights[name])
        if not is_half and values.size < FEWEST_STORED:
            return name
        stored = f"{name}_half"
        if stored not in self._stored:
            layer = node.name or node.output[0]
            self._stored[stored] = numpy_helper.from_array(to_half(values, name, layer), stored)
        if is_half:
            return stored
        wanted = f"{name}_as_float"
        if all(wanted not in made.output for made in self._nodes):
            self._cast(stored, wanted, TensorProto.FLOAT)
        return wanted

    def _cast(self, source: str, target: str, to: int) -> None:
        self._nodes.append(
            helper.make_node("Cast", [source], [target], name=f"{target}_cast", to=to)
        )


def _float_tensors(model: onnx.ModelProto) -> set[str]:
    """Names of all values and weights in float32."""
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*typed.input, *typed.output, *typed.value_info)
    floats = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    return floats | {w.name for w in typed.initializer if w.data_type == TensorProto.FLOAT}
