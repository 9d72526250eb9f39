"""Reads any folder of images with a text file of descriptions beside each."""

from pathlib import Path

from t2f_train.data.captioned_face import IMAGE_SUFFIXES, CaptionedFace
from t2f_train.data.problems import Problems


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
        "each image (.jpg, .jpeg, .png or .webp) needs a UTF-8 text file of the same name beside "
        "it, one description a line: face.jpg, face.txt; write the text or move the image away",
    )
    if not problems.has_folder(folder):
        problems.raise_if_any()
    images = _images(folder)
    if not images:
        problems.add(folder, "holds no images")
    faces = []
    for image in images:
        descriptions = _descriptions(image, problems)
        if descriptions:
            faces.append(CaptionedFace(image, descriptions))
    problems.raise_if_any()
    return faces


def _images(folder: Path) -> list[Path]:
    """The image files, in an order that does not depend on the operating system."""
    inside = (
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    )
    shown = (path for path in inside if not any(part.startswith(".") for part in path.parts))
    return [folder / path for path in sorted(shown, key=Path.as_posix)]


def _descriptions(image: Path, problems: Problems) -> tuple[str, ...]:
    """The lines of an image's text file; empty if that is a problem, which is noted."""
    path = image.with_suffix(".txt")
    if not path.exists():
        problems.add(image, f"has no {path.name} beside it")
        return ()
    text = problems.read_text(path)
    if text is None:
        return ()
    descriptions = tuple(line.strip() for line in text.split("\n") if line.strip())
    if not descriptions:
        problems.add(path, "holds no description")
    return descriptions
