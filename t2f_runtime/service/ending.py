"""Reading until the input ends or a signal asks the program to end."""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

GRACE_SECONDS: Final = 5.0
"""How long a program that was told to end waits for a host that does not read what it is sent."""


class AskedToEnd(BaseException):
    """A signal came while nothing but waiting for input was done."""


class Ending:
    """Ends a program on SIGTERM and Ctrl-C: at once where it waits for input, else after that.

    To be made in the main thread.

    Args:
        stop: Cancels what is being done; called in a thread of its own, since a handler of signals
            may interrupt anything, also whoever holds the locks that this needs.
        grace_seconds: After so many seconds the process is ended, whatever it does.

    Attributes:
        is_asked: Whether a signal has come.
    """

    def __init__(self, stop: Callable[[], None], grace_seconds: float = GRACE_SECONDS) -> None:
        self.is_asked = False
        self._stop = stop
        self._grace_seconds = grace_seconds
        self._is_reading = False
        # A queue that a handler may use (Python, "queue.SimpleQueue.put").
        self._signals: queue.SimpleQueue[None] = queue.SimpleQueue()
        threading.Thread(target=self._wait, name="t2f-ending", daemon=True).start()
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def read(self, descriptor: int, size: int) -> bytes:
        """Reads up to so many bytes; none at the end of the input, or after a signal.

        Raises:
            AskedToEnd: A signal comes meanwhile.
        """
        self._is_reading = True
        # In this order: a signal before this line is seen here, one after it raises.
        data = b"" if self.is_asked else _read(descriptor, size)
        self._is_reading = False
        return data

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        is_first, self.is_asked = not self.is_asked, True
        self._signals.put(None)
        if is_first and self._is_reading:
            raise AskedToEnd

    def _wait(self) -> None:
        self._signals.get()
        self._stop()
        time.sleep(self._grace_seconds)
        os._exit(1)


def _read(descriptor: int, size: int) -> bytes:
    try:
        return os.read(descriptor, size)
    except OSError:  # closed, or a terminal that is gone
        return b""
