from pathlib import Path

import pytest

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.held_out import split_faces
from t2f_train.errors import DataError


def faces(names, folder="data"):
    return [CaptionedFace(Path(folder) / name, ("a face",)) for name in names]


def names(part, folder="data"):
    return [face.image.relative_to(folder).as_posix() for face in part]


NUMBERED = [f"{number:06}.jpg" for number in range(2000)]


def test_no_share_holds_out_nothing():
    everything = faces(NUMBERED[:5])
    assert split_faces(everything, 0.0) == (everything, [])


def test_the_share_is_met_about_and_each_face_is_in_one_part_in_its_order():
    training, held_out = split_faces(faces(NUMBERED), 0.1)
    assert 160 <= len(held_out) <= 240  # 200, and three standard deviations of a binomial
    assert sorted(names(training) + names(held_out)) == NUMBERED
    assert names(training) == sorted(names(training))
    assert names(held_out) == sorted(names(held_out))


def test_the_choice_depends_on_names_alone():
    _, held_out = split_faces(faces(NUMBERED), 0.1)
    _, elsewhere = split_faces(faces(NUMBERED, "/other/place"), 0.1)
    assert names(elsewhere, "/other/place") == names(held_out)
    _, of_fewer = split_faces(faces(NUMBERED[::2]), 0.1)
    assert set(names(of_fewer)) == set(names(held_out)) & set(NUMBERED[::2])


def test_a_larger_share_holds_out_the_same_images_and_more():
    _, few = split_faces(faces(NUMBERED), 0.1)
    _, many = split_faces(faces(NUMBERED), 0.3)
    assert set(names(few)) < set(names(many))


def test_equal_names_in_different_folders_are_different_images():
    everything = faces([f"person-{number}/face.jpg" for number in range(200)])
    training, held_out = split_faces(everything, 0.5)
    assert len(training) > 50
    assert len(held_out) > 50


def test_a_share_that_leaves_a_part_empty_is_refused():
    with pytest.raises(DataError, match=r"data.held_out is 0.001, which leaves 3 of 3 .* and 0 "):
        split_faces(faces(NUMBERED[:3]), 0.001)
    with pytest.raises(DataError, match=r"leaves 0 of 3 images for training and 3"):
        split_faces(faces(NUMBERED[:3]), 1.0)
