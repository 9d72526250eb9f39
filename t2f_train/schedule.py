"""The schedule of progressive growing: where a run stands at each of its steps."""

import math
from dataclasses import dataclass

from t2f_train.config import Phase


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a run stands before one of its steps; a pure function of the step's number."""

    step: int
    """Steps taken in all."""
    images_seen: int
    """Real images seen in all."""
    phase_index: int
    """Number of the phase, from 0."""
    phase_step: int
    """Steps taken in this phase."""
    phase: Phase
    """The phase's settings."""
    fade: float
    """Weight of the newest layers in this step, in (0, 1]."""

    @property
    def depth(self) -> int:
        """Depth of the networks: 0 for 4x4 pixels, 1 for 8x8 and so on."""
        return self.phase.depth


class Schedule:
    """Steps of a run, phase after phase.

    Args:
        phases: The phases in their order.
    """

    def __init__(self, phases: tuple[Phase, ...]) -> None:
        self.phases = phases
        self._steps = [math.ceil(phase.images / phase.batch_size) for phase in phases]

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return sum(self._steps)

    @property
    def total_images(self) -> int:
        """Real images that the whole run sees."""
        return sum(n * p.batch_size for n, p in zip(self._steps, self.phases, strict=True))

    def phase_images(self, phase_index: int) -> int:
        """Real images that one phase sees: its `images`, rounded up to whole batches."""
        return self._steps[phase_index] * self.phases[phase_index].batch_size

    def at(self, step: int) -> Moment:
        """Where the run stands before step number `step`, from 0.

        After the last step it stands at the end of the last phase.
        """
        images_seen = 0
        for index, (phase, steps) in enumerate(zip(self.phases, self._steps, strict=True)):
            is_last = index == len(self.phases) - 1
            if step < steps or is_last:
                fade = self._fade(index, step)
                images_seen += step * phase.batch_size
                break
            step -= steps
            images_seen += steps * phase.batch_size
        total = sum(self._steps[:index]) + step
        return Moment(total, images_seen, index, step, phase, fade)

    def _fade(self, phase_index: int, phase_step: int) -> float:
        phase = self.phases[phase_index]
        fading = phase.fade_fraction * phase.images
        if phase_index == 0 or fading == 0.0:
            return 1.0
        # Counted to the end of the step, so that new layers learn from the first step on.
        return min(1.0, (phase_step + 1) * phase.batch_size / fading)
