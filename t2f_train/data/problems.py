"""Collects everything that is wrong with a data set, so that one error tells it all at once."""

from pathlib import Path

from t2f_train.data.image_source import ImageSource
from t2f_train.errors import DataError

SHOWN = 10
"""Problems that an error lists; the others are counted."""


class Problems:
    """What is wrong with one data set.

    Args:
        subject: What is being read, as the error names it.
        advice: What was expected and what to do about it.
    """

    def __init__(self, subject: str, advice: str) -> None:
        self._subject = subject
        self._advice = advice
        self._shown: list[str] = []
        self._count = 0

    def add(self, path: ImageSource, what: str) -> None:
        """Notes one problem.

        Args:
            path: The file or folder that is wrong.
            what: What is wrong with it, to be read after its path: "is missing".
        """
        self._count += 1
        if len(self._shown) < SHOWN:
            self._shown.append(f"{path} {what}")

    def has_folder(self, path: Path) -> bool:
        """Whether a folder is there; if not, that is noted."""
        if path.is_dir():
            return True
        self.add(path, "is not a folder" if path.exists() else "does not exist")
        return False

    def read_text(self, path: Path) -> str | None:
        """Reads a UTF-8 file, with or without a byte order mark.

        Returns:
            Its text; None if it cannot be read, which is noted.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            self.add(path, "is missing")
        except OSError as error:
            self.add(path, f"cannot be read: {error.strerror}")
        else:
            return self.decode(path, content)
        return None

    def decode(self, path: ImageSource, content: bytes) -> str | None:
        """Decodes the content of a UTF-8 file, with or without a byte order mark.

        Returns:
            Its text; None if it is no UTF-8, which is noted.
        """
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            self.add(path, f"is not UTF-8 text: line {line}, byte {error.start} of the file")
            return None

    def raise_if_any(self) -> None:
        """Ends the reading if anything was noted.

        Raises:
            DataError: With all problems; of many, the first ones and the number of the others.
        """
        if self._count == 0:
            return
        if self._count == 1:
            raise DataError(f"{self._subject}: {self._shown[0]}; {self._advice}")
        lines = [f"{self._subject} has {self._count} problems:", *self._shown]
        if self._count > SHOWN:
            lines.append(f"and {self._count - SHOWN} more")
        raise DataError("\n  ".join(lines) + f"\n{self._advice}")
