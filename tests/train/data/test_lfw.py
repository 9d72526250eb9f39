import re

import pytest

from t2f_train.data.lfw import read_lfw
from t2f_train.errors import DataError

IMAGES = [
    "Aaron_Eckhart/Aaron_Eckhart_0001.jpg",
    "Aaron_Guiel/Aaron_Guiel_0001.jpg",
    "Aaron_Guiel/Aaron_Guiel_0002.jpg",
    "J.R._Fox/J.R._Fox_0001.jpg",
]


def write_images(folder, names=IMAGES):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("unpacked", [".", "lfw", "lfw-deepfunneled", "lfw_funneled"])
def test_every_person_is_read_without_descriptions(tmp_path, unpacked):
    people = write_images(tmp_path / unpacked)
    faces = read_lfw(tmp_path)
    assert [face.image for face in faces] == [people / name for name in IMAGES]
    assert {face.descriptions for face in faces} == {()}


def test_lists_of_pairs_beside_the_people_are_ignored(tmp_path):
    write_images(tmp_path, [*IMAGES, "pairs_01.txt", ".DS_Store", "._J.jpg"])
    assert len(read_lfw(tmp_path)) == 4


@pytest.mark.parametrize(
    "name",
    [
        "Aaron_Guiel/Aaron_Eckhart_0001.jpg",
        "Aaron_Guiel/Aaron_Guiel_1.jpg",
        "Aaron_Guiel/Aaron_Guiel.jpg",
        "Aaron_Guiel_0003.jpg",
        "actors/Aaron_Guiel/Aaron_Guiel_0001.jpg",
    ],
)
def test_an_image_that_lfw_would_name_otherwise_is_refused(tmp_path, name):
    write_images(tmp_path, [*IMAGES, name])
    expected = f"{tmp_path / name} is not named as LFW names its images; it must hold NAME/NAME_"
    with pytest.raises(DataError, match=re.escape(expected)):
        read_lfw(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "lfw").mkdir()
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'lfw'} holds no images; it must")):
        read_lfw(tmp_path)
