import re

import pytest

from t2f_train.data.celeba import DESCRIPTIONS_PER_IMAGE, read_celeba
from t2f_train.data.celeba_traits import ATTRIBUTES
from t2f_train.errors import DataError

HEADER = " ".join(ATTRIBUTES)
MAN = {"Male", "Young", "Eyeglasses", "Black_Hair", "Smiling", "No_Beard", "Wearing_Hat"}
WOMAN = {"Wavy_Hair", "Blond_Hair", "Wearing_Earrings", "Smiling", "No_Beard", "Oval_Face"}


def row(name, present):
    return " ".join([name, *("1" if attribute in present else "-1" for attribute in ATTRIBUTES)])


def write_celeba(folder, rows, *, count=None, header=HEADER, images=None):
    lines = [str(len(rows) if count is None else count), header, *rows]
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    (folder / "img_align_celeba").mkdir()
    for name in [each.split()[0] for each in rows] if images is None else images:
        (folder / "img_align_celeba" / name).touch()
    return folder


@pytest.fixture
def data(tmp_path):
    return write_celeba(tmp_path, [row("000002.jpg", WOMAN), row("000001.jpg", MAN)])


def test_faces_come_in_the_order_of_their_names(data):
    names = [face.image for face in read_celeba(data)]
    folder = data / "img_align_celeba"
    assert names == [folder / "000001.jpg", folder / "000002.jpg"]


def test_every_face_gets_several_descriptions_of_its_attributes(data):
    man, woman = read_celeba(data)
    for face, words in ((man, r"\b(man|male|guy|he)\b"), (woman, r"\b(woman|female|lady|she)\b")):
        assert 4 < len(face.descriptions) <= DESCRIPTIONS_PER_IMAGE
        assert len(set(face.descriptions)) == len(face.descriptions)
        assert any(re.search(words, text.lower()) for text in face.descriptions)
    assert not any(re.search(r"\b(woman|female|she)\b", text) for text in man.descriptions)


def test_descriptions_depend_on_name_and_attributes_alone(data, tmp_path_factory):
    rows = [row("000009.jpg", WOMAN), row("000001.jpg", MAN), row("000003.jpg", MAN)]
    other = read_celeba(write_celeba(tmp_path_factory.mktemp("other"), rows))
    assert other[0].descriptions == read_celeba(data)[0].descriptions
    assert other[0].descriptions != other[1].descriptions


def test_columns_are_found_by_their_header(tmp_path):
    names = list(reversed(ATTRIBUTES))
    line = " ".join(["1.jpg", *("1" if name == "Male" else "-1" for name in names)])
    face = read_celeba(write_celeba(tmp_path, [line], header=" ".join(names)))[0]
    assert any(re.search(r"\b(man|male|gentleman|he)\b", t.lower()) for t in face.descriptions)


def test_images_may_lie_one_folder_deeper(data):
    (data / "img_align_celeba").rename(data / "once_more")
    (data / "img_align_celeba").mkdir()
    (data / "once_more").rename(data / "img_align_celeba/img_align_celeba")
    image = read_celeba(data)[0].image
    assert image == data / "img_align_celeba/img_align_celeba/000001.jpg"


def test_images_that_are_not_in_the_list_are_ignored(data):
    (data / "img_align_celeba/000003.jpg").touch()
    assert len(read_celeba(data)) == 2


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'none'} does not exist; it must")):
        read_celeba(tmp_path / "none")


def test_an_empty_folder_lacks_both_list_and_images(tmp_path):
    expected = r"(?s)has 2 problems.*celeba\.txt is missing.*img_align_celeba does not exist"
    with pytest.raises(DataError, match=expected):
        read_celeba(tmp_path)


def test_a_list_without_rows_is_refused(tmp_path):
    write_celeba(tmp_path, [])
    with pytest.raises(DataError, match=r"has 2 lines; it needs a count, a header and a row"):
        read_celeba(tmp_path)


def test_a_list_that_is_not_utf_8_is_reported(data):
    (data / "list_attr_celeba.txt").write_bytes(b"2\n\xff\n")
    with pytest.raises(DataError, match=r"celeba\.txt is not UTF-8 text: line 2, byte 2"):
        read_celeba(data)


@pytest.mark.parametrize("count", ["3", "two"])
def test_a_count_that_differs_from_the_rows_is_refused(tmp_path, count):
    write_celeba(tmp_path, [row("1.jpg", MAN), row("2.jpg", MAN)], count=count)
    with pytest.raises(DataError, match=f"line 1: the count is '{count}', but 2 rows follow"):
        read_celeba(tmp_path)


def test_a_header_of_other_attributes_is_refused(tmp_path):
    header = HEADER.replace("Bald", "Hairless").removesuffix(" Young")
    write_celeba(tmp_path, [row("1.jpg", MAN)], header=header)
    expected = (
        "line 2: the header has 39 names instead of CelebA's 40 "
        "(missing: Bald, Young; unknown: Hairless)"
    )
    with pytest.raises(DataError, match=re.escape(expected)):
        read_celeba(tmp_path)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (row("2.jpg", MAN) + " 1", "line 4: 41 values after the name, not 40"),
        (row("2.jpg", MAN).replace(" 1", "", 1), "line 4: 39 values after the name, not 40"),
        (row("2.jpg", MAN).replace(" 1", " 0", 1), "line 4: the value '0' is neither 1 nor -1"),
        (row("1.jpg", MAN), r"line 4: 1\.jpg is there twice"),
        ("", "line 4: 0 values after the name"),
    ],
)
def test_a_broken_row_is_reported_by_its_line(tmp_path, broken, message):
    rows = [row("1.jpg", MAN), broken, row("3.jpg", MAN)]
    write_celeba(tmp_path, rows, images=["1.jpg", "2.jpg", "3.jpg"])
    with pytest.raises(DataError, match=rf"list_attr_celeba\.txt {message}"):
        read_celeba(tmp_path)


def test_missing_images_are_named_and_counted(tmp_path):
    rows = [row(f"{n:06d}.jpg", MAN) for n in range(20)]
    write_celeba(tmp_path, rows, images=["000019.jpg"])
    first = tmp_path / "img_align_celeba/000000.jpg"
    with pytest.raises(DataError, match="has 19 problems") as caught:
        read_celeba(tmp_path)
    assert f"  {first} is missing, but in the list\n" in str(caught.value)
    assert "\n  and 9 more\n" in str(caught.value)
    assert "shorten the list" in str(caught.value)
