from typing import get_args

import pytest

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.readers import ReaderName, read_faces
from t2f_train.errors import DataError


@pytest.mark.parametrize(
    ("reader", "subject"),
    [
        ("face2text", "Face2Text folder"),
        ("celeba", "CelebA folder"),
        ("folder", "image folder .*; each image"),
        ("partly-captioned", "image folder .*; a described image"),
        ("images", "image folder .*; it must hold images"),
        ("lfw", "LFW folder"),
        ("coco", "COCO folder"),
        ("flickr8k", "Flickr8k folder"),
        ("webdataset", "WebDataset folder"),
    ],
)
def test_each_name_chooses_its_reader(tmp_path, reader, subject):
    with pytest.raises(DataError, match=f"^{subject}"):
        read_faces(reader, tmp_path / "none")


@pytest.mark.parametrize("reader", get_args(ReaderName))
def test_every_reader_names_a_folder_that_does_not_exist(tmp_path, reader):
    with pytest.raises(DataError, match=r"none: \S*none does not exist; "):
        read_faces(reader, tmp_path / "none")


def test_a_folder_of_images_is_read(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a.txt").write_text("a man")
    assert read_faces("folder", tmp_path) == [CaptionedFace(tmp_path / "a.jpg", ("a man",))]


def test_a_face_may_have_no_descriptions_but_no_blank_ones(tmp_path):
    assert CaptionedFace(tmp_path / "a.jpg", ()).descriptions == ()
    with pytest.raises(ValueError, match=r"a\.jpg has a blank description: \('a man', ' '\)"):
        CaptionedFace(tmp_path / "a.jpg", ("a man", " "))
