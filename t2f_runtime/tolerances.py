"""How far pictures may be from the trained model's: stated here, once, for every check."""

from dataclasses import dataclass
from typing import Final

from t2f_runtime.bundle.manifest_fields import Precision


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What passes; pictures must be within both bounds."""

    maximum_levels: int
    """The largest difference of any value, in levels of 0 to 255; 255 is no bound."""
    least_psnr_db: float | None = None
    """The smallest peak signal-to-noise ratio of all pictures together, in decibels."""


TOLERANCES: Final[dict[Precision, Tolerance]] = {
    # Engines sum in different orders, so that a value halfway between two levels may round either
    # way.
    "float32": Tolerance(1),
    # Ten binary digits in every layer; 45 dB is 1.4 levels, root mean square.
    "float16": Tolerance(2, 45.0),
    # Single values may be far off where the pictures look alike: 30 dB is 8 levels, root mean
    # square. Where a classifier is given, `ATTRIBUTE_POINTS` holds too.
    "int8": Tolerance(255, 30.0),
    "fp8": Tolerance(255, 30.0),
}
"""By the precision of the networks, whatever engine runs them."""

ATTRIBUTE_POINTS: Final = 0.02
"""By how much the attribute accuracy of any precision may be below that of float32: two points."""
