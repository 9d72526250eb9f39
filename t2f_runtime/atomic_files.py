"""Files and folders that are complete or absent, whatever interrupts their writing."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Gives a temporary file to write, which becomes `path` if the block ends without an error.

    Args:
        path: What lies there is replaced only then. Its folder is made if missing.

    Raises:
        OSError: If it cannot be written; nothing is left behind then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{secrets.token_hex(8)}.unfinished")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


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

    Args:
        folder: A folder that does not exist yet, or is empty. Its parents are made if missing.

    Raises:
        OSError: If it cannot be made; nothing is left behind then.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield unfinished
        unfinished.chmod(0o755)  # mkdtemp's folders are for their owner only
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
