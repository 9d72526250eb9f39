"""Paths that callers give."""

import errno
import os
import stat
from pathlib import Path

from t2f_runtime.errors import ArgumentError


def check_path(name: str, path: str | os.PathLike[str]) -> Path:
    """Returns a path of text or of `pathlib` as a `Path`; whether anything is there is not asked.

    Args:
        name: What errors call it.
        path: The path.

    Raises:
        ArgumentError: It is something else, such as None or bytes.
    """
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str):
        raise ArgumentError(f"{name} must be a path (str or Path), not {path!r:.50}")
    return Path(path)


def refuse_device(path: Path) -> None:
    """Refuses what is there and is neither a file nor a folder, before it is opened or replaced.

    Opening a pipe waits until somebody writes to it, which may be for ever.

    Raises:
        OSError: It is so, or cannot be looked at.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        return
    if kind not in {stat.S_IFREG, stat.S_IFDIR}:  # a folder says so itself
        raise OSError(errno.EINVAL, "it is a device, a pipe or a socket, and no file")
