"""A thread a session, in which its operations are done one after the other."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from t2f_runtime.errors import QueueFullError

MAXIMUM_WAITING: Final = 64
"""The most operations of one session that may wait."""


class SessionLine:
    """Does work in the order in which it came; ends when it is told to and all is done.

    A session has a thread of its own, and not a share of a pool, since an operation waits most of
    the time for faces that another thread draws: so no session holds up another, and none is
    obeyed out of order.

    Args:
        name: What the thread is called.
    """

    def __init__(self, name: str) -> None:
        self._changed = threading.Condition()
        self._work: deque[Callable[[], None]] = deque()
        self._is_ending = False
        # A daemon, as that of the queue: a program must be able to end without `join`.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, work: Callable[[], None], *, is_last: bool = False) -> bool:
        """Lets work wait for its turn.

        Args:
            work: Raises nothing.
            is_last: Whether the line ends after it; it has room always.

        Returns:
            Whether it will be done; not where the line ends.

        Raises:
            QueueFullError: So much waits that there is no room.
        """
        with self._changed:
            if self._is_ending:
                return False
            if len(self._work) >= MAXIMUM_WAITING and not is_last:
                raise QueueFullError(
                    f"{len(self._work)} requests to this session wait already, the most that may; "
                    "ask again later"
                )
            self._work.append(work)
            self._is_ending = is_last
            self._changed.notify()
            return True

    @property
    def is_alive(self) -> bool:
        """Whether there is work still, or may come."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Lets the thread end once all work is done."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()

    def join(self) -> None:
        """Waits until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        while (work := self._take()) is not None:
            work()

    def _take(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._work or self._is_ending)
            return self._work.popleft() if self._work else None
