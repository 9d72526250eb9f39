"""The training loop: prepares a run, takes its steps, writes what it makes."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import torch

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.checkpoint import (
    Place,
    latest_checkpoint,
    load_checkpoint,
    load_optimisers,
    optimisers_content,
)
from t2f_train.collectives import share_weights
from t2f_train.config import Config
from t2f_train.data.batches import Batch, FaceBatches
from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.held_out import split_faces
from t2f_train.data.pyramid import ImagePyramid
from t2f_train.data.readers import read_faces
from t2f_train.distributed import (
    check_batch_sizes,
    check_same_data,
    from_first,
    is_any,
    once_a_machine,
    process_count,
    process_rank,
)
from t2f_train.errors import ConfigError, DeviceMemoryError, RunError
from t2f_train.lengthening import lengthen
from t2f_train.metrics.periodic import PeriodicEvaluation
from t2f_train.minilm import MiniLMEncoder
from t2f_train.minilm_package import read_vocabulary
from t2f_train.minilm_sentences import cached_sentences
from t2f_train.progress import Reporter
from t2f_train.provenance import library_versions, sha256_of, source_commit
from t2f_train.run_folder import RunFolder, RunRecord
from t2f_train.run_outputs import RunOutputs
from t2f_train.run_readme import run_readme
from t2f_train.run_words import write_words
from t2f_train.schedule import Moment, Schedule
from t2f_train.tokenizer import open_tokenizer, train_tokenizer
from t2f_train.training_step import Networks, draw_step_noise, train_step
from t2f_train.warm_start import WarmStart

SAMPLED_DESCRIPTIONS = 6
"""Descriptions on a sample sheet, taken at equal distances from the data."""


class TrainingRun:
    """A run with its data and networks, checked and ready to train; nothing is written yet.

    Where several processes train it together, the first alone looks into the run folder.

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
        ConfigError: If there are images without descriptions and no second head to judge them, or
            processes cannot share a batch evenly.
        DeviceMemoryError: If the networks do not fit into the GPU's memory.
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
        from_first(lambda: check_batch_sizes(config.phases))
        check_same_data(pyramid.fingerprint)
        self._folder = folder
        self._reporter = reporter
        self._descriptions = [text for face in faces for text in face.descriptions]
        descriptions = self._descriptions
        self._is_new = from_first(lambda: not folder.record_path.exists())
        self._warm_start = warm_start
        if warm_start is not None:
            warm_start.check_fits(config)
        self._tokenizer: bytes | None = None
        tokenizer: Tokenizer | None = None
        if config.is_conditional:
            self._tokenizer = from_first(lambda: self._make_tokenizer(descriptions))
            tokenizer = open_tokenizer(self._tokenizer, config.text)
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
        self._longer: RunRecord | None = None
        if not self._is_new:
            self._longer = from_first(self._check_goes_on)
        self.networks = _new_networks(config, tokenizer, device)
        from_first(self._start_warm)
        self._outputs = RunOutputs(
            folder,
            config,
            self.networks,
            descriptions=sampled_descriptions(descriptions),
            tokenizer=tokenizer,
            evaluation=self._new_evaluation(faces, pyramid, tokenizer),
        )
        self.step = 0

    def _check_goes_on(self) -> RunRecord | None:
        """Checks that the folder holds this run, or this one shorter and finished."""
        longer = lengthen(self._folder, self._record)
        old = self._folder.read_record().config if longer else self.config
        self._folder.check_same(msgspec.structs.replace(self._record, config=old))
        return longer

    def _new_evaluation(
        self, faces: Sequence[CaptionedFace], pyramid: ImagePyramid, tokenizer: Tokenizer | None
    ) -> PeriodicEvaluation | None:
        if self.config.output.evaluate_every is None:
            return None
        return PeriodicEvaluation(faces, pyramid, tokenizer, seed=self.config.seed)

    def _make_tokenizer(self, descriptions: Sequence[str]) -> bytes:
        size = self.config.text.vocabulary_size
        if self._is_new and self.config.text.encoder == "minilm":
            return read_vocabulary()
        if self._is_new and self._warm_start is not None:
            return self._warm_start.make_tokenizer(descriptions, size)
        if self._is_new:
            return train_tokenizer(descriptions, size)
        return self._folder.read_tokenizer(self._folder.read_record())

    def remember_sentences(self, cache: Path) -> None:
        """Reads the descriptions once for all steps, where the text encoder does not learn.

        Args:
            cache: Folder for what is read.

        Raises:
            DataError: If the cache cannot be written.
        """
        encoder = self.networks.model.text_encoder
        if isinstance(encoder, MiniLMEncoder):
            self._batches.remember_sentences(
                lambda rows: once_a_machine(
                    lambda: cached_sentences(
                        encoder,
                        rows,
                        cache=cache,
                        progress=lambda done, total: self._reporter.preparing(
                            "reading descriptions", done, total
                        ),
                    )
                )
            )

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

    def _open_folder(self, stack: ExitStack) -> Place | None:
        """Begins in the run folder or goes on from its last checkpoint, and keeps it locked."""
        stack.enter_context(self._folder.locked())
        with self._writing():
            if self.config.is_conditional:
                write_words(
                    self._folder,
                    self._descriptions,
                    is_new=self._is_new,
                    warm_start=self._warm_start,
                )
            if self._is_new:
                self._folder.start(self._record, self._tokenizer)
                write_atomically(self._folder.readme, self._readme())
            checkpoint = latest_checkpoint(self._folder.checkpoints)
            if checkpoint is None:
                self._folder.cut_metrics(images_seen=0)
                return None
            place = load_checkpoint(checkpoint, self.networks)
            self._folder.cut_metrics(place.images_seen)
            if self._longer is not None:
                self._folder.write_record(self._longer)
                write_atomically(self._folder.readme, self._readme())
        self._reporter.note(f"continuing from {checkpoint} ({place.images_seen:,} images)")
        return place

    def _take_up(self, place: Place | None) -> None:
        """Has every process go on from what the first one has loaded, if anything."""
        networks = self.networks
        share_weights([networks.model, networks.averaged, networks.discriminator])
        if place is None:
            return
        content = from_first(lambda: optimisers_content(networks))
        if process_rank() > 0:
            networks.start_phase(place.depth)
            load_optimisers(content, networks)
        self._outputs.continue_from(place)
        self.step = place.step

    @property
    def is_finished(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.schedule.total_steps

    def train(self, stop: threading.Event) -> None:
        """Trains until the schedule ends or `stop` is set; the state is saved in both cases.

        Raises:
            RunError: If another process trains this run, or the folder cannot be written.
            DivergedError: If a loss or a weight stops being finite; the last checkpoint stays.
            DeviceMemoryError: If the networks and a batch do not fit into the GPU's memory.
        """
        with ExitStack() as stack:
            self._take_up(from_first(lambda: self._open_folder(stack)))
            stack.enter_context(self._outputs.opened(self.schedule.at(self.step).images_seen))
            is_stopping = is_any(stop.is_set())
            while not (self.is_finished or is_stopping):
                is_stopping = self._run_phase(stop)

    def _readme(self) -> bytes:
        return run_readme(self._longer or self._record, self._folder.path).encode()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{self._folder.path} cannot be written: {error}; what was saved before is whole: "
                f"put that right and give the same command again"
            ) from error

    @contextmanager
    def _fitting(self, moment: Moment) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError as error:
            side, batch_size = moment.phase.resolution, moment.phase.batch_size
            last = latest_checkpoint(self._folder.checkpoints)
            kept = f"the last checkpoint is {last}" if last else "there was no checkpoint yet"
            raise DeviceMemoryError(
                f"training stopped after {moment.images_seen:,} images: out of GPU memory at "
                f"{side}x{side} pixels with {batch_size // process_count()} images a step on each "
                f"device; {kept}; continue on more or larger GPUs, or lower batch_size in phase "
                f"{moment.phase_index + 1} and start a new run"
            ) from error

    def _run_phase(self, stop: threading.Event) -> bool:
        """Takes steps to the end of a phase, or to a stop; returns whether it was that."""
        start = self.schedule.at(self.step)
        if start.phase_step == 0:
            self.networks.start_phase(start.depth)
        self._reporter.stepped(start, self._outputs.last_losses)
        for batch in self._batches.from_moment(start):
            before = self.schedule.at(self.step)
            with self._fitting(before):
                self._outputs.losses.add(self._take_step(batch, before))
            self.step += 1
            after = self.schedule.at(self.step)
            self._reporter.stepped(after, self._outputs.last_losses)
            is_phase_over = after.phase_index != before.phase_index or self.is_finished
            is_stopping = is_any(stop.is_set())  # asked once: what is saved and returned must agree
            with self._writing(), self._fitting(before):
                self._outputs.write(
                    before, after, is_phase_over=is_phase_over, is_saving=is_stopping
                )
            if is_phase_over or is_stopping:
                return is_stopping
        raise AssertionError("batches are endless")

    def _take_step(self, batch: Batch, moment: Moment) -> dict[str, torch.Tensor]:
        place = (process_rank(), process_count())
        device = self.networks.device
        noise = draw_step_noise(self.config, moment, device).share(*place)
        own = batch.share(*place).to(device)
        return train_step(self.networks, own, noise, moment, self.config.optimiser)


def _new_networks(config: Config, tokenizer: Tokenizer | None, device: torch.device) -> Networks:
    try:
        return Networks(config, tokenizer.vocabulary_size if tokenizer else 0, device)
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"the networks alone do not fit into the memory of {device}; lower "
            f"model.channel_base or model.channel_maximum, or take a larger GPU"
        ) from error


def sampled_descriptions(descriptions: Sequence[str]) -> list[str]:
    """Picks the descriptions of the sample sheets: different ones at equal distances."""
    different = list(dict.fromkeys(descriptions))
    stride = max(1, len(different) // SAMPLED_DESCRIPTIONS)
    return different[::stride][:SAMPLED_DESCRIPTIONS]


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
    """Reads and checks everything that a run needs; nothing is written but the cache.

    Args:
        config: The run's configuration.
        data: Folder of the data set, in the layout that `config.data.reader` reads.
        out: The run folder.
        cache: Folder for decoded images, and for what a pretrained text encoder makes of the
            descriptions.
        device: Where to train.
        reporter: Is told how the run goes on.
        warm_start: The run whose weights are the first; None begins from chance.

    Raises:
        ConfigError: If the descriptions need a larger vocabulary.
        DataError: If the data is incomplete or broken.
        RunError: If `out` holds another run or a damaged one.
    """
    faces, pyramid = once_a_machine(lambda: _open_data(config, data, cache, reporter))
    run = TrainingRun(
        config,
        faces,
        pyramid,
        RunFolder(out),
        data_folder=data,
        device=device,
        reporter=reporter,
        warm_start=warm_start,
    )
    run.remember_sentences(cache)
    return run


def _open_data(
    config: Config, data: Path, cache: Path, reporter: Reporter
) -> tuple[list[CaptionedFace], ImagePyramid]:
    faces, _ = split_faces(read_faces(config.data.reader, data), config.data.held_out)
    pyramid = ImagePyramid.open(
        faces,
        crop=config.data.crop,
        resolution=config.resolution,
        cache=cache,
        progress=lambda done, total: reporter.preparing("reading images", done, total),
    )
    return faces, pyramid
