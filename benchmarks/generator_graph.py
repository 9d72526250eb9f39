"""How fast the exported generator draws one face, beside what else its weights could be run with.

    python benchmarks/generator_graph.py PEER_VENV [--threads 2] [--rounds 30] [--processor]

The network is 64 pixels and 256 channels wide (128 at the last resolution), with random weights;
the batch is one. In turns, in one run: T2F's graph in ONNX Runtime, the same weights as
`torch.onnx` writes them from the plain form of the network (enlarge, convolve, norm) in ONNX
Runtime, that form in torch, and the generator of `pro-gan-pth` 1.3.3.3 (PEER_VENV, made if it is
missing) with weights of its own. Those with equal weights must draw the same picture before they
are timed. The order is another in each round, and ratios are within a round.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from measuring import interleave, ratios, spread, timed
from numpy.typing import NDArray
from peer_environment import peer_python
from rest import come_to_rest
from side_process import SideProcess
from torch import Tensor

LATENT = 256
CHANNELS = (256, 256, 256, 256, 128)
DEPTH = len(CHANNELS) - 1
PEER = "pro-gan-pth, eager"
OURS = "T2F's graph in ONNX Runtime"
PLAIN = "plain torch.onnx export in ONNX Runtime"
EAGER = "plain form in torch, eager"
PLAIN_NAMES = {"latent": {0: "batch"}, "image": {0: "batch"}}

Draw = Callable[[NDArray[np.float32]], NDArray[np.generic]]
"""From latents `(batch, LATENT)` to images."""


def peer_generator() -> Draw:
    """The peer's generator as its users run it."""
    package = importlib.import_module("pro_gan_pytorch.PRO_GAN")
    generator = package.Generator(depth=DEPTH + 1, latent_size=LATENT).eval()

    @torch.no_grad()
    def draw(latents: NDArray[np.float32]) -> NDArray[np.generic]:
        images: Tensor = generator(torch.from_numpy(latents), DEPTH, 1.0)
        return images.numpy()

    return draw


def our_generators(threads: int) -> dict[str, Draw]:
    """The sides that have the same weights."""
    import onnxruntime  # noqa: PLC0415 (not in the peer's environment)
    from plain_form import PlainGenerator, plain_export  # noqa: PLC0415 (as above)

    from t2f_export.frozen_model import freeze_generator  # noqa: PLC0415
    from t2f_export.processor_graph import processor_graph  # noqa: PLC0415
    from t2f_train.generator import Generator  # noqa: PLC0415

    generator = Generator(LATENT, CHANNELS).eval().requires_grad_(requires_grad=False)

    plain = PlainGenerator(generator, DEPTH)

    def session(model: bytes, *, spins: bool) -> Draw:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        if not spins:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        opened = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        name = opened.get_inputs()[0].name

        def draw(latents: NDArray[np.float32]) -> NDArray[np.generic]:
            images: NDArray[np.generic] = opened.run(None, {name: latents})[0]
            return images

        return draw

    @torch.no_grad()
    def eager(latents: NDArray[np.float32]) -> NDArray[np.generic]:
        images: NDArray[np.float32] = plain(torch.from_numpy(latents)).numpy()
        return images

    return {
        # As the runtime opens it, and the other one as ONNX Runtime does if nothing is said.
        OURS: session(
            processor_graph(freeze_generator(generator, DEPTH)).SerializeToString(), spins=False
        ),
        PLAIN: session(plain_export(plain, torch.randn(2, LATENT), PLAIN_NAMES), spins=True),
        EAGER: eager,
    }


def check_pictures(sides: dict[str, Draw], latents: NDArray[np.float32]) -> None:
    """Ends the program unless all sides draw the same, to one level of 255."""
    pictures = {}
    for name, draw in sides.items():
        images = draw(latents)
        if images.dtype != np.uint8:
            levels = np.clip(images * 127.5 + 128.0, 0.0, 255.0).astype(np.uint8)
            images = levels.transpose(0, 2, 3, 1)
        pictures[name] = images.astype(np.int16)
    for name, images in pictures.items():
        difference = np.abs(images - pictures[OURS]).max()
        if difference > 1:
            raise SystemExit(f"{name} draws another picture: {difference} of 255 levels apart")


def serve_peer(threads: int) -> None:
    """The peer's process: answers each line with the seconds of one face."""
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore")
    draw = peer_generator()
    latents = np.random.default_rng(0).standard_normal((1, LATENT), dtype=np.float32)
    for _ in sys.stdin:
        found = json.dumps(timed(lambda: draw(latents)))
        come_to_rest()
        print(found, flush=True)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("peer_venv", type=Path, nargs="?", help="folder of the peer's environment")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--processor", action="store_true", help="count processor time")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        serve_peer(options.threads)
        return
    if options.peer_venv is None:
        parser.error("give a folder for the peer's environment")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    latents = np.random.default_rng(0).standard_normal((1, LATENT), dtype=np.float32)
    sides = our_generators(options.threads)
    check_pictures(sides, latents)
    peer = SideProcess(
        peer_python(options.peer_venv), __file__, "--peer", "--threads", str(options.threads)
    )
    turns = {name: (lambda draw=draw: timed(lambda: draw(latents))) for name, draw in sides.items()}
    samples = interleave({**turns, PEER: lambda: peer.ask("one")}, rounds=options.rounds)
    peer.end()
    clock = "processor" if options.processor else "wall"
    print(
        f"{platform.machine()}, {options.threads} threads, Python {platform.python_version()}, "
        f"torch {version('torch')}, onnxruntime {version('onnxruntime')}, {options.rounds} rounds, "
        f"{clock} time"
    )
    print(f"{'':42}  ms a face   quartiles     T2F takes   quartiles")
    for name, found in samples.items():
        ms = spread([1e3 * sample[clock] for sample in found])
        takes = ratios(samples[OURS], found, clock=clock)
        quartiles = f"{takes['low']:.2f} to {takes['high']:.2f}"
        share = "" if name == OURS else f"{takes['median']:10.2f}   {quartiles}"
        print(f"{name:42} {ms['median']:8.1f}   {ms['low']:.1f} to {ms['high']:.1f} {share}")


if __name__ == "__main__":
    main()
