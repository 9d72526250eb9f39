import re

import numpy as np
import pytest
from PIL import Image, ImageFont

from t2f_runtime import ArgumentError
from t2f_runtime.pictures.sheet import (
    CAPTION_PIXELS,
    GAP_PIXELS,
    MAXIMUM_LINES,
    contact_sheet,
    enlarge,
    wrap,
)

FACES = np.random.default_rng(0).integers(0, 256, size=(5, 8, 8, 3), dtype=np.uint8)
LEFT = CAPTION_PIXELS + 2 * GAP_PIXELS
WHITE = 255


@pytest.fixture(scope="module")
def font():
    return ImageFont.load_default(16)


def ink(image: Image.Image) -> int:
    return int((np.asarray(image) != WHITE).any(axis=-1).sum())


def test_every_face_is_on_the_sheet_untouched():
    sheet = np.asarray(contact_sheet([("a man", FACES[:2]), ("a woman", FACES[2:4])]))
    patches = [sheet[y : y + 8, x : x + 8] for y in range(len(sheet)) for x in (LEFT, LEFT + 16)]
    for face in FACES[:4]:
        assert any(np.array_equal(face, patch) for patch in patches)


def test_a_long_row_goes_on_below():
    sheet = np.asarray(contact_sheet([("x", FACES)], columns=2))
    step = 8 + GAP_PIXELS
    for position, face in enumerate(FACES):
        line, column = divmod(position, 2)
        top, left = GAP_PIXELS + line * step, LEFT + column * step
        np.testing.assert_array_equal(sheet[top : top + 8, left : left + 8], face)


def test_faces_are_enlarged_by_the_scale():
    small, large = (contact_sheet([("x", FACES)], scale=scale) for scale in (1, 4))
    assert large.width - small.width == 5 * 8 * 3
    assert large.height - small.height == 8 * 3 - (small.height - 2 * GAP_PIXELS - 8)


def test_a_sheet_without_captions_is_faces_alone():
    sheet = np.asarray(contact_sheet([("", FACES[:2]), (" ", FACES[2:4])]))
    assert sheet.shape == (2 * 8 + 3 * GAP_PIXELS, 2 * 8 + 3 * GAP_PIXELS, 3)
    for face, (line, column) in zip(FACES[:4], np.ndindex(2, 2), strict=True):
        top, left = (GAP_PIXELS + step * (8 + GAP_PIXELS) for step in (line, column))
        np.testing.assert_array_equal(sheet[top : top + 8, left : left + 8], face)


def test_the_caption_is_written_left_of_the_faces():
    captioned = contact_sheet([("a bald man", FACES[:1]), ("", FACES[:1])], scale=4)
    middle = captioned.height // 2
    assert ink(captioned.crop((0, 0, LEFT, middle))) > 50
    assert ink(captioned.crop((0, middle, LEFT, captioned.height))) == 0


@pytest.mark.parametrize("rows", [[], [("a man", FACES[:0])]])
def test_a_sheet_without_faces_is_refused(rows):
    with pytest.raises(ArgumentError, match="a contact sheet needs a face in every row"):
        contact_sheet(rows)


def test_a_sheet_too_large_for_memory_is_refused():
    message = "the picture would have 16000x16000 pixels; 134217728 in all are the most: take a "
    with pytest.raises(ArgumentError, match=re.escape(message)):
        enlarge(FACES[0], 2000)
    with pytest.raises(ArgumentError, match="take a smaller scale or fewer faces"):
        contact_sheet([("", FACES)] * 10_000, scale=64)


def test_a_picture_at_scale_one_is_untouched():
    np.testing.assert_array_equal(np.asarray(enlarge(FACES[0], 1)), FACES[0])
    assert enlarge(FACES[0], 3).size == (24, 24)


def test_lines_break_at_spaces_and_keep_every_word(font):
    text = "a smiling woman with long brown hair, glasses and a round face"
    lines = wrap(text, font, 100)
    assert len(lines) > 3
    assert " ".join(lines) == text
    assert all(font.getlength(line) <= 100 for line in lines)


def test_a_word_longer_than_the_line_is_broken(font):
    lines = wrap("x" * 40, font, 100)
    assert "".join(lines) == "x" * 40
    assert all(font.getlength(line) <= 100 for line in lines)


def test_white_space_of_all_kinds_counts_as_one_space(font):
    assert wrap(" a\tbald \n man ", font, 200) == ["a bald man"]


def test_a_caption_too_long_for_the_picture_ends_in_an_ellipsis(font):
    lines = wrap("word " * 500, font, 100)
    assert len(lines) == MAXIMUM_LINES
    assert lines[-1].endswith("…")


@pytest.mark.parametrize("text", ["x", "👧 男人 رجل", "x" * 4096])
def test_any_text_can_be_a_caption(text):
    assert contact_sheet([(text, FACES)]).width > CAPTION_PIXELS
