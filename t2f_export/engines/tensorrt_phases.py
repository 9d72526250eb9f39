"""How far the builder has come, in one share of all its phases."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from t2f_export.engines.tensorrt_api import Library

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done, 0 to 1, and the name of the phase."""


def make_monitor(library: Library, phases: "Phases", is_cancelled: threading.Event) -> object:
    """Makes a progress monitor of the library, which ends the build once it is cancelled.

    Nothing may be raised from its methods: they are called from within the library.
    """
    base: Any = library.IProgressMonitor

    class Monitor(base):  # type: ignore[misc]  # the library is known only when it is imported
        def __init__(self) -> None:
            base.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            phases.complete(phase_name, step)
            return not is_cancelled.is_set()

        def phase_finish(self, phase_name: str) -> None:
            phases.finish(phase_name)

    return Monitor()


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class Phases:
    """Adds the builder's nested phases up to one share; safe to tell from many threads.

    Args:
        progress: Told whenever something was completed; the share never falls.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._phases: dict[str, _Phase] = {}
        self._share = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Begins a phase of so many steps, as part of a step of its parent."""
        with self._lock:
            self._phases[name] = _Phase(parent, max(1, steps))
            self._tell(name)

    def complete(self, name: str, step: int) -> None:
        """Completes a step, counted from 0."""
        with self._lock:
            if name in self._phases:
                self._phases[name].done = step + 1
            self._tell(name)

    def finish(self, name: str) -> None:
        """Ends a phase, whether all its steps were completed or not."""
        with self._lock:
            phase = self._phases.pop(name, None)
            if phase is not None and phase.parent is None:
                self._share = 1.0
            self._tell(name)

    def _tell(self, name: str) -> None:
        roots = [root for root, phase in self._phases.items() if phase.parent is None]
        shares = [self._done(root) for root in roots]
        self._share = max([self._share, *shares])
        self._progress(self._share, name)

    def _done(self, name: str) -> float:
        phase = self._phases[name]
        children = [child for child, other in self._phases.items() if other.parent == name]
        inner = sum(self._done(child) for child in children) / max(1, len(children))
        return min(1.0, (phase.done + inner) / phase.steps)
