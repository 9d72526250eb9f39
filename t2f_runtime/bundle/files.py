"""What a bundle's files are read through, however they are kept, and the checks that all share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from t2f_runtime.bundle.manifest import FileEntry, Manifest
from t2f_runtime.errors import BundleError

MAXIMUM_MANIFEST_BYTES: Final = 16 * 2**20
"""A manifest is some kilobytes; more than this is something else."""
MAXIMUM_SIGNATURE_BYTES: Final = 64 * 2**10
"""A signature is some hundred bytes."""


class BundleFiles(Protocol):
    """The files of a bundle, in a folder or packed; `Bundle` verifies the hash of what it reads."""

    @property
    def path(self) -> Path:
        """Where the bundle lies."""
        ...

    def where(self, name: str) -> str:
        """What errors call a file."""
        ...

    def read_manifest(self) -> bytes:
        """Returns the manifest as it lies there; raises `BundleError` if there is none."""
        ...

    def read_signature(self) -> bytes | None:
        """Returns the signature as it lies there; None where there is none."""
        ...

    def check_listed(self, manifest: Manifest) -> None:
        """Holds which files there are against the manifest, where that can be told."""
        ...

    def read(self, name: str, entry: FileEntry) -> bytes:
        """Returns a file's bytes, of which the size has been verified, and nothing else."""
        ...

    def verify(self, name: str, entry: FileEntry) -> None:
        """Verifies size and hash of a file whose bytes nobody has asked for."""
        ...


def check_size(where: str, size: int, entry: FileEntry) -> None:
    """Refuses a file of another size than the manifest says; raises `BundleError`."""
    if size < entry.bytes:
        raise BundleError(
            f"{where} is truncated: {size} of {entry.bytes} bytes; copy the whole bundle again"
        )
    if size > entry.bytes:
        raise BundleError(
            f"{where} is altered: {size} bytes instead of {entry.bytes}; "
            "copy the whole bundle again"
        )


def hash_of(pieces: Iterable[bytes]) -> str:
    """SHA-256, in hexadecimal, of bytes that come in pieces."""
    import hashlib  # noqa: PLC0415 (loads OpenSSL, a sixth of the time that importing T2F took)

    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def check_hash(where: str, sha256: str, entry: FileEntry) -> None:
    """Refuses a file of another hash than the manifest says; raises `BundleError`."""
    if sha256 != entry.sha256:
        raise BundleError(
            f"{where} is altered: its SHA-256 is {sha256} instead of {entry.sha256}; "
            "copy the whole bundle again"
        )
