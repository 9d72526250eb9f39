"""What a manifest says was measured: how pictures compare, and what quantising does to them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from t2f_runtime.bundle.manifest_fields import Count, Network, Precision, Sha256, Size


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the ranges of quantised values were measured on."""

    source: str
    """Where the descriptions come from: a data set, a file, or the manifest's references."""
    descriptions: Count
    """Number of different descriptions; 0 where the model has no text."""
    descriptions_sha256: Sha256
    """SHA-256 of the descriptions, one a line, in UTF-8."""
    faces: Size
    """Number of faces that were drawn, each from a seed of its own."""


class LayerError(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What quantising one layer, and no other, does to the pictures."""

    network: Network
    """The network that it is in."""
    layer: str
    """Its name in the float32 graph."""
    psnr_db: float | None
    """Peak signal-to-noise ratio against the float32 pictures, in decibels; None where they are
    identical."""
    is_quantised: bool
    """Whether it is quantised; the others are computed in float32."""


class ParityReport(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """How far the pictures of one engine are from those of another."""

    precision: Precision
    """Precision of the networks under test."""
    engine: str
    """The engine under test."""
    against: str
    """What it was held against: `torch`, or the file of reference pictures."""
    faces: Size
    """Number of pictures compared."""
    maximum_levels: Annotated[int, Meta(ge=0, le=255)]
    """The largest difference of any value, in levels of 0 to 255."""
    mean_levels: Annotated[float, Meta(ge=0, le=255)]
    """The mean absolute difference, in levels."""
    psnr_db: float | None
    """Peak signal-to-noise ratio in decibels; None where the pictures are identical."""
    tolerance_levels: Annotated[int, Meta(ge=0, le=255)]
    """The largest `maximum_levels` that passes."""
    worst_description: str | None
    """The description whose picture differs most; None where the model has no text."""
    worst_seed: Annotated[int, Meta(ge=0)]
    """The seed of that picture."""
    tolerance_psnr_db: float | None = None
    """The smallest `psnr_db` that passes; None where the levels alone decide."""

    @property
    def passes(self) -> bool:
        """Whether the pictures are within the tolerances that the report states."""
        is_clear = (
            self.psnr_db is None
            or self.tolerance_psnr_db is None
            or self.psnr_db >= self.tolerance_psnr_db
        )
        return self.maximum_levels <= self.tolerance_levels and is_clear
