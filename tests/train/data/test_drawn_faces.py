from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from t2f_train.data import drawn_attributes
from t2f_train.data.drawn_attributes import FaceAttributes, sample_attributes
from t2f_train.data.drawn_faces import draw_face
from t2f_train.data.drawn_geometry import sample_geometry

PLAIN = FaceAttributes(
    sex="man",
    age="young",
    face_shape="oval",
    skin="fair",
    hair_length="short",
    hair_texture="straight",
    hair_front="side parting",
    hair_arrangement="loose",
    hair_colour="brown",
    eyebrows="medium",
    eye_colour="blue",
    eye_form="almond",
    glasses="none",
    nose="average",
    mouth="neutral",
    lips="medium",
    lipstick=False,
    facial_hair="none",
    hat="none",
    hat_colour="red",
    earrings="none",
    clothes_colour="blue",
    background="grey",
)
LONG_HAIRED = replace(PLAIN, sex="woman", hair_length="long")
CHOICES = {
    "age": drawn_attributes.Age,
    "face_shape": drawn_attributes.FaceShape,
    "skin": drawn_attributes.Skin,
    "hair_length": drawn_attributes.HairLength,
    "hair_texture": drawn_attributes.HairTexture,
    "hair_front": drawn_attributes.HairFront,
    "hair_arrangement": drawn_attributes.HairArrangement,
    "hair_colour": drawn_attributes.HairColour,
    "eyebrows": drawn_attributes.Eyebrows,
    "eye_colour": drawn_attributes.EyeColour,
    "eye_form": drawn_attributes.EyeForm,
    "glasses": drawn_attributes.Glasses,
    "nose": drawn_attributes.Nose,
    "mouth": drawn_attributes.Mouth,
    "lips": drawn_attributes.Lips,
    "facial_hair": drawn_attributes.FacialHair,
    "hat": drawn_attributes.Hat,
    "earrings": drawn_attributes.Earrings,
    "clothes_colour": drawn_attributes.ClothColour,
    "background": drawn_attributes.Background,
}
ONE_CHANGE = [
    (name, value)
    for name, choices in CHOICES.items()
    for value in get_args(choices)
    if value != getattr(LONG_HAIRED, name)
]


@pytest.fixture(scope="module")
def geometry():
    return sample_geometry(np.random.default_rng(0))


def pixels(attributes, geometry, size=64):
    return np.asarray(draw_face(attributes, geometry, size)).astype(int)


@pytest.mark.parametrize("size", [8, 32, 33, 200])
def test_a_face_is_drawn_at_any_size(geometry, size):
    picture = draw_face(PLAIN, geometry, size)
    assert picture.size == (size, size)
    assert picture.mode == "RGB"
    assert np.asarray(picture).std() > 20


def test_equal_values_draw_equal_pixels(geometry):
    assert (pixels(PLAIN, geometry) == pixels(PLAIN, geometry)).all()


def test_other_geometry_draws_another_face_with_the_same_attributes(geometry):
    other = sample_geometry(np.random.default_rng(1))
    assert np.abs(pixels(PLAIN, geometry) - pixels(PLAIN, other)).mean() > 3


@pytest.mark.parametrize("seed", range(6))
def test_the_same_face_at_another_size_is_the_same_face(seed):
    rng = np.random.default_rng(seed)
    attributes, geometry = sample_attributes(rng), sample_geometry(rng)
    reduced = np.asarray(draw_face(attributes, geometry, 128).reduce(4)).astype(int)
    assert np.abs(pixels(attributes, geometry, 32) - reduced).mean() < 6


@pytest.mark.parametrize(("name", "value"), ONE_CHANGE)
def test_every_value_of_every_attribute_changes_the_picture(geometry, name, value):
    changed = replace(LONG_HAIRED, **{name: value})
    difference = np.abs(pixels(changed, geometry, 96) - pixels(LONG_HAIRED, geometry, 96))
    assert difference.max() > 20


def test_make_up_changes_mouth_and_eyes_and_little_else(geometry):
    painted = pixels(replace(LONG_HAIRED, lipstick=True), geometry, 96)
    difference = np.abs(painted - pixels(LONG_HAIRED, geometry, 96)).max(axis=2)
    rows = np.nonzero(difference > 20)[0]
    assert rows.max() > 66  # the mouth
    assert rows.min() > 36  # nothing above the eyes
    assert (difference > 20).mean() < 0.05


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("hat", "beanie", 8),
        ("glasses", "sunglasses", 3),
        ("facial_hair", "full beard", 4),
        ("hair_colour", "blond", 5),
        ("background", "green", 8),
        ("skin", "dark", 12),
        ("mouth", "grinning", 0.8),
    ],
)
def test_what_matters_is_visible_at_32_pixels(geometry, name, value, least):
    changed = replace(PLAIN, **{name: value})
    difference = np.abs(pixels(changed, geometry, 32) - pixels(PLAIN, geometry, 32))
    assert difference.mean() > least


def test_hair_does_not_colour_the_mouth(geometry):
    difference = np.abs(
        pixels(replace(PLAIN, hair_colour="red"), geometry, 96) - pixels(PLAIN, geometry, 96)
    )
    assert difference[66:76, 40:56].max() < 12


def test_people_are_plausible():
    people = [sample_attributes(np.random.default_rng(seed)) for seed in range(2000)]
    assert 0.4 < np.mean([person.sex == "woman" for person in people]) < 0.6
    for person in people:
        assert person.facial_hair == "none" or (person.sex == "man" and person.age != "child")
        assert not (person.lipstick and (person.sex == "man" or person.age == "child"))

    def grey(age):
        group = [p for p in people if p.age == age]
        return np.mean([p.hair_colour in ("grey", "white") for p in group])

    assert grey("old") > 0.5
    assert grey("young") < 0.1


@pytest.mark.parametrize("name", CHOICES)
def test_every_value_of_every_attribute_occurs(name):
    people = [sample_attributes(np.random.default_rng(seed)) for seed in range(2000)]
    assert {getattr(person, name) for person in people} == set(get_args(CHOICES[name]))
