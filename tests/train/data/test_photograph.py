import numpy as np
import pytest
from PIL import Image

from t2f_train.data.image_source import PackedFile
from t2f_train.data.photograph import BrokenPhotographError, read_square


def pixels_of(side):
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def save(path, image, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(path, **options)
    return path


def test_a_multiple_of_the_resolution_is_averaged_in_blocks(tmp_path):
    path = save(tmp_path / "a.png", pixels_of(24))
    means = pixels_of(24).reshape(8, 3, 8, 3, 3).mean((1, 3))
    difference = read_square(path, None, 8) - means
    assert np.abs(difference).max() < 1  # Pillow rounds after the columns and after the rows


def test_a_finer_pattern_than_the_pixels_becomes_grey(tmp_path):
    stripes = np.zeros((60, 60, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = read_square(save(tmp_path / "a.png", stripes), None, 16)
    assert np.abs(pixels[:, 1:-1].astype(int) - 128).max() < 30


def test_without_a_crop_the_largest_centred_square_is_kept(tmp_path):
    wide = np.zeros((8, 14, 3), np.uint8)
    wide[:, 3:11] = pixels_of(8)
    tall = np.swapaxes(wide, 0, 1)
    square = read_square(save(tmp_path / "wide.png", wide), None, 8)
    assert (square == pixels_of(8)).all()
    square = read_square(save(tmp_path / "tall.png", tall), None, 8)
    assert (square == np.swapaxes(pixels_of(8), 0, 1)).all()


def test_a_crop_is_left_top_right_bottom(tmp_path):
    path = save(tmp_path / "a.png", pixels_of(20))
    assert (read_square(path, (3, 5, 11, 13), 8) == pixels_of(20)[5:13, 3:11]).all()


def test_an_image_may_be_enlarged_to_twice_its_side(tmp_path):
    path = save(tmp_path / "a.png", pixels_of(8))
    assert read_square(path, None, 16).shape == (16, 16, 3)


def test_transparent_pixels_are_seen_on_white(tmp_path):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[4:] = (255, 0, 0, 255)
    pixels = read_square(save(tmp_path / "a.png", rgba), None, 8)
    assert (pixels[:4] == 255).all()
    assert (pixels[4:] == (255, 0, 0)).all()


def test_a_transparent_colour_of_a_palette_is_seen_on_white(tmp_path):
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.paste(0, (0, 0, 8, 4))
    pixels = read_square(save(tmp_path / "a.png", palette, transparency=0), None, 8)
    assert (pixels[:4] == 255).all()
    assert (pixels[4:] == (40, 50, 60)).all()


@pytest.mark.parametrize(
    ("mode", "ending"), [("L", "png"), ("LA", "png"), ("1", "png"), ("CMYK", "jpg")]
)
def test_other_colour_modes_become_rgb(tmp_path, mode, ending):
    image = Image.new("RGB", (8, 8), "white").convert(mode)
    assert (read_square(save(tmp_path / f"a.{ending}", image), None, 8) > 250).all()


def test_the_orientation_of_the_camera_is_honoured(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the first row of pixels is the right side
    stored = np.zeros((8, 16, 3), np.uint8)
    stored[:, :8] = 255
    path = save(tmp_path / "a.jpg", stored, exif=exif, quality=95)
    pixels = read_square(path, (0, 4, 8, 12), 8)
    assert pixels[:3].min() > 240
    assert pixels[5:].max() < 15


def test_images_far_too_small_for_the_resolution_are_refused(tmp_path):
    path = save(tmp_path / "a.png", pixels_of(15))
    expected = "gives a square of 15 pixels; a resolution of 32 needs 16 or more"
    with pytest.raises(BrokenPhotographError, match=expected):
        read_square(path, None, 32)


def test_images_of_more_than_8_bits_are_refused(tmp_path):
    path = save(tmp_path / "a.png", np.full((8, 8), 40_000, np.uint16))
    with pytest.raises(BrokenPhotographError, match=r"has pixels of mode I\S*, more than 8 bits"):
        read_square(path, None, 8)


def test_an_image_is_read_out_of_the_middle_of_a_file(tmp_path):
    content = save(tmp_path / "a.png", pixels_of(8)).read_bytes()
    archive = tmp_path / "a.tar"
    archive.write_bytes(b"before" + content + b"after")
    packed = PackedFile(archive, "a.png", 6, len(content))
    assert (read_square(packed, None, 8) == pixels_of(8)).all()


def test_a_file_that_ends_inside_an_image_is_a_broken_image(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"12345678")
    packed = PackedFile(tmp_path / "a.tar", "a.png", 6, 10)
    with pytest.raises(BrokenPhotographError, match=r"image: \S*a\.tar ends after 2 of 10 bytes"):
        read_square(packed, None, 8)


def truncated_jpeg(path):
    save(path, pixels_of(64), quality=95)
    path.write_bytes(path.read_bytes()[:2000])


def truncated_png(path):
    save(path, pixels_of(64), format="PNG")
    path.write_bytes(path.read_bytes()[:2000])


def text(path):
    path.write_text("no image")


def empty(path):
    path.touch()


@pytest.mark.parametrize("breaking", [truncated_jpeg, truncated_png, text, empty])
def test_broken_images_are_refused(tmp_path, breaking):
    path = tmp_path / "a.jpg"
    breaking(path)
    with pytest.raises(BrokenPhotographError, match="cannot be read as an image: "):
        read_square(path, None, 8)
