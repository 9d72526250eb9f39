"""A packed bundle: one uncompressed zip, read through a memory map; nothing is unpacked."""

import hashlib
import mmap
import zlib
from pathlib import Path

from t2f_runtime.bundle_files import (
    MAXIMUM_MANIFEST_BYTES,
    MAXIMUM_SIGNATURE_BYTES,
    check_hash,
    check_size,
)
from t2f_runtime.errors import BundleError
from t2f_runtime.manifest import MANIFEST, SIGNATURE, FileEntry, Manifest
from t2f_runtime.zip_layout import Member, read_members


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
            with path.open("rb") as file:
                if not file.seek(0, 2):
                    raise BundleError(f"{path} is empty; copy it again")
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
        with memoryview(self._map) as data:
            self._members = {member.name: member for member in read_members(data, str(path))}

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
        member = self._member(name, entry)
        data = self._map[member.start : member.stop]
        check_hash(self.where(name), hashlib.sha256(data).hexdigest(), entry)
        return data

    def verify(self, name: str, entry: FileEntry) -> None:
        """See `BundleFiles.verify`; copies nothing."""
        member = self._member(name, entry)
        with memoryview(self._map) as data, data[member.start : member.stop] as content:
            digest = hashlib.sha256(content).hexdigest()
        check_hash(self.where(name), digest, entry)

    def _member(self, name: str, entry: FileEntry) -> Member:
        member = self._members.get(name)
        if member is None:
            raise BundleError(
                f"{self._path} lacks {name!r}, though its {MANIFEST} lists it; copy it again"
            )
        check_size(self.where(name), member.size, entry)
        self._check_length()
        return member

    def _check_length(self) -> None:
        # Reading a map beyond the end of its file does not raise an error, but ends the process.
        if self._map.size() < len(self._map):
            raise BundleError(
                f"{self._path} was truncated while it was open: {self._map.size()} of "
                f"{len(self._map)} bytes; copy it again, and replace files rather than rewrite them"
            )

    def _read_unlisted(self, name: str, kind: str, largest: int) -> bytes | None:
        """Reads a file that no manifest lists; its CRC-32 is all that there is to verify."""
        member = self._members.get(name)
        if member is None:
            return None
        if member.size > largest:
            raise BundleError(
                f"{self.where(name)} has {member.size} bytes; {kind} has {largest} at most"
            )
        self._check_length()
        data = self._map[member.start : member.stop]
        if zlib.crc32(data) != member.crc32:
            raise BundleError(f"{self.where(name)} is altered: its CRC-32 differs; copy it again")
        return data
