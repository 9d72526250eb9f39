import pytest

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.readers import read_faces
from t2f_train.errors import DataError


@pytest.mark.parametrize(
    ("reader", "subject"),
    [("face2text", "Face2Text folder"), ("celeba", "CelebA folder"), ("folder", "image folder")],
)
def test_each_name_chooses_its_reader(tmp_path, reader, subject):
    with pytest.raises(DataError, match=subject):
        read_faces(reader, tmp_path / "none")


def test_a_folder_of_images_is_read(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a.txt").write_text("a man")
    assert read_faces("folder", tmp_path) == [CaptionedFace(tmp_path / "a.jpg", ("a man",))]


@pytest.mark.parametrize("descriptions", [(), ("a man", " ")])
def test_a_face_cannot_be_without_descriptions(tmp_path, descriptions):
    with pytest.raises(ValueError, match=r"a\.jpg needs descriptions, none blank"):
        CaptionedFace(tmp_path / "a.jpg", descriptions)
