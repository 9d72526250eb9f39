"""Where an image is: in a file of its own, or inside a tar."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file inside an uncompressed tar, read where it lies."""

    archive: Path
    """The tar."""
    name: str
    """The file's path inside the tar."""
    offset: int
    """Place of its first byte in the tar."""
    size: int
    """Its length in bytes."""

    def __str__(self) -> str:
        return f"{self.archive}/{self.name}"

    def read(self) -> bytes:
        """The file's content.

        Raises:
            OSError: If the tar cannot be read, or ends before the file does.
        """
        with self.archive.open("rb") as archive:
            return self.read_from(archive)

    def read_from(self, archive: BinaryIO) -> bytes:
        """The file's content, from the tar that is open already.

        Raises:
            OSError: If the tar cannot be read, or ends before the file does.
        """
        archive.seek(self.offset)
        content = archive.read(self.size)
        if len(content) < self.size:
            raise OSError(f"{self.archive} ends after {len(content)} of {self.size} bytes")
        return content


ImageSource: TypeAlias = Path | PackedFile
"""An image file; `str` gives a path to show, which for a packed one goes on inside the tar."""
