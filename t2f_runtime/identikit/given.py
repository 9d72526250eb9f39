"""What callers give to operations: descriptions that go on, and numbers."""

import math
from typing import TYPE_CHECKING

import numpy as np

from t2f_runtime.errors import ArgumentError

if TYPE_CHECKING:
    from t2f_runtime.identikit.face import Face

ELLIPSES = ("…", "...")
"""Begin a description that goes on after the one before."""


def continued(face: "Face", text: str) -> str:
    """The description that a text gives, which may go on after the face's own.

    Raises:
        ArgumentError: It goes on, and the face has no description or several.
    """
    for ellipsis in ELLIPSES:
        if str(text).startswith(ellipsis):  # what is no text is refused when it is read
            if len(face.descriptions) != 1:
                raise ArgumentError(
                    f"face {face.name} follows {len(face.descriptions)} descriptions, so that "
                    f"{ellipsis!r} is not clear; write all of the new one, or use more"
                )
            stem = face.descriptions[0].rstrip(" \t\r\n.!,;")
            rest = text.removeprefix(ellipsis).strip()
            return f"{stem}{rest}" if rest[:1] in {",", ".", ";"} else f"{stem} {rest}"
    return text


def check_text(name: str, text: str) -> str:
    """Returns a text.

    Raises:
        ArgumentError: It is none.
    """
    if not isinstance(text, str):
        raise ArgumentError(f"{name} must be text (str), not {type(text).__name__}")
    return text


def finite_number(name: str, value: float) -> float:
    """A finite number as a float.

    Raises:
        ArgumentError: It is none.
    """
    is_number = isinstance(value, int | float | np.integer | np.floating)
    try:
        found = float(value) if is_number and not isinstance(value, bool) else math.nan
    except OverflowError:  # nor does Python write whole numbers of thousands of digits
        raise ArgumentError(f"{name} must be a number, not one of hundreds of digits") from None
    if not math.isfinite(found):
        raise ArgumentError(f"{name} must be a number, not {value!r:.50}")
    return found
