"""What a network's graph costs: operations and bytes of each layer, counted from the ONNX file."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx

FLOAT_BYTES = 4

Shape = tuple[int, ...]


@dataclass(slots=True)
class LayerCost:
    """What a layer cannot do without."""

    name: str
    """As `layer_of` calls it."""
    operations: float = 0.0
    """Multiplications and additions."""
    weight_bytes: float = 0.0
    """Of its weights, each read once."""
    activation_bytes: float = 0.0
    """Of what comes from other layers and what goes to them; nothing that stays inside."""
    description: str = ""
    """Of its matrix products: shapes."""

    @property
    def bytes(self) -> float:
        """All that must be moved."""
        return self.weight_bytes + self.activation_bytes

    def floor_seconds(self, operations_a_second: float, bytes_a_second: float) -> float:
        """The least time that both rates allow.

        Source: Williams, Waterman and Patterson (2009), "Roofline: an insightful visual
        performance model for multicore architectures", Communications of the ACM 52(4).
        """
        return max(self.operations / operations_a_second, self.bytes / bytes_a_second)


def layer_of(node: str) -> str | None:
    """Which layer of T2F's graphs a node belongs to, by its name; None for one without a name.

    ONNX Runtime keeps the names of nodes that it fuses, with an ending of its own.
    """
    found = re.match(r"convolution_(\d+)(_|$)", node)
    if found:
        return f"convolution {found[1]}"
    if re.match(r"(dense|first|unscaled|scale)(_|$)", node):
        return "dense"
    if re.match(r"(levels|clipped|channels_last|image)(_|$)", node):
        return "to RGB"
    return None


def layer_costs(model: onnx.ModelProto, inputs: Mapping[str, Shape]) -> list[LayerCost]:
    """Counts a network's layers in their order.

    Args:
        model: The network, with names as T2F writes them.
        inputs: The shapes of what goes in.

    Raises:
        ValueError: If a node belongs to no layer, or its shape cannot be told.
    """
    shapes = tensor_shapes(model, inputs)
    weights = constants(model)
    costs: dict[str, LayerCost] = {}
    layer_of_tensor: dict[str, str] = {}
    for node in model.graph.node:
        layer = layer_of(node.name)
        if layer is None:
            raise ValueError(f"node {node.name!r} belongs to no layer that is known")
        if node.output[0] in weights:
            continue
        cost = costs.setdefault(layer, LayerCost(layer))
        cost.operations += node_operations(node, shapes)
        _describe(cost, node, shapes)
        for name in node.input:
            if name in weights:
                cost.weight_bytes += FLOAT_BYTES * math.prod(shapes[name])
        for name in node.output:
            layer_of_tensor[name] = layer
    _count_activations(model, shapes, weights, layer_of_tensor, costs)
    return list(costs.values())


def constants(model: onnx.ModelProto) -> set[str]:
    """The names of weights, and of what engines compute from weights alone when they load."""
    names = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if names.issuperset(node.input):
            names.update(node.output)
    return names


def tensor_shapes(model: onnx.ModelProto, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shape of every tensor, for inputs of given shapes."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        dimensions = value.type.tensor_type.shape.dim
        for dimension, size in zip(dimensions, inputs[value.name], strict=True):
            dimension.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)
    graph = inferred.graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        # The batch stays a name in what was declared; all batches are that of the input.
        sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
        batch = next(iter(inputs.values()))[0]
        shapes[value.name] = tuple(size or batch for size in sizes)
    return shapes


def node_operations(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> float:
    """Multiplications and additions of one node.

    A convolution or matrix product takes two for each weight that meets a value; what works value
    by value takes one for each; what only moves values takes none.
    """
    results = math.prod(shapes[node.output[0]])
    match node.op_type:
        case "Conv":
            return 2.0 * results * math.prod(shapes[node.input[1]][1:])
        case "Gemm" | "MatMul":
            return 2.0 * results * shapes[node.input[0]][-1]
        case "Concat" | "DepthToSpace" | "Reshape" | "Transpose" | "Slice" | "Cast":
            return 0.0
        case "Gather" | "Pad":
            return 0.0
        case "ReduceMean":
            return float(math.prod(shapes[node.input[0]]))
        case _:
            return float(results)


def _describe(cost: LayerCost, node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> None:
    """Describes a layer by its first product, which is the one that its time goes to."""
    if cost.description or node.op_type not in {"Conv", "Gemm"}:
        return
    kernel = shapes[node.input[1]]
    side = shapes[node.output[0]][-1]
    if node.op_type == "Gemm":
        cost.description = f"{kernel[1]} to {kernel[0]}"
    elif kernel[2] == 2:
        cost.description = f"{kernel[1]} to {kernel[0]}, doubles {side}x{side}"
    else:
        cost.description = f"{kernel[1]} to {kernel[0]}, {kernel[2]}x{kernel[2]} at {side}x{side}"


def _count_activations(
    model: onnx.ModelProto,
    shapes: Mapping[str, Shape],
    weights: set[str],
    layer_of_tensor: Mapping[str, str],
    costs: Mapping[str, LayerCost],
) -> None:
    outputs = {value.name for value in model.graph.output}
    seen: set[tuple[str, str]] = set()
    for node in model.graph.node:
        if node.output[0] in weights:
            continue
        layer = layer_of_tensor[node.output[0]]
        for name in _strangers(node.input, layer, layer_of_tensor, weights):
            size = FLOAT_BYTES * math.prod(shapes[name])
            if (layer, name) not in seen:
                costs[layer].activation_bytes += size
                seen.add((layer, name))
            maker = layer_of_tensor.get(name)
            if maker is not None and (maker, name) not in seen:
                costs[maker].activation_bytes += size
                seen.add((maker, name))
    for name in outputs:  # bytes, not floats: pictures
        costs[layer_of_tensor[name]].activation_bytes += math.prod(shapes[name])


def _strangers(
    names: Sequence[str], layer: str, layer_of_tensor: Mapping[str, str], weights: set[str]
) -> Iterable[str]:
    for name in names:
        if name not in weights and layer_of_tensor.get(name) != layer:
            yield name
