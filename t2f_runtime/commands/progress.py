"""How far a command is: one line on standard error, which the next one takes the place of."""

import sys
from typing import TextIO


class Progress:
    """Says what is being done; nothing where nobody watches.

    Args:
        stream: Where; None takes standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_watched = self._stream is not None and self._stream.isatty()

    def say(self, line: str) -> None:
        """Writes a line in the place of the last one."""
        if self._is_watched:
            self._stream.write(f"\r\x1b[K{line}")
            self._stream.flush()

    def clear(self) -> None:
        """Takes the line away."""
        self.say("")
