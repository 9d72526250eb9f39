"""Reads Labeled Faces in the Wild: photographs of people by name, without descriptions."""

import re
from pathlib import Path

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.image_files import image_files
from t2f_train.data.problems import Problems

_UNPACKED = ("lfw", "lfw-deepfunneled", "lfw_funneled")
"""Folders that the archives of LFW's editions unpack to."""
_STEM = re.compile(r"(?P<person>.+)_[0-9]{4}")


def read_lfw(folder: Path) -> list[CaptionedFace]:
    """Reads LFW, whichever edition, in its original layout, for models without text.

    Args:
        folder: Holds `NAME/NAME_0001.jpg`, itself or in a folder `lfw`, `lfw-deepfunneled` or
            `lfw_funneled`. What is no image (.jpg, .jpeg, .png or .webp), or hidden, is ignored.

    Returns:
        The faces, without descriptions, ordered by their path.

    Raises:
        DataError: If there are no images, or one of them is not named as LFW does.
    """
    problems = Problems(
        f"LFW folder {folder}",
        "it must hold NAME/NAME_0001.jpg, NAME/NAME_0002.jpg and so on for every person, and no "
        "other images; move others away, or read them with the reader 'images'",
    )
    if not problems.has_folder(folder):
        problems.raise_if_any()
    unpacked = (folder / name for name in _UNPACKED)
    people = next((path for path in unpacked if path.is_dir()), folder)
    images = image_files(people)
    if not images:
        problems.add(people, "holds no images")
    for image in images:
        name = _STEM.fullmatch(image.stem)
        if image.parent.parent != people or not name or name["person"] != image.parent.name:
            problems.add(image, "is not named as LFW names its images")
    problems.raise_if_any()
    return [CaptionedFace(image, ()) for image in images]
