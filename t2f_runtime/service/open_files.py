"""Which session has which case file and which log, so that no two write to one."""

import os
import threading
from pathlib import Path
from typing import Literal

from t2f_runtime.identikit import CaseError

Kind = Literal["case file", "log"]


class OpenFiles:
    """Keeps each file for one session, from when that opens or writes it until it is closed.

    Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: dict[str, tuple[int, Kind]] = {}

    def hold(self, session: int, path: Path, kind: Kind) -> None:
        """Keeps a file for a session; one that it has already stays its own.

        Args:
            session: Its number.
            path: The file, which need not be there.
            kind: What it is to the session.

        Raises:
            CaseError: Another session has it, or this one as something else.
        """
        place = _place(path)
        with self._lock:
            holder = self._holders.setdefault(place, (session, kind))
        if holder != (session, kind):
            raise CaseError(
                f"{path} is the {holder[1]} of the session {holder[0]}, which is open: close that "
                "first, or name another file"
            )

    def has(self, session: int, path: Path, kind: Kind) -> bool:
        """Whether a session has a file."""
        with self._lock:
            return self._holders.get(_place(path)) == (session, kind)

    def let_go(self, session: int, path: Path | None = None) -> None:
        """Lets go of a file of a session, or of all of them where none is named."""
        place = None if path is None else _place(path)
        with self._lock:
            self._holders = {
                held: holder
                for held, holder in self._holders.items()
                if holder[0] != session or (place is not None and held != place)
            }


def _place(path: Path) -> str:
    """The path without links, by which a file is one whatever it is called."""
    try:
        return os.path.realpath(path)
    except ValueError as error:  # a NUL
        raise CaseError(f"{path} is no path: {error}") from error
