"""Contact sheets: rows of faces with their descriptions beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from t2f_runtime.errors import ArgumentError
from t2f_runtime.pictures.arrays import Pictures

MAXIMUM_PIXELS = 2**27
"""The largest sheet: 400 MB in memory."""

FONT_PIXELS = 16
CAPTION_PIXELS = 224
"""Width of the column that holds the descriptions; a sheet without any has none."""
GAP_PIXELS = 8
MAXIMUM_LINES = 12
"""A longer description is cut in the picture, with an ellipsis."""

_WHITE = (255, 255, 255)
_INK = (32, 32, 32)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where everything lies on a sheet, in pixels."""

    font: Font
    captions: list[list[str]]
    """Lines of each row's description."""
    heights: list[int]
    """Of each row."""
    left: int
    """Where faces begin, right of the descriptions."""
    columns: int
    """Faces side by side."""
    size: tuple[int, int]
    """Width and height of the sheet."""


def contact_sheet(
    rows: Sequence[tuple[str, Pictures]], *, scale: int = 1, columns: int = 8
) -> Image.Image:
    """Draws a sheet with one row of faces a description; a long row goes on below.

    The font is the one that Pillow brings: letters beyond ASCII show as boxes in the captions.

    Args:
        rows: Each description, which may be empty, with its faces, of shape
            `(faces, height, width, 3)`, uint8, RGB.
        scale: How many times each face is enlarged.
        columns: The most faces side by side.

    Returns:
        An RGB image on white.

    Raises:
        ArgumentError: There is nothing to draw, or the sheet would be too large.
    """
    if not rows or not all(len(pictures) for _, pictures in rows):
        raise ArgumentError("a contact sheet needs a face in every row")
    side = rows[0][1].shape[1] * scale
    layout = _lay_out([(text, len(pictures)) for text, pictures in rows], side, columns)
    sheet = _blank_sheet(*layout.size)
    top = GAP_PIXELS
    for lines, height, (_, pictures) in zip(layout.captions, layout.heights, rows, strict=True):
        _draw_caption(sheet, lines, layout.font, top)
        _paste_faces(sheet, pictures, layout.columns, scale, (layout.left, top))
        top += height + GAP_PIXELS
    return sheet


def sheet_size(rows: Sequence[tuple[str, int]], side: int, *, columns: int = 8) -> tuple[int, int]:
    """Width and height of a `contact_sheet`, in pixels, before its faces are drawn.

    Args:
        rows: Each description with the number of its faces.
        side: Height and width of a face on the sheet, in pixels.
        columns: The most faces side by side.
    """
    return _lay_out(rows, side, columns).size


def enlarge(picture: Pictures, scale: int) -> Image.Image:
    """Enlarges a picture.

    Args:
        picture: Shape `(height, width, 3)`, uint8, RGB.
        scale: A whole number, 1 or more.

    Raises:
        ArgumentError: The result would be too large.
    """
    image = Image.fromarray(picture)
    size = (image.width * scale, image.height * scale)
    check_pixels(*size)
    # Tried on faces of 32 and 64 pixels: nearest shows blocks, which hide the face from the eye;
    # Lanczos is a little sharper than bicubic, and its rings are not to be seen.
    return image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS)


def check_pixels(width: int, height: int) -> None:
    """Refuses a picture that would be larger than `MAXIMUM_PIXELS`.

    Raises:
        ArgumentError: It is so.
    """
    if width * height > MAXIMUM_PIXELS:
        raise ArgumentError(
            f"the picture would have {width}x{height} pixels; {MAXIMUM_PIXELS} in all are the "
            "most: take a smaller scale or fewer faces"
        )


def wrap(text: str, font: Font, width: int) -> list[str]:
    """Breaks a text into lines, at spaces where it can, within words where it must.

    Args:
        text: Any text; all its white space counts as single spaces.
        font: What it will be drawn with.
        width: The longest line, in pixels.

    Returns:
        `MAXIMUM_LINES` lines at most, the last with an ellipsis where more would follow.
    """
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".lstrip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
        if len(lines) > MAXIMUM_LINES:
            return [*lines[: MAXIMUM_LINES - 1], lines[MAXIMUM_LINES - 1][:-1] + "…"]
    return lines


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where everything lies on a sheet, in pixels."""

    font: Font
    captions: list[list[str]]
    """The lines beside each row."""
    columns: int
    left: int
    """Where the faces begin."""
    heights: list[int]
    """Of each row."""
    size: tuple[int, int]


def _lay_out(rows: Sequence[tuple[str, int]], side: int, columns: int) -> _Layout:
    font = ImageFont.load_default(FONT_PIXELS)
    has_captions = any(description.strip() for description, _ in rows)
    left = CAPTION_PIXELS + 2 * GAP_PIXELS if has_captions else GAP_PIXELS
    captions = [
        wrap(description, font, CAPTION_PIXELS) if has_captions else [] for description, _ in rows
    ]
    columns = min(columns, max(faces for _, faces in rows))
    heights = [
        max(_grid_height(faces, columns, side), _line_height(font) * len(lines))
        for lines, (_, faces) in zip(captions, rows, strict=True)
    ]
    width = left + columns * (side + GAP_PIXELS)
    height = sum(heights) + GAP_PIXELS * (len(rows) + 1)
    return _Layout(font, captions, columns, left, heights, (width, height))


def _line_height(font: Font) -> int:
    return round(FONT_PIXELS * 1.3) if isinstance(font, ImageFont.FreeTypeFont) else FONT_PIXELS


def _grid_height(faces: int, columns: int, side: int) -> int:
    lines = -(-faces // columns)
    return lines * side + (lines - 1) * GAP_PIXELS


def _blank_sheet(width: int, height: int) -> Image.Image:
    check_pixels(width, height)
    return Image.new("RGB", (width, height), _WHITE)


def _draw_caption(sheet: Image.Image, lines: list[str], font: Font, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((GAP_PIXELS, top + number * _line_height(font)), line, fill=_INK, font=font)


def _paste_faces(
    sheet: Image.Image, pictures: Pictures, columns: int, scale: int, corner: tuple[int, int]
) -> None:
    left, top = corner
    for position, picture in enumerate(pictures):
        line, column = divmod(position, columns)
        face = enlarge(picture, scale)
        step = face.width + GAP_PIXELS
        sheet.paste(face, (left + column * step, top + line * step))
