import hashlib
import io
import json
import math
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from t2f_runtime import ArgumentError, BundleError, VerificationError
from t2f_runtime.bundle.manifest import MANIFEST, REFERENCE
from t2f_runtime.tolerances import TOLERANCES
from t2f_runtime.verification import (
    compare,
    join_pictures,
    split_pictures,
    verify,
)

PICTURES = np.random.default_rng(0).integers(0, 256, size=(3, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def replace_reference(bundle, change_manifest):
    """Replaces the reference picture, and its hash with it."""

    def replace(data: bytes) -> None:
        (bundle / REFERENCE).write_bytes(data)
        entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        change_manifest(lambda fields: fields["files"].update({REFERENCE: entry}))

    return replace


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_identical_pictures_have_no_noise_to_measure():
    comparison = compare(PICTURES, PICTURES.copy())
    assert comparison.maximum_levels == 0
    assert comparison.mean_levels == 0.0
    assert comparison.psnr_db is None


def test_a_comparison_counts_levels_and_finds_the_worst_picture():
    reference = np.full((2, 4, 4, 3), 100, dtype=np.uint8)
    pictures = reference.copy()
    pictures[0, 0, 0] = 101
    pictures[1, 2, 3, 1] = 60
    comparison = compare(pictures, reference)
    assert comparison.maximum_levels == 40
    assert comparison.worst == 1
    assert comparison.mean_levels == pytest.approx(43 / 96)
    assert comparison.psnr_db == pytest.approx(10 * math.log10(255**2 / (1603 / 96)))


def test_black_and_white_are_255_levels_apart():
    black, white = np.zeros_like(PICTURES), np.full_like(PICTURES, 255)
    assert compare(black, white).maximum_levels == 255
    assert compare(white, black).psnr_db == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (PICTURES[:2], "cannot compare pictures of (2, 8, 8, 3) and (3, 8, 8, 3)"),
        (PICTURES.astype(np.float32), "pictures must be uint8, not float32 and uint8"),
    ],
)
def test_pictures_that_do_not_match_are_not_compared(pictures, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        compare(pictures, PICTURES)


def test_nothing_is_not_compared_with_nothing():
    with pytest.raises(ArgumentError, match="cannot compare pictures of"):
        compare(PICTURES[:0], PICTURES[:0])


def test_joined_pictures_are_taken_apart_again():
    image = join_pictures(PICTURES)
    assert image.mode == "RGB"
    assert image.size == (24, 8)
    np.testing.assert_array_equal(np.asarray(image)[:, 8:16], PICTURES[1])
    np.testing.assert_array_equal(split_pictures(image, 8), PICTURES)


@pytest.mark.parametrize("image", [Image.new("RGB", (20, 8)), Image.new("L", (24, 8))])
def test_an_image_that_was_not_joined_is_not_taken_apart(image):
    with pytest.raises(ArgumentError, match=r"it must be RGB, 8 pixels high and a multiple of"):
        split_pictures(image, 8)


def test_a_good_bundle_verifies_with_numbers(tiny_bundle):
    report = verify(tiny_bundle)
    assert report.engine == "onnx-cpu"
    assert report.against == REFERENCE
    assert report.faces == 3
    assert report.maximum_levels <= TOLERANCES["float32"].maximum_levels == 1
    assert report.tolerance_levels == 1


def test_other_faces_fail_with_numbers(bundle, replace_reference):
    with Image.open(bundle / REFERENCE) as image:
        pictures = split_pictures(image, 8)
    pictures[1, 3, 3, 0] ^= 128
    replace_reference(png(join_pictures(pictures)))
    message = (
        f"{bundle} draws other faces with onnx-cpu than its reference.png shows: "
        "128 levels apart at most, 0.222 on average, with 1 allowed; "
        "worst is 'a smiling woman with grey hair', seed 7; export the run again"
    )
    with pytest.raises(VerificationError, match=re.escape(message)):
        verify(bundle)


def test_a_difference_within_the_tolerance_passes(bundle, replace_reference):
    with Image.open(bundle / REFERENCE) as image:
        pictures = split_pictures(image, 8)
    pictures[2, 0, 0, 0] ^= 1
    replace_reference(png(join_pictures(pictures)))
    report = verify(bundle)
    assert report.maximum_levels == 1
    assert report.worst_description == "Une fille 👧"
    assert report.worst_seed == 2**64 - 1


def test_a_bundle_without_text_verifies_with_numbers(textless_bundle):
    report = verify(textless_bundle)
    assert (report.faces, report.worst_description) == (3, None)
    assert report.maximum_levels <= report.tolerance_levels == 1


def test_other_faces_without_text_fail_with_the_seed_that_differs_most(textless_bundle, tmp_path):
    bundle = shutil.copytree(textless_bundle, tmp_path / "bundle")
    fields = json.loads((bundle / MANIFEST).read_text())
    fields["references"][1]["seed"] = 99
    (bundle / MANIFEST).write_text(json.dumps(fields))
    with pytest.raises(VerificationError, match="worst is seed 99; export the run again"):
        verify(bundle)


def test_a_bundle_without_references_cannot_be_verified(bundle, change_manifest):
    change_manifest(lambda fields: fields.update(references=[]))
    with pytest.raises(VerificationError, match="has no reference pictures to verify against"):
        verify(bundle)


def test_an_altered_file_fails_before_anything_is_drawn(bundle):
    (bundle / REFERENCE).write_bytes(b"x" * (bundle / REFERENCE).stat().st_size)
    with pytest.raises(BundleError, match=r"reference.png is altered"):
        verify(bundle)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"junk", "reference.png is not a picture: cannot identify image file"),
        (png(join_pictures(PICTURES))[:100], "reference.png is not a picture: "),
        (png(Image.new("RGB", (16, 8))), "reference.png is 16x8 pixels; 3 references of 8 pixels"),
        (png(Image.new("L", (24, 8))), "reference.png is not a picture: the image is L of 24x8"),
    ],
)
def test_a_reference_that_is_no_such_picture_is_refused(bundle, replace_reference, data, message):
    replace_reference(data)
    with pytest.raises(BundleError, match=re.escape(message)):
        verify(bundle)
