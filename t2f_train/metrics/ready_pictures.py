"""Pictures that another program drew, to be measured as those of a run are."""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from t2f_train.errors import DataError
from t2f_train.metrics.pictures import Pictures

_ARRAYS = ("name", "pictures", "descriptions", "seeds", "indices")
_ADVICE = "draw what this lists: t2f evaluate RUN --ask FILE"


class AskedPicture(msgspec.Struct, frozen=True):
    """One picture that an evaluation asks for."""

    description: str
    """What it is to show; empty for a model without text."""
    seed: int
    """Decides the noise, together with the index."""
    index: int
    """Number of the picture within the seed."""


class Recorder:
    """An artist who draws nothing and notes down what was asked for.

    Attributes:
        asked: In the order of asking, each once.
    """

    def __init__(self) -> None:
        self._asked: dict[AskedPicture, None] = {}

    @property
    def asked(self) -> list[AskedPicture]:
        """What was asked for, in that order, each once."""
        return list(self._asked)

    def draw(self, descriptions: Sequence[str], *, seed: int, indices: Sequence[int]) -> Pictures:
        """Notes down; the pictures are black, of one pixel."""
        for text, index in zip(descriptions, indices, strict=True):
            self._asked[AskedPicture(text, seed, index)] = None
        return np.zeros((len(indices), 1, 1, 3), np.uint8)


class ReadyPictures:
    """An artist whose pictures are all drawn already.

    Args:
        name: What people call whoever drew them.
        pictures: Shape `(count, side, side, 3)`, uint8, RGB.
        asked: What each of them was drawn from.
        sha256: Digest of the file that they come from.

    Attributes:
        name: As given.
        sha256: As given.
    """

    def __init__(
        self, name: str, pictures: Pictures, asked: Sequence[AskedPicture], sha256: str
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self._pictures = pictures
        self._places = {one: place for place, one in enumerate(asked)}

    @classmethod
    def open(cls, path: Path, *, side: int) -> "ReadyPictures":
        """Reads a file that `numpy.savez` wrote.

        Args:
            path: Holds `pictures`, shape `(count, side, side, 3)`, uint8, RGB; `descriptions`,
                `seeds` and `indices`, each of shape `(count,)`; and `name`, a single text.
            side: Side that the pictures must have.

        Raises:
            DataError: If it is missing, is no such file, or has pictures of another side.
        """
        arrays, digest = _read(path)
        pictures, texts = arrays["pictures"], arrays["descriptions"]
        wanted = (len(texts), side, side, 3)
        if pictures.dtype != np.uint8 or pictures.shape != wanted:
            raise DataError(
                f"{path}: the pictures are {pictures.dtype} of shape {pictures.shape}; they must "
                f"be uint8 of shape {wanted}, as many as descriptions, of the run's side"
            )
        numbers = (arrays["seeds"], arrays["indices"])
        if any(row.shape != texts.shape or row.dtype.kind not in "iu" for row in numbers):
            raise DataError(f"{path}: seeds and indices must be whole numbers, one a picture")
        rows = zip(texts.tolist(), *(row.tolist() for row in numbers), strict=True)
        asked = [AskedPicture(str(text), seed, index) for text, seed, index in rows]
        return cls(str(arrays["name"]), pictures, asked, digest)

    def check(self, asked: Sequence[AskedPicture]) -> None:
        """Raises `DataError` if a picture that will be asked for is not there."""
        missing = [one for one in asked if one not in self._places]
        if missing:
            first = missing[0]
            raise DataError(
                f"{self.name} has no picture of {len(missing)} of {len(asked)} that this "
                f"evaluation asks for, such as {first.description!r} (seed {first.seed}, index "
                f"{first.index}); {_ADVICE}, with the same --faces, --seed and --quick"
            )

    def draw(self, descriptions: Sequence[str], *, seed: int, indices: Sequence[int]) -> Pictures:
        """Gives the pictures that were drawn for these; see `Artist.draw`."""
        rows = zip(descriptions, indices, strict=True)
        asked = [AskedPicture(text, seed, index) for text, index in rows]
        self.check(asked)
        return self._pictures[[self._places[one] for one in asked]]


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays of the file, and its SHA-256."""
    try:
        content = path.read_bytes()
        file = np.load(io.BytesIO(content), allow_pickle=False)
        arrays = {name: file[name] for name in _ARRAYS}
    except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as ready pictures: {error}; it must be written by numpy.savez "
            f"with the arrays {', '.join(_ARRAYS)}; {_ADVICE}"
        ) from error
    return arrays, hashlib.sha256(content).hexdigest()
