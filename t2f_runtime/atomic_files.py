"""Files and folders that are complete or absent, whatever interrupts their writing."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from t2f_runtime.paths import refuse_device
from t2f_runtime.unfinished import unfinished


@contextmanager
def new_file(path: Path, *, is_lasting: bool = False) -> Iterator[BinaryIO]:
    """Gives a temporary file to write, which becomes `path` if the block ends without an error.

    What a process that was killed left of the same file is removed; see `unfinished`.

    Args:
        path: What lies there is replaced only then; of a link, the file that it leads to. Its
            folder is made if missing.
        is_lasting: Whether it must be there after a power cut, too: then its new name is flushed to
            the disk as its content is, which takes as long again.

    Raises:
        OSError: If it cannot be written, or something else than a file is there, such as a device;
            nothing is left behind then.
    """
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    refuse_device(path)  # or root would make /dev/null a file, for all the machine
    path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(path, partial(Path.touch, exist_ok=False)) as temporary:
        with temporary.open("r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    if is_lasting:
        sync_folder(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that it holds either what it held before or all of `content`.

    Raises:
        OSError: If it cannot be written; nothing is left behind then.
    """
    with new_file(path) as file:
        file.write(content)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Gives a temporary folder to fill, which becomes `folder` if the block ends without an error.

    What a process that was killed left of the same folder is removed; see `unfinished`.

    Args:
        folder: A folder that does not exist yet, or is empty. Its parents are made if missing.

    Raises:
        OSError: If it cannot be made; nothing is left behind then.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(folder, partial(Path.mkdir, mode=0o700)) as temporary:
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                _sync(path)
        temporary.chmod(0o755)  # until then, it is for its owner only
        temporary.replace(folder)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk as well.

    Nothing is done where a system or a disk has no such call, or the folder may not be read: what
    was written is in place.

    Raises:
        OSError: The disk fails.
    """
    if os.name != "posix":
        return
    try:
        _sync(folder)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM}:
            raise


def _sync(path: Path) -> None:
    # Windows flushes only what may be written.
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
