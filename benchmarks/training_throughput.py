"""How fast one step trains, beside `pro-gan-pth` 1.3.3.3, which the article's code trained with.

    python benchmarks/training_throughput.py PEER_VENV [--resolutions 4 8 16 32 64] [--threads 2]

PEER_VENV is a folder for the peer's own environment, made if it is missing. Both sides train the
same widths (256 channels up to 32 pixels, 128 at 64) on batches of 16 made-up images, each in a
process of its own, in turns: the peer, T2F with the penalty at every step, T2F with the penalty at
every eighth (always whole cycles of eight), and again.

A step is all that a side does with one batch: the discriminator's loss with the mismatched pair,
drift and WGAN-GP's penalty, the generator's loss, both optimisers and the averaged weights, while
the newest layers fade in. Both get ready embeddings of the descriptions, as from a frozen encoder;
T2F's step also holds its conditioning augmentation, which the peer has not. With --text-encoder it
reads tokens with its own encoder and trains that too, which the peer cannot.

Memory is the most that a side's process ever held (ru_maxrss) less what it held when its code was
loaded and nothing built yet: weights, averaged weights, Adam's moments and the step's peak.
Linux only. GFLOP is what the convolutions and matrix products of a step take, as they are computed.
"""

import argparse
import importlib
import json
import os
import platform
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from peer_environment import peer_python
from side_process import SideProcess

RESOLUTIONS = (4, 8, 16, 32, 64)
BATCH = 16
TOKENS = 24
CYCLE = 8
SIDES = ("peer", "every step", "every 8th")


def peer_step(resolution: int, fade: float) -> Callable[[], object]:
    """The whole step of the peer, on a batch of its final resolution, which it halves itself."""
    import torch  # noqa: PLC0415
    from pro_gan_pytorch.PRO_GAN import ConditionalProGAN  # noqa: PLC0415

    # Its Adam refuses the integer 0 that it has by default.
    gan = ConditionalProGAN(
        256, depth=5, latent_size=256, compressed_latent_size=128, beta_1=0.0, loss="wgan-gp"
    )
    depth = RESOLUTIONS.index(resolution)
    images = torch.rand(BATCH, 3, 64, 64) * 2.0 - 1.0
    embeddings = torch.randn(BATCH, 256)

    def step() -> None:
        noise = torch.randn(BATCH, 256)
        gan.optimize_discriminator(noise, images, embeddings, depth, fade)
        gan.optimize_generator(noise, embeddings, depth, fade)

    return step


def our_step(
    resolution: int, fade: float, interval: int, *, is_reading: bool
) -> Callable[[], object]:
    """The whole step of T2F, with its penalty at every `interval`-th step from the first on."""
    import torch  # noqa: PLC0415

    from t2f_train.config import config_from_dict  # noqa: PLC0415
    from t2f_train.data.batches import Batch  # noqa: PLC0415
    from t2f_train.schedule import Moment  # noqa: PLC0415
    from t2f_train.training_step import Networks, draw_step_noise, train_step  # noqa: PLC0415

    phases = [{"resolution": r, "images": 100_000, "batch_size": BATCH} for r in RESOLUTIONS]
    config = config_from_dict(
        {
            "data": {"reader": "folder"},
            "text": {"vocabulary_size": 1000, "sentence_size": 256},
            "model": {"channel_maximum": 256, "channel_base": 8192, "compressed_size": 128},
            "optimiser": {"loss": "wgan-gp", "penalty_interval": interval},
            "phases": phases,
        },
        source="benchmark",
    )
    index = RESOLUTIONS.index(resolution)
    device = torch.device("cpu")
    networks = Networks(config, config.text.vocabulary_size, device)
    networks.start_phase(index)
    pixels = torch.randint(0, 256, (BATCH, resolution, resolution, 3), dtype=torch.uint8)
    tokens = torch.randint(2, config.text.vocabulary_size, (BATCH, TOKENS))
    batch = Batch(pixels, tokens, sentence=None if is_reading else torch.randn(BATCH, 256))
    count = 0

    def step() -> None:
        nonlocal count
        moment = Moment(count, count * BATCH, index, count, config.phases[index], fade)
        noise = draw_step_noise(config, moment, device)
        train_step(networks, batch, noise, moment, config.optimiser)
        count += 1

    return step


def resident_mib() -> float:
    """Memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def work(side: str, resolution: int, options: argparse.Namespace) -> None:
    """One side in its process: answers each number of steps on stdin with a line of JSON."""
    import torch  # noqa: PLC0415

    # Of the peer's calls, which today's torch deprecates.
    warnings.filterwarnings("ignore", message=".*upsample.* is deprecated")
    importlib.import_module("pro_gan_pytorch" if side == "peer" else "t2f_train.training_step")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    before = resident_mib()
    fade = options.fade if resolution > RESOLUTIONS[0] else 1.0
    is_reading = options.text_encoder
    match side:
        case "peer":
            step = peer_step(resolution, fade)
        case "every step":
            step = our_step(resolution, fade, 1, is_reading=is_reading)
        case _:
            step = our_step(resolution, fade, CYCLE, is_reading=is_reading)
    operations = count_operations(step)
    if side == "every 8th":  # the first of eight steps has the penalty
        operations = (operations + (CYCLE - 1) * count_operations(step)) / CYCLE
    for line in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step()
        answer = {
            "wall": time.perf_counter() - wall,
            "processor": time.process_time() - processor,
            "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before,
            "gflop": operations / 1e9,
        }
        print(json.dumps(answer), flush=True)


def count_operations(step: Callable[[], object]) -> float:
    """Multiplications and additions of a step's convolutions and matrix products."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


class Worker:
    """A side's process, asked for steps."""

    def __init__(
        self, python: Path, side: str, resolution: int, options: argparse.Namespace
    ) -> None:
        command = [__file__, "--side", side, "--resolutions", str(resolution)]
        command += ["--threads", str(options.threads), "--fade", str(options.fade)]
        command += ["--text-encoder"] * options.text_encoder
        self.process = SideProcess(python, *command)

    def steps(self, count: int) -> dict[str, Any]:
        """Takes steps and tells the seconds of each and the peak memory so far."""
        values = self.process.ask(str(count))
        return {**values, "wall": values["wall"] / count, "processor": values["processor"] / count}


@contextmanager
def workers(
    peer: Path, resolution: int, options: argparse.Namespace
) -> Iterator[dict[str, Worker]]:
    """The three sides' processes, ended afterwards."""
    started = {}
    try:
        for side in SIDES:
            python = peer if side == "peer" else Path(sys.executable)
            started[side] = Worker(python, side, resolution, options)
        yield started
    finally:
        for worker in started.values():
            worker.process.end()


def measure(peer: Path, resolution: int, options: argparse.Namespace) -> None:
    """Measures one resolution and prints its rows."""
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    memory, work_done = dict.fromkeys(SIDES, 0.0), dict.fromkeys(SIDES, 0.0)
    with workers(peer, resolution, options) as sides:
        for worker in sides.values():
            warm = worker.steps(1)["wall"]
        # Steps of milliseconds are taken several at a time, whole cycles always.
        repeats = max(1, round(0.5 / warm))
        for _ in range(options.rounds):
            for side, worker in sides.items():
                # Any eight steps in a row hold one penalty.
                count = -(-repeats // CYCLE) * CYCLE if side == "every 8th" else repeats
                answer = worker.steps(count)
                seconds[side].append(answer["processor" if options.processor else "wall"])
                memory[side], work_done[side] = answer["mib"], answer["gflop"]
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    for side, values in seconds.items():
        print(
            f"{resolution:4} {side:11} {BATCH / medians[side]:8.2f} "
            f"{BATCH / max(values):8.2f} to {BATCH / min(values):<8.2f} "
            f"{medians['peer'] / medians[side]:6.2f} {memory[side]:8.0f} "
            f"{work_done[side]:8.1f} {work_done[side] / medians[side]:8.1f}",
            flush=True,
        )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("peer_venv", type=Path, nargs="?", help="folder of the peer's environment")
    parser.add_argument("--resolutions", type=int, nargs="+", default=list(RESOLUTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fade", type=float, default=0.5, help="weight of the newest layers")
    parser.add_argument(
        "--processor", action="store_true", help="count processor time, for a machine in use"
    )
    parser.add_argument(
        "--text-encoder", action="store_true", help="train T2F's text encoder in its steps"
    )
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work(options.side, options.resolutions[0], options)
        return
    if options.peer_venv is None:
        parser.error("give a folder for the peer's environment")
    peer = peer_python(options.peer_venv)
    print(
        f"{platform.machine()}, {options.threads} threads, Python {platform.python_version()}, "
        f"torch {version('torch')}, batch {BATCH}, fade {options.fade}, {options.rounds} rounds, "
        f"{'processor' if options.processor else 'wall'} time"
        f"{', T2F with its text encoder' if options.text_encoder else ''}"
    )
    print("side penalty     images/s  slowest to fastest   ratio peak MiB    GFLOP  GFLOP/s")
    for resolution in options.resolutions:
        measure(peer, resolution, options)


if __name__ == "__main__":
    main()
