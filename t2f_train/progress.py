"""Shows how training goes on: bars on a terminal, lines in a log file."""

import time
from contextlib import AbstractContextManager
from itertools import pairwise
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from t2f_train.config import Phase
from t2f_train.distributed import is_first
from t2f_train.schedule import Moment, Schedule

SECONDS_BETWEEN_LINES = 15.0
"""Where there is no terminal, a line is written this often."""


class Reporter(Protocol):
    """What the training loop tells while it runs."""

    def preparing(self, task: str, done: int, total: int) -> None:
        """Tells how far the preparation of the data has come."""
        ...

    def stepped(self, moment: Moment, losses: dict[str, float]) -> None:
        """Tells where the run stands after a step; `losses` are the last ones logged."""
        ...

    def note(self, text: str) -> None:
        """Tells something that happens once."""
        ...


FIXED_COST = 2e6
"""What an image costs beside its convolutions (text, optimiser, the calls themselves), in the
multiplications of `image_cost`: fitted to phases of 4 to 32 pixels on two CPU cores."""


def image_cost(channels: tuple[int, ...]) -> float:
    """Relative cost of training on one image: multiplications of the generator's convolutions.

    Only ratios between resolutions mean anything: they scale the measured speed of one phase to
    the phases that are still to come.

    Args:
        channels: Feature channels at 4, 8, … pixels, up to the resolution that is trained.
    """
    cost = FIXED_COST + channels[0] ** 2 * 9 * 16
    for level, (inputs, outputs) in enumerate(pairwise(channels), start=1):
        pixels = (4 << level) ** 2
        cost += pixels * outputs * (inputs * 4 + outputs * 9)
    return cost


class Stopwatch:
    """Measures images/s over the current phase and estimates the time that is left.

    Args:
        schedule: The run's schedule.
        channels: Feature channels at 4, 8, … pixels, which tell what later phases cost.
    """

    def __init__(self, schedule: Schedule, channels: tuple[int, ...]) -> None:
        self._schedule = schedule
        self._channels = channels
        self._phase_index = -1
        self._start = (0.0, 0)

    def measure(self, moment: Moment) -> tuple[float, float]:
        """Images/s since this phase began or was resumed, and seconds left in the whole run."""
        now = time.monotonic()
        if moment.phase_index != self._phase_index:
            self._phase_index = moment.phase_index
            self._start = (now, moment.images_seen)
        seconds = now - self._start[0]
        images = moment.images_seen - self._start[1]
        if images == 0 or seconds == 0.0:
            return 0.0, float("inf")
        rate = images / seconds
        phases = self._schedule.phases
        here = self._image_cost(moment.phase)
        work = self._schedule.phase_images(moment.phase_index) - (
            moment.phase_step * moment.phase.batch_size
        )
        left = float(work) * here
        for index in range(moment.phase_index + 1, len(phases)):
            left += self._schedule.phase_images(index) * self._image_cost(phases[index])
        return rate, left / here / rate

    def _image_cost(self, phase: Phase) -> float:
        return image_cost(self._channels[: phase.depth + 1])


def duration(seconds: float) -> str:
    """Writes a duration as people read it: `0:42`, `1:02:03`, or `-:--` where unknown."""
    if seconds == float("inf"):
        return "-:--"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


class ProgressReporter(AbstractContextManager["ProgressReporter"]):
    """Shows phase, images seen, images/s, losses and time left.

    Of several processes that train together, the first shows it for all.

    Args:
        schedule: The run's schedule.
        channels: Feature channels at 4, 8, … pixels.
        console: Where to show it; None takes standard error.
    """

    def __init__(
        self, schedule: Schedule, channels: tuple[int, ...], console: Console | None = None
    ) -> None:
        self._console = console or Console(stderr=True, quiet=not is_first())
        self._schedule = schedule
        self._stopwatch = Stopwatch(schedule, channels)
        self._last_line = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=False,
        )
        self._data_task = self._bar.add_task("images", total=None, text="", visible=False)
        self._task = self._bar.add_task("training", total=schedule.total_images, text="")

    def __enter__(self) -> "ProgressReporter":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def preparing(self, task: str, done: int, total: int) -> None:
        """Shows how far the preparation of the data has come."""
        text = f"{done:,} of {total:,}"
        self._bar.update(
            self._data_task, description=task, completed=done, total=total, text=text, visible=True
        )
        if self._is_time_for_line(is_last=done == total):
            self._console.print(f"{task}: {text}", highlight=False, soft_wrap=True)

    def stepped(self, moment: Moment, losses: dict[str, float]) -> None:
        """Shows where the run stands after a step."""
        rate, left = self._stopwatch.measure(moment)
        total = self._schedule.total_images
        side = moment.phase.resolution
        phase = f"{side}x{side} (phase {moment.phase_index + 1} of {len(self._schedule.phases)})"
        shown = "".join(
            f"  {name} {losses[name]:.2f}" for name in ("wasserstein", "matching") if name in losses
        )
        text = (
            f"{moment.images_seen:,} of {total:,} images  {rate:.0f} images/s{shown}  "
            f"{duration(left)} left"
        )
        self._bar.update(self._task, description=phase, completed=moment.images_seen, text=text)
        if self._is_time_for_line(is_last=moment.images_seen == total):
            self._console.print(f"{phase}: {text}", highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Shows a line above the bars."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def _is_time_for_line(self, *, is_last: bool) -> bool:
        if self._console.is_terminal:
            return False
        now = time.monotonic()
        if not is_last and now - self._last_line < SECONDS_BETWEEN_LINES:
            return False
        self._last_line = now
        return True
