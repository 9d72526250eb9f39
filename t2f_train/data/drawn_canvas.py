"""A canvas in unit coordinates: filled shapes, soft spots, tapered strokes, clipping."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import cos, radians, sin

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from t2f_train.data.drawn_curves import Points, ellipse
from t2f_train.data.drawn_palette import Colour

_PIVOT = np.array([0.0, 0.85])
"""Heads tilt around their chins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Where shapes drawn around a midline land in the picture.

    Shapes have x = 0 on the midline and y from 0 (top of the picture) to 1 (bottom).
    """

    centre_x: float = 0.5
    shift_y: float = 0.0
    scale: float = 1.0
    tilt_degrees: float = 0.0
    """Clockwise, around the chin."""

    def affine(self, side: int) -> tuple[Points, Points]:
        """Returns what maps shapes to pixels, as `points @ matrix + offset`.

        Args:
            side: Of the picture, in pixels.

        Returns:
            Matrix of shape `(2, 2)` and offset of shape `(2,)`, float64.
        """
        angle = radians(self.tilt_degrees)
        turn = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
        matrix = turn * (self.scale * side)
        target = np.array([self.centre_x, _PIVOT[1] + self.shift_y])
        return matrix, target * side - _PIVOT @ matrix


class Canvas:
    """A square RGB picture that is drawn on in unit coordinates.

    Attributes:
        side: Of the picture, in pixels.
    """

    def __init__(self, side: int, colour: Colour) -> None:
        self.side = side
        self._show(Image.new("RGB", (side, side), colour))
        self.pose = Pose()

    @property
    def image(self) -> Image.Image:
        """The picture, RGB."""
        return self._image

    @property
    def pose(self) -> Pose:
        """Where the next shapes land."""
        return self._pose

    @pose.setter
    def pose(self, pose: Pose) -> None:
        self._pose = pose
        self._matrix, self._offset = pose.affine(self.side)

    def fill(self, shapes: ArrayLike, colour: Colour, opacity: float = 1.0) -> None:
        """Fills one or many polygons.

        Args:
            shapes: Shape `(corners, 2)`, or `(polygons, corners, 2)`.
            colour: RGB, 0 to 255.
            opacity: 0 leaves the picture as it is, 1 covers it.
        """
        ink = (*colour, round(opacity * 255))
        for corners in self._pixels(shapes):
            self._brush.polygon(corners, fill=ink)

    def stroke(
        self, lines: ArrayLike, widths: ArrayLike, colour: Colour, opacity: float = 1.0
    ) -> None:
        """Draws one or many lines of changing width.

        Args:
            lines: Shape `(points, 2)`, or `(lines, points, 2)`.
            widths: Full widths, broadcast against `(lines, points)`.
            colour: RGB, 0 to 255.
            opacity: 0 leaves the picture as it is, 1 covers it.
        """
        middles = np.asarray(lines, dtype=np.float64)
        if middles.ndim == 2:
            middles = middles[np.newaxis]
        self.fill(_ribbons(middles, np.asarray(widths, dtype=np.float64)), colour, opacity)

    def disc(
        self, centre: Sequence[float], radius: float, colour: Colour, opacity: float = 1.0
    ) -> None:
        """Fills a circle with a sharp edge."""
        self.fill(ellipse(centre, (radius, radius)), colour, opacity)

    def spot(
        self, centre: Sequence[float], radii: Sequence[float], colour: Colour, opacity: float
    ) -> None:
        """Lays a soft ellipse, strongest in its middle and gone at its rim.

        Args:
            centre: x and y.
            radii: Horizontal and vertical.
            colour: RGB, 0 to 255.
            opacity: Of the middle.
        """
        x, y = (np.asarray(centre, dtype=np.float64) @ self._matrix + self._offset).tolist()
        half_width, half_height = (
            max(1, round(radius * self.pose.scale * self.side)) for radius in radii
        )
        left, top = round(x - half_width), round(y - half_height)
        stamp = _stamp(round(opacity * 64), 2 * half_width, 2 * half_height)
        self._image.paste(colour, (left, top, left + stamp.width, top + stamp.height), stamp)

    def mask(self, *shapes: ArrayLike) -> Image.Image:
        """Returns the union of polygons as an "L" picture, 255 inside.

        Args:
            *shapes: Each of shape `(corners, 2)` or `(polygons, corners, 2)`.
        """
        mask = Image.new("L", (self.side, self.side), 0)
        brush = ImageDraw.Draw(mask)
        for shape in shapes:
            for corners in self._pixels(shape):
                brush.polygon(corners, fill=255)
        return mask

    def soften(self, mask: Image.Image, radius: float) -> Image.Image:
        """Blurs a mask by a radius in unit coordinates."""
        return mask.filter(ImageFilter.BoxBlur(radius * self.side * self.pose.scale))

    def lowered(self, mask: Image.Image, drop: float) -> Image.Image:
        """Returns a mask moved down by a distance in unit coordinates."""
        return ImageChops.offset(mask, 0, round(drop * self.side))

    def paint(self, mask: Image.Image, colour: Colour, opacity: float = 1.0) -> None:
        """Lays a colour where a mask is."""
        if opacity < 1.0:
            mask = mask.point([round(level * opacity) for level in range(256)])
        self._image.paste(colour, (0, 0), mask)

    @contextmanager
    def within(self, mask: Image.Image) -> Iterator[None]:
        """Lets what is drawn inside the block show only where the mask is."""
        below = self._image
        self._show(below.copy())
        try:
            yield
        finally:
            box = mask.getbbox()
            if box is not None:
                below.paste(self._image.crop(box), box, mask.crop(box))
            self._show(below)

    def _show(self, image: Image.Image) -> None:
        self._image = image
        self._brush = ImageDraw.Draw(image, "RGBA")

    def _pixels(self, shapes: ArrayLike) -> list[list[float]]:
        corners = np.asarray(shapes, dtype=np.float64)
        # Pillow counts from pixel centres, so the picture's corner is at -0.5.
        placed = corners @ self._matrix + (self._offset - 0.5)
        count = len(corners) if corners.ndim == 3 else 1
        flat: list[list[float]] = placed.reshape(count, -1).tolist()
        return flat


def common(first: Image.Image, second: Image.Image) -> Image.Image:
    """Returns the mask of what two masks share."""
    return ImageChops.multiply(first, second)


def _ribbons(lines: Points, widths: NDArray[np.float64]) -> Points:
    steps = lines[:, 1:] - lines[:, :-1]
    along = np.concatenate([steps[:, :1], steps[:, 1:] + steps[:, :-1], steps[:, -1:]], axis=1)
    length = np.sqrt((along * along).sum(axis=2))
    half = 0.5 * widths / np.maximum(length, 1e-9)
    across = along[..., ::-1] * half[..., np.newaxis] * (-1.0, 1.0)
    return np.concatenate([lines + across, (lines - across)[:, ::-1]], axis=1)


def _stamp(strength: int, width: int, height: int) -> Image.Image:
    """Returns a soft ellipse, "L"; small ones are kept, since faces share them."""
    if width * height <= 96 * 96:
        return _small_stamp(strength, width, height)
    return _soft_disc(strength).resize((width, height), Image.Resampling.BILINEAR)


@lru_cache(maxsize=4096)
def _small_stamp(strength: int, width: int, height: int) -> Image.Image:
    return _soft_disc(strength).resize((width, height), Image.Resampling.BILINEAR)


@lru_cache(maxsize=65)
def _soft_disc(strength: int) -> Image.Image:
    """Returns a soft disc, "L", whose middle has `strength` sixty-fourths of full opacity."""
    axis = np.linspace(-1.0, 1.0, 64)
    distance = np.minimum(np.hypot(axis[:, np.newaxis], axis), 1.0)
    falloff = np.cos(distance * np.pi / 2) ** 2
    return Image.fromarray(np.round(falloff * strength * 255 / 64).astype(np.uint8))
