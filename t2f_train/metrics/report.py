"""Writes an evaluation into a folder: JSON, a page, and the pictures that it shows."""

import io
import shutil
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from t2f_runtime.atomic_files import new_folder
from t2f_runtime.pictures.sheet import enlarge
from t2f_train.errors import RunError
from t2f_train.metrics.drawings import FACES_A_ROW
from t2f_train.metrics.evaluation import Evaluation, ReportPictures
from t2f_train.metrics.page import write_page
from t2f_train.metrics.pictures import Pictures

NUMBERS = "evaluation.json"
PAGE = "index.html"

_SHOWN_SIDE = 64
"""Pixels to which small pictures are enlarged."""
_GAP = 4
"""Transparent pixels between pictures."""


def check_report_folder(folder: Path) -> None:
    """Refuses a folder that holds something else, before any work is done for it.

    Raises:
        RunError: If there is a file, or a folder with other things than an evaluation.
    """
    if not folder.exists():
        return
    is_ours = folder.is_dir() and ((folder / NUMBERS).exists() or not any(folder.iterdir()))
    if not is_ours:
        raise RunError(
            f"{folder} holds something else than an evaluation; name a new folder with -o"
        )


def write_report(
    folder: Path,
    evaluation: Evaluation,
    pictures: ReportPictures,
    *,
    shows_photographs: bool = True,
) -> None:
    """Writes the report; an older one at its place is replaced when the new one is complete.

    Args:
        folder: See `check_report_folder`.
        evaluation: The numbers.
        pictures: What the page shows.
        shows_photographs: Whether photographs of the data set are among it; a page that is passed
            on needs their licence otherwise.

    Raises:
        RunError: If the folder cannot be written.
    """
    files = _pictures(pictures, shows_photographs=shows_photographs)
    numbers = msgspec.json.format(msgspec.json.encode(evaluation), indent=2) + b"\n"
    page = write_page(
        evaluation,
        [text for text, _ in pictures.rows],
        pictures.closest.distances,
        shows_photographs=shows_photographs,
    )
    complete = folder.with_name(f".{folder.name}.complete")
    replaced = folder.with_name(f".{folder.name}.replaced")
    try:
        for leftover in (complete, replaced):  # of a process that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        with new_folder(complete) as unfinished:
            for name, content in {**files, NUMBERS: numbers, PAGE: page.encode()}.items():
                (unfinished / name).write_bytes(content)
        if folder.exists():
            folder.replace(replaced)
        complete.replace(folder)
        shutil.rmtree(replaced, ignore_errors=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error}") from error


def _pictures(pictures: ReportPictures, *, shows_photographs: bool) -> dict[str, bytes]:
    """The PNG files by their names, which the page knows."""
    closest = pictures.closest.drawn
    grids = {"drawn.png": (pictures.drawn, FACES_A_ROW)}
    if shows_photographs:
        grids["photographs.png"] = (pictures.real, FACES_A_ROW)
        closest = np.concatenate([closest, pictures.closest.training])
    grids["nearest.png"] = (closest, len(pictures.closest.drawn))
    for number, (_, row) in enumerate(pictures.rows, start=1):
        grids[f"row-{number}.png"] = (row, FACES_A_ROW)
    if pictures.beside is not None:
        drawn, rows = pictures.beside
        grids["beside.png"] = (drawn, FACES_A_ROW)
        for number, row in enumerate(rows, start=1):
            grids[f"beside-row-{number}.png"] = (row, FACES_A_ROW)
    return {name: _png(grid(faces, columns)) for name, (faces, columns) in grids.items()}


def grid(pictures: Pictures, columns: int) -> NDArray[np.uint8]:
    """Lays pictures out in rows, with transparent gaps that suit a page of any colour.

    Args:
        pictures: Shape `(count, side, side, 3)`, uint8, RGB; small ones are enlarged.
        columns: Pictures in a row.

    Returns:
        Shape `(height, width, 4)`, uint8, RGBA.
    """
    scale = max(1, _SHOWN_SIDE // pictures.shape[1])
    side = pictures.shape[1] * scale
    step = side + _GAP
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * step - _GAP, columns * step - _GAP, 4), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (step * place for place in divmod(number, columns))
        sheet[top : top + side, left : left + side, :3] = np.asarray(enlarge(picture, scale))
        sheet[top : top + side, left : left + side, 3] = 255
    return sheet


def _png(pixels: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", optimize=True)
    return content.getvalue()
