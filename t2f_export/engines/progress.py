"""Shows how engines are built, and ends a build cleanly when it is interrupted."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Result = TypeVar("Result")

_SECONDS_BETWEEN_LOOKS = 0.1


def run_interruptibly(work: Callable[[threading.Event], Result]) -> Result:
    """Does work in another thread, so that this one is there to be interrupted.

    While a library works, Python sees Ctrl-C only in calls that come back from it, where nothing
    may be raised. So the work is asked to end, and the interruption is raised when it has.

    Args:
        work: Called with an event that is set once it is to end.

    Raises:
        KeyboardInterrupt: If this thread was interrupted, after the work has ended.
    """
    is_cancelled = threading.Event()
    with ThreadPoolExecutor(1, "engine") as pool:
        try:
            future = pool.submit(work, is_cancelled)
            while not future.done():
                wait([future], timeout=_SECONDS_BETWEEN_LOOKS)
            return future.result()
        finally:
            is_cancelled.set()


class EngineBar(AbstractContextManager["EngineBar"]):
    """A bar on the terminal for the engine that is being built; nothing where there is none.

    Args:
        console: Where to show it; None takes standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[phase]}", style="dim"),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=1.0, phase="", visible=False)

    def __enter__(self) -> "EngineBar":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, name: str) -> None:
        """Starts anew with the next engine."""
        self._bar.reset(self._task, description=name, total=1.0, visible=True, phase="")

    def show(self, share: float, phase: str) -> None:
        """Shows how far the engine has come: a share of 0 to 1, and what the builder does."""
        self._bar.update(self._task, completed=share, phase=phase)

    def end(self) -> None:
        """Takes the bar away, for what is printed next."""
        self._bar.update(self._task, visible=False)
        self._bar.refresh()
