"""A set of drawn faces with descriptions, each a pure function of the seed and its number."""

import dataclasses
import json
import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from t2f_runtime.atomic_files import new_folder
from t2f_train.data.drawn_attributes import FaceAttributes, sample_attributes
from t2f_train.data.drawn_descriptions import describe
from t2f_train.data.drawn_faces import draw_face
from t2f_train.data.drawn_geometry import FaceGeometry, sample_geometry
from t2f_train.errors import DataError

DESCRIPTIONS_A_FACE = 4
ATTRIBUTES = "attributes.jsonl"
"""Beside the images: one JSON object a line, with the image's name and its attributes."""

FACES_WORTH_A_POOL = 200
"""Starting processes takes about a second: fewer faces are drawn faster without."""

MINIMUM_SIZE = 8
"""Side in pixels below which a face is no longer one."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFace:
    """A face that can be drawn at any size, and what people say about it."""

    attributes: FaceAttributes
    """What can be said of the face."""
    geometry: FaceGeometry
    """Its proportions and shades."""
    descriptions: tuple[str, ...]
    """Different true descriptions, one or more."""

    def draw(self, size: int) -> Image.Image:
        """Draws it as an RGB picture of `size` by `size` pixels."""
        return draw_face(self.attributes, self.geometry, size)


def drawn_face(index: int, *, seed: int = 0) -> DrawnFace:
    """The face of this number: equal numbers and seeds give equal faces.

    Args:
        index: 0 or more.
        seed: 0 to 2**64 - 1; another seed gives other faces.
    """
    rng = np.random.Generator(np.random.Philox(key=seed, counter=index << 192))
    attributes, geometry = sample_attributes(rng), sample_geometry(rng)
    descriptions = [describe(attributes, rng) for _ in range(DESCRIPTIONS_A_FACE)]
    return DrawnFace(
        attributes=attributes,
        geometry=geometry,
        descriptions=tuple(dict.fromkeys(descriptions)),
    )


def write_drawn_faces(
    folder: Path,
    *,
    count: int,
    size: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Writes a set in the layout that `read_image_folder` reads.

    `00000.png` has its descriptions in `00000.txt`, one a line, and its attributes in a line of
    `attributes.jsonl`. The folder appears when it is complete, or not at all.

    Args:
        folder: A folder that does not exist yet, or is empty.
        count: Number of faces, 1 or more.
        size: Side of the images in pixels, 8 or more.
        seed: Decides the faces.
        progress: Is told how many faces are done, after each.

    Raises:
        DataError: If the folder holds something or cannot be written, or a number is out of range.
    """
    if count < 1 or size < MINIMUM_SIZE:
        raise DataError(
            f"cannot draw {count} faces of {size} pixels; ask for 1 face or more, "
            f"of {MINIMUM_SIZE} pixels or more"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not an empty folder; name a new one for the drawn faces")
    try:
        with new_folder(folder) as unfinished:
            _write_faces(unfinished, count, size, seed, progress)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error}") from error


def _write_faces(
    folder: Path, count: int, size: int, seed: int, progress: Callable[[int], None] | None
) -> None:
    digits = max(5, len(str(count - 1)))
    write = partial(_write_face, folder, digits=digits, size=size, seed=seed)
    with ExitStack() as stack:
        lines = stack.enter_context((folder / ATTRIBUTES).open("w", encoding="utf-8"))
        records: Iterable[str] = map(write, range(count))
        if count >= FACES_WORTH_A_POOL:
            context = multiprocessing.get_context("spawn")  # forking with threads can hang
            pool = stack.enter_context(ProcessPoolExecutor(mp_context=context))
            records = pool.map(write, range(count), chunksize=16)
        for done, record in enumerate(records, start=1):
            lines.write(record)
            if progress:
                progress(done)


def _write_face(folder: Path, index: int, *, digits: int, size: int, seed: int) -> str:
    """Writes one face and its descriptions; returns its line of `ATTRIBUTES`."""
    face = drawn_face(index, seed=seed)
    image = f"{index:0{digits}}.png"
    face.draw(size).save(folder / image)
    text = "".join(f"{description}\n" for description in face.descriptions)
    (folder / image).with_suffix(".txt").write_text(text, encoding="utf-8")
    return json.dumps({"image": image, **dataclasses.asdict(face.attributes)}) + "\n"
