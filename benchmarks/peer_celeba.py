"""What `pro-gan-pth` 1.3.3.3 learns of CelebA in so many minutes: T2F's data, the peer's training.

    python benchmarks/peer_celeba.py PEER_VENV OUT --data DIR --minutes 75 \
        [--asked asked.json] [--descriptions FILE] [--latent-size 64] [--clock processor]

PEER_VENV is a folder for the peer's own environment, made if it is missing, with the same torch and
T2F in it. OUT holds the run; the same command goes on with one that was interrupted, whose spent
minutes count, and draws once they are spent. To put its numbers beside those of a run of T2F:

    t2f evaluate RUN --ask asked.json
    python benchmarks/peer_celeba.py PEER_VENV OUT ... --asked asked.json
    t2f evaluate RUN --beside OUT/pictures.npz

Data, crop, held-out photographs, flips and descriptions are those of T2F's preset; the rest is the
peer's (`peer_model.py` says where the glue departs from the original, and why). Its published
settings stay: learning rate 0.001, Adam's betas 0 and 0.99, drift 0.001, penalty 10, the
matching-aware term, averaged weights with 0.999, batches of 16. What its user must choose for a
budget of minutes on a modest machine is chosen so:

- Text encoder. A frozen pretrained one (MiniLM for InferSent), as in the original's configuration
  for 64 pixels. `--encoder lstm` trains an LSTM as its first configuration does, by the generator's
  gradients alone, which make all descriptions alike: after 27,000 images at 4 to 16 pixels its
  embeddings differed by 0.003 around a mean of 0.95, and no word changed the pictures.
- Minutes. The article halves its epochs from resolution to resolution, 160 : 80 : 40 : 20 : 10.
  What that takes, with the images/s that the peer reached on one core (357, 130, 34, 10.5 and 4.4
  with 64 features, 127, 44, 12.8, 3.1 and 1.3 with 128), is 7 : 10 : 18 : 30 : 35 and
  6 : 9 : 15 : 32 : 37 of the time: the default shares are 6 : 10 : 17 : 31 : 36. Equal epochs, as
  in the original's configurations, would leave the first three resolutions a tenth of the time.
- Features. With the published 256, an hour on two cores gives 64 pixels about 1,000 images; with
  128, 4,000; with 64, 12,000. The default is 64, whose convolutions cost about what those of
  T2F's preset do; --latent-size chooses others.
- Fading takes the first half of each phase, as in the original's configurations (the article: 50 to
  85 %).
- The newest weights draw, as on the original's own sheets: the averaged ones remember 1,000 steps,
  more than the last phases have, and the layers of those begin from chance. Sheets of both are
  drawn; --averaged draws the pictures with those.

The budget is time spent in steps and in fetching their batches; reading images, saving and drawing
do not count. `--clock processor` counts processor time divided by the threads instead, for a
machine that is in use. OUT/result.json has both.
"""

import argparse
import importlib.util
import io
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from filelock import FileLock
from peer_budget import SHARES, Budget, Progress
from peer_environment import PEER, peer_python

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.cache_folder import cache_folder
from t2f_runtime.commands.options import read_descriptions
from t2f_runtime.errors import T2FError
from t2f_runtime.pictures.sheet import contact_sheet
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.config import Config, Phase, load_config
from t2f_train.data.batches import Batch, FaceBatches
from t2f_train.data.held_out import split_faces
from t2f_train.data.pyramid import ImagePyramid
from t2f_train.data.readers import read_faces
from t2f_train.minilm import MiniLMEncoder
from t2f_train.minilm_package import read_vocabulary
from t2f_train.minilm_sentences import cached_sentences
from t2f_train.provenance import library_versions, source_commit
from t2f_train.schedule import Moment
from t2f_train.tokenizer import open_tokenizer, train_tokenizer

if TYPE_CHECKING:
    from peer_model import Peer

SIDE = 64
FACES_A_ROW = 8
SECONDS_BETWEEN_LINES = 15.0
SECONDS_BETWEEN_SAVES = 180.0


class PeerRun:
    """A run of the peer in its folder, begun or continued.

    Args:
        options: The command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._folder: Path = options.out
        self.budget = Budget(options.minutes * 60.0, tuple(options.shares), options.fade)
        config = load_config(options.config, [*options.set, f"text.encoder={options.encoder}"])
        tokenizer, self._batches, record = _open_data(config, options)
        self._keep_record(record)
        self._seed = config.seed
        self.progress = Progress()
        self.peer = self._new_peer(config, tokenizer)
        if isinstance(self.peer.encoder, MiniLMEncoder):
            self._read_descriptions(self.peer.encoder)
        if self._state.exists():
            self.progress = Progress.from_dict(self.peer.load(self._state))
            print(f"continuing after {self._minutes():.1f} of {options.minutes:g} minutes")
        self._cut_log()

    def _new_peer(self, config: Config, tokenizer: Tokenizer) -> "Peer":
        from peer_model import Peer, PeerSettings  # noqa: PLC0415 (in the peer's environment only)

        torch.manual_seed(self._seed)
        settings = PeerSettings(self._options.latent_size, self._options.ema_decay)
        return Peer(settings, config.text, tokenizer)

    def _read_descriptions(self, encoder: MiniLMEncoder) -> None:
        """Reads the descriptions once for all steps, since the text encoder does not learn."""

        def tell(done: int, total: int) -> None:
            if done == total:
                print(f"{total:,} descriptions read")

        cache = self._options.cache
        self._batches.remember_sentences(
            lambda rows: cached_sentences(encoder, rows, cache=cache, progress=tell)
        )

    @property
    def _state(self) -> Path:
        return self._folder / "state.pt"

    @property
    def _log(self) -> Path:
        return self._folder / "progress.jsonl"

    @property
    def is_finished(self) -> bool:
        """Whether the budget is spent."""
        return self._spent() >= self.budget.seconds

    def _spent(self) -> float:
        return self.progress.spent(self._options.clock, self._options.threads)

    def _minutes(self) -> float:
        return self._spent() / 60.0

    def _keep_record(self, record: dict[str, Any]) -> None:
        path = self._folder / "run.json"
        content = json.dumps(record, indent=2).encode() + b"\n"
        if path.exists() and json.loads(path.read_bytes()) != json.loads(content):
            raise SystemExit(
                f"{path} is of another run: its settings, data or versions differ; give those "
                f"again or name a new folder"
            )
        write_atomically(path, content)

    def _cut_log(self) -> None:
        """Drops the lines from after the saved state, which will be trained and logged again."""
        lines = self._log.read_text("utf-8").splitlines() if self._log.exists() else []
        steps = self.progress.steps.total()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= steps]
        write_atomically(self._log, "".join(f"{line}\n" for line in kept).encode())

    def train(self, stop: threading.Event) -> None:
        """Takes steps until the budget is spent or `stop` is set, and saves."""
        torch.manual_seed(self._seed + self.progress.steps.total())
        # The peer draws from it whose description is somebody else's.
        np.random.seed(self._seed + self.progress.steps.total())  # noqa: NPY002
        saved = logged = time.monotonic()
        losses: list[dict[str, float]] = []
        batches: Iterator[Batch] = iter(())
        opened = -1
        while not (self.is_finished or stop.is_set()):
            depth, fade = self.budget.place(self._spent())
            wall, processor = time.perf_counter(), time.process_time()
            if depth != opened:
                batches, opened = self._batches_at(depth), depth
            losses.append(self.peer.train_step(next(batches), depth, fade))
            self.progress.wall += time.perf_counter() - wall
            self.progress.processor += time.process_time() - processor
            self.progress.steps[depth] += 1
            now = time.monotonic()
            if now - logged >= SECONDS_BETWEEN_LINES or self.is_finished:
                self._write_line(depth, fade, losses)
                losses, logged = [], now
            if now - saved >= SECONDS_BETWEEN_SAVES:
                self.peer.save(self._state, self.progress.to_dict())
                saved = now
        self.peer.save(self._state, self.progress.to_dict())

    def _batches_at(self, depth: int) -> Iterator[Batch]:
        """Batches of whole pictures, which the peer makes smaller itself."""
        size = self._options.batch_size
        steps = self.progress.steps
        phase = Phase(resolution=SIDE, images=size, batch_size=size)
        moment = Moment(steps.total(), steps.total() * size, depth, steps[depth], phase, 1.0)
        return self._batches.from_moment(moment)

    def _write_line(self, depth: int, fade: float, losses: list[dict[str, float]]) -> None:
        size = self._options.batch_size
        means = {name: float(np.mean([row[name] for row in losses])) for name in losses[0]}
        line = {
            "minutes": round(self.progress.wall / 60.0, 3),
            "processor_minutes": round(self.progress.processor / 60.0, 3),
            "step": self.progress.steps.total(),
            "images_seen": self.progress.steps.total() * size,
            "resolution": 4 << depth,
            "fade": round(fade, 4),
            **means,
        }
        if not all(np.isfinite(value) for value in means.values()):
            raise SystemExit(f"training diverged: {line}; the last saved state stays")
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(
            f"{line['resolution']:2} pixels, fade {fade:.2f}: {line['images_seen']:,} images, "
            f"{self._minutes():.1f} of {self._options.minutes:g} minutes, discriminator "
            f"{means['discriminator_loss']:.2f}, generator {means['generator_loss']:.2f}",
            flush=True,
        )

    def write_result(self) -> None:
        """Writes what was spent, on which machine."""
        result = {
            "minutes": self.progress.wall / 60.0,
            "processor_minutes": self.progress.processor / 60.0,
            "images": self.progress.images(self._options.batch_size),
            "threads": self._options.threads,
            "machine": _machine(),
            "commit": source_commit(),
        }
        content = json.dumps(result, indent=2).encode() + b"\n"
        write_atomically(self._folder / "result.json", content)
        print(content.decode(), end="")

    def _draw(
        self, texts: list[str], seeds: list[int], indices: list[int], *, is_averaged: bool
    ) -> np.ndarray:
        depth, fade = self.budget.place(self._spent())
        return self.peer.draw(
            texts, seeds=seeds, indices=indices, depth=depth, fade=fade, is_averaged=is_averaged
        )

    def write_sheets(self, descriptions: tuple[str, ...]) -> None:
        """Draws a row of each description, with the newest weights and with the averaged ones."""
        texts = [text for text in descriptions for _ in range(FACES_A_ROW)]
        indices = list(range(FACES_A_ROW)) * len(descriptions)
        for name, is_averaged in (("newest", False), ("averaged", True)):
            faces = self._draw(texts, [0] * len(texts), indices, is_averaged=is_averaged)
            rows = faces.reshape(len(descriptions), FACES_A_ROW, *faces.shape[1:])
            sheet = contact_sheet(
                list(zip(descriptions, rows, strict=True)), scale=max(1, 128 // faces.shape[1])
            )
            content = io.BytesIO()
            sheet.save(content, format="PNG")
            write_atomically(self._folder / f"sheet-{name}.png", content.getvalue())
            print(self._folder / f"sheet-{name}.png")

    def write_pictures(self, asked: list[dict[str, Any]]) -> None:
        """Draws what an evaluation asks for."""
        texts, seeds, indices = (
            [row[name] for row in asked] for name in ("description", "seed", "index")
        )
        pictures = self._draw(texts, seeds, indices, is_averaged=self._options.averaged)
        content = io.BytesIO()
        np.savez_compressed(
            content,
            name=np.array(f"{PEER.replace('==', ' ')}, {self._options.minutes:g} minutes"),
            pictures=pictures,
            descriptions=np.array(texts),
            seeds=np.array(seeds, np.uint64),
            indices=np.array(indices, np.uint64),
        )
        write_atomically(self._folder / "pictures.npz", content.getvalue())
        print(self._folder / "pictures.npz")


def _open_data(
    config: Config, options: argparse.Namespace
) -> tuple[Tokenizer, FaceBatches, dict[str, Any]]:
    """What reads descriptions, the batches of training, and what the run is."""
    faces, _ = split_faces(read_faces(config.data.reader, options.data), config.data.held_out)
    pyramid = ImagePyramid.open(faces, crop=config.data.crop, resolution=SIDE, cache=options.cache)
    descriptions = [text for face in faces for text in face.descriptions]
    if config.text.encoder == "minilm":
        vocabulary = read_vocabulary()
    else:
        vocabulary = train_tokenizer(descriptions, config.text.vocabulary_size)
    tokenizer = open_tokenizer(vocabulary, config.text)
    flips = config.data.horizontal_flips
    batches = FaceBatches(faces, pyramid, tokenizer, seed=config.seed, flips=flips)
    batches.check_batch_size(options.batch_size)
    names = ("minutes", "clock", "shares", "fade", "latent_size", "batch_size", "ema_decay")
    record = {
        **{name: getattr(options, name) for name in names},
        "threads": options.threads,
        "data": config.to_dict()["data"],
        "text": config.to_dict()["text"],
        "seed": config.seed,
        "data_fingerprint": pyramid.fingerprint,
        "data_images": len(faces),
        "versions": {**library_versions(), "pro-gan-pth": version("pro-gan-pth")},
    }
    return tokenizer, batches, record


def _machine() -> str:
    """Processor and number of cores."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores"


def work(options: argparse.Namespace) -> None:
    """Trains and draws, in the peer's environment."""
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with FileLock(options.out / ".lock", blocking=False):
        run = PeerRun(options)
        run.train(stop)
        if not run.is_finished:
            raise SystemExit("stopped and saved; the same command goes on")
        run.write_result()
        if options.descriptions:
            with options.descriptions.open("rb") as file:
                run.write_sheets(read_descriptions(file))
        if options.asked:
            run.write_pictures(json.loads(options.asked.read_bytes()))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("peer_venv", type=Path, help="folder of the peer's environment")
    parser.add_argument("out", type=Path, help="folder of the run")
    parser.add_argument("--data", type=Path, required=True, help="folder of CelebA")
    parser.add_argument("--minutes", type=float, required=True, help="budget of training")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--config", default="celeba", help="T2F's preset: data and text")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--encoder", choices=("minilm", "lstm"), default="minilm")
    parser.add_argument("--latent-size", type=int, default=64, help="a power of two")
    parser.add_argument("--shares", type=float, nargs=5, default=list(SHARES))
    parser.add_argument("--fade", type=float, default=0.5, help="share of a phase that fades")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--ema-decay", type=float, default=0.999)
    parser.add_argument("--cache", type=Path, default=cache_folder())
    parser.add_argument("--descriptions", type=Path, help="rows of the sheets, one a line")
    parser.add_argument("--asked", type=Path, help="what t2f evaluate --ask has written")
    parser.add_argument("--averaged", action="store_true", help="averaged weights draw pictures")
    options = parser.parse_args()
    if options.minutes <= 0.0 or min(options.shares) <= 0.0 or not 0.0 <= options.fade <= 1.0:
        parser.error("minutes and shares must be above 0, fade from 0 to 1")
    return options


def main() -> None:
    """Starts itself again in the peer's environment, where that is not the one that it is in."""
    options = _parse()
    if importlib.util.find_spec("pro_gan_pytorch") is None:
        python = peer_python(options.peer_venv, with_t2f=True)
        # In this process's place, so that signals reach the one that trains.
        os.execv(python, [str(python), *sys.argv])  # noqa: S606
    try:
        work(options)
    except T2FError as error:
        raise SystemExit(f"Error: {error}") from error


if __name__ == "__main__":
    main()
