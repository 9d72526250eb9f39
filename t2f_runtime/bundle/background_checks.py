"""Checks that run in a thread of their own, while their caller does something else."""

import threading
from collections import deque
from collections.abc import Callable, Iterable


class BackgroundChecks:
    """Runs checks one after the other, in a thread, up to the first that fails.

    Which error that is does not depend on what the caller does meanwhile. The thread ends with the
    checks, and `finish` waits for it.

    Args:
        checks: Each raises an error if it fails.
        urgent: How many of them, from the first on, somebody may wait for without the others.
    """

    def __init__(self, checks: Iterable[Callable[[], object]], *, urgent: int = 0) -> None:
        self._checks = deque(checks)
        self._urgent = urgent
        self._error: BaseException | None = None
        self._is_past_urgent = threading.Event()
        self._thread = threading.Thread(target=self._run, name="t2f checks")
        try:
            self._thread.start()
        except RuntimeError:  # no more threads are allowed here, and the checks need none
            self._run()

    def wait(self) -> None:
        """Waits until the checks are done."""
        if self._thread.ident is not None:
            self._thread.join()

    def finish_urgent(self) -> None:
        """Waits until the urgent checks are done; raises the error of one that failed by now."""
        self._is_past_urgent.wait()
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Waits until the checks are done; raises the error of the one that failed, every time."""
        self.wait()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        done = 0
        try:
            while self._checks:
                if done == self._urgent:
                    self._is_past_urgent.set()
                self._checks.popleft()()  # what it holds goes with it
                done += 1
        except BaseException as error:  # noqa: BLE001 (it is raised where it is waited for)
            self._error = error
        finally:
            self._checks.clear()
            self._is_past_urgent.set()
