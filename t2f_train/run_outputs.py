"""What a run writes while it trains: log, pictures, checkpoints; never what diverged."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.checkpoint import Place, latest_checkpoint, save_checkpoint
from t2f_train.config import Config
from t2f_train.distributed import is_first
from t2f_train.errors import DivergedError
from t2f_train.frames import Frames, frame_steps
from t2f_train.metrics.periodic import PeriodicEvaluation
from t2f_train.run_folder import RunFolder
from t2f_train.samples import SampleSheets
from t2f_train.schedule import Moment, Schedule
from t2f_train.tensorboard_log import TensorBoardLog
from t2f_train.training_step import Networks


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


class RunOutputs:
    """Writes a run's log, pictures and checkpoints, each at its interval.

    Where processes train together, all of them check that the run is sound, and the first writes.

    Args:
        folder: The run folder.
        config: The run's configuration.
        networks: What is drawn with and saved.
        descriptions: Those of the sample sheets and frames.
        tokenizer: Reads them; None for a model without text.
        evaluation: Measures the pictures at `output.evaluate_every`; None measures nothing.

    Attributes:
        losses: Those since the last line of the log.
        last_losses: Means in the last line of the log.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: Config,
        networks: Networks,
        *,
        descriptions: Sequence[str],
        tokenizer: Tokenizer | None,
        evaluation: PeriodicEvaluation | None,
    ) -> None:
        self._folder = folder
        self._settings = config.output
        self._networks = networks
        self._evaluation = evaluation
        self._board: TensorBoardLog | None = None
        truncation = config.output.truncation
        self._sheets = SampleSheets(folder.samples, descriptions, tokenizer, truncation=truncation)
        self._frames = Frames(folder.frames, descriptions, tokenizer, truncation=truncation)
        self._frame_steps = frame_steps(Schedule(config.phases).total_steps, config.output.frames)
        self.losses = RunningLosses()
        self.last_losses: dict[str, float] = {}

    @contextmanager
    def opened(self, images_seen: int) -> Iterator[None]:
        """Keeps TensorBoard's files open inside the block, which goes on from `images_seen`."""
        if not is_first():
            yield
            return
        self._board = TensorBoardLog(self._folder.tensorboard, images_seen=images_seen)
        try:
            yield
        finally:
            self._board.close()
            self._board = None

    def continue_from(self, place: Place) -> None:
        """Takes up the losses of a checkpoint."""
        self.last_losses = place.metrics
        sums = {name: torch.tensor(total) for name, total in place.loss_sums.items()}
        self.losses = RunningLosses(sums, dict(place.loss_counts))

    def write(self, before: Moment, after: Moment, *, is_phase_over: bool, is_saving: bool) -> None:
        """Writes what is due after a step.

        Args:
            before: Where the run stood before the step.
            after: Where it stands now.
            is_phase_over: Whether the step was the last of its phase: everything is due.
            is_saving: Whether a checkpoint is due in any case.

        Raises:
            DivergedError: If a loss or a weight is not finite; nothing of it is saved.
        """
        settings = self._settings
        seen = after.images_seen
        if is_phase_over or _crosses(before, after, settings.log_every):
            self._log(before, seen)
        interval = settings.evaluate_every
        if interval is not None and (is_phase_over or _crosses(before, after, interval)):
            self._write_line(before, seen, self._measure(before))
        if is_first():
            self._draw(before, seen, is_sheet=is_phase_over or self._is_sheet_due(before, after))
        if is_phase_over or is_saving or _crosses(before, after, settings.checkpoint_every):
            self._save(before.depth, after)

    def _is_sheet_due(self, before: Moment, after: Moment) -> bool:
        return _crosses(before, after, self._settings.sample_every)

    def _draw(self, moment: Moment, images_seen: int, *, is_sheet: bool) -> None:
        averaged = self._networks.averaged
        if moment.step in self._frame_steps:
            self._frames.write(averaged, moment)
        if is_sheet:
            path = self._sheets.write(averaged, replace(moment, images_seen=images_seen))
            if self._board is not None:
                self._board.add_picture("samples", path, images_seen)

    def _measure(self, moment: Moment) -> dict[str, float]:
        if self._evaluation is None or not is_first():
            return {}
        return self._evaluation.measure(self._networks.averaged, moment)

    def _log(self, moment: Moment, images_seen: int) -> None:
        losses = self.losses.means()
        self._check_finite(losses, images_seen)
        self.last_losses = losses
        self._write_line(moment, images_seen, losses)

    def _write_line(self, moment: Moment, images_seen: int, numbers: Mapping[str, float]) -> None:
        if not is_first():
            return
        place = {
            "images_seen": images_seen,
            "resolution": moment.phase.resolution,
            "fade": round(moment.fade, 4),
        }
        self._folder.log_metrics({**place, **numbers})
        if self._board is not None:
            self._board.add_numbers({"fade": moment.fade, **numbers}, images_seen)

    def _save(self, depth: int, moment: Moment) -> None:
        totals = self.losses.totals()
        self._check_finite(totals, moment.images_seen)
        self._check_weights(moment.images_seen)
        place = Place(
            step=moment.step,
            images_seen=moment.images_seen,
            depth=depth,
            metrics=self.last_losses,
            loss_sums=totals,
            loss_counts=dict(self.losses.counts),
        )
        if is_first():
            save_checkpoint(self._folder.checkpoints, self._networks, place)

    def _check_finite(self, losses: dict[str, float], images_seen: int) -> None:
        for name, loss in losses.items():
            if not math.isfinite(loss):
                raise DivergedError(self._diverged(f"{name} is {loss}", images_seen))

    def _check_weights(self, images_seen: int) -> None:
        for module in (self._networks.model, self._networks.discriminator):
            for name, parameter in module.named_parameters():
                if not parameter.isfinite().all():
                    reason = f"weight {name} has values that are not finite"
                    raise DivergedError(self._diverged(reason, images_seen))
        if self._networks.computing.has_overflowed:
            reason = "gradients overflow float16 at any scale"
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
