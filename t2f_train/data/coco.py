"""Reads COCO captions: photographs of everyday scenes with five captions or more each."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from t2f_train.data.captioned_face import CaptionedFace, one_an_entry
from t2f_train.data.image_files import folder_with
from t2f_train.data.problems import Problems

_PREFIX = "captions_"


class _Image(msgspec.Struct):
    """One element of `images`; other fields are ignored."""

    id: int | str
    file_name: str


class _Annotation(msgspec.Struct):
    """One element of `annotations`; other fields are ignored."""

    image_id: int | str
    caption: str


class _Captions(msgspec.Struct):
    """The parts of a file of captions that count."""

    images: list[_Image]
    annotations: list[_Annotation]


def read_coco(folder: Path) -> list[CaptionedFace]:
    """Reads COCO captions in their original layout.

    All files of captions are read; an image that two of them describe has the captions of both.
    Image files that no file of captions lists are ignored, and so are blank captions.

    Args:
        folder: Holds `annotations/captions_SPLIT.json` (or `captions_SPLIT.json`), such as
            `captions_val2017.json`, one or more, and the images of each in the folder `SPLIT`, in
            `images/SPLIT`, in `images`, or in the data folder itself: the first of these that
            holds any of them.

    Returns:
        The described images, ordered by their path.

    Raises:
        DataError: If a file of captions is not as COCO has it, or an image that it lists has no
            caption or is missing.
    """
    problems = Problems(
        f"COCO folder {folder}",
        "it must hold annotations/captions_SPLIT.json, and in the folder SPLIT (such as val2017), "
        "in images/SPLIT or in images every image that is listed there; unpack what is missing, or "
        "move the captions_SPLIT.json whose images you do not have away",
    )
    if not problems.has_folder(folder):
        problems.raise_if_any()
    described: dict[Path, list[str]] = {}
    for path in _caption_files(folder, problems):
        captions = _decode(path, problems)
        if captions is not None:
            _collect(folder, path, captions, described, problems)
    problems.raise_if_any()
    order = sorted(described, key=Path.as_posix)
    return [CaptionedFace(image, tuple(described[image])) for image in order]


def _caption_files(folder: Path, problems: Problems) -> list[Path]:
    """The files of captions; if there are none, that is noted."""
    annotations = folder / "annotations"
    pattern = f"{_PREFIX}*.json"
    paths = sorted(annotations.glob(pattern)) or sorted(folder.glob(pattern))
    if not paths:
        problems.add(annotations, f"holds no {pattern}")
    return paths


def _decode(path: Path, problems: Problems) -> _Captions | None:
    """Reads a file of captions; None if it is not as it must be, which is noted."""
    text = problems.read_text(path)
    if text is None:
        return None
    try:
        captions = msgspec.json.decode(text, type=_Captions)
    except msgspec.ValidationError as error:
        problems.add(path, f"is not as COCO has it: {error}")
        return None
    except msgspec.DecodeError as error:
        problems.add(path, f"is not valid JSON: {error}")
        return None
    if not captions.images:
        problems.add(path, "lists no images")
        return None
    return captions


def _collect(
    folder: Path,
    path: Path,
    captions: _Captions,
    described: dict[Path, list[str]],
    problems: Problems,
) -> None:
    """Adds the captions of one file to those of its images; what does not fit is noted."""
    split = path.stem.removeprefix(_PREFIX)
    candidates = (folder / split, folder / "images" / split, folder / "images", folder)
    names = [image.file_name for image in captions.images]
    place = folder_with(names, candidates)
    if place is None:
        problems.add(folder / split, f"holds none of the {len(names)} images of {path.name}")
        return
    texts = _texts_by_image(path, captions, problems)
    for image in captions.images:
        file = place / image.file_name
        descriptions = one_an_entry(texts[image.id])
        if not descriptions:
            problems.add(path, f"has no caption for {image.file_name}, which it lists")
        if not file.is_file():
            problems.add(file, f"is missing, but in {path.name}")
        described.setdefault(file, []).extend(descriptions)


def _texts_by_image(
    path: Path, captions: _Captions, problems: Problems
) -> dict[int | str, Sequence[str]]:
    """The captions by the id of their image; ids that do not fit are noted."""
    texts: dict[int | str, list[str]] = {}
    for image in captions.images:
        if image.id in texts:
            problems.add(path, f"lists two images of the id {image.id}")
        texts[image.id] = []
    for number, annotation in enumerate(captions.annotations):
        if annotation.image_id in texts:
            texts[annotation.image_id].append(annotation.caption)
        else:
            problems.add(
                path, f"annotation {number} is for image {annotation.image_id}, which is not listed"
            )
    return dict(texts)
