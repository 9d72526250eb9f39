"""A file that is open to be written, and that nobody else of T2F writes meanwhile."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from t2f_runtime.identikit.errors import CaseError


@contextmanager
def sole_writer(path: Path) -> Iterator[FileIO]:
    """Opens a file that is there, unbuffered, to be read and written by this program alone.

    Other writers that ask here are kept away by a lock of the operating system, which ends with the
    program, however that ends. Windows and disks without such locks keep nobody away: what another
    writer did is seen there by whoever looks before it writes, but not what it does in the same
    moment.

    Args:
        path: The file.

    Yields:
        The file, at its start.

    Raises:
        CaseError: Another program holds it, or has put another file in its place.
        OSError: It cannot be opened.
    """
    with FileIO(path, "r+") as file:
        if not _is_locked_alone(file.fileno()):
            raise CaseError(
                f"another program is writing to {path}: let one program at a time do so, then "
                "verify it, and open it again"
            )
        if not os.path.samestat(path.stat(), os.fstat(file.fileno())):
            raise CaseError(
                f"another program has put another file in the place of {path}: verify it, and "
                "open it again"
            )
        yield file


@contextmanager
def sole_replacer(path: Path) -> Iterator[None]:
    """Keeps other writers away while another file is put in the place of one; see `sole_writer`.

    Not on Windows, where a file must be closed to be replaced.

    Raises:
        CaseError: As `sole_writer`.
        OSError: It cannot be opened.
    """
    if sys.platform == "win32":
        yield
        return
    with sole_writer(path):
        yield


def _is_locked_alone(handle: int) -> bool:
    """Locks what is open until it is closed; False where another holds it."""
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 (Windows has none)

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a disk without locks, such as some that are reached over a network
            return True
    return True
