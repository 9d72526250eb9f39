"""Stopping work that is no longer wanted, or whose time is up."""

import math
import time
from collections.abc import Callable

from t2f_runtime.errors import ArgumentError, CancelledError, DeadlineError


class Cancellation:
    """Stops the drawing that it is given to: when somebody cancels, or when its time is up.

    It is looked at before each run of a network, so what is asked for ends within one face. A run
    itself is not broken off, though ONNX Runtime could (`RunOptions.terminate`): it is tens of
    milliseconds long, and no other engine can.

    Safe to use from many threads, and for several calls, which then share its time.

    Example:
        >>> from t2f_runtime import Cancellation, FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> soon = Cancellation(seconds=5)
        >>> generator.generate("a bald man", count=18, cancellation=soon).shape
        (18, 8, 8, 3)

    Args:
        seconds: The time there is, from now; None sets no end.
        clock: What tells the time, in seconds.

    Raises:
        ArgumentError: `seconds` is no number, or less than nothing.
    """

    def __init__(
        self, *, seconds: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if seconds is not None and not is_time(seconds):
            raise ArgumentError(f"seconds must be a number, 0 or more, not {seconds!r:.50}")
        self._clock = clock
        self._seconds = seconds
        self._deadline = None if seconds is None else clock() + seconds
        self._is_cancelled = False

    def cancel(self) -> None:
        """Stops the work; a second time does nothing."""
        self._is_cancelled = True

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled; the time may be up without."""
        return self._is_cancelled

    def check(self) -> None:
        """Does nothing while the work is wanted.

        Raises:
            CancelledError: Somebody has cancelled.
            DeadlineError: The time is up.
        """
        if self._is_cancelled:
            raise CancelledError("the drawing was cancelled")
        if self._deadline is not None and self._clock() >= self._deadline:
            raise DeadlineError(
                f"the drawing was not done in the {self._seconds:g} s that it was given; give it "
                "more, or ask for fewer faces"
            )


def check_cancellation(cancellation: Cancellation | None) -> None:
    """Refuses what is no cancellation, such as a number of seconds.

    Raises:
        ArgumentError: It is so.
    """
    if cancellation is not None and not isinstance(cancellation, Cancellation):
        raise ArgumentError(
            f"cancellation must be a Cancellation or None, not {cancellation!r:.50}; for a limit "
            "of time, give Cancellation(seconds=5)"
        )


def is_time(seconds: object) -> bool:
    """Whether it is a number of seconds that somebody can wait: finite, and 0 or more."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return False
    try:
        return math.isfinite(seconds) and seconds >= 0
    except OverflowError:  # a whole number of hundreds of digits: longer than anybody can wait
        return False
