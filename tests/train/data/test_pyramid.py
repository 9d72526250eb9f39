import hashlib
import json
import os
import re
import shutil
import tarfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.image_source import PackedFile
from t2f_train.data.pyramid import ImagePyramid
from t2f_train.errors import DataError


def pixels_of(side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def save(path, image, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return CaptionedFace(path, ("a man",))


@pytest.fixture
def faces(tmp_path):
    return [save(tmp_path / f"images/{n}.png", pixels_of(16, n)) for n in range(40)]


@pytest.fixture
def open_pyramid(tmp_path):
    def open_pyramid(faces, *, crop=None, resolution=8, cache=tmp_path / "cache", progress=None):
        return ImagePyramid.open(
            faces, crop=crop, resolution=resolution, cache=cache, progress=progress
        )

    return open_pyramid


@pytest.fixture
def is_built(open_pyramid):
    def is_built(faces, **options):
        calls = []
        open_pyramid(faces, progress=lambda *call: calls.append(call), **options)
        return bool(calls)

    return is_built


def only_entry(tmp_path):
    (entry,) = (tmp_path / "cache").iterdir()
    return entry


def test_every_power_of_two_up_to_the_resolution_is_a_level(faces, open_pyramid):
    pyramid = open_pyramid(faces, resolution=16)
    assert pyramid.resolutions == (4, 8, 16)
    assert len(pyramid) == 40
    for side in pyramid.resolutions:
        assert pyramid.images(side).shape == (40, side, side, 3)
        assert pyramid.images(side).dtype == np.uint8


def test_images_of_the_right_size_keep_their_pixels_and_order(faces, open_pyramid):
    images = open_pyramid(faces, resolution=16).images(16)
    assert all((images[n] == pixels_of(16, n)).all() for n in range(40))


def test_every_level_is_the_mean_of_the_original_rounded_once(faces, open_pyramid):
    pyramid = open_pyramid(faces, resolution=16)
    for side in (4, 8):
        block = 16 // side
        parts = pixels_of(16, 7).reshape(side, block, side, block, 3).astype(float)
        assert (pyramid.images(side)[7] == np.floor(parts.mean((1, 3)) + 0.5)).all()


def test_a_crop_that_leaves_an_image_is_reported_with_the_image_and_its_size(
    tmp_path, open_pyramid
):
    face = save(tmp_path / "a.png", pixels_of(16))
    expected = f"{face.image} has 16x16 pixels; the crop (8, 4, 24, 20) leaves it"
    with pytest.raises(DataError, match=re.escape(expected)):
        open_pyramid([face], crop=(8, 4, 24, 20))


@pytest.mark.parametrize("crop", [(0, 0, 8, 9), (-1, 0, 7, 8), (8, 8, 4, 4), (4, 4, 4, 4)])
def test_a_crop_must_be_a_square_inside(faces, open_pyramid, crop):
    with pytest.raises(DataError, match=re.escape(f"the crop {crop} is ") + ".* must be a square"):
        open_pyramid(faces, crop=crop)


@pytest.mark.parametrize("side", [12, 16])
def test_decompression_bombs_are_broken_images(tmp_path, open_pyramid, monkeypatch, side):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # warns from 100 on, raises from 200 on
    face = save(tmp_path / "a.png", pixels_of(side))
    with pytest.raises(DataError, match=r"a\.png cannot be read as an image: .*decompression bomb"):
        open_pyramid([face])


def test_a_broken_image_is_named(tmp_path, open_pyramid):
    path = tmp_path / "a.jpg"
    path.write_text("no image")
    expected = f"images: {path} cannot be read as an image: it has no known format; repair"
    with pytest.raises(DataError, match=re.escape(expected)):
        open_pyramid([CaptionedFace(path, ("a man",))])


def test_an_image_that_is_too_small_is_named(tmp_path, open_pyramid):
    face = save(tmp_path / "a.png", pixels_of(7))
    with pytest.raises(
        DataError, match=r"a\.png gives a square of 7 pixels.* needs 8 or more; rep"
    ):
        open_pyramid([face], resolution=16)


def test_missing_images_are_named(tmp_path, faces, open_pyramid):
    faces[3].image.unlink()
    with pytest.raises(DataError, match=re.escape(f"{faces[3].image} cannot be opened: No such")):
        open_pyramid(faces)


def test_all_broken_images_are_reported_at_once_and_nothing_is_kept(tmp_path, faces, open_pyramid):
    for face in faces[20:32]:
        face.image.write_bytes(b"")
    with pytest.raises(DataError, match=r"(?s)images has 12 problems.*20\.png.*\n  and 2 more"):
        open_pyramid(faces)
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_images_are_refused(open_pyramid):
    with pytest.raises(DataError, match="there are no images to open"):
        open_pyramid([])


@pytest.mark.parametrize("resolution", [2, 24, 0])
def test_a_resolution_that_is_no_power_of_two_is_refused(faces, open_pyramid, resolution):
    with pytest.raises(ValueError, match=f"resolution is {resolution}; it must be a power of two"):
        open_pyramid(faces, resolution=resolution)


def test_a_level_that_is_not_there_is_refused(faces, open_pyramid):
    with pytest.raises(ValueError, match=r"no level of 16 pixels, only \[4, 8\]"):
        open_pyramid(faces).images(16)


def test_progress_counts_up_to_all_images(faces, open_pyramid):
    calls = []
    open_pyramid(faces, progress=lambda done, total: calls.append((done, total)))
    assert calls == sorted(calls)
    assert calls[-1] == (40, 40)


def test_levels_are_read_from_disk_and_cannot_be_changed(faces, open_pyramid):
    images = open_pyramid(faces).images(8)
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_images_are_decoded_once(faces, is_built):
    assert is_built(faces)
    assert not is_built(faces)


def test_anything_that_changes_the_pixels_decodes_anew(tmp_path, faces, is_built):
    assert is_built(faces)
    assert is_built(faces, crop=(0, 0, 8, 8))
    assert is_built(faces, resolution=16)
    assert is_built(list(reversed(faces)))
    os.utime(faces[0].image, ns=(1, 1))
    assert is_built(faces)
    assert len(list((tmp_path / "cache").iterdir())) == 5


def cut_level(entry):
    path = entry / "images-0004.npy"
    path.write_bytes(path.read_bytes()[:-1])


def empty_level(entry):
    (entry / "images-0008.npy").write_bytes(b"")


def remove_level(entry):
    (entry / "images-0008.npy").unlink()


def reshape_level(entry):
    np.save(entry / "images-0004.npy", np.zeros((40, 4, 4, 4), np.uint8))


def retype_level(entry):
    np.save(entry / "images-0004.npy", np.zeros((40, 4, 4, 3), np.int8))


def remove_summary(entry):
    (entry / "pyramid.json").unlink()


def cut_summary(entry):
    (entry / "pyramid.json").write_text('{"key": "')


def change_key(entry):
    (entry / "pyramid.json").write_text('{"key": "other", "pixels_sha256": "0"}')


DAMAGES = [
    cut_level,
    empty_level,
    remove_level,
    reshape_level,
    retype_level,
    remove_summary,
    cut_summary,
    change_key,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_built_anew(tmp_path, faces, open_pyramid, is_built, damage):
    images = open_pyramid(faces).images(4).copy()
    damage(only_entry(tmp_path))
    assert is_built(faces)
    assert not is_built(faces)
    assert (open_pyramid(faces).images(4) == images).all()
    assert only_entry(tmp_path).is_dir()


def test_an_interrupted_build_leaves_nothing_behind(tmp_path, faces, open_pyramid):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_pyramid(faces, progress=interrupt)
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_killed_build_left_behind_is_not_read(tmp_path, faces, open_pyramid, is_built):
    open_pyramid(faces)
    entry = only_entry(tmp_path)
    entry.rename(entry.with_name(f"{entry.name}.building-0"))
    assert is_built(faces)


def test_what_a_killed_build_left_behind_is_removed_when_the_cache_is_next_opened(
    tmp_path, faces, open_pyramid
):
    open_pyramid(faces)
    left = tmp_path / "cache/0123456789abcdef.building-0"
    left.mkdir()
    (left / "images-0004.npy").touch()
    os.utime(left, (1, 1))
    open_pyramid(faces)
    assert only_entry(tmp_path) != left


def test_a_cache_that_nobody_may_write_to_serves_what_it_holds(tmp_path, faces, is_built):
    assert is_built(faces)
    left = tmp_path / "cache/0123456789abcdef.building-0"
    left.mkdir()
    os.utime(left, (1, 1))
    (tmp_path / "cache").chmod(0o500)
    try:
        assert not is_built(faces)
    finally:
        (tmp_path / "cache").chmod(0o700)


@pytest.mark.parametrize("damage", [None, cut_level])
def test_two_builds_at_once_end_well(tmp_path, faces, open_pyramid, damage):
    if damage:
        open_pyramid(faces)
        damage(only_entry(tmp_path))
    others = []

    def build_too(done, total):
        others.append(open_pyramid(faces))

    pyramid = open_pyramid(faces, progress=build_too)
    assert {other.fingerprint for other in others} == {pyramid.fingerprint}
    assert (others[0].images(8) == pyramid.images(8)).all()
    assert only_entry(tmp_path).is_dir()


def test_a_cache_that_cannot_be_written_is_reported(tmp_path, faces, open_pyramid):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file cannot be written: .*; set T2F_CACHE to another"):
        open_pyramid(faces, cache=tmp_path / "file")


def test_a_full_disk_is_reported_before_it_is_written_to(
    tmp_path, faces, open_pyramid, monkeypatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5000))
    with pytest.raises(DataError, match="has 0 MiB free, but the images need 0 MiB; make room or"):
        open_pyramid(faces)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_same_data_elsewhere_has_the_same_fingerprint(tmp_path, faces, open_pyramid):
    copies = []
    for face in faces:
        path = tmp_path / "elsewhere" / f"copy-{face.image.name}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(face.image.read_bytes())
        copies.append(CaptionedFace(path, face.descriptions))
    fingerprint = open_pyramid(faces).fingerprint
    assert re.fullmatch("[0-9a-f]{64}", fingerprint)
    assert open_pyramid(copies, cache=tmp_path / "other").fingerprint == fingerprint


def pack(faces, path):
    """The same faces inside a tar."""
    with tarfile.open(path, "w") as tar:
        for face in faces:
            tar.add(face.image, face.image.name)
    with tarfile.open(path) as tar:
        return [
            CaptionedFace(PackedFile(path, each.name, each.offset_data, each.size), ("a man",))
            for each in tar
        ]


def test_images_inside_a_tar_make_the_pyramid_of_the_unpacked_ones(tmp_path, faces, open_pyramid):
    packed = open_pyramid(pack(faces, tmp_path / "faces.tar"))
    unpacked = open_pyramid(faces)
    assert (packed.images(8) == unpacked.images(8)).all()
    assert packed.fingerprint == unpacked.fingerprint


def test_a_tar_that_changes_is_decoded_anew(tmp_path, faces, is_built):
    packed = pack(faces, tmp_path / "faces.tar")
    assert is_built(packed)
    assert not is_built(packed)
    assert is_built(packed[::-1])
    os.utime(tmp_path / "faces.tar", ns=(1, 1))
    assert is_built(packed)


def test_an_image_inside_a_tar_is_named_by_both(tmp_path, faces, open_pyramid):
    faces[3].image.write_bytes(b"no image")
    packed = pack(faces, tmp_path / "faces.tar")
    with pytest.raises(DataError, match=r"/faces\.tar/3\.png cannot be read as an image: it has"):
        open_pyramid(packed)
    (tmp_path / "faces.tar").unlink()
    with pytest.raises(DataError, match=r"/faces\.tar/0\.png cannot be opened: No such file"):
        open_pyramid(packed)


def test_the_fingerprint_tells_undescribed_images_from_described_ones(faces, open_pyramid):
    undescribed = [CaptionedFace(face.image, ()) for face in faces]
    assert open_pyramid(undescribed).fingerprint != open_pyramid(faces).fingerprint


def test_the_cache_of_images_in_files_is_found_under_the_name_that_it_had_before_tars(tmp_path):
    path = tmp_path / "a.png"
    save(path, pixels_of(8))
    status = path.stat()
    rows = [1, None, 8, [str(path), status.st_size, status.st_mtime_ns]]
    key = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    ImagePyramid.open([CaptionedFace(path, ())], crop=None, resolution=8, cache=tmp_path / "cache")
    assert only_entry(tmp_path).name == key[:16]


def test_the_fingerprint_changes_with_pixels_descriptions_and_order(faces, open_pyramid):
    def with_first(*descriptions):
        return [CaptionedFace(faces[0].image, descriptions), *faces[1:]]

    fingerprints = [
        open_pyramid(faces).fingerprint,
        open_pyramid(faces, crop=(0, 0, 8, 8)).fingerprint,
        open_pyramid(faces, resolution=4).fingerprint,
        open_pyramid(faces[::-1]).fingerprint,
        open_pyramid(faces[:-1]).fingerprint,
        open_pyramid(with_first("a woman")).fingerprint,
        open_pyramid(with_first("a man", "a man")).fingerprint,
        open_pyramid(with_first("a man, a man")).fingerprint,
    ]
    pixels = pixels_of(16, 0)
    pixels[0, 0, 0] ^= 128
    save(faces[0].image, pixels)
    fingerprints.append(open_pyramid(faces).fingerprint)
    assert len(set(fingerprints)) == 9
