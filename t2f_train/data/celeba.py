"""Reads CelebA: photographs with 40 yes-or-no attributes, from which descriptions are written."""

import hashlib
from pathlib import Path

import numpy as np

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.celeba_descriptions import describe
from t2f_train.data.celeba_traits import ATTRIBUTES
from t2f_train.data.problems import Problems

DESCRIPTIONS_PER_IMAGE = 8
"""Descriptions that are written for an image; equal ones count once."""


def read_celeba(folder: Path) -> list[CaptionedFace]:
    """Reads aligned CelebA in its original layout.

    Args:
        folder: Holds `list_attr_celeba.txt`, and the images in `img_align_celeba` (or once more
            in a folder of that name inside, as some archives unpack). Images that are not in the
            list are ignored.

    Returns:
        The faces, ordered by name. The descriptions of an image depend on its name and attributes
        alone.

    Raises:
        DataError: If the list is not as CelebA has it or an image that it names is missing.
    """
    problems = Problems(
        f"CelebA folder {folder}",
        "it must hold CelebA's list_attr_celeba.txt (a count, a header, then a row an image) and "
        "img_align_celeba with every image of the list; unpack the data set again, or shorten the "
        "list and its count to the images that you have",
    )
    if not problems.has_folder(folder):
        problems.raise_if_any()
    images = folder / "img_align_celeba"
    if (images / images.name).is_dir():
        images = images / images.name
    rows = _read_rows(folder / "list_attr_celeba.txt", problems)
    if problems.has_folder(images):
        present = {path.name for path in images.iterdir()}
        for name in rows:
            if name not in present:
                problems.add(images / name, "is missing, but in the list")
    problems.raise_if_any()
    return [CaptionedFace(images / name, _descriptions(name, rows[name])) for name in sorted(rows)]


def _read_rows(path: Path, problems: Problems) -> dict[str, frozenset[str]]:
    """Reads the list: the attributes that are present, for each image name."""
    text = problems.read_text(path)
    if text is None:
        return {}
    lines = text.rstrip().split("\n")
    if len(lines) < 3:
        problems.add(path, f"has {len(lines)} lines; it needs a count, a header and a row an image")
        return {}
    found = len(lines) - 2
    if lines[0].strip() != str(found):
        problems.add(path, f"line 1: the count is '{lines[0].strip()}', but {found} rows follow")
    header = lines[1].split()
    if sorted(header) != sorted(ATTRIBUTES):
        problems.add(path, f"line 2: {_header_difference(header)}")
        return {}
    rows: dict[str, frozenset[str]] = {}
    for number, line in enumerate(lines[2:], start=3):
        name, *values = line.split() or [""]
        complaint = _complaint(name, values, rows)
        if complaint:
            problems.add(path, f"line {number}: {complaint}")
        else:
            pairs = zip(header, values, strict=True)
            rows[name] = frozenset(attribute for attribute, value in pairs if value == "1")
    return rows


def _header_difference(header: list[str]) -> str:
    """What is wrong with a header that does not name CelebA's attributes, each once."""
    missing = [name for name in ATTRIBUTES if name not in header]
    unknown = [name for name in header if name not in ATTRIBUTES]
    return (
        f"the header has {len(header)} names instead of CelebA's {len(ATTRIBUTES)} "
        f"(missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'})"
    )


def _complaint(name: str, values: list[str], rows: dict[str, frozenset[str]]) -> str | None:
    """What is wrong with a row, if anything."""
    if len(values) != len(ATTRIBUTES):
        return f"{len(values)} values after the name, not {len(ATTRIBUTES)}"
    wrong = sorted(set(values) - {"1", "-1"})
    if wrong:
        return f"the value '{wrong[0]}' is neither 1 nor -1"
    return f"{name} is there twice" if name in rows else None


def _descriptions(name: str, attributes: frozenset[str]) -> tuple[str, ...]:
    """Writes different descriptions of one image, the same ones every time."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    rng = np.random.Generator(np.random.Philox(key=key))
    texts = [describe(attributes, rng) for _ in range(DESCRIPTIONS_PER_IMAGE)]
    return tuple(dict.fromkeys(texts))
