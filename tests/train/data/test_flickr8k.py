import re

import pytest

from t2f_train.data.flickr8k import read_flickr8k
from t2f_train.errors import DataError

# Of the real file's form: a space before the full stop, and one name with a second ending.
LINES = [
    "2258277193_586949ec62.jpg.1#0\tpeople waiting for the subway",
    "2258277193_586949ec62.jpg.1#1\tThree people are waiting on a train platform .",
    "1001773457_577c3a7d70.jpg#0\tA black dog and a spotted dog are fighting",
    "1001773457_577c3a7d70.jpg#1\tTwo dogs on pavement moving toward each other .",
    "1000268201_693b08cb0e.jpg#0\tA girl going into a wooden building .",
]
NAMES = ["1000268201_693b08cb0e.jpg", "1001773457_577c3a7d70.jpg"]


def write_flickr8k(folder, lines=LINES, names=NAMES, place="Flicker8k_Dataset"):
    (folder / "Flickr8k.token.txt").write_bytes("".join(f"{line}\n" for line in lines).encode())
    (folder / place).mkdir(exist_ok=True)
    for name in names:
        (folder / place / name).touch()
    return folder


def test_images_come_in_the_order_of_their_names_with_all_their_captions(tmp_path):
    faces = read_flickr8k(write_flickr8k(tmp_path))
    assert [face.image for face in faces] == [tmp_path / "Flicker8k_Dataset" / n for n in NAMES]
    assert faces[0].descriptions == ("A girl going into a wooden building .",)
    assert faces[1].descriptions == (
        "A black dog and a spotted dog are fighting",
        "Two dogs on pavement moving toward each other .",
    )


@pytest.mark.parametrize("place", ["images", "."])
def test_images_may_lie_elsewhere(tmp_path, place):
    faces = read_flickr8k(write_flickr8k(tmp_path, place=place))
    assert faces[0].image == tmp_path / place / NAMES[0]


def test_the_name_that_is_malformed_in_the_original_is_left_out_even_beside_a_like_image(tmp_path):
    write_flickr8k(tmp_path, names=[*NAMES, "2258277193_586949ec62.jpg"])
    assert [face.image.name for face in read_flickr8k(tmp_path)] == NAMES


def test_any_other_malformed_name_is_a_missing_image(tmp_path):
    write_flickr8k(tmp_path, [*LINES, "1000000000_0000000000.jpg.1#0\tA cat ."])
    expected = "1000000000_0000000000.jpg.1 is missing, but in Flickr8k.token.txt; it must hold"
    with pytest.raises(DataError, match=re.escape(expected)):
        read_flickr8k(tmp_path)


def test_images_without_captions_are_ignored(tmp_path):
    write_flickr8k(tmp_path, names=[*NAMES, "1.jpg"])
    assert len(read_flickr8k(tmp_path)) == 2


def test_missing_images_are_named(tmp_path):
    write_flickr8k(tmp_path, names=NAMES[1:])
    path = tmp_path / "Flicker8k_Dataset" / NAMES[0]
    with pytest.raises(DataError, match=re.escape(f"{path} is missing, but in Flickr8k.token.txt")):
        read_flickr8k(tmp_path)


def test_captions_without_any_images_are_one_problem(tmp_path):
    write_flickr8k(tmp_path, names=[])
    expected = "Flicker8k_Dataset holds none of the images of Flickr8k.token.txt; it must hold"
    with pytest.raises(DataError, match=re.escape(expected)):
        read_flickr8k(tmp_path)


def test_missing_captions_are_reported(tmp_path):
    with pytest.raises(DataError, match=r"Flickr8k\.token\.txt is missing; it must hold"):
        read_flickr8k(tmp_path)


def test_line_ends_of_windows_and_blank_lines_are_tolerated(tmp_path):
    write_flickr8k(tmp_path, [f"{line}\r" for line in LINES] + ["\r", ""])
    assert read_flickr8k(tmp_path)[0].descriptions == ("A girl going into a wooden building .",)


@pytest.mark.parametrize("line", ["1.jpg\tA cat .", "1.jpg#0 A cat .", "#0\tA cat ."])
def test_lines_of_another_form_are_reported_by_their_number(tmp_path, line):
    write_flickr8k(tmp_path, [*LINES, line])
    with pytest.raises(DataError, match=r"line 6: it is no NAME\.jpg#0, a tab and a caption; it"):
        read_flickr8k(tmp_path)


def test_blank_captions_do_not_count_but_an_image_needs_one(tmp_path):
    write_flickr8k(tmp_path, [*LINES, f"{NAMES[0]}#1\t "])
    assert len(read_flickr8k(tmp_path)[0].descriptions) == 1
    write_flickr8k(tmp_path, [*LINES[:-1], f"{NAMES[0]}#1\t "])
    with pytest.raises(DataError, match=f"has only blank captions for {re.escape(NAMES[0])}"):
        read_flickr8k(tmp_path)


def test_a_file_that_describes_no_image_of_the_archive_is_refused(tmp_path):
    write_flickr8k(tmp_path, LINES[:2])
    with pytest.raises(DataError, match="holds no captions of an image; it must hold"):
        read_flickr8k(tmp_path)
