"""Finds the files of a data set."""

from collections.abc import Iterable, Set
from pathlib import Path

from t2f_train.data.captioned_face import IMAGE_SUFFIXES


def image_files(folder: Path) -> list[Path]:
    """The images in a folder and all folders inside; see `visible_files`."""
    return visible_files(folder, IMAGE_SUFFIXES)


def visible_files(folder: Path, suffixes: Set[str]) -> list[Path]:
    """The files with certain endings, in a folder and all folders inside.

    Hidden files and folders are skipped.

    Args:
        folder: Where to look; it may itself be hidden.
        suffixes: The endings in lower case, with their dot; files may have them in any case.

    Returns:
        The files, ordered by their path inside the folder, the same on every operating system.
    """
    inside = (
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and path.is_file()
    )
    shown = (path for path in inside if not any(part.startswith(".") for part in path.parts))
    return [folder / path for path in sorted(shown, key=Path.as_posix)]


def folder_with(names: Iterable[str], candidates: Iterable[Path]) -> Path | None:
    """The first of some folders that holds any of some files; None if there is none."""
    known = list(names)
    for folder in candidates:
        if folder.is_dir() and any((folder / name).is_file() for name in known):
            return folder
    return None
