"""A training run small enough for tests: a few coloured images, narrow networks, seconds."""

import threading
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from t2f_train.config import Config, config_from_dict
from t2f_train.training_loop import TrainingRun, prepare_run

COLOURS = ("red", "green", "blue", "yellow", "white", "black", "brown", "pink")


class SilentReporter:
    """Remembers what the training loop tells."""

    def __init__(self):
        self.moments = []
        self.notes = []

    def preparing(self, task, done, total):
        pass

    def stepped(self, moment, losses):
        self.moments.append(moment)

    def note(self, text):
        self.notes.append(text)


class StopAfter(SilentReporter):
    """Asks for a stop when a number of steps is reached, as a signal would."""

    def __init__(self, step):
        super().__init__()
        self.step = step
        self.stop = threading.Event()

    def stepped(self, moment, losses):
        super().stepped(moment, losses)
        if moment.step >= self.step:
            self.stop.set()


def write_faces(folder: Path, count: int = 8, side: int = 16) -> Path:
    """Writes described images in the layout of a plain folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
        colour = COLOURS[number % len(COLOURS)]
        text = f"a face with {colour} hair\nsomebody whose hair is {colour}, smiling\n"
        (folder / f"{number:02}.txt").write_text(text, encoding="utf-8")
    return folder


def tiny_config(**changes) -> Config:
    """A run of two phases and ten steps; `changes` replace whole sections."""
    plain = {
        "data": {"reader": "folder"},
        "seed": 3,
        "text": {
            "vocabulary_size": 300,
            "maximum_tokens": 64,
            "embedding_size": 6,
            "sentence_size": 10,
        },
        "model": {
            "condition_size": 5,
            "noise_size": 4,
            "compressed_size": 3,
            "channel_base": 64,
            "channel_maximum": 8,
        },
        "output": {"log_every": 8, "sample_every": 16, "checkpoint_every": 16},
        "phases": [
            {"resolution": 4, "images": 16, "batch_size": 4},
            {"resolution": 8, "images": 24, "batch_size": 4, "fade_fraction": 0.5},
        ],
    }
    return config_from_dict({**plain, **changes}, source="tiny_config")


def train_tiny_run(
    base: Path,
    *,
    config: Config | None = None,
    reporter=None,
    name: str = "run",
    device: str = "cpu",
    warm_start=None,
) -> TrainingRun:
    """Trains, or continues, `base / name` on the images in `base / "faces"`, made if missing."""
    faces = base / "faces"
    if not faces.exists():
        write_faces(faces)
    reporter = reporter or SilentReporter()
    run = prepare_run(
        config or tiny_config(),
        data=faces,
        out=base / name,
        cache=base / "cache",
        device=torch.device(device),
        reporter=reporter,
        warm_start=warm_start,
    )
    run.train(getattr(reporter, "stop", threading.Event()))
    return run
