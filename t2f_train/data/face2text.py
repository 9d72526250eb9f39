"""Reads Face2Text: free-text descriptions of photographs of Labeled Faces in the Wild."""

import json
from pathlib import Path, PurePosixPath

import msgspec

from t2f_train.data.captioned_face import IMAGE_SUFFIXES, CaptionedFace
from t2f_train.data.problems import Problems


class _Description(msgspec.Struct):
    """One person's description."""

    text: str


class _Entry(msgspec.Struct):
    """One element of the list in clean.json; other fields are ignored."""

    image: str
    descriptions: list[_Description]


def read_face2text(folder: Path) -> list[CaptionedFace]:
    """Reads Face2Text v0.1 in its original layout.

    The photograph may have another ending than clean.json says (.jpg, .jpeg, .png or .webp, in
    any case). Photographs without descriptions are ignored; if two entries describe the same one,
    their descriptions are joined.

    Args:
        folder: Holds `face2text_v0.1/clean.json` (or `clean.json`) and `lfw/NAME/NAME_0001.jpg`.

    Returns:
        The described faces, ordered by their path inside `lfw`.

    Raises:
        DataError: If anything is missing or not as Face2Text has it.
    """
    problems = Problems(
        f"Face2Text folder {folder}",
        "it must hold face2text_v0.1/clean.json, and lfw/NAME/NAME_0001.jpg for every image named "
        "there; add what is missing, or take the entry out of clean.json",
    )
    if not problems.has_folder(folder):
        problems.raise_if_any()
    photographs = folder / "lfw"
    entries = _entries(_annotations(folder), problems)
    described: dict[Path, list[str]] = {}
    if problems.has_folder(photographs):
        for entry in entries:
            image = _photograph(photographs, entry.image)
            if image is None:
                problems.add(photographs / entry.image, "is missing")
            else:
                texts = (" ".join(each.text.split()) for each in entry.descriptions)
                described.setdefault(image, []).extend(texts)
    problems.raise_if_any()
    order = sorted(described, key=Path.as_posix)
    return [CaptionedFace(image, tuple(described[image])) for image in order]


def _annotations(folder: Path) -> Path:
    """Where clean.json is, or ought to be."""
    plain = folder / "clean.json"
    return plain if plain.exists() else folder / "face2text_v0.1" / "clean.json"


def _entries(path: Path, problems: Problems) -> list[_Entry]:
    """The entries of clean.json that are whole; everything else is noted."""
    text = problems.read_text(path)
    if text is None:
        return []
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        problems.add(path, f"is not valid JSON: {error}")
        return []
    if not isinstance(plain, list) or not plain:
        problems.add(path, "must hold a list of entries, one an image")
        return []
    entries = (_entry(value, f"entry {n}", path, problems) for n, value in enumerate(plain))
    return [entry for entry in entries if entry is not None]


def _entry(plain: object, name: str, path: Path, problems: Problems) -> _Entry | None:
    """Checks one entry; None if it cannot be used, which is noted."""
    try:
        entry = msgspec.convert(plain, _Entry)
    except msgspec.ValidationError as error:
        problems.add(path, f"{name}: {error}")
        return None
    if not entry.descriptions:
        problems.add(path, f"{name} ({entry.image}) has no description")
        return None
    if not all(description.text.strip() for description in entry.descriptions):
        problems.add(path, f"{name} ({entry.image}) has an empty description")
        return None
    return entry


def _photograph(folder: Path, name: str) -> Path | None:
    """Finds a photograph whatever its ending; the one that is named exactly comes first."""
    exact = folder / name
    if exact.is_file():
        return exact
    relative = PurePosixPath(name)
    # A name such as "J.R._Smith_0001" has a dot but no ending.
    has_ending = relative.suffix.lower() in IMAGE_SUFFIXES
    stem = relative.stem if has_ending else relative.name
    beside = folder / relative.parent
    candidates = sorted(beside.iterdir()) if beside.is_dir() else []
    for path in candidates:
        if path.stem == stem and path.suffix.lower() in IMAGE_SUFFIXES:
            return path
    return None
