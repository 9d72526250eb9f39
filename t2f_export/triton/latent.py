"""The step between the two graphs, as a graph: for servers that run no Python of ours."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from t2f_export.onnx_graph import GraphBuilder
from t2f_runtime.bundle.manifest import (
    BATCH,
    CONDITION_LOG_VARIANCE,
    CONDITION_MEAN,
    LATENT,
    Graph,
    Tensor,
)

NOISE = "noise"
"""Standard normal numbers, as many as the latent has: `t2f_runtime.latent.draw_noise`."""

EPSILON = 1e-8
"""That of `t2f_runtime.latent.on_hypersphere`."""


def latent_step(file: str, *, condition_size: int, latent_size: int) -> Graph:
    """What the graph takes and gives; of a model without text, noise alone."""

    def tensor(name: str, size: int) -> Tensor:
        return Tensor(name=name, dtype="float32", shape=(BATCH, size))

    conditions = [
        tensor(name, condition_size)
        for name in (CONDITION_MEAN, CONDITION_LOG_VARIANCE)
        if condition_size
    ]
    return Graph(
        file=file,
        inputs=(*conditions, tensor(NOISE, latent_size)),
        outputs=(tensor(LATENT, latent_size),),
    )


def latent_graph(step: Graph) -> onnx.ModelProto:
    """The graph from noise, and the condition's mean and log-variance, to the latent.

    Inputs and outputs are those of `latent_step`, all float32. It is what
    `t2f_runtime.latent.draw_latent` does with its noise; see there for the sources.
    """
    build = GraphBuilder()
    joined = NOISE
    if len(step.inputs) > 1:
        joined = _join_condition(build, step)
    square = build.node("Mul", [joined, joined], "square")
    mean = build.node("ReduceMean", [square], "mean_square", axes=[1], keepdims=1)
    epsilon = build.weight("epsilon", np.array(EPSILON, np.float32))
    root = build.node("Sqrt", [build.node("Add", [mean, epsilon], "offset")], "root")
    build.node("Div", [joined, root], LATENT)
    return build.model(
        "latent",
        [_value(tensor) for tensor in step.inputs],
        [_value(tensor) for tensor in step.outputs],
    )


def _join_condition(build: GraphBuilder, step: Graph) -> str:
    condition_size, latent_size = step.inputs[0].shape[1], step.inputs[-1].shape[1]
    bounds = {
        name: build.weight(f"noise_{name}", np.array([value], np.int64))
        for name, value in (
            ("start", 0),
            ("middle", condition_size),
            ("end", latent_size),
            ("axis", 1),
        )
    }

    def part(name: str, first: str, last: str) -> str:
        inputs = [NOISE, bounds[first], bounds[last], bounds["axis"]]
        return build.node("Slice", inputs, name)

    half = build.weight("half", np.array(0.5, np.float32))
    halved = build.node("Mul", [CONDITION_LOG_VARIANCE, half], "log_deviation")
    deviation = build.node("Exp", [halved], "deviation")
    spread = build.node("Mul", [deviation, part("epsilon_drawn", "start", "middle")], "spread")
    condition = build.node("Add", [CONDITION_MEAN, spread], "condition")
    return build.node("Concat", [condition, part("rest", "middle", "end")], "joined", axis=1)


def _value(tensor: Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, list(tensor.shape))
