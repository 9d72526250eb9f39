"""The form of pictures that every metric takes."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import ArgumentError

Pictures: TypeAlias = NDArray[np.uint8]
"""Square pictures: shape `(count, side, side, 3)`, uint8, RGB."""


def check_pictures(name: str, pictures: Pictures, *, minimum: int = 1) -> None:
    """Refuses what has not the form of pictures.

    Args:
        name: What the message calls them, in the plural.
        pictures: Shape `(count, side, side, 3)`, uint8, RGB.
        minimum: The fewest pictures that will do.

    Raises:
        ArgumentError: If shape, type or count are wrong.
    """
    shape = pictures.shape
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or pictures.dtype != np.uint8:
        raise ArgumentError(
            f"the {name} are {pictures.dtype} of shape {shape}; they must be uint8 of shape "
            "(count, side, side, 3), RGB"
        )
    if shape[0] < minimum or shape[1] < 1:
        raise ArgumentError(f"there are {shape[0]} {name}; it takes {minimum} or more")


def check_same_side(first: Pictures, second: Pictures) -> None:
    """Refuses to compare pictures of different sizes.

    Args:
        first: Shape `(count, side, side, 3)`.
        second: Shape `(count, side, side, 3)`; another count is fine.

    Raises:
        ArgumentError: If the sides differ.
    """
    if first.shape[1] != second.shape[1]:
        raise ArgumentError(
            f"pictures of {first.shape[1]} pixels cannot be compared with pictures of "
            f"{second.shape[1]}; bring both to one size"
        )
