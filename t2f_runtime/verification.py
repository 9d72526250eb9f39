"""Verification: does a bundle draw here what the model that it was made from drew?"""

import io
import math
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image

from t2f_runtime.bundle import Bundle
from t2f_runtime.errors import ArgumentError, BundleError, VerificationError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.manifest import REFERENCE, ParityReport, Precision

TOLERANCE_LEVELS: dict[Precision, int] = {"float32": 1}
"""The largest difference of any value of a picture that passes, in levels of 0 to 255.

Engines sum in different orders, so that a value halfway between two levels may round either way.
"""

Pictures = NDArray[np.uint8]


class Comparison(Struct, frozen=True, kw_only=True):
    """How far some pictures are from others."""

    maximum_levels: int
    """The largest difference of any value, in levels of 0 to 255."""
    mean_levels: float
    """The mean absolute difference, in levels."""
    psnr_db: float | None
    """Peak signal-to-noise ratio in decibels; None where the pictures are identical."""
    worst: int
    """Position of the picture that holds the largest difference."""


def compare(pictures: Pictures, reference: Pictures) -> Comparison:
    """Compares pictures, value by value.

    Args:
        pictures: Shape `(faces, height, width, 3)`, uint8, at least one face.
        reference: As `pictures`.

    Raises:
        ArgumentError: The arrays are empty, or differ in shape or type.
    """
    if pictures.shape != reference.shape or not pictures.size:
        raise ArgumentError(f"cannot compare pictures of {pictures.shape} and {reference.shape}")
    if pictures.dtype != np.uint8 or reference.dtype != np.uint8:
        raise ArgumentError(f"pictures must be uint8, not {pictures.dtype} and {reference.dtype}")
    difference = np.abs(pictures.astype(np.int16) - reference.astype(np.int16))
    mean_square = float(np.mean(np.square(difference, dtype=np.float64)))
    return Comparison(
        maximum_levels=int(difference.max()),
        mean_levels=float(difference.mean()),
        psnr_db=10 * math.log10(255**2 / mean_square) if mean_square else None,
        worst=int(difference.reshape(len(difference), -1).max(axis=1).argmax()),
    )


def verify(
    bundle: str | Path | Bundle, *, engine: str = "onnx-cpu", threads: int | None = None
) -> ParityReport:
    """Draws a bundle's reference faces and holds them against its reference pictures.

    Args:
        bundle: The bundle's folder, or a bundle that is open already.
        engine: What runs the networks, as in `FaceGenerator.load`.
        threads: As in `FaceGenerator.load`.

    Raises:
        BundleError: The bundle is missing, incomplete or altered.
        EngineError: The engine cannot run it.
        VerificationError: The pictures differ by more than the tolerance, or there are none.
    """
    precision: Precision = "float32"
    if not isinstance(bundle, Bundle):
        bundle = Bundle.open(bundle, keep=precision)
    report = _measure(bundle, precision, engine, threads)
    if report.maximum_levels > report.tolerance_levels:
        raise VerificationError(
            f"{bundle.folder} draws other faces with {engine} than its {REFERENCE} shows: "
            f"{report.maximum_levels} levels apart at most, {report.mean_levels:.3f} on average, "
            f"with {report.tolerance_levels} allowed; worst is "
            f"{_worst(report)}; export the run again"
        )
    return report


def join_pictures(pictures: Pictures) -> Image.Image:
    """Puts pictures side by side, from left to right.

    Args:
        pictures: Shape `(faces, side, side, 3)`, uint8, RGB.

    Returns:
        An RGB image, `faces` times as wide as high.
    """
    return Image.fromarray(np.concatenate(pictures, axis=1))


def split_pictures(image: Image.Image, size: int) -> Pictures:
    """Takes apart what `join_pictures` put together.

    Args:
        image: An RGB image, `size` pixels high and a multiple of it wide.
        size: Side of one picture, in pixels.

    Returns:
        Shape `(faces, size, size, 3)`, uint8, RGB.

    Raises:
        ArgumentError: The image has other sides or another mode.
    """
    if image.mode != "RGB" or image.height != size or image.width % size:
        raise ArgumentError(
            f"the image is {image.mode} of {image.width}x{image.height} pixels; it must be RGB, "
            f"{size} pixels high and a multiple of that wide"
        )
    joined = np.asarray(image).reshape(size, image.width // size, size, 3)
    return np.ascontiguousarray(joined.swapaxes(0, 1))


def _measure(
    bundle: Bundle, precision: Precision, engine: str, threads: int | None
) -> ParityReport:
    """Draws the reference faces and measures how far they are from the reference pictures."""
    references = bundle.manifest.references
    if not references:
        raise VerificationError(f"{bundle.folder} has no reference pictures to verify against")
    expected = _read_references(bundle)
    generator = FaceGenerator.from_bundle(bundle, engine=engine, threads=threads)
    descriptions = [r.description for r in references if r.description is not None]
    pictures = generator.generate_batch(
        descriptions if generator.takes_text else None,
        seeds=[reference.seed for reference in references],
    )
    comparison = compare(pictures, expected)
    return ParityReport(
        precision=precision,
        engine=engine,
        against=REFERENCE,
        faces=len(references),
        maximum_levels=comparison.maximum_levels,
        mean_levels=comparison.mean_levels,
        psnr_db=comparison.psnr_db,
        tolerance_levels=TOLERANCE_LEVELS[precision],
        worst_description=references[comparison.worst].description,
        worst_seed=references[comparison.worst].seed,
    )


def _worst(report: ParityReport) -> str:
    """Says which reference differs most."""
    seed = f"seed {report.worst_seed}"
    return seed if report.worst_description is None else f"{report.worst_description!r}, {seed}"


def _read_references(bundle: Bundle) -> Pictures:
    """Reads the reference pictures, as shape `(faces, side, side, 3)`."""
    size = bundle.manifest.image_size
    faces = len(bundle.manifest.references)
    try:
        with Image.open(io.BytesIO(bundle.read(REFERENCE)), formats=["PNG"]) as image:
            # Before decoding, which a small file with a huge picture would make long.
            if image.size != (faces * size, size):
                raise BundleError(
                    f"{REFERENCE} is {image.width}x{image.height} pixels; {faces} references of "
                    f"{size} pixels are {faces * size}x{size}; export the run again"
                )
            return split_pictures(image, size)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BundleError(f"{REFERENCE} is not a picture: {error}; export the run again") from error
