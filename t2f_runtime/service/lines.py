"""Lines of bytes, bounded, over the descriptors of a process."""

import os
import threading
from collections.abc import Callable, Iterator

CHUNK_BYTES = 2**16

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(read: Callable[[int], bytes], most: int) -> Iterator[bytes | None]:
    """Cuts what is read into lines; never keeps more than one of them.

    The last one need not end with a line feed. A byte order mark before the first is left out,
    which a C# `StreamWriter` may write.

    Args:
        read: Gives up to so many bytes; none at the end.
        most: The longest line, in bytes.

    Returns:
        The lines, without their line feeds; None for each that is longer, when that is known.
    """
    kept = bytearray()
    skips, is_first = False, True
    while chunk := read(CHUNK_BYTES):
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            if not skips:
                line = _join(kept, piece, most)
                yield line.removeprefix(_BYTE_ORDER_MARK) if line and is_first else line
            skips = is_first = False
            kept.clear()
        if not skips:
            skips = len(kept) + len(rest) > most
            if skips:
                kept.clear()
                yield None
            else:
                kept += rest
    if kept:
        yield bytes(kept).removeprefix(_BYTE_ORDER_MARK) if is_first else bytes(kept)


def _join(kept: bytearray, piece: bytes, most: int) -> bytes | None:
    return None if len(kept) + len(piece) > most else bytes(kept) + piece


class LineWriter:
    """Writes whole lines to a descriptor; safe to use from many threads.

    Args:
        descriptor: What `os.write` takes.

    Attributes:
        is_broken: Whether nobody reads any more; what is written then is lost without an error.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self.is_broken = False

    def write(self, line: bytes) -> None:
        """Writes a line and its line feed; waits while whoever reads is behind."""
        left = memoryview(line + b"\n")
        with self._lock:
            while left and not self.is_broken:
                left = left[self._write_some(left) :]

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except OSError:  # the other end of the pipe is closed
            self.is_broken = True
            return 0
