"""What is being written, before it has its name; what a killed process left of it is removed.

A writer holds a lock of the operating system on its file or folder until that has its name. The
system lets the lock go when the process ends, however it ends: what nobody holds was abandoned.
No process id is compared, which another process may have by then, and no time.
"""

import hashlib
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_SLOTS: Final = 4
"""Names for those who write to one target at a time. They are few, and told by the target's name,
so that what was abandoned is found without a look through the folder, which may be full."""


@contextmanager
def unfinished(target: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """Makes something beside a target, and removes it at the end, unless it was moved by then.

    First it removes what killed processes of this user left of the same target. That is left
    alone on Windows, where files must be closed, and so let go, before they are moved; and on
    disks that know no locks, where whoever writes does so under a name that nobody looks for.

    Args:
        target: What it will be; its folder exists.
        make: Makes an empty file or folder; raises FileExistsError if there is something already.

    Yields:
        Its path.

    Raises:
        OSError: It cannot be made.
    """
    for slot in range(_SLOTS):
        with suppress(OSError):  # what cannot be removed hinders nobody
            _remove_if_abandoned(_slot_path(target, slot))
    path, lock = _claim(target, make)
    try:
        yield path
    finally:
        # Once moved, its name is free for another writer's.
        if lock is None or _is_at(path, lock):
            _remove(path)
        if lock is not None:
            os.close(lock)


def _claim(target: Path, make: Callable[[Path], object]) -> tuple[Path, int | None]:
    """Makes it, with a lock on it if the system has such locks."""
    for slot in range(_SLOTS if sys.platform != "win32" else 0):
        path = _slot_path(target, slot)
        try:
            make(path)
        except FileExistsError:
            continue
        try:
            return path, _open_locked(path)
        except (BlockingIOError, FileNotFoundError):
            continue  # somebody took it for abandoned before it was locked, and removes it
        except OSError:
            _remove(path)
            break
    path = target.with_name(f".{secrets.token_hex(8)}.unfinished")
    make(path)
    return path, None


def _slot_path(target: Path, slot: int) -> Path:
    # The name itself might be too long with more around it.
    name = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    return target.with_name(f".{name}-{slot}.unfinished")


def _remove_if_abandoned(path: Path) -> None:
    if sys.platform == "win32":
        return
    found = path.lstat()
    is_plain = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    if not is_plain or found.st_uid != os.geteuid():
        return
    lock = _open_locked(path)
    try:
        _remove(path)
    finally:
        os.close(lock)


def _open_locked(path: Path) -> int:
    """Locks a file or a folder for as long as the handle that it returns is open.

    Raises:
        BlockingIOError: Another writer holds it.
        FileNotFoundError: It has been moved or removed.
        OSError: It cannot be locked.
    """
    if sys.platform == "win32":
        raise OSError(None, "Windows cannot move what is locked")
    import fcntl  # noqa: PLC0415 (Windows has none)

    kind = os.O_RDONLY | os.O_DIRECTORY if path.is_dir() else os.O_RDWR
    lock = os.open(path, kind | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(path, lock):
            raise FileNotFoundError(None, "it has been moved")
    except BaseException:
        os.close(lock)
        raise
    return lock


def _is_at(path: Path, handle: int) -> bool:
    """Whether what is open has this path still."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
