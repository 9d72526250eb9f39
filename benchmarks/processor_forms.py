"""For which networks the generator's second form is worth its file: both forms, in turns.

    python benchmarks/processor_forms.py [--threads 2] [--rounds 20] [--engine openvino]

One face of networks with random weights, of several widths and sizes, in the form of every bundle
(convolutions) and in that for processors (products of tiles of pixels). Both must draw the same
picture, to one level of 255, before they are timed. `t2f_export.processor_graph.is_quicker` is
where the line was drawn.
"""

import argparse
import os
import platform
import statistics
import time
from importlib.metadata import version

import numpy as np
import torch
from rest import come_to_rest

from t2f_export.frozen_model import freeze_generator
from t2f_export.onnx_graph import generator_graph
from t2f_export.processor_graph import is_quicker, processor_graph
from t2f_runtime.bundle.manifest import IMAGE, LATENT
from t2f_runtime.sessions import Session
from t2f_train.generator import Generator

LATENT_SIZE = 256
CHANNELS = (
    (64, 64, 64, 64, 32),
    (96, 96, 96, 48, 24),
    (96, 96, 96, 96, 48),
    (128, 128, 128, 128, 64),
    (192, 192, 192, 192, 96),
    (256, 256, 256, 256, 128),
    (512, 512, 512, 512, 256),
    (256, 256, 256, 256, 128, 64, 32),
)
"""Feature channels at 4, 8, 16 … pixels."""


def open_session(engine: str, model: bytes, threads: int) -> Session:
    """A network as the runtime opens it."""
    if engine == "openvino":
        from t2f_runtime.sessions.openvino_session import OpenVinoSession  # noqa: PLC0415

        return OpenVinoSession(model, threads=threads)
    from t2f_runtime.sessions.onnx_session import OnnxSession  # noqa: PLC0415 (one of the two)

    return OnnxSession(model, threads=threads)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--engine", choices=("onnxruntime", "openvino"), default="onnxruntime")
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {options.threads} threads, Python {platform.python_version()}, "
        f"{options.engine} {version(options.engine)}, {options.rounds} rounds, wall time"
    )
    print(f"{'channels':34}{'convolutions':>14}{'products':>13}{'ratio':>9}  quartiles     has it")
    latent = np.random.default_rng(0).standard_normal((1, LATENT_SIZE), dtype=np.float32)
    for channels in CHANNELS:
        torch.manual_seed(0)
        generator = freeze_generator(Generator(LATENT_SIZE, channels).eval(), len(channels) - 1)
        sides = [
            open_session(options.engine, graph(generator).SerializeToString(), options.threads)
            for graph in (generator_graph, processor_graph)
        ]
        pictures = [side.run({LATENT: latent})[IMAGE].astype(int) for side in sides]
        if np.abs(pictures[0] - pictures[1]).max() > 1:
            raise SystemExit(f"the forms of {channels} draw different pictures")
        times: list[list[float]] = []
        for _ in range(options.rounds):
            times.append([])
            for side in sides:
                come_to_rest()
                start = time.perf_counter()
                side.run({LATENT: latent})
                times[-1].append(1e3 * (time.perf_counter() - start))
        one, other = (statistics.median(column) for column in zip(*times, strict=True))
        low, middle, high = statistics.quantiles([b / a for a, b in times], n=4)
        print(
            f"{' '.join(map(str, channels)):34}{one:14.2f}{other:13.2f}{middle:9.2f}"
            f"{low:7.2f} to {high:.2f}  {'yes' if is_quicker(generator) else 'no'}"
        )


if __name__ == "__main__":
    main()
