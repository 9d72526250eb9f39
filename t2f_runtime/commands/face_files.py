"""What `t2f generate` makes of faces: one picture of all, a file each, or a line of JSON each."""

import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import msgspec
import numpy as np

from t2f_runtime.commands.options import printable
from t2f_runtime.commands.progress import Progress
from t2f_runtime.errors import PictureError
from t2f_runtime.generator import FaceGenerator, Pictures
from t2f_runtime.latent import draw_latent
from t2f_runtime.pictures.facts import facts_of, picture_hash, writing_time
from t2f_runtime.pictures.files import check_picture_size, save_picture
from t2f_runtime.pictures.sheet import check_pixels, contact_sheet, enlarge, sheet_size

_SHEET_FACE_PIXELS: Final = 128
"""Faces on a sheet are enlarged to at least this side, for people to see them."""

_NAME_CHARACTERS: Final = 40
"""Of a description, in the name of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFace:
    """One face."""

    description: str | None
    """What it was drawn from; None of a model without text."""
    seed: int
    """The seed."""
    index: int
    """Which candidate of the seed."""
    picture: Pictures
    """Shape `(height, width, 3)`, uint8, RGB."""
    milliseconds: float
    """How long drawing it took; of candidate 0, with the reading of its description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where faces go; see the options of `t2f generate`."""

    output: Path | None
    """The picture of all of them; None if there is to be none."""
    folder: Path | None
    """Where each has a file of its own; None likewise."""
    scale: int | None
    """How many times each is enlarged; None leaves it to what is written."""
    as_json: bool
    """Whether each is told in a line."""
    is_sheet: bool
    """Whether even one face is drawn as a sheet."""
    tells_description: bool
    """Whether the words go into files: into their facts and names, and onto sheets."""


def draw_faces(
    generator: FaceGenerator, text: str | None, *, seed: int, count: int
) -> Iterator[DrawnFace]:
    """Draws candidates one by one: those of `FaceGenerator.generate`.

    Args:
        generator: Draws.
        text: The description; None for a model without text.
        seed: The seed.
        count: How many.
    """
    start = time.perf_counter()
    mean, log_variance = generator.condition(text)
    noise_size = generator.manifest.noise_size
    for index in range(count):
        latent = draw_latent(mean, log_variance, seed=seed, index=index, noise_size=noise_size)
        picture = generator.draw(latent[np.newaxis])[0]
        yield DrawnFace(
            description=text,
            seed=seed,
            index=index,
            picture=picture,
            milliseconds=(time.perf_counter() - start) * 1000,
        )
        start = time.perf_counter()


def file_name(number: int, face: DrawnFace, *, tells_description: bool = True) -> str:
    """A name that any system takes, whatever the description: `00001-a-bald-man-s7-0000.png`.

    Args:
        number: Which description it is, from 1.
        face: The face.
        tells_description: Whether words of the description are in it.
    """
    told = face.description or "" if tells_description else ""
    plain = unicodedata.normalize("NFKD", told).encode("ascii", "ignore").decode()
    words = re.sub("[^a-z0-9]+", "-", plain.lower())[:_NAME_CHARACTERS].strip("-")
    parts = [f"{number:05}", *([words] if words else []), f"s{face.seed}", f"{face.index:04}"]
    return "-".join(parts) + ".png"


class FaceWriter:
    """Puts faces where they are to go.

    Args:
        generator: What they are drawn with.
        destination: Where they go.

    Attributes:
        faces: How many there were so far.

    Raises:
        ArgumentError: The environment tells a time that is none, or a face would be too large.
        PictureError: The folder cannot be made.
    """

    def __init__(self, generator: FaceGenerator, destination: Destination) -> None:
        self.faces = 0
        self._generator = generator
        self._to = destination
        self._rows: dict[int, list[DrawnFace]] = {}
        self._lines: list[bytes] = []
        self._size = (0, 0)
        self._expected: int | None = None
        self._progress = Progress()
        writing_time()  # refused now rather than with the first picture
        side = generator.image_size * (destination.scale or 1)
        check_pixels(side, side)
        if destination.folder is not None:
            _make_folder(destination.folder)

    def check_output(self, descriptions: Sequence[str], count: int) -> None:
        """Refuses the picture of all faces where it would be too large, before any is drawn.

        Args:
            descriptions: One a row; none of a model without text.
            count: Faces a row.

        Raises:
            ArgumentError: It has more pixels than a sheet may have.
            PictureError: It has more than its format holds.
        """
        if self._to.output is None:
            return
        side = self._generator.image_size
        captions = [self._caption(text) for text in descriptions] or [""]
        is_sheet = self._is_sheet(len(captions), count)
        scale = self._scale(is_sheet=is_sheet)
        size = (side * scale, side * scale)
        if is_sheet:
            size = sheet_size([(caption, count) for caption in captions], side * scale)
        check_pixels(*size)
        check_picture_size(self._to.output, size)

    def expects(self, faces: int) -> None:
        """Is told how many faces there will be, for whoever watches."""
        self._expected = faces

    def add(self, number: int, face: DrawnFace) -> None:
        """Writes and tells of a face of description `number`; keeps it only for a sheet."""
        file = self._to.output
        if self._to.folder is not None:
            tells = self._to.tells_description
            file = self._to.folder / file_name(number, face, tells_description=tells)
            picture = enlarge(face.picture, self._scale(is_sheet=False))
            save_picture(picture, file, notes=self._notes([face]))
        self.faces += 1
        if self._to.as_json:
            self._lines.append(_describe_face(face, file))
        else:
            of_all = "" if self._expected is None else f" of {self._expected}"
            self._progress.say(f"face {self.faces}{of_all}")
        if self._to.output is not None:
            self._rows.setdefault(number, []).append(face)
        else:
            self._print()

    def finish(self) -> None:
        """Writes the picture of all faces, and tells what was written."""
        self._progress.clear()
        if self._to.output is not None:
            self._save(self._to.output)
        self._print()
        if self._to.as_json:
            return
        if self._to.output is not None:
            width, height = self._size
            click.echo(printable(f"{self._to.output}: {self._count()}, {width}x{height} pixels"))
        if self._to.folder is not None:
            click.echo(printable(f"{self._to.folder}: {self._count()}, a file each"))

    def tell_what_is_there(self) -> None:
        """Tells, on standard error, which files were written before an end that was not wanted."""
        self._progress.clear()
        if self._to.folder is not None:
            click.echo(
                printable(f"{self._to.folder}: {self._count()}, a file each, until here"), err=True
            )

    def _count(self) -> str:
        return f"{self.faces} face{'s' * (self.faces != 1)}"

    def _save(self, output: Path) -> None:
        rows = [
            (self._caption(faces[0].description), np.stack([face.picture for face in faces]))
            for faces in self._rows.values()
        ]
        is_sheet = self._is_sheet(len(rows), len(rows[0][1]))
        scale = self._scale(is_sheet=is_sheet)
        image = contact_sheet(rows, scale=scale) if is_sheet else enlarge(rows[0][1][0], scale)
        faces = [face for row in self._rows.values() for face in row]
        save_picture(image, output, notes=self._notes(faces))
        self._size = image.size

    def _notes(self, faces: Sequence[DrawnFace]) -> dict[str, str]:
        """What a picture of these faces says about itself."""
        told = [faces[0], *(face for face in faces[1:] if face.index == 0)]
        return facts_of(
            self._generator,
            [face.description for face in told if face.description is not None],
            seed=faces[0].seed,
            index=faces[0].index if len(faces) == 1 else None,
            count=len(faces),
            time=writing_time(),
            tells_description=self._to.tells_description,
        ).notes()

    def _caption(self, description: str | None) -> str:
        return description or "" if self._to.tells_description else ""

    def _is_sheet(self, rows: int, count: int) -> bool:
        return self._to.is_sheet or rows > 1 or count > 1

    def _scale(self, *, is_sheet: bool) -> int:
        enough = max(1, _SHEET_FACE_PIXELS // self._generator.image_size) if is_sheet else 1
        return self._to.scale or enough

    def _print(self) -> None:
        """Prints what was told; of a picture of all, only once it is written."""
        for line in self._lines:
            click.echo(line)
        self._lines.clear()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise PictureError(f"the folder {folder} cannot be made: {reason}") from error


def _describe_face(face: DrawnFace, file: Path | None) -> bytes:
    return msgspec.json.encode(
        {
            "file": None if file is None else str(file),
            "description": face.description,
            "seed": face.seed,
            "index": face.index,
            "sha256": picture_hash(face.picture),
            "milliseconds": round(face.milliseconds, 3),
        }
    )
