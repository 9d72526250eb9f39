"""The bundle: a folder of networks and what they need, each file held against its SHA-256."""

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from t2f_runtime.errors import BundleError
from t2f_runtime.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    Precision,
    decode_manifest,
    files_to_run,
)

PACKED_SUFFIX = ".t2f"
MAXIMUM_MANIFEST_BYTES = 16 * 2**20
"""A manifest is some kilobytes; more than this is something else."""

_CHUNK_BYTES = 2**20


class Bundle:
    """A folder whose every file is what its manifest says.

    Made by `Bundle.open`; holding one keeps the bytes that `open` was asked to keep in memory.

    Attributes:
        folder: Where the bundle lies.
        manifest: What it says about itself.
    """

    def __init__(self, folder: Path, manifest: Manifest, kept: Mapping[str, bytes]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._kept = kept

    @classmethod
    def open(cls, path: str | Path, *, keep: Precision | None = None) -> "Bundle":
        """Opens a bundle and verifies every file that its manifest lists.

        Args:
            path: The bundle's folder.
            keep: The precision that will be run. The bytes of its networks and of the tokeniser
                are kept from the one pass that verifies them, so that loading reads nothing twice.

        Raises:
            BundleError: A file is missing, truncated, altered or outside the folder, the manifest
                is not one that this T2F reads, or `path` is not a bundle's folder.
        """
        folder = Path(path)
        _check_is_folder(folder)
        manifest = _read_manifest(folder)
        if keep is not None and keep not in manifest.graphs:
            raise BundleError(
                f"{folder} holds no networks of precision '{keep}'; "
                f"it has: {', '.join(manifest.graphs)}"
            )
        wanted = set() if keep is None else files_to_run(manifest, keep)
        kept = {}
        for name, entry in manifest.files.items():
            if name in wanted:
                kept[name] = _read_file(folder, name, entry)
            else:
                _verify_file(folder, name, entry)
        return cls(folder, manifest, kept)

    @property
    def bundle_id(self) -> str:
        """SHA-256 over names, sizes and hashes of the files: equal for bundles that draw alike."""
        table = "".join(
            f"{entry.sha256} {entry.bytes} {name}\n"
            for name, entry in sorted(self.manifest.files.items())
        )
        return hashlib.sha256(table.encode()).hexdigest()

    @property
    def short_id(self) -> str:
        """The first 12 digits of `bundle_id`: enough for people to tell bundles apart."""
        return self.bundle_id[:12]

    def read(self, name: str) -> bytes:
        """Returns the bytes of a file; the hash is taken of the very bytes that are returned.

        Raises:
            BundleError: The manifest lists no such file, or the file has changed since `open`.
        """
        if name in self._kept:
            return self._kept[name]
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleError(
                f"{self.folder} lists no file {name!r}; it has: {', '.join(self.manifest.files)}"
            )
        return _read_file(self.folder, name, entry)


def _check_is_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.is_file():
        kind = "a packed bundle" if folder.suffix == PACKED_SUFFIX else "a file"
        raise BundleError(
            f"{folder} is {kind}; this version reads bundles unpacked: give the unpacked folder"
        )
    raise BundleError(f"{folder} is no folder; make a bundle with: t2f export RUN -o {folder}")


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        if not path.exists():
            raise BundleError(
                f"{folder} holds no {MANIFEST}; make a bundle with: t2f export RUN -o {folder}"
            )
        size = _regular_size(path, path)
        if size > MAXIMUM_MANIFEST_BYTES:
            raise BundleError(
                f"{path} has {size} bytes; a manifest has {MAXIMUM_MANIFEST_BYTES} at most"
            )
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
    return decode_manifest(data, source=str(path))


def _read_file(folder: Path, name: str, entry: FileEntry) -> bytes:
    """Reads a file whole and verifies what was read."""
    path = folder / name
    try:
        with _open_file(folder, name, entry) as file:
            # One byte more than expected, so that a file that grew is noticed and never read whole.
            data = file.read(entry.bytes + 1)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
    _check_size(path, len(data), entry)
    _check_hash(path, hashlib.sha256(data).hexdigest(), entry)
    return data


def _verify_file(folder: Path, name: str, entry: FileEntry) -> None:
    """Verifies a file in small pieces, since nobody has asked for its bytes."""
    path = folder / name
    digest = hashlib.sha256()
    try:
        with _open_file(folder, name, entry) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
    _check_hash(path, digest.hexdigest(), entry)


def _open_file(folder: Path, name: str, entry: FileEntry) -> BinaryIO:
    path = folder / name
    try:
        target = path.resolve(strict=True)
    except FileNotFoundError as error:
        raise BundleError(
            f"{path} is missing, though {MANIFEST} lists it; copy the whole bundle again"
        ) from error
    except RuntimeError as error:  # how Python before 3.13 reports a loop of symbolic links
        raise BundleError(f"{path} cannot be read: {error}") from error
    if not target.is_relative_to(folder.resolve()):
        raise BundleError(f"{path} leads outside the bundle, to {target}; copy the file itself")
    _check_size(path, _regular_size(path, target), entry)
    return target.open("rb")


def _regular_size(path: Path, target: Path) -> int:
    """Size of a regular file, found before it is opened: opening a pipe would wait for ever."""
    status = target.stat()
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path} is not a regular file; copy the whole bundle again")
    return status.st_size


def _check_size(path: Path, size: int, entry: FileEntry) -> None:
    if size < entry.bytes:
        raise BundleError(
            f"{path} is truncated: {size} of {entry.bytes} bytes; copy the whole bundle again"
        )
    if size > entry.bytes:
        raise BundleError(
            f"{path} is altered: {size} bytes instead of {entry.bytes}; copy the whole bundle again"
        )


def _check_hash(path: Path, sha256: str, entry: FileEntry) -> None:
    if sha256 != entry.sha256:
        raise BundleError(
            f"{path} is altered: its SHA-256 is {sha256} instead of {entry.sha256}; "
            "copy the whole bundle again"
        )
