"""A bundle as a folder: each file is looked at before it is opened, and never followed outside."""

import stat
from pathlib import Path
from typing import BinaryIO

from t2f_runtime.bundle.files import (
    MAXIMUM_MANIFEST_BYTES,
    MAXIMUM_SIGNATURE_BYTES,
    check_hash,
    check_size,
    hash_of,
)
from t2f_runtime.bundle.manifest import MANIFEST, SIGNATURE, FileEntry, Manifest
from t2f_runtime.errors import BundleError

_CHUNK_BYTES = 2**20


class FolderFiles:
    """The files of a bundle that is a folder; see `BundleFiles`.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    def where(self, name: str) -> str:
        """A file's path."""
        return str(self._path / name)

    def read_manifest(self) -> bytes:
        """See `BundleFiles.read_manifest`."""
        path = self._path / MANIFEST
        try:
            if not path.exists():
                raise BundleError(
                    f"{self._path} holds no {MANIFEST}; "
                    f"make a bundle with: t2f export RUN -o {self._path}"
                )
            return _read_small(path, "a manifest", MAXIMUM_MANIFEST_BYTES)
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error

    def read_signature(self) -> bytes | None:
        """See `BundleFiles.read_signature`."""
        path = self._path / SIGNATURE
        try:
            if not path.exists():
                return None
            return _read_small(path, "a signature", MAXIMUM_SIGNATURE_BYTES)
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error

    def check_listed(self, manifest: Manifest) -> None:
        """Passes: what else lies in a folder is never read."""

    def read(self, name: str, entry: FileEntry) -> bytes:
        """See `BundleFiles.read`."""
        path = self._path / name
        try:
            with self._open(name, entry) as file:
                # One byte more than expected, so that a file that grew is noticed and never read
                # whole.
                data = file.read(entry.bytes + 1)
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
        check_size(str(path), len(data), entry)
        return data

    def verify(self, name: str, entry: FileEntry) -> None:
        """See `BundleFiles.verify`; reads in small pieces."""
        path = self._path / name
        try:
            with self._open(name, entry) as file:
                found = hash_of(iter(lambda: file.read(_CHUNK_BYTES), b""))
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
        check_hash(str(path), found, entry)

    def _open(self, name: str, entry: FileEntry) -> BinaryIO:
        path = self._path / name
        try:
            target = path.resolve(strict=True)
        except FileNotFoundError as error:
            raise BundleError(
                f"{path} is missing, though {MANIFEST} lists it; copy the whole bundle again"
            ) from error
        except RuntimeError as error:  # how Python before 3.13 reports a loop of symbolic links
            raise BundleError(f"{path} cannot be read: {error}") from error
        if not target.is_relative_to(self._path.resolve()):
            raise BundleError(f"{path} leads outside the bundle, to {target}; copy the file itself")
        check_size(str(path), _regular_size(path, target), entry)
        return target.open("rb")


def _read_small(path: Path, kind: str, largest: int) -> bytes:
    size = _regular_size(path, path)
    if size > largest:
        raise BundleError(f"{path} has {size} bytes; {kind} has {largest} at most")
    return path.read_bytes()


def _regular_size(path: Path, target: Path) -> int:
    """Size of a regular file, found before it is opened: opening a pipe would wait for ever."""
    status = target.stat()
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path} is not a regular file; copy the whole bundle again")
    return status.st_size
