"""Curves and polygons as arrays of points."""

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points: TypeAlias = NDArray[np.float64]


def smooth(points: ArrayLike, *, closed: bool = False, samples: int = 6) -> Points:
    """Draws a Catmull-Rom curve through points.

    Args:
        points: Shape `(points, 2)`.
        closed: Whether the last point joins the first.
        samples: Points on the curve for each given point.

    Returns:
        Shape `(about points * samples, 2)`, float64; an open curve has both its ends.
    """
    given = np.asarray(points, dtype=np.float64)
    if closed:
        padded = np.concatenate([given[-1:], given, given[:2]])
    else:
        before, after = 2 * given[:1] - given[1:2], 2 * given[-1:] - given[-2:-1]
        padded = np.concatenate([before, given, after])
    curve: Points = (_catmull_rom(samples) @ padded[_windows(len(padded))]).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, given[-1:]])


def ellipse(centre: Sequence[float] | Points, radii: Sequence[float], corners: int = 28) -> Points:
    """Returns a polygon that is nearly an ellipse, shape `(corners, 2)`, float64."""
    points: Points = _rim(corners) * radii + np.asarray(centre)
    return points


def discs(centres: Points, radii: ArrayLike, corners: int = 14) -> Points:
    """Returns nearly round polygons.

    Args:
        centres: Shape `(discs, 2)`.
        radii: Broadcast against `(discs,)`.
        corners: Of each polygon.

    Returns:
        Shape `(discs, corners, 2)`, float64.
    """
    sizes = np.broadcast_to(np.asarray(radii, dtype=np.float64), (len(centres),))
    points: Points = _rim(corners) * sizes[:, np.newaxis, np.newaxis] + centres[:, np.newaxis]
    return points


def mirrored(points: ArrayLike, side: int) -> Points:
    """Returns points with x multiplied by `side`, 1 or -1."""
    flipped: Points = np.asarray(points, dtype=np.float64) * (side, 1.0)
    return flipped


def both_sides(points: ArrayLike, middle: float = 0.0) -> Points:
    """Returns a shape of the left and the right side.

    Args:
        points: Of the right side, around x = 0, shape `(points, 2)`.
        middle: Where x = 0 lands.

    Returns:
        Shape `(2, points, 2)`, float64: left, right.
    """
    right = np.asarray(points, dtype=np.float64)
    return np.stack([right * (-1.0, 1.0), right]) + (middle, 0.0)


def closed_over(right: Points) -> Points:
    """Returns the polygon of a right half, from top to bottom, and its mirrored left half."""
    return np.concatenate([right, mirrored(right, -1)[::-1]])


def normals(curve: Points) -> Points:
    """Returns unit vectors to the left of a curve that goes clockwise, shape `(points, 2)`.

    They point out of a head whose right side is followed from the top down.
    """
    along = np.gradient(curve, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, np.newaxis]
    return np.stack([along[:, 1], -along[:, 0]], axis=1)


def resample(curve: Points, count: int) -> Points:
    """Returns `count` points at equal distances along a curve of shape `(points, 2)`."""
    travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    at = np.linspace(0.0, travelled[-1], count)
    return np.stack([np.interp(at, travelled, curve[:, axis]) for axis in (0, 1)], axis=1)


def taper(count: int, *widths: float) -> NDArray[np.float64]:
    """Spreads widths evenly along a line of `count` points."""
    at = np.linspace(0.0, 1.0, count)
    return np.interp(at, np.linspace(0.0, 1.0, len(widths)), widths)


@cache
def _windows(count: int) -> NDArray[np.intp]:
    return np.arange(count - 3)[:, np.newaxis] + np.arange(4)


@cache
def _rim(corners: int) -> Points:
    angles = np.linspace(0.0, 2 * np.pi, corners, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@cache
def _catmull_rom(samples: int) -> NDArray[np.float64]:
    t = np.linspace(0.0, 1.0, samples, endpoint=False)
    powers = np.stack([np.ones_like(t), t, t**2, t**3], axis=1)
    basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    weights: NDArray[np.float64] = powers @ basis
    return weights
