"""The attributes of the images of a data set, where it has any: what classifiers are taught."""

from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.celeba_traits import ATTRIBUTES
from t2f_train.data.readers import ReaderName

Rows = NDArray[np.bool_]
"""Shape `(faces, 40)`: which of CelebA's attributes each face has, in the order of `ATTRIBUTES`."""


def read_attribute_rows(
    reader: ReaderName, folder: Path, faces: Sequence[CaptionedFace]
) -> Rows | None:
    """Reads the attributes of faces that a reader has read, and so checked, before.

    Args:
        reader: The layout of the data set.
        folder: Where it is.
        faces: What the reader gave, or a part of it.

    Returns:
        Shape `(faces, 40)`; None for a data set whose attributes are not CelebA's.
    """
    if reader != "celeba":
        return None
    lines = (folder / "list_attr_celeba.txt").read_text("utf-8-sig").split("\n")
    header = lines[1].split()
    columns = [header.index(name) for name in ATTRIBUTES]
    values = {name: row for name, *row in (line.split() for line in lines[2:] if line.strip())}
    names = [PurePath(str(face.image)).name for face in faces]
    return np.array([[values[name][column] == "1" for column in columns] for name in names])
