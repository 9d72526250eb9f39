"""Checks that run in a thread of their own, while their caller does something else."""

import threading
from collections.abc import Callable, Iterable


class BackgroundChecks:
    """Runs checks one after the other, in a thread, up to the first that fails.

    Which error that is does not depend on what the caller does meanwhile. The thread ends with the
    checks, and `finish` waits for it.

    Args:
        checks: Each raises an error if it fails.
    """

    def __init__(self, checks: Iterable[Callable[[], object]]) -> None:
        self._checks = list(checks)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="t2f checks")
        try:
            self._thread.start()
        except RuntimeError:  # no more threads are allowed here, and the checks need none
            self._run()

    def wait(self) -> None:
        """Waits until the checks are done."""
        if self._thread.ident is not None:
            self._thread.join()

    def finish(self) -> None:
        """Waits until the checks are done; raises the error of the one that failed, every time."""
        self.wait()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        checks, self._checks = self._checks, []  # what they hold goes with them
        try:
            for check in checks:
                check()
        except BaseException as error:  # noqa: BLE001 (it is raised where it is waited for)
            self._error = error
