"""The command `t2f generate`."""

import hashlib
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import click
import msgspec
import numpy as np

from t2f_runtime.bundle import Bundle
from t2f_runtime.commands import BUNDLE, TRUST, read_descriptions, read_trusted
from t2f_runtime.engines.names import AUTO, EngineName
from t2f_runtime.errors import DescriptionError, PictureError
from t2f_runtime.generator import MAXIMUM_FACES, FaceGenerator, Pictures
from t2f_runtime.latent import LARGEST_SEED, draw_latent
from t2f_runtime.manifest import Precision
from t2f_runtime.picture_facts import PictureFacts, description_hash
from t2f_runtime.picture_files import check_picture_path, save_picture
from t2f_runtime.sheet import contact_sheet, enlarge

_SHEET_FACE_PIXELS = 128
"""Faces on a sheet are enlarged to at least this side, for people to see them."""

_NAME_CHARACTERS = 40
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


@click.command()
@BUNDLE
@click.argument("descriptions", nargs=-1, metavar="[DESCRIPTION]...")
@click.option(
    "--from",
    "description_file",
    type=click.File("rb"),
    help="Read more descriptions from FILE, one a line; - is standard input.",
    metavar="FILE",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The picture to write: .png, .jpg or .webp.",
)
@click.option(
    "--each",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each face to a PNG of its own in FOLDER, which is made if missing.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON object a face: file, description, seed, index, SHA-256, milliseconds.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Equal seeds draw equal faces.",
)
@click.option(
    "--count",
    type=click.IntRange(1, MAXIMUM_FACES),
    default=1,
    show_default=True,
    help="Candidates a description, or faces without any.",
)
@click.option(
    "--scale",
    type=click.IntRange(1, 64),
    help="Enlarge each face this many times.  [default: 1, on a sheet enough to see them]",
)
@click.option("--sheet", is_flag=True, help="Draw a captioned sheet even of one face.")
@click.option(
    "--precision",
    type=click.Choice((AUTO, *get_args(Precision))),
    default=AUTO,
    show_default=True,
    help="Which of the bundle's networks draw; auto is float32 on a CPU.",
)
@click.option(
    "--engine",
    type=click.Choice((AUTO, *get_args(EngineName))),
    default=AUTO,
    show_default=True,
    help="What runs the networks; auto takes the best that works here.",
)
@click.option(
    "--device",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which GPU, of those that CUDA shows.",
)
@TRUST
def generate(  # noqa: PLR0913 (options arrive as arguments)
    bundle: Path,
    descriptions: tuple[str, ...],
    description_file: BinaryIO | None,
    output: Path | None,
    folder: Path | None,
    seed: int,
    count: int,
    *,
    scale: int | None,
    key_files: tuple[Path, ...],
    precision: Precision | Literal["auto"],
    engine: str,
    device: int,
    as_json: bool,
    sheet: bool,
) -> None:
    """Draw faces from descriptions, or without any where the model has no text.

    One description draws one picture; several, or a --count, draw a captioned sheet, or with --each
    a file each, in which case none of them is kept in memory.

    \b
    Examples:
      t2f generate BUNDLE "a bald man with a beard" -o face.png
      t2f generate BUNDLE "a girl" "an old man" --count 6 --seed 7 -o sheet.png
      t2f generate BUNDLE --from descriptions.txt -o sheet.png
      t2f generate BUNDLE_WITHOUT_TEXT --count 16 -o sheet.png
      t2f generate BUNDLE "a girl" --engine tensorrt --device 1 -o face.png
      t2f generate BUNDLE --from descriptions.txt --count 4 --each faces --json
    """  # noqa: D301 (click's mark is the backspace)
    if output is None and folder is None and not as_json:
        raise click.UsageError("Give -o PICTURE, --each FOLDER, or --json.")
    if output is not None:
        check_picture_path(output)
    if description_file is not None:
        descriptions += read_descriptions(description_file)
    keep: Precision = "float32" if precision == AUTO else precision
    opened = Bundle.open(bundle, keep=keep, trusted=read_trusted(key_files))
    generator = FaceGenerator.from_bundle(opened, engine=engine, precision=precision, device=device)
    if generator.takes_text and not descriptions:
        raise click.UsageError('Give a DESCRIPTION, such as "a bald man", or --from FILE.')
    _check_all(generator, descriptions)
    texts = descriptions or (None,)
    results = _Results(opened, output=output, folder=folder, scale=scale, as_json=as_json)
    for number, text in enumerate(texts, start=1):
        for face in draw_faces(generator, text, seed=seed, count=count):
            results.add(number, face)
    if output is not None:
        is_sheet = sheet or len(texts) > 1 or count > 1
        notes = _notes(opened, descriptions, seed, count)
        results.save(output, is_sheet=is_sheet, notes=notes)
    results.report(len(texts) * count)


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


def file_name(number: int, face: DrawnFace) -> str:
    """A name that any system takes, whatever the description: `00001-a-bald-man-s7-0000.png`.

    Args:
        number: Which description it is, from 1.
        face: The face.
    """
    plain = unicodedata.normalize("NFKD", face.description or "").encode("ascii", "ignore").decode()
    words = re.sub("[^a-z0-9]+", "-", plain.lower())[:_NAME_CHARACTERS].strip("-")
    parts = [f"{number:05}", *([words] if words else []), f"s{face.seed}", f"{face.index:04}"]
    return "-".join(parts) + ".png"


class _Results:
    """Puts faces where the options of the command say.

    Args:
        bundle: What they were drawn with.
        output: The picture of all of them; None if there is to be none.
        folder: Where each has a file of its own; None likewise.
        scale: How many times each is enlarged; None leaves it to what is written.
        as_json: Whether each is told in a line.

    Raises:
        PictureError: The folder cannot be made.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        output: Path | None,
        folder: Path | None,
        scale: int | None,
        as_json: bool,
    ) -> None:
        self._bundle = bundle
        self._output = output
        self._folder = folder
        self._scale = scale
        self._as_json = as_json
        self._rows: dict[int, list[DrawnFace]] = {}
        self._lines: list[bytes] = []
        self._size = (0, 0)
        if folder is not None:
            _make_folder(folder)

    def add(self, number: int, face: DrawnFace) -> None:
        """Writes and tells of a face of description `number`; keeps it only for a sheet."""
        file = self._output
        if self._folder is not None:
            file = self._folder / file_name(number, face)
            described = () if face.description is None else (face.description,)
            notes = _notes(self._bundle, described, face.seed, 1)
            picture = enlarge(face.picture, self._scale or 1)
            save_picture(picture, file, notes={**notes, "Index": str(face.index)})
        if self._as_json:
            self._lines.append(_describe_face(face, file))
        if self._output is not None:
            self._rows.setdefault(number, []).append(face)
        else:
            self._print()

    def save(self, output: Path, *, is_sheet: bool, notes: Mapping[str, str]) -> None:
        """Writes all faces into one picture."""
        rows = [
            (faces[0].description or "", np.stack([face.picture for face in faces]))
            for faces in self._rows.values()
        ]
        if is_sheet:
            enough = max(1, _SHEET_FACE_PIXELS // rows[0][1].shape[1])
            image = contact_sheet(rows, scale=self._scale or enough)
        else:
            image = enlarge(rows[0][1][0], self._scale or 1)
        save_picture(image, output, notes=notes)
        self._size = image.size

    def report(self, faces: int) -> None:
        """Tells what was written; nothing else where each face is told in a line."""
        self._print()
        if self._as_json:
            return
        noun = "face" if faces == 1 else "faces"
        if self._output is not None:
            width, height = self._size
            click.echo(f"{self._output}: {faces} {noun}, {width}x{height} pixels")
        if self._folder is not None:
            click.echo(f"{self._folder}: {faces} {noun}, a file each")

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
            "sha256": hashlib.sha256(face.picture.tobytes()).hexdigest(),
            "milliseconds": round(face.milliseconds, 3),
        }
    )


def _check_all(generator: FaceGenerator, descriptions: Sequence[str]) -> None:
    """Reads every description before the first is drawn, which may take minutes for many."""
    number = 0
    try:
        for number, description in enumerate(descriptions, start=1):  # noqa: B007 (for the error)
            generator.condition(description)
    except DescriptionError as error:
        if len(descriptions) == 1 or not generator.takes_text:
            raise
        raise DescriptionError(f"description {number}: {error}") from error


def _notes(bundle: Bundle, descriptions: Sequence[str], seed: int, count: int) -> dict[str, str]:
    """What every written picture says about itself."""
    return PictureFacts(
        bundle_id=bundle.bundle_id,
        seed=seed,
        count=max(1, len(descriptions)) * count,
        description="\n".join(descriptions) if descriptions else None,
        description_sha256=description_hash(descriptions),
    ).notes()
