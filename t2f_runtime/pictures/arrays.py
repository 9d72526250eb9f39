"""Arrays of pictures, and the memory that they take."""

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import ArgumentError

Pictures = NDArray[np.uint8]

_GIB = 2**30


def empty_pictures(faces: int, side: int) -> Pictures:
    """Takes the memory for all pictures of a call, before the first of them is drawn.

    Args:
        faces: How many.
        side: Height and width of each, in pixels.

    Returns:
        Shape `(faces, side, side, 3)`, uint8, for RGB; what it holds is yet to be written.

    Raises:
        ArgumentError: The system does not give so much.
    """
    try:
        return np.empty((faces, side, side, 3), dtype=np.uint8)
    except MemoryError as error:
        raise ArgumentError(
            f"{faces} faces of {side}x{side} pixels take {faces * side * side * 3 / _GIB:.1f} GiB "
            "of memory, which the system does not give; ask for fewer in one call, and for the "
            "others in further ones"
        ) from error
