"""Files and folders that are complete or absent, whatever interrupts their writing."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that it holds either what it held before or all of `content`."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


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
