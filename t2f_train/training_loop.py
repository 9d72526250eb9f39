"""The training loop: prepares a run, takes its steps, writes what it makes."""

import hashlib
import math
import platform
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from t2f_runtime.text import Tokenizer
from t2f_train.checkpoint import Place, latest_checkpoint, load_checkpoint, save_checkpoint
from t2f_train.config import Config
from t2f_train.data.batches import FaceBatches
from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.held_out import split_faces
from t2f_train.data.pyramid import ImagePyramid
from t2f_train.data.readers import read_faces
from t2f_train.errors import ConfigError, DivergedError, RunError
from t2f_train.progress import Reporter
from t2f_train.run_folder import RunFolder, RunRecord
from t2f_train.samples import SampleSheets
from t2f_train.schedule import Moment, Schedule
from t2f_train.tokenizer import train_tokenizer
from t2f_train.training_step import Networks, draw_step_noise, train_step
from t2f_train.warm_start import WarmStart

SAMPLED_DESCRIPTIONS = 6
"""Descriptions on a sample sheet, taken at equal distances from the data."""


@dataclass
class RunningLosses:
    """Sums of losses since the last line of the log; one value that is not finite spoils them."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, losses: dict[str, Tensor]) -> None:
        """Adds one step's losses, without waiting for the device; not every step has all."""
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + loss
            self.counts[name] = self.counts.get(name, 0) + 1

    def totals(self) -> dict[str, float]:
        """The sums as numbers."""
        return {name: float(total) for name, total in self.sums.items()}

    def means(self) -> dict[str, float]:
        """Means over the steps since the last call, which starts anew."""
        means = {name: total / self.counts[name] for name, total in self.totals().items()}
        self.sums, self.counts = {}, {}
        return means


class TrainingRun:
    """A run with its data and networks, checked and ready to train; nothing is written yet.

    Args:
        config: The run's configuration.
        faces: The captioned faces.
        pyramid: Their images.
        folder: The run folder; an interrupted run in it is continued.
        data_folder: Where the data lies, for the record.
        device: Where to train.
        reporter: Is told how the run goes on.
        warm_start: The run whose weights are the first; None begins from chance.

    Raises:
        RunError: If the folder holds another run.
        ConfigError: If there are images without descriptions and no second head to judge them.
        DataError: If there are fewer images than a batch holds, or a description shows nothing.
    """

    def __init__(
        self,
        config: Config,
        faces: Sequence[CaptionedFace],
        pyramid: ImagePyramid,
        folder: RunFolder,
        *,
        data_folder: Path,
        device: torch.device,
        reporter: Reporter,
        warm_start: WarmStart | None = None,
    ) -> None:
        self.config = config
        self.schedule = Schedule(config.phases)
        self._folder = folder
        self._reporter = reporter
        descriptions = [text for face in faces for text in face.descriptions]
        self._is_new = not folder.record_path.exists()
        self._warm_start = warm_start
        if warm_start is not None:
            warm_start.check_fits(config)
        self._tokenizer: bytes | None = None
        tokenizer: Tokenizer | None = None
        if config.is_conditional:
            self._tokenizer = self._make_tokenizer(descriptions)
            tokenizer = Tokenizer(self._tokenizer, maximum_tokens=config.text.maximum_tokens)
        self._batches = FaceBatches(
            faces, pyramid, tokenizer, seed=config.seed, flips=config.data.horizontal_flips
        )
        for phase in config.phases:
            self._batches.check_batch_size(phase.batch_size)
        if self._batches.uncaptioned and not config.optimiser.unconditional:
            raise ConfigError(
                f"{self._batches.uncaptioned} of {len(faces)} images have no description, and "
                f"nothing would judge them: set optimiser.unconditional above 0 (1 is usual) to "
                f"train a second head on them, or write descriptions"
            )
        self._sheets = SampleSheets(folder.samples, sampled_descriptions(descriptions), tokenizer)
        self._record = RunRecord(
            config=config,
            data_folder=str(data_folder),
            data_fingerprint=pyramid.fingerprint,
            data_images=len(faces),
            data_descriptions=len(descriptions),
            tokenizer_sha256=sha256_of(self._tokenizer),
            commit=source_commit(),
            versions=library_versions(),
            origin=warm_start.origin if warm_start else None,
        )
        if not self._is_new:
            folder.check_same(self._record)
        self.networks = Networks(config, tokenizer.vocabulary_size if tokenizer else 0, device)
        self._start_warm()
        self._losses = RunningLosses()
        self._last_losses: dict[str, float] = {}
        self.step = 0

    def _make_tokenizer(self, descriptions: Sequence[str]) -> bytes:
        size = self.config.text.vocabulary_size
        if self._is_new and self._warm_start is not None:
            return self._warm_start.make_tokenizer(descriptions, size)
        if self._is_new:
            return train_tokenizer(descriptions, size)
        return self._folder.read_tokenizer(self._folder.read_record())

    def _start_warm(self) -> None:
        """Takes another run's weights, unless this one goes on from a checkpoint of its own."""
        if latest_checkpoint(self._folder.checkpoints) is not None:
            return
        if self._warm_start is not None:
            fresh = self._warm_start.put_into(self.networks)
            self._reporter.note(
                f"starting from {self._warm_start.origin.run} "
                f"({self._warm_start.origin.images_seen:,} images); {len(fresh)} weights are new"
            )
        elif not self._is_new and self._folder.read_record().origin is not None:
            raise RunError(
                f"{self._folder.path} was warm-started and stopped before its first checkpoint; "
                f"give the same --from again"
            )

    def _continue_from_checkpoint(self) -> int:
        checkpoint = latest_checkpoint(self._folder.checkpoints)
        if checkpoint is None:
            self._folder.cut_metrics(images_seen=0)
            return 0
        place = load_checkpoint(checkpoint, self.networks)
        self._last_losses = place.metrics
        sums = {name: torch.tensor(total) for name, total in place.loss_sums.items()}
        self._losses = RunningLosses(sums, dict(place.loss_counts))
        self._folder.cut_metrics(place.images_seen)
        self._reporter.note(f"continuing from {checkpoint} ({place.images_seen:,} images)")
        return place.step

    @property
    def is_finished(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.schedule.total_steps

    def train(self, stop: threading.Event) -> None:
        """Trains until the schedule ends or `stop` is set; the state is saved in both cases.

        Raises:
            RunError: If another process trains this run, or the folder cannot be written.
            DivergedError: If a loss or a weight stops being finite; the last checkpoint stays.
        """
        with self._folder.locked():
            with self._writing():
                if self._is_new:
                    self._folder.start(self._record, self._tokenizer)
                self.step = self._continue_from_checkpoint()
            while not (self.is_finished or stop.is_set()):
                self._run_phase(stop)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{self._folder.path} cannot be written: {error}; what was saved before is whole: "
                f"put that right and give the same command again"
            ) from error

    def _run_phase(self, stop: threading.Event) -> None:
        start = self.schedule.at(self.step)
        if start.phase_step == 0:
            self.networks.start_phase(start.depth)
        self._reporter.stepped(start, self._last_losses)
        for batch in self._batches.from_moment(start):
            before = self.schedule.at(self.step)
            noise = draw_step_noise(self.config, before, self.networks.device)
            on_device = batch.to(self.networks.device)
            losses = train_step(self.networks, on_device, noise, before, self.config.optimiser)
            self._losses.add(losses)
            self.step += 1
            after = self.schedule.at(self.step)
            self._reporter.stepped(after, self._last_losses)
            is_phase_over = after.phase_index != before.phase_index or self.is_finished
            is_stopping = stop.is_set()  # asked once: what is saved and what returns must agree
            with self._writing():
                self._write_outputs(
                    before, after, is_phase_over=is_phase_over, is_saving=is_stopping
                )
            if is_phase_over or is_stopping:
                return

    def _write_outputs(
        self, before: Moment, after: Moment, *, is_phase_over: bool, is_saving: bool
    ) -> None:
        output = self.config.output
        seen = after.images_seen
        if is_phase_over or _crosses(before, after, output.log_every):
            self._log(before, seen)
        if is_phase_over or _crosses(before, after, output.sample_every):
            self._sheets.write(self.networks.averaged, replace(before, images_seen=seen))
        if is_phase_over or is_saving or _crosses(before, after, output.checkpoint_every):
            self._save(before.depth, seen)

    def _save(self, depth: int, images_seen: int) -> None:
        totals = self._losses.totals()
        self._check_finite(totals, images_seen)
        self._check_weights(images_seen)
        place = Place(
            step=self.step,
            images_seen=images_seen,
            depth=depth,
            metrics=self._last_losses,
            loss_sums=totals,
            loss_counts=dict(self._losses.counts),
        )
        save_checkpoint(self._folder.checkpoints, self.networks, place)

    def _log(self, moment: Moment, images_seen: int) -> None:
        losses = self._losses.means()
        self._check_finite(losses, images_seen)
        self._last_losses = losses
        place = {
            "images_seen": images_seen,
            "resolution": moment.phase.resolution,
            "fade": round(moment.fade, 4),
        }
        self._folder.log_metrics({**place, **losses})

    def _check_finite(self, losses: dict[str, float], images_seen: int) -> None:
        for name, loss in losses.items():
            if not math.isfinite(loss):
                raise DivergedError(self._diverged(f"{name} is {loss}", images_seen))

    def _check_weights(self, images_seen: int) -> None:
        for module in (self.networks.model, self.networks.discriminator):
            for name, parameter in module.named_parameters():
                if not parameter.isfinite().all():
                    reason = f"weight {name} has values that are not finite"
                    raise DivergedError(self._diverged(reason, images_seen))

    def _diverged(self, reason: str, images_seen: int) -> str:
        last = latest_checkpoint(self._folder.checkpoints)
        kept = f"the last good checkpoint is {last}" if last else "there was no checkpoint yet"
        return (
            f"training stopped after {images_seen:,} images: {reason}; {kept}; lower "
            f"optimiser.learning_rate and start a new run"
        )


def _crosses(before: Moment, after: Moment, interval: int) -> bool:
    return before.images_seen // interval != after.images_seen // interval


def sampled_descriptions(descriptions: Sequence[str]) -> list[str]:
    """Picks the descriptions of the sample sheets: different ones at equal distances."""
    different = list(dict.fromkeys(descriptions))
    stride = max(1, len(different) // SAMPLED_DESCRIPTIONS)
    return different[::stride][:SAMPLED_DESCRIPTIONS]


def sha256_of(content: bytes | None) -> str | None:
    """SHA-256 in hexadecimal; None of None."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of what decides a run's numbers."""
    names = ("t2f", "torch", "numpy", "sentencepiece")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def source_commit() -> str | None:
    """The commit of T2F's own checkout, or None where it is installed without one."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def prepare_run(
    config: Config,
    *,
    data: Path,
    out: Path,
    cache: Path,
    device: torch.device,
    reporter: Reporter,
    warm_start: WarmStart | None = None,
) -> TrainingRun:
    """Reads and checks everything that a run needs; nothing is written but the image cache.

    Args:
        config: The run's configuration.
        data: Folder of the data set, in the layout that `config.data.reader` reads.
        out: The run folder.
        cache: Folder for decoded images.
        device: Where to train.
        reporter: Is told how the run goes on.
        warm_start: The run whose weights are the first; None begins from chance.

    Raises:
        ConfigError: If the descriptions need a larger vocabulary.
        DataError: If the data is incomplete or broken.
        RunError: If `out` holds another run or a damaged one.
    """
    faces, _ = split_faces(read_faces(config.data.reader, data), config.data.held_out)
    pyramid = ImagePyramid.open(
        faces,
        crop=config.data.crop,
        resolution=config.resolution,
        cache=cache,
        progress=lambda done, total: reporter.preparing("reading images", done, total),
    )
    return TrainingRun(
        config,
        faces,
        pyramid,
        RunFolder(out),
        data_folder=data,
        device=device,
        reporter=reporter,
        warm_start=warm_start,
    )
