"""Verification: does a bundle draw here what the model that it was made from drew?"""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from msgspec import Struct
from PIL import Image

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import REFERENCE, Manifest, ParityReport, Precision, Reference
from t2f_runtime.errors import ArgumentError, BundleError, VerificationError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.pictures.arrays import Pictures
from t2f_runtime.tolerances import TOLERANCES


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


def precisions_of(manifest: Manifest) -> list[Precision]:
    """The precisions of a bundle, `float32` first; JSON does not keep their order."""
    return [precision for precision in get_args(Precision) if precision in manifest.graphs]


def verify(
    bundle: str | Path | Bundle,
    *,
    engine: str = "onnx-cpu",
    precision: Precision = "float32",
    threads: int | None = None,
) -> ParityReport:
    """Draws a bundle's reference faces and holds them against its reference pictures.

    Args:
        bundle: The bundle's folder, or a bundle that is open already.
        engine: What runs the networks, as in `FaceGenerator.load`.
        precision: Which networks are run, as in `FaceGenerator.load`.
        threads: As in `FaceGenerator.load`.

    Raises:
        BundleError: The bundle is missing, incomplete or altered, or has no such networks.
        EngineError: The engine cannot run it.
        VerificationError: The pictures differ by more than the tolerance, or there are none.
    """
    if not isinstance(bundle, Bundle):
        bundle = Bundle.open(bundle, keep=precision)
    report = measure(bundle, engine=engine, precision=precision, threads=threads)
    check_report(report, str(bundle.path))
    return report


def measure(
    bundle: Bundle, *, engine: str, precision: Precision, threads: int | None
) -> ParityReport:
    """As `verify`, but pictures that differ too much are told in the report alone."""
    generator = FaceGenerator.from_bundle(
        bundle, engine=engine, precision=precision, threads=threads
    )
    return measure_generator(bundle, generator, precision)


def measure_generator(
    bundle: Bundle, generator: FaceGenerator, precision: Precision
) -> ParityReport:
    """As `measure`, with a generator that was loaded from the bundle."""
    expected = read_references(bundle)
    references = bundle.manifest.references
    return report_pictures(
        draw_faces(generator, references),
        expected,
        references,
        precision=precision,
        engine=generator.engine.name,
        against=REFERENCE,
    )


def draw_faces(generator: FaceGenerator, faces: Sequence[Reference]) -> Pictures:
    """Draws faces, each from its description and seed: `(faces, side, side, 3)`, uint8, RGB."""
    descriptions = [face.description for face in faces if face.description is not None]
    return generator.generate_batch(
        descriptions if generator.takes_text else None, seeds=[face.seed for face in faces]
    )


def report_pictures(
    pictures: Pictures,
    expected: Pictures,
    faces: Sequence[Reference],
    *,
    precision: Precision,
    engine: str,
    against: str,
) -> ParityReport:
    """Reports how far pictures are from what was expected, and what is tolerated.

    Args:
        pictures: Shape `(faces, side, side, 3)`, uint8, RGB.
        expected: As `pictures`.
        faces: What each shows.
        precision: Of the networks that drew `pictures`.
        engine: What ran them.
        against: What drew `expected`.
    """
    comparison = compare(pictures, expected)
    tolerance = TOLERANCES[precision]
    return ParityReport(
        precision=precision,
        engine=engine,
        against=against,
        faces=len(faces),
        maximum_levels=comparison.maximum_levels,
        mean_levels=comparison.mean_levels,
        psnr_db=comparison.psnr_db,
        tolerance_levels=tolerance.maximum_levels,
        tolerance_psnr_db=tolerance.least_psnr_db,
        worst_description=faces[comparison.worst].description,
        worst_seed=faces[comparison.worst].seed,
    )


def check_report(report: ParityReport, bundle: str) -> None:
    """Refuses pictures that are outside the tolerances.

    Raises:
        VerificationError: They are; the message has the numbers and the worst face.
    """
    if report.passes:
        return
    is_float32 = report.precision == "float32"
    precision = "" if is_float32 else f" in {report.precision}"
    ratio = "" if report.tolerance_psnr_db is None else f", PSNR {report.psnr_db:.1f} dB"
    raise VerificationError(
        f"{bundle} draws other faces with {report.engine}{precision} than its {report.against} "
        f"shows: {report.maximum_levels} levels apart at most, {report.mean_levels:.3f} on "
        f"average{ratio}, with {describe_tolerance(report)}; worst is {_worst(report)}; "
        f"{'' if is_float32 else 'draw in float32, or '}export the run again"
    )


def describe_levels(report: ParityReport) -> str:
    """Says how far the pictures of a report are apart at most: `1 level`."""
    levels = report.maximum_levels
    return f"{levels} level{'s' * (levels != 1)}"


def describe_tolerance(report: ParityReport) -> str:
    """Says what a report tolerates."""
    levels, ratio = report.tolerance_levels, report.tolerance_psnr_db
    bounds = [] if levels == 255 else [f"{levels} allowed"]
    bounds += [] if ratio is None else [f"{ratio:g} dB wanted"]
    return " and ".join(bounds) or "everything allowed"


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


def read_references(bundle: Bundle) -> Pictures:
    """Reads the reference pictures of a bundle.

    Returns:
        Shape `(faces, side, side, 3)`, uint8, RGB.

    Raises:
        BundleError: They are not what the manifest says.
        VerificationError: There are none.
    """
    size = bundle.manifest.image_size
    faces = len(bundle.manifest.references)
    if not faces:
        raise VerificationError(f"{bundle.path} has no reference pictures to verify against")
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


def _worst(report: ParityReport) -> str:
    """Says which reference differs most."""
    seed = f"seed {report.worst_seed}"
    return seed if report.worst_description is None else f"{report.worst_description!r}, {seed}"
