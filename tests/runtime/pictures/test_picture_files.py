import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from t2f_runtime import PictureError
from t2f_runtime.pictures.facts import PIXELS, XMP_KEYWORD
from t2f_runtime.pictures.files import check_picture_path, save_picture

IMAGE = Image.fromarray(np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3))
NOTES = {"Title": "synthetic face", "Description": "a bald man 👧 é", "Seed": "7"}


def refuses(path, message):
    with pytest.raises(PictureError, match=re.escape(message)):
        save_picture(IMAGE, path, notes=NOTES)


def test_a_png_holds_the_very_pixels_and_the_notes(tmp_path):
    save_picture(IMAGE, tmp_path / "face.png", notes=NOTES)
    with Image.open(tmp_path / "face.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(IMAGE))
        assert NOTES.items() <= image.text.items()
        assert set(image.text) == {*NOTES, PIXELS, XMP_KEYWORD}


@pytest.mark.parametrize(
    ("name", "kind"), [("a.jpg", "JPEG"), ("a.JPEG", "JPEG"), ("a.webp", "WEBP"), ("a.PNG", "PNG")]
)
def test_the_suffix_decides_the_format(tmp_path, name, kind):
    save_picture(IMAGE, tmp_path / name, notes=NOTES)
    with Image.open(tmp_path / name) as image:
        assert image.format == kind
        assert image.size == (8, 8)


def exif_of(path):
    """What EXIF says: the image description, and the user comment with its kind of text."""
    with Image.open(path) as image:
        exif = image.getexif()
        return exif[0x010E], exif.get_ifd(0x8769)[0x9286]


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_jpeg_and_webp_hold_the_notes_as_exif_and_xmp_have_them(tmp_path, name):
    save_picture(IMAGE, tmp_path / name, notes=NOTES)
    description, comment = exif_of(tmp_path / name)
    assert description == "synthetic face"
    assert comment[:8] == b"UNICODE\0"
    assert comment[8:].decode("utf-16-le") == (
        "Title: synthetic face\nDescription: a bald man 👧 é\nSeed: 7"
    )
    packet = re.search(rb"<x:xmpmeta.*</x:xmpmeta>", (tmp_path / name).read_bytes(), re.DOTALL)
    words = ET.fromstring(packet.group()).find(".//{http://purl.org/dc/elements/1.1/}description")
    assert "".join(words.itertext()) == "a bald man 👧 é"


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_notes_too_long_for_exif_end_at_a_whole_character(tmp_path, name):
    save_picture(IMAGE, tmp_path / name, notes={"Description": "x" + "👧" * 2**16})
    _, comment = exif_of(tmp_path / name)
    told = comment[8:].decode("utf-16-le")
    assert 59_990 < len(comment) < 60_010
    assert told.startswith("Description: x👧")
    assert set(told[14:]) == {"👧"}


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_long_notes_do_not_keep_a_picture_from_being_written(tmp_path, name):
    save_picture(IMAGE, tmp_path / name, notes={"Description": "👧" * 2**16})
    with Image.open(tmp_path / name) as image:
        image.load()


def test_an_old_picture_is_replaced(tmp_path):
    (tmp_path / "face.png").write_bytes(b"old")
    save_picture(IMAGE, tmp_path / "face.png", notes=NOTES)
    assert [path.name for path in tmp_path.iterdir()] == ["face.png"]
    assert (tmp_path / "face.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["face", "face.gif", "face.png.exe", ".png"])
def test_an_unknown_suffix_is_refused_with_those_that_are_known(tmp_path, name):
    refuses(
        tmp_path / name,
        f"{tmp_path / name} has no suffix of a picture that T2F writes: .png, .jpg, .jpeg, .webp",
    )


def test_a_missing_folder_is_refused_with_the_command_that_makes_it(tmp_path):
    folder = tmp_path / "none"
    message = f"the folder {folder} does not exist; make it with: mkdir -p {folder}"
    refuses(folder / "a.png", message)
    with pytest.raises(PictureError, match=re.escape(message)):
        check_picture_path(folder / "a.png")


def test_a_folder_in_the_way_is_told(tmp_path):
    (tmp_path / "a.png").mkdir()
    refuses(tmp_path / "a.png", f"{tmp_path / 'a.png'} is a folder; name the picture inside it")


def test_a_failed_write_leaves_the_old_picture_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "face.png").write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    refuses(tmp_path / "face.png", "face.png cannot be written: No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["face.png"]
    assert (tmp_path / "face.png").read_bytes() == b"old"


def test_a_picture_too_wide_for_its_format_is_told(tmp_path):
    with pytest.raises(
        PictureError, match=r"a.webp cannot be written: 16384x1 pixels are too many"
    ):
        save_picture(Image.new("RGB", (16_384, 1)), tmp_path / "a.webp", notes={})
    with pytest.raises(PictureError, match=r"a.jpg cannot be written: 1x65501 pixels are too many"):
        save_picture(Image.new("RGB", (1, 65_501)), tmp_path / "a.jpg", notes={})
    assert not list(tmp_path.iterdir())


def test_the_largest_sides_of_the_formats_can_be_written(tmp_path):
    save_picture(Image.new("RGB", (16_383, 1)), tmp_path / "a.webp", notes={})
    save_picture(Image.new("RGB", (1, 65_500)), tmp_path / "a.jpg", notes={})
