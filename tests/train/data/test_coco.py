import json
import re

import pytest

from t2f_train.data.coco import read_coco
from t2f_train.errors import DataError

CAPTIONS = {
    "000000397133.jpg": ["A man in a kitchen. ", "Someone cooks,\n in a kitchen."],
    "000000037777.jpg": ["A table with fruit."],
}


def as_coco(captions):
    """In the form of COCO's own files, where annotations are in no order."""
    numbers = {name: int(name.partition(".")[0][-12:]) for name in captions}
    annotations = [
        {"image_id": numbers[name], "id": 100 + n, "caption": text}
        for name, texts in captions.items()
        for n, text in enumerate(texts)
    ]
    return {
        "info": {"description": "COCO 2017 Dataset", "year": 2017},
        "licenses": [{"url": "", "id": 1, "name": ""}],
        "images": [
            {"license": 1, "file_name": name, "height": 427, "width": 640, "id": number}
            for name, number in numbers.items()
        ],
        "annotations": annotations[::-1],
    }


def write_split(folder, captions, split="val2017", place=None, annotations="annotations"):
    path = folder / annotations / f"captions_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_coco(captions)), "utf-8")
    images = folder / (split if place is None else place)
    images.mkdir(parents=True, exist_ok=True)
    for name in captions:
        (images / name).touch()
    return path


def change(path, edit):
    plain = json.loads(path.read_text("utf-8"))
    edit(plain)
    path.write_text(json.dumps(plain), "utf-8")


def test_images_come_in_the_order_of_their_names_with_all_their_captions(tmp_path):
    write_split(tmp_path, CAPTIONS)
    faces = read_coco(tmp_path)
    assert [face.image for face in faces] == [
        tmp_path / "val2017/000000037777.jpg",
        tmp_path / "val2017/000000397133.jpg",
    ]
    assert faces[0].descriptions == ("A table with fruit.",)
    assert sorted(faces[1].descriptions) == ["A man in a kitchen.", "Someone cooks, in a kitchen."]


@pytest.mark.parametrize("place", ["val2017", "images/val2017", "images", "."])
@pytest.mark.parametrize("annotations", ["annotations", "."])
def test_images_and_annotations_are_found_where_people_unpack_them(tmp_path, place, annotations):
    write_split(tmp_path, CAPTIONS, place=place, annotations=annotations)
    assert {face.image.parent for face in read_coco(tmp_path)} == {tmp_path / place}


def test_the_splits_of_2014_carry_their_name_in_their_images(tmp_path):
    write_split(tmp_path, {"COCO_val2014_000000000042.jpg": ["A shoe rack."]}, "val2014")
    assert read_coco(tmp_path)[0].descriptions == ("A shoe rack.",)


def test_all_splits_are_read(tmp_path):
    write_split(tmp_path, CAPTIONS, "val2017")
    write_split(tmp_path, {"000000000009.jpg": ["Broccoli."]}, "train2017")
    places = [face.image.relative_to(tmp_path).as_posix() for face in read_coco(tmp_path)]
    assert places == [
        "train2017/000000000009.jpg",
        "val2017/000000037777.jpg",
        "val2017/000000397133.jpg",
    ]


def test_two_splits_may_describe_the_same_image(tmp_path):
    for split, text in [("a", "A cat."), ("b", "It sleeps.")]:
        write_split(tmp_path, {"000000000007.jpg": [text]}, split, place="images")
    (face,) = read_coco(tmp_path)
    assert face.descriptions == ("A cat.", "It sleeps.")


def test_other_annotations_and_images_are_ignored(tmp_path):
    path = write_split(tmp_path, CAPTIONS)
    (path.parent / "instances_val2017.json").write_text("{}")
    (tmp_path / "val2017/000000000001.jpg").touch()
    assert len(read_coco(tmp_path)) == 2


def test_blank_captions_do_not_count(tmp_path):
    write_split(tmp_path, {"000000000007.jpg": ["", "A cat.", " \n"]})
    assert read_coco(tmp_path)[0].descriptions == ("A cat.",)


def test_an_image_without_captions_is_named(tmp_path):
    path = write_split(tmp_path, {**CAPTIONS, "000000000007.jpg": []})
    expected = f"{path} has no caption for 000000000007.jpg, which it lists; it must hold"
    with pytest.raises(DataError, match=re.escape(expected)):
        read_coco(tmp_path)


def test_missing_images_are_named(tmp_path):
    write_split(tmp_path, CAPTIONS)
    image = tmp_path / "val2017/000000037777.jpg"
    image.unlink()
    with pytest.raises(DataError, match=re.escape(f"{image} is missing, but in captions_val2017")):
        read_coco(tmp_path)


def test_a_split_whose_images_were_not_unpacked_is_one_problem(tmp_path):
    write_split(tmp_path, CAPTIONS, "val2017")
    write_split(tmp_path, {f"{n:012}.jpg": ["A cat."] for n in range(20)}, "train2017")
    for image in (tmp_path / "train2017").iterdir():
        image.unlink()
    (tmp_path / "train2017").rmdir()
    expected = (
        f"COCO folder {tmp_path}: {tmp_path / 'train2017'} holds none of the 20 images of "
        f"captions_train2017.json; it must hold"
    )
    with pytest.raises(DataError, match=re.escape(expected)):
        read_coco(tmp_path)


def test_a_folder_without_captions_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"annotations holds no captions_\*\.json; it must hold"):
        read_coco(tmp_path)


def test_captions_of_unlisted_images_are_refused(tmp_path):
    path = write_split(tmp_path, CAPTIONS)
    change(path, lambda plain: plain["annotations"].append({"image_id": 5, "caption": "A cat."}))
    with pytest.raises(DataError, match="annotation 3 is for image 5, which is not listed"):
        read_coco(tmp_path)


def test_two_images_of_one_id_are_refused(tmp_path):
    path = write_split(tmp_path, CAPTIONS)
    change(path, lambda plain: plain["images"].append(plain["images"][0]))
    with pytest.raises(DataError, match="lists two images of the id 397133"):
        read_coco(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"images": [', "is not valid JSON: "),
        ("[]", "is not as COCO has it: Expected `object`, got `array`"),
        ('{"annotations": []}', "is not as COCO has it: Object missing required field `images`"),
        ('{"images": [], "annotations": []}', "lists no images"),
        (
            '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1}]}',
            r"missing required field `caption` - at `\$\.annotations\[0\]`",
        ),
    ],
)
def test_a_broken_file_of_captions_is_reported_with_the_place(tmp_path, content, expected):
    path = write_split(tmp_path, CAPTIONS)
    path.write_text(content)
    with pytest.raises(DataError, match=f"(?s){re.escape(str(path))} .*{expected}"):
        read_coco(tmp_path)
