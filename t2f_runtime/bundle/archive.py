"""A packed bundle: one uncompressed zip, read where it lies; nothing is unpacked.

It is read with calls that can fail, and not through a memory map: where a disk fails, or the stick
with the bundle is pulled out, reading a map ends the whole process (SIGBUS), and no handler helps.
"""

import os
import threading
import weakref
import zlib
from pathlib import Path

from t2f_runtime.bundle.files import (
    MAXIMUM_MANIFEST_BYTES,
    MAXIMUM_SIGNATURE_BYTES,
    check_hash,
    check_size,
    hash_of,
)
from t2f_runtime.bundle.manifest import MANIFEST, SIGNATURE, FileEntry, Manifest
from t2f_runtime.bundle.zip_layout import Member, read_members
from t2f_runtime.errors import BundleError

_CHUNK_BYTES = 2**20


class PackedFiles:
    """The files of a packed bundle; see `BundleFiles`.

    The file must not be changed in place while it is open; replacing it with another, as
    `t2f pack` and `t2f sign` do, leaves what is open as it is.

    Args:
        path: The archive.

    Raises:
        BundleError: It cannot be read, or is not laid out as `t2f pack` lays bundles out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = _OpenFile(path)
            if not len(self._file):
                raise BundleError(f"{path} is empty; copy it again")
            members = read_members(self._file, str(path))
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
        self._members = {member.name: member for member in members}

    @property
    def path(self) -> Path:
        """The archive."""
        return self._path

    def where(self, name: str) -> str:
        """The archive's path and a file's name in it."""
        return f"{self._path}: {name}"

    def read_manifest(self) -> bytes:
        """See `BundleFiles.read_manifest`."""
        data = self._read_unlisted(MANIFEST, "a manifest", MAXIMUM_MANIFEST_BYTES)
        if data is None:
            raise BundleError(
                f"{self._path} holds no {MANIFEST}; pack a bundle with: t2f pack BUNDLE "
                f"-o {self._path}"
            )
        return data

    def read_signature(self) -> bytes | None:
        """See `BundleFiles.read_signature`."""
        return self._read_unlisted(SIGNATURE, "a signature", MAXIMUM_SIGNATURE_BYTES)

    def check_listed(self, manifest: Manifest) -> None:
        """Refuses an archive that holds other files than the manifest lists, or of other sizes.

        Raises:
            BundleError: A file is missing, not listed, or of another size.
        """
        listed = {
            **manifest.files,
            **{e.file: FileEntry(bytes=e.bytes, sha256=e.sha256) for e in manifest.engines},
        }
        for name in self._members:
            if name not in {*listed, MANIFEST, SIGNATURE}:
                raise BundleError(
                    f"{self._path} holds {name!r}, which its {MANIFEST} does not list; copy it "
                    "again, or pack the bundle again"
                )
        for name, entry in listed.items():
            self._member(name, entry)

    def read(self, name: str, entry: FileEntry) -> bytes:
        """See `BundleFiles.read`."""
        return self._content(self._member(name, entry))

    def verify(self, name: str, entry: FileEntry) -> None:
        """See `BundleFiles.verify`; reads in small pieces."""
        member = self._member(name, entry)
        starts = range(0, member.size, _CHUNK_BYTES)
        found = hash_of(self._content(member, start, _CHUNK_BYTES) for start in starts)
        check_hash(self.where(name), found, entry)

    def _member(self, name: str, entry: FileEntry) -> Member:
        member = self._members.get(name)
        if member is None:
            raise BundleError(
                f"{self._path} lacks {name!r}, though its {MANIFEST} lists it; copy it again"
            )
        check_size(self.where(name), member.size, entry)
        return member

    def _content(self, member: Member, start: int = 0, size: int | None = None) -> bytes:
        """Reads a member's data, or a piece of it."""
        start += member.start
        stop = member.stop if size is None else min(start + size, member.stop)
        try:
            content = self._file[start:stop]
        except OSError as error:
            raise BundleError(
                f"{self.where(member.name)} cannot be read: {error.strerror or error}"
            ) from error
        if len(content) < stop - start:
            raise BundleError(
                f"{self._path} was truncated while it was open: {self._file.size_now()} of "
                f"{len(self._file)} bytes; copy it again, and replace files rather than rewrite "
                "them"
            )
        return content

    def _read_unlisted(self, name: str, kind: str, largest: int) -> bytes | None:
        """Reads a file that no manifest lists; its CRC-32 is all that there is to verify."""
        member = self._members.get(name)
        if member is None:
            return None
        if member.size > largest:
            raise BundleError(
                f"{self.where(name)} has {member.size} bytes; {kind} has {largest} at most"
            )
        data = self._content(member)
        if zlib.crc32(data) != member.crc32:
            raise BundleError(f"{self.where(name)} is altered: its CRC-32 differs; copy it again")
        return data


class _OpenFile:
    """A file that is read by slices, from any thread, for as long as something refers to it."""

    def __init__(self, path: Path) -> None:
        # O_BINARY: Windows would end a line at every carriage return.
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._descriptor)
        self._size = self.size_now()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Bytes that it had when it was opened."""
        return self._size

    def __getitem__(self, place: slice) -> bytes:
        """The bytes of a slice; fewer where the file has become shorter."""
        start, stop, _ = place.indices(self._size)
        parts = []
        while start < stop and (part := self._read_at(start, stop - start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def size_now(self) -> int:
        """Bytes that it has now."""
        return os.fstat(self._descriptor).st_size

    def _read_at(self, start: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, size, start)
        with self._lock:  # Windows has no such call
            os.lseek(self._descriptor, start, os.SEEK_SET)
            return os.read(self._descriptor, size)
