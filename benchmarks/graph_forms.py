"""Which form of the generator's graph is the quickest: upsampling and pixel norm, written in turns.

    python benchmarks/graph_forms.py [--threads 2] [--rounds 20] [--channels 256 256 256 256 128]

The network has random weights; without --channels it is that of `generator_graph.py`. One face. All
forms compute the same; each must draw the same picture, to one level of 255, before it is timed.
ONNX Runtime runs them, and OpenVINO where it is installed.

upsampling
    transposed: one transposed convolution of 4x4 with stride 2
    four phases: four convolutions of 2x2, one for each pixel of 2x2, and DepthToSpace, as T2F
      exports it
    joined phases: one convolution of 3x3 (of which 5 in 9 taps are zeros), and DepthToSpace
norm
    mean: square, mean over the channels, root, division
    sum: the sum of squares in one operator
    convolution: the mean as a convolution of 1x1, as T2F exports it
"""

import argparse
import importlib.util
import os
import platform
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from itertools import product
from unittest.mock import patch

import numpy as np
import onnx
import torch
from measuring import interleave, ratios, spread, timed
from numpy.typing import NDArray

from t2f_export import onnx_graph
from t2f_export.frozen_model import FrozenGenerator, freeze_generator
from t2f_export.onnx_graph import EPSILON, GraphBuilder
from t2f_train.generator import Generator
from t2f_train.layers import LEAKY_SLOPE

LATENT = 256
CHANNELS = (256, 256, 256, 256, 128)
UPSAMPLINGS = ("transposed", "four phases", "joined phases")
NORMS = ("mean", "sum", "convolution")

Draw = Callable[[NDArray[np.float32]], NDArray[np.uint8]]
"""From latents `(batch, LATENT)` to pictures."""

TAPS = ({1: 1, 0: 3}, {2: 0, 1: 2})
"""For both pixels of a pair: which tap of 3 in a row meets which tap of the 4x4 kernel."""


def form(generator: FrozenGenerator, upsampling: str, norm: str) -> onnx.ModelProto:
    """The generator's graph with one of `UPSAMPLINGS` and one of `NORMS`."""
    upsample = {"transposed": transposed, "joined phases": joined_phases}.get(upsampling)
    activate = {"mean": mean_norm, "sum": sum_norm}.get(norm)
    with ExitStack() as stack:
        if upsample is not None:
            stack.enter_context(patch.object(onnx_graph, "_upsample", upsample))
        if activate is not None:
            stack.enter_context(patch.object(onnx_graph, "activate", activate))
        return onnx_graph.generator_graph(generator)


def transposed(
    build: GraphBuilder, features: str, kernel: NDArray[np.float32], bias: str, name: str
) -> str:
    """One transposed convolution."""
    inputs = [features, build.weight(f"{name}_kernel", kernel), bias]
    return build.node("ConvTranspose", inputs, name, strides=[2, 2], pads=[1] * 4)


def joined_phases(
    build: GraphBuilder, features: str, kernel: NDArray[np.float32], bias: str, name: str
) -> str:
    """One convolution that gives all four pixels of 2x2."""
    inputs, outputs = kernel.shape[:2]
    phases = np.zeros((2, 2, outputs, inputs, 3, 3), np.float32)
    for row, column in product((0, 1), repeat=2):
        for (y, source_y), (x, source_x) in product(TAPS[row].items(), TAPS[column].items()):
            phases[row, column, :, :, y, x] = kernel[:, :, source_y, source_x].T
    joined = build.weight(f"{name}_kernel", phases.reshape(4 * outputs, inputs, 3, 3))
    biases = build.node("Concat", [bias] * 4, f"{name}_biases", axis=0)
    drawn = build.node("Conv", [features, joined, biases], f"{name}_drawn", pads=[1] * 4)
    return build.node("DepthToSpace", [drawn], name, blocksize=2, mode="DCR")


def mean_norm(build: GraphBuilder, features: str, channels: int) -> str:
    """The mean of the squares by ONNX's own reduction."""
    del channels
    active = build.node("LeakyRelu", [features], f"{features}_active", alpha=LEAKY_SLOPE)
    square = build.node("Mul", [active, active], f"{features}_square")
    mean = build.node("ReduceMean", [square], f"{features}_mean", axes=[1], keepdims=1)
    return divide_by_root(build, features, active, mean)


def sum_norm(build: GraphBuilder, features: str, channels: int) -> str:
    """The mean from the sum of squares, which is one operator."""
    active = build.node("LeakyRelu", [features], f"{features}_active", alpha=LEAKY_SLOPE)
    total = build.node("ReduceSumSquare", [active], f"{features}_sum", axes=[1], keepdims=1)
    share = build.weight(f"{features}_share", np.array(1.0 / channels, np.float32))
    mean = build.node("Mul", [total, share], f"{features}_mean")
    return divide_by_root(build, features, active, mean)


def divide_by_root(build: GraphBuilder, features: str, active: str, mean: str) -> str:
    """The end of every norm."""
    offset = build.node("Add", [mean, EPSILON], f"{features}_offset")
    root = build.node("Sqrt", [offset], f"{features}_root")
    return build.node("Div", [active, root], f"{features}_normed")


def open_onnx_runtime(model: onnx.ModelProto, threads: int) -> Draw:
    """A form in ONNX Runtime."""
    import onnxruntime  # noqa: PLC0415 (one engine at a time)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # As the runtime has it: threads that spin would take the CPUs of the side that has its turn.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def draw(latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        pictures: NDArray[np.uint8] = session.run(None, {"latent": latents})[0]
        return pictures

    return draw


def open_openvino(model: onnx.ModelProto, threads: int) -> Draw:
    """A form in OpenVINO, in float32."""
    import openvino  # noqa: PLC0415 (one engine at a time)

    core = openvino.Core()
    read = core.read_model(model.SerializeToString())
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(read, "CPU", settings)

    def draw(latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        pictures: NDArray[np.uint8] = compiled({"latent": latents})[0]
        return pictures

    return draw


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--channels", type=int, nargs="+", default=list(CHANNELS))
    parser.add_argument("--processor", action="store_true", help="count processor time")
    options = parser.parse_args()
    torch.manual_seed(0)
    channels = tuple(options.channels)
    generator = freeze_generator(Generator(LATENT, channels).eval(), len(channels) - 1)
    engines = {"ONNX Runtime": open_onnx_runtime}
    versions = f"onnxruntime {version('onnxruntime')}"
    if importlib.util.find_spec("openvino"):
        engines["OpenVINO"] = open_openvino
        versions += f", openvino {version('openvino')}"
    sides = {
        (engine, upsampling, norm): start(form(generator, upsampling, norm), options.threads)
        for engine, start in engines.items()
        for upsampling in UPSAMPLINGS
        for norm in NORMS
    }
    latents = np.random.default_rng(0).standard_normal((1, LATENT), dtype=np.float32)
    model = form(generator, UPSAMPLINGS[0], NORMS[0])
    expected = open_onnx_runtime(model, options.threads)(latents).astype(np.int16)
    for side, draw in sides.items():
        difference = np.abs(draw(latents) - expected).max()
        if difference > 1:
            raise SystemExit(f"{side} draws another picture: {difference} of 255 levels apart")
    samples = interleave(
        {name: (lambda draw=draw: timed(lambda: draw(latents))) for name, draw in sides.items()},
        rounds=options.rounds,
    )
    clock = "processor" if options.processor else "wall"
    print(
        f"{platform.machine()}, {options.threads} threads, Python {platform.python_version()}, "
        f"{versions}, {options.rounds} rounds, {clock} time"
    )
    print(f"{'engine':13} {'upsampling':14} {'norm':12} ms a face   quartiles       of the first")
    first = samples["ONNX Runtime", UPSAMPLINGS[0], NORMS[0]]
    for (engine, upsampling, norm), found in samples.items():
        ms = spread([1e3 * sample[clock] for sample in found])
        share = ratios(found, first, clock=clock)["median"]
        print(
            f"{engine:13} {upsampling:14} {norm:12} {ms['median']:8.1f}   {ms['low']:5.1f} to "
            f"{ms['high']:5.1f} {share:10.2f}"
        )


if __name__ == "__main__":
    main()
