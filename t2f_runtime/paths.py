"""Paths that callers give."""

import os
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
