"""The screen as one picture: faces with their places below them, the chosen ones framed."""

from collections.abc import Collection, Sequence

from PIL import Image, ImageDraw, ImageFont

from t2f_runtime.errors import ArgumentError
from t2f_runtime.generator import Pictures
from t2f_runtime.pictures.sheet import FONT_PIXELS, GAP_PIXELS, MAXIMUM_PIXELS, enlarge

FACE_PIXELS = 128
"""Faces are enlarged to at least this side."""
COLUMNS = 6

_WHITE = (255, 255, 255)
_INK = (32, 32, 32)
_FRAME = (200, 30, 30)
_FRAME_PIXELS = 4
_LABEL_PIXELS = FONT_PIXELS + 6


def numbered_sheet(
    pictures: Pictures, chosen: Collection[int] = (), *, labels: Sequence[str] | None = None
) -> Image.Image:
    """Draws the faces of a screen with the numbers that operators choose them by.

    Args:
        pictures: Shape `(faces, height, width, 3)`, uint8, RGB.
        chosen: Places of the faces that are framed.
        labels: What stands below the faces; None writes their places. The font that Pillow brings
            has the letters of ASCII alone: any others are shown as boxes.

    Returns:
        An RGB image on white.

    Raises:
        ArgumentError: There is no face, or the sheet would be too large.
    """
    if not len(pictures):
        raise ArgumentError("a sheet needs a face")
    scale = max(1, FACE_PIXELS // pictures.shape[1])
    side = pictures.shape[1] * scale
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    across, down = side + GAP_PIXELS, side + GAP_PIXELS + _LABEL_PIXELS
    size = (columns * across + GAP_PIXELS, rows * down + GAP_PIXELS)
    if size[0] * size[1] > MAXIMUM_PIXELS:
        raise ArgumentError(f"the sheet would have {size[0]}x{size[1]} pixels: show fewer faces")
    sheet = Image.new("RGB", size, _WHITE)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT_PIXELS)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        left, top = GAP_PIXELS + column * across, GAP_PIXELS + row * down
        if place in chosen:
            reach = _FRAME_PIXELS
            corners = (left - reach, top - reach, left + side + reach - 1, top + side + reach - 1)
            draw.rectangle(corners, fill=_FRAME)
        sheet.paste(enlarge(picture, scale), (left, top))
        label = str(place) if labels is None else labels[place]
        draw.text((left + side // 2, top + side + 4), label, _INK, font, anchor="ma")
    return sheet
