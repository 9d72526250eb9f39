import json
import re

import pytest

from t2f_train.data.face2text import read_face2text
from t2f_train.errors import DataError


def entry(image, *texts):
    return {"img_id": 0, "image": image, "descriptions": [{"text": text} for text in texts]}


def write_face2text(folder, entries, images=None, annotations="face2text_v0.1/clean.json"):
    path = folder / annotations
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries), "utf-8")
    (folder / "lfw").mkdir()
    for image in [each["image"] for each in entries] if images is None else images:
        photograph = folder / "lfw" / image
        photograph.parent.mkdir(exist_ok=True)
        photograph.touch()
    return folder


@pytest.fixture
def data(tmp_path):
    entries = [
        entry("Zoe/Zoe_0001.jpg", "a woman who\n smiles "),
        entry("Abe/Abe_0001.jpg", "a bald man", "older man, tired eyes"),
    ]
    return write_face2text(tmp_path, entries)


def test_faces_come_in_the_order_of_their_names_with_all_their_descriptions(data):
    faces = read_face2text(data)
    assert [face.image for face in faces] == [
        data / "lfw/Abe/Abe_0001.jpg",
        data / "lfw/Zoe/Zoe_0001.jpg",
    ]
    assert faces[0].descriptions == ("a bald man", "older man, tired eyes")


def test_line_breaks_in_a_description_become_spaces(data):
    assert read_face2text(data)[1].descriptions == ("a woman who smiles",)


def test_annotations_may_lie_in_the_data_folder_itself(tmp_path):
    write_face2text(tmp_path, [entry("A/A_0001.jpg", "a man")], annotations="clean.json")
    assert len(read_face2text(tmp_path)) == 1


def test_annotations_may_start_with_a_byte_order_mark(data):
    path = data / "face2text_v0.1/clean.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_face2text(data)) == 2


@pytest.mark.parametrize("actual", ["A_0001.png", "A_0001.JPG", "A_0001.jpeg", "A_0001.Jpeg"])
def test_a_photograph_is_found_with_another_ending(tmp_path, actual):
    write_face2text(tmp_path, [entry("A/A_0001.jpg", "a man")], images=[f"A/{actual}"])
    assert read_face2text(tmp_path)[0].image.name == actual


def test_a_dot_in_a_name_is_no_ending(tmp_path):
    images = ["J.R._Fox/J.R._Fox_0001.jpg", "J.R._Fox/J.jpg"]
    write_face2text(tmp_path, [entry("J.R._Fox/J.R._Fox_0001", "a man")], images=images)
    assert read_face2text(tmp_path)[0].image.name == "J.R._Fox_0001.jpg"


def test_photographs_without_descriptions_are_ignored(tmp_path):
    images = ["A/A_0001.jpg", "A/A_0002.jpg", "B/B_0001.jpg"]
    write_face2text(tmp_path, [entry("A/A_0001.jpg", "a man")], images=images)
    assert len(read_face2text(tmp_path)) == 1


def test_two_entries_of_one_photograph_become_one_face(tmp_path):
    entries = [entry("A/A_0001.jpg", "a man"), entry("A/A_0001.png", "a tired man")]
    write_face2text(tmp_path, entries, images=["A/A_0001.jpg"])
    assert [face.descriptions for face in read_face2text(tmp_path)] == [("a man", "a tired man")]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'none'} does not exist; it must")):
        read_face2text(tmp_path / "none")


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file is not a folder; it must hold"):
        read_face2text(tmp_path / "file")


def test_an_empty_folder_lacks_both_annotations_and_photographs(tmp_path):
    with pytest.raises(DataError, match=r"(?s)2 problems.*clean\.json is missing.*lfw does not ex"):
        read_face2text(tmp_path)


def test_malformed_json_is_reported_with_its_position(data):
    (data / "face2text_v0.1/clean.json").write_text('[\n {"image": }]')
    with pytest.raises(DataError, match=r"clean\.json is not valid JSON: .*line 2 column 12"):
        read_face2text(data)


def test_annotations_that_are_not_utf_8_are_reported_with_their_position(data):
    (data / "face2text_v0.1/clean.json").write_bytes(b'[\n"caf\xe9"]')
    with pytest.raises(DataError, match=r"clean\.json is not UTF-8 text: line 2, byte 6"):
        read_face2text(data)


@pytest.mark.parametrize("text", ["{}", "[]"])
def test_annotations_without_entries_are_refused(data, text):
    (data / "face2text_v0.1/clean.json").write_text(text)
    with pytest.raises(DataError, match=r"clean\.json must hold a list of entries"):
        read_face2text(data)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"image": "A/A_0001.jpg"}, r"entry 1: Object missing required field `descriptions`"),
        (entry(7, "a man"), r"entry 1: Expected `str`, got `int` - at `\$\.image`"),
        ("a man", r"entry 1: Expected `object`, got `str`"),
        (entry("A/A_0001.jpg"), r"entry 1 \(A/A_0001\.jpg\) has no description"),
        (entry("A/A_0001.jpg", "a man", " \n"), r"entry 1 \(A/A_0001\.jpg\) has an empty descr"),
    ],
)
def test_a_broken_entry_is_reported_by_its_number(tmp_path, broken, message):
    write_face2text(tmp_path, [entry("B/B_0001.jpg", "x"), broken], images=["B/B_0001.jpg"])
    with pytest.raises(DataError, match=message):
        read_face2text(tmp_path)


def test_a_described_photograph_that_is_missing_is_named(tmp_path):
    write_face2text(tmp_path, [entry("A/A_0001.jpg", "a man")], images=[])
    path = tmp_path / "lfw" / "A/A_0001.jpg"
    with pytest.raises(DataError, match=re.escape(f"{path} is missing; it must hold")):
        read_face2text(tmp_path)


def test_all_problems_are_reported_at_once_and_many_are_counted(tmp_path):
    entries = [entry(f"A/A_{n:04d}.jpg", "a man") for n in range(12)]
    write_face2text(tmp_path, [*entries, entry("B/B_0001.jpg")], images=[])
    with pytest.raises(DataError, match="has 13 problems") as caught:
        read_face2text(tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 13
    assert "(B/B_0001.jpg) has no description" in lines[1]
    assert lines[10].endswith("A_0008.jpg is missing")
    assert lines[11] == "  and 3 more"
    assert "add what is missing" in lines[12]
