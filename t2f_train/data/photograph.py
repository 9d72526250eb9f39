"""Decodes a photograph and keeps the square that training looks at."""

import struct
import zlib
from io import BytesIO
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from t2f_train.data.image_source import ImageSource, PackedFile

CropBox: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom of a square, in pixels of the upright photograph; right and bottom
are the first column and row outside."""

_DECODING_ERRORS = (
    OSError,  # truncated, or no image at all
    SyntaxError,  # a broken PNG chunk
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class BrokenPhotographError(Exception):
    """A photograph cannot be used; the text says why, to be read after its path."""


def read_square(source: ImageSource, crop: CropBox | None, resolution: int) -> NDArray[np.uint8]:
    """Reads a photograph, crops it and brings it to a resolution.

    Transparent pixels are seen on white; the camera's orientation is honoured. A square that is a
    multiple of the resolution is averaged in blocks, any other one resampled with Lanczos' filter
    without shortcuts.

    Args:
        source: The image.
        crop: The square to keep; None takes the largest one at the centre.
        resolution: Side of the result, in pixels.

    Returns:
        Shape `(resolution, resolution, 3)`, uint8, RGB.

    Raises:
        BrokenPhotographError: If the file is no image, broken, or too small for crop or resolution.
    """
    try:
        file = BytesIO(source.read()) if isinstance(source, PackedFile) else source
        with Image.open(file) as image:
            upright = _rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise BrokenPhotographError("cannot be read as an image: it has no known format") from error
    except _DECODING_ERRORS as error:
        raise BrokenPhotographError(f"cannot be read as an image: {error}") from error
    square = upright.crop(_box(upright, crop, resolution))
    if square.width != resolution:
        is_multiple = square.width % resolution == 0
        kernel = Image.Resampling.BOX if is_multiple else Image.Resampling.LANCZOS
        square = square.resize((resolution, resolution), kernel, reducing_gap=None)
    return np.asarray(square)


def _rgb(image: Image.Image) -> Image.Image:
    """Converts any 8-bit image to RGB."""
    if image.mode.startswith(("I", "F")):
        raise BrokenPhotographError(
            f"has pixels of mode {image.mode}, more than 8 bits; save it with 8 bits a channel"
        )
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _box(image: Image.Image, crop: CropBox | None, resolution: int) -> CropBox:
    """The square to keep, checked against the image and the resolution."""
    width, height = image.size
    if crop is None:
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        crop = (left, top, left + side, top + side)
    left, top, right, bottom = crop
    if right > width or bottom > height:
        raise BrokenPhotographError(f"has {width}x{height} pixels; the crop {crop} leaves it")
    if 2 * (right - left) < resolution:
        raise BrokenPhotographError(
            f"gives a square of {right - left} pixels; a resolution of {resolution} needs "
            f"{resolution // 2} or more"
        )
    return crop
