"""Joins screens of the session on this page into one picture, `screens.webp`.

t2f identikit BUNDLE --case 17.case --pictures screens < docs/results/identikit/session.txt
python docs/results/identikit/join_screens.py screens -o docs/results/identikit/screens.webp
"""

from collections.abc import Sequence
from pathlib import Path

import click
from msgspec.structs import replace
from PIL import Image

from t2f_runtime.pictures.facts import PictureFacts, Pictures, read_picture
from t2f_runtime.pictures.files import check_picture_path, save_picture

ROWS = (
    ("0001-candidates",),
    ("0003-breed",),
    ("0005-breed",),
    ("0007-more", "0008-more", "0009-less", "0011-describe", "0012-mix"),
)
"""The screens from top to bottom, those of a row side by side."""

_WHITE = (255, 255, 255)


@click.command()
@click.argument("screens", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
def main(screens: Path, output: Path) -> None:
    """Join the pictures that `t2f identikit --pictures SCREENS` wrote."""
    check_picture_path(output)
    rows = [[read_picture(screens / f"{name}.png") for name in row] for row in ROWS]
    told = [facts for row in rows for facts, _ in row]
    image = join([[pixels for _, pixels in row] for row in rows])
    save_picture(image, output, notes=_together(told).notes())


def join(rows: Sequence[Sequence[Pictures]]) -> Image.Image:
    """Puts pictures side by side, and rows of them below each other, on white.

    Args:
        rows: Pictures of shape `(height, width, 3)`, uint8, RGB.
    """
    widths = [sum(picture.shape[1] for picture in row) for row in rows]
    heights = [max(picture.shape[0] for picture in row) for row in rows]
    joined = Image.new("RGB", (max(widths), sum(heights)), _WHITE)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for picture in row:
            joined.paste(Image.fromarray(picture), (left, top))
            left += picture.shape[1]
        top += height
    return joined


def _together(told: Sequence[PictureFacts]) -> PictureFacts:
    """What all of them say, of so many faces; several descriptions have no hash in common."""
    return replace(
        told[0],
        index=None,
        count=sum(facts.count for facts in told),
        names=" ".join(facts.names or "" for facts in told),
        description_sha256=None,
        faces_sha256=None,
    )


if __name__ == "__main__":
    main()
