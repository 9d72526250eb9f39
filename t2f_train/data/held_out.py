"""Keeps a share of the images out of training: the same ones on every machine, on every day."""

import hashlib
from collections.abc import Sequence
from itertools import takewhile
from pathlib import PurePath

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.errors import DataError


def split_faces(
    faces: Sequence[CaptionedFace], share: float
) -> tuple[list[CaptionedFace], list[CaptionedFace]]:
    """Splits a data set into what is trained on and what is held out.

    A hash of an image's name decides, where the name is its path below the folder that all images
    share. So the choice depends neither on where the data lies nor on what other images there are,
    and the share is met about, not exactly.

    Args:
        faces: The whole data set.
        share: Share of the images to hold out, 0 to 1; 0 holds out none.

    Returns:
        The faces to train on and those that are held out, both in the order of `faces`.

    Raises:
        DataError: If a share above 0 leaves either part empty.
    """
    if share == 0.0:
        return list(faces), []
    training: list[CaptionedFace] = []
    held_out: list[CaptionedFace] = []
    for face, name in zip(faces, _names(faces), strict=True):
        (held_out if _fraction(name) < share else training).append(face)
    if not training or not held_out:
        raise DataError(
            f"data.held_out is {share:g}, which leaves {len(training)} of {len(faces)} images for "
            f"training and {len(held_out)} for evaluation; neither may be none: change "
            f"data.held_out or add images"
        )
    return training, held_out


def _names(faces: Sequence[CaptionedFace]) -> list[str]:
    """Paths of the images below their common folder, with slashes on every machine."""
    paths = [PurePath(str(face.image)) for face in faces]
    folders = zip(*(path.parent.parts for path in paths), strict=False)  # to the shallowest one
    common = sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, folders))
    return ["/".join(path.parts[common:]) for path in paths]


def _fraction(name: str) -> float:
    """A number in 0 to 1 that any change of the name makes another."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
