"""Chooses the reader of a data set by its name in the configuration."""

from pathlib import Path
from typing import Literal

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.celeba import read_celeba
from t2f_train.data.face2text import read_face2text
from t2f_train.data.image_folder import read_image_folder

ReaderName = Literal["face2text", "celeba", "folder"]
"""Layouts of data sets that can be read."""


def read_faces(reader: ReaderName, folder: Path) -> list[CaptionedFace]:
    """Reads a data set.

    Args:
        reader: Its layout.
        folder: Where it is.

    Returns:
        Its faces, one or more, in an order that is the same on every machine.

    Raises:
        DataError: With everything that is missing or broken in the data set.
    """
    match reader:
        case "face2text":
            return read_face2text(folder)
        case "celeba":
            return read_celeba(folder)
        case "folder":
            return read_image_folder(folder)
