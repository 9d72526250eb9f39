"""Reads any folder of images: all described, some of them, or none."""

from pathlib import Path

from t2f_train.data.captioned_face import CaptionedFace, one_a_line
from t2f_train.data.image_files import image_files
from t2f_train.data.problems import Problems

_TEXT = "a UTF-8 text file of the same name beside it, one description a line: face.jpg, face.txt"


def read_image_folder(folder: Path) -> list[CaptionedFace]:
    """Reads `name.jpg` with `name.txt` beside it, in the folder and all folders inside.

    A text file is UTF-8 and has one description a line; blank lines do not count. Hidden files and
    folders are skipped, and so is whatever is neither an image nor the text of one.

    Args:
        folder: The data set.

    Returns:
        The faces, ordered by their path inside the folder.

    Raises:
        DataError: If there are no images, or one of them has no description that can be read.
    """
    problems = Problems(
        f"image folder {folder}",
        f"each image (.jpg, .jpeg, .png or .webp) needs {_TEXT}; write the text, move the image "
        f"away, or set data.reader to 'partly-captioned' to train with undescribed images too",
    )
    images = _images(folder, problems)
    for image in images:
        text = image.with_suffix(".txt")
        if not text.exists():
            problems.add(image, f"has no {text.name} beside it")
    return _with_texts(images, problems)


def read_partly_captioned(folder: Path) -> list[CaptionedFace]:
    """Reads images of which some have a text file beside them, as `read_image_folder` does.

    Args:
        folder: The data set.

    Returns:
        The faces, ordered by their path inside the folder. Images without a text file have no
        descriptions.

    Raises:
        DataError: If there are no images, a text file of one has no description that can be read,
            or no image has a text file.
    """
    problems = Problems(
        f"image folder {folder}",
        f"a described image (.jpg, .jpeg, .png or .webp) needs {_TEXT}; write the text, or remove "
        f"an empty one to train with its image undescribed",
    )
    images = _images(folder, problems)
    if images and not any(image.with_suffix(".txt").exists() for image in images):
        problems.add(
            folder,
            "holds no description; at least one image needs one, and the reader 'images' takes "
            "folders without any",
        )
    return _with_texts(images, problems)


def read_images(folder: Path) -> list[CaptionedFace]:
    """Reads images alone, in the folder and all folders inside, for models without text.

    Hidden files and folders are skipped, and so is whatever is no image, texts included.

    Args:
        folder: The data set.

    Returns:
        The faces, without descriptions, ordered by their path inside the folder.

    Raises:
        DataError: If there are no images.
    """
    problems = Problems(
        f"image folder {folder}",
        "it must hold images (.jpg, .jpeg, .png or .webp), in folders or not",
    )
    images = _images(folder, problems)
    problems.raise_if_any()
    return [CaptionedFace(image, ()) for image in images]


def _images(folder: Path, problems: Problems) -> list[Path]:
    """The images; none at all, or no such folder, is noted."""
    if not problems.has_folder(folder):
        return []
    images = image_files(folder)
    if not images:
        problems.add(folder, "holds no images")
    return images


def _with_texts(images: list[Path], problems: Problems) -> list[CaptionedFace]:
    """Gives each image the descriptions beside it, if there are any.

    Raises:
        DataError: If anything was noted, now or before.
    """
    faces = [CaptionedFace(image, _descriptions(image, problems)) for image in images]
    problems.raise_if_any()
    return faces


def _descriptions(image: Path, problems: Problems) -> tuple[str, ...]:
    """The lines of an image's text file; one that gives none is noted, a missing one is not."""
    path = image.with_suffix(".txt")
    text = problems.read_text(path) if path.exists() else None
    if text is None:
        return ()
    descriptions = one_a_line(text)
    if not descriptions:
        problems.add(path, "holds no description")
    return descriptions
