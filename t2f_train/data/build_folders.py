"""Folders in which entries of the cache are built; those that a killed process left are removed."""

import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_PART = re.compile(r"(?P<name>[0-9a-f]+\.building-[0-9a-f]+)(-damaged|\.lock)?")
"""Names of a build's folder, of the damaged entry that it replaces, and of its lock."""
_GRACE_SECONDS = 60.0
"""What is younger may belong to a process that is about to lock it."""


@contextmanager
def build_folder(cache: Path, entry: str) -> Iterator[Path]:
    """Gives an empty folder to build an entry in, locked for as long as the block lasts.

    Args:
        cache: The cache, made if missing.
        entry: Name of the entry, in hexadecimal digits.

    Yields:
        The folder, to be renamed to the entry when it is complete; otherwise it is removed at the
        end, with whatever lies at its name with `-damaged` after it.

    Raises:
        OSError: If it cannot be made or locked.
    """
    cache.mkdir(parents=True, exist_ok=True)
    building = cache / f"{entry}.building-{uuid.uuid4().hex}"
    try:
        with FileLock(_lock(building)):
            building.mkdir()
            try:
                yield building
            finally:
                _remove_folders(building)
    finally:
        _lock(building).unlink(missing_ok=True)


def damaged_folder(building: Path) -> Path:
    """Where a build puts the damaged entry that it replaces, to be removed with it."""
    return building.with_name(f"{building.name}-damaged")


def remove_abandoned_builds(cache: Path) -> None:
    """Removes what builds have left behind whose process no longer lives.

    A build holds a lock that dies with its process. What cannot be locked or removed, because
    another process uses it or the cache is read-only, stays.

    Args:
        cache: The cache; it may be missing.
    """
    parts = [path.name for path in cache.iterdir()] if cache.is_dir() else []
    matches = [match for match in map(_PART.fullmatch, parts) if match]
    for name in sorted({match["name"] for match in matches}):
        with suppress(OSError, Timeout):
            _remove_if_abandoned(cache / name)


def _remove_if_abandoned(building: Path) -> None:
    lock = _lock(building)
    parts = [path for path in (building, damaged_folder(building), lock) if path.exists()]
    if any(time.time() - path.stat().st_mtime < _GRACE_SECONDS for path in parts):
        return
    with FileLock(lock, blocking=False):
        _remove_folders(building)
    lock.unlink(missing_ok=True)


def _lock(building: Path) -> Path:
    """The lock lies beside the folder, which is renamed when it is complete."""
    return building.with_name(f"{building.name}.lock")


def _remove_folders(building: Path) -> None:
    shutil.rmtree(building, ignore_errors=True)
    shutil.rmtree(damaged_folder(building), ignore_errors=True)
