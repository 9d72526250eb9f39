"""Reads Flickr8k: photographs of everyday scenes with five captions each."""

import re
from pathlib import Path

from t2f_train.data.captioned_face import CaptionedFace, one_an_entry
from t2f_train.data.image_files import folder_with
from t2f_train.data.problems import Problems

_CAPTIONS = "Flickr8k.token.txt"
_FOLDERS = ("Flicker8k_Dataset", "images", ".")
"""Where images may be; the first spelling is that of the original archive."""
_LINE = re.compile(r"(?P<image>[^\t]+)#[0-9]+\t(?P<caption>.*)")
_WITHOUT_IMAGE = "2258277193_586949ec62.jpg.1"
"""Has captions in the original file, but no image in the archive under this name or a like one."""


def read_flickr8k(folder: Path) -> list[CaptionedFace]:
    """Reads Flickr8k in its original layout.

    The original file of captions describes one image that the archive lacks, under the malformed
    name `2258277193_586949ec62.jpg.1`; it is left out. Images without captions are ignored, and so
    are blank captions.

    Args:
        folder: Holds `Flickr8k.token.txt`, with lines of `NAME.jpg#0`, a tab and a caption, and
            the images in `Flicker8k_Dataset` (spelt as in the original archive), in `images`, or
            beside it.

    Returns:
        The described images, ordered by name.

    Raises:
        DataError: If the captions are not as Flickr8k has them or an image of theirs is missing.
    """
    problems = Problems(
        f"Flickr8k folder {folder}",
        f"it must hold {_CAPTIONS} (lines of NAME.jpg#0, a tab and a caption), and every image "
        f"named there in {_FOLDERS[0]}, in {_FOLDERS[1]} or beside it; unpack the data set again, "
        f"or take the lines of missing images out of {_CAPTIONS}",
    )
    if not problems.has_folder(folder):
        problems.raise_if_any()
    path = folder / _CAPTIONS
    captions = _read_captions(path, problems)
    described = {name: one_an_entry(texts) for name, texts in sorted(captions.items())}
    images = folder_with(described, (folder / name for name in _FOLDERS))
    if described and images is None:
        problems.add(folder / _FOLDERS[0], f"holds none of the images of {_CAPTIONS}")
    faces = []
    for name, descriptions in described.items():
        if not descriptions:
            problems.add(path, f"has only blank captions for {name}")
        if images is not None:
            if not (images / name).is_file():
                problems.add(images / name, f"is missing, but in {_CAPTIONS}")
            faces.append(CaptionedFace(images / name, descriptions))
    problems.raise_if_any()
    return faces


def _read_captions(path: Path, problems: Problems) -> dict[str, list[str]]:
    """The captions of each image name; what cannot be understood is noted."""
    text = problems.read_text(path)
    if text is None:
        return {}
    captions: dict[str, list[str]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        found = _LINE.fullmatch(line.rstrip("\r"))
        if found:
            captions.setdefault(found["image"], []).append(found["caption"])
        elif line.strip():
            problems.add(path, f"line {number}: it is no NAME.jpg#0, a tab and a caption")
    captions.pop(_WITHOUT_IMAGE, None)
    if not captions:
        problems.add(path, "holds no captions of an image")
    return captions
