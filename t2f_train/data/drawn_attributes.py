"""What can be said of a drawn face, and how such faces are spread over people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

Sex = Literal["woman", "man"]
Age = Literal["child", "young", "middle-aged", "old"]
FaceShape = Literal["oval", "round", "square", "long", "heart"]
Skin = Literal["fair", "tan", "brown", "dark"]
HairLength = Literal["bald", "receding", "cropped", "short", "shoulder-length", "long"]
HairTexture = Literal["straight", "wavy", "curly"]
HairFront = Literal["fringe", "side parting", "centre parting", "swept back"]
HairArrangement = Literal["loose", "bun", "ponytail"]
HairColour = Literal["black", "dark brown", "brown", "blond", "red", "grey", "white"]
Eyebrows = Literal["thin", "medium", "thick"]
EyeColour = Literal["brown", "blue", "green", "grey"]
EyeForm = Literal["round", "almond", "narrow"]
Glasses = Literal["none", "round", "square", "sunglasses"]
Nose = Literal["small", "average", "broad", "long"]
Mouth = Literal["neutral", "smiling", "grinning", "open", "frowning"]
Lips = Literal["thin", "medium", "full"]
FacialHair = Literal["none", "stubble", "moustache", "goatee", "full beard"]
Hat = Literal["none", "cap", "beanie", "brimmed"]
Earrings = Literal["none", "pearls", "hoops"]
ClothColour = Literal["black", "white", "grey", "red", "blue", "green", "yellow", "purple"]
Background = Literal["white", "grey", "blue", "green", "yellow", "pink", "purple", "orange"]

T = TypeVar("T", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceAttributes:
    """Everything about a drawn face that a description may mention.

    Some values need others to be seen: hair has no texture on a bald head, eyes have no colour
    behind sunglasses. The properties answer what can be seen.
    """

    sex: Sex
    age: Age
    face_shape: FaceShape
    skin: Skin
    hair_length: HairLength
    hair_texture: HairTexture
    hair_front: HairFront
    hair_arrangement: HairArrangement
    """A bun or a ponytail needs hair that is shoulder-length or long."""
    hair_colour: HairColour
    """Also the colour of the facial hair and, darkened, of the eyebrows."""
    eyebrows: Eyebrows
    eye_colour: EyeColour
    eye_form: EyeForm
    glasses: Glasses
    nose: Nose
    mouth: Mouth
    lips: Lips
    lipstick: bool
    facial_hair: FacialHair
    hat: Hat
    hat_colour: ClothColour
    earrings: Earrings
    clothes_colour: ClothColour
    background: Background

    @property
    def is_hair_tied(self) -> bool:
        """Whether the hair is long enough for its bun or ponytail."""
        return self.has_long_hair and self.hair_arrangement != "loose"

    @property
    def has_long_hair(self) -> bool:
        """Whether the hair reaches the shoulders when it is let down."""
        return self.hair_length in ("shoulder-length", "long")

    @property
    def is_hair_visible(self) -> bool:
        """Whether any hair of the head can be seen."""
        if self.hair_length == "bald":
            return False
        if self.hat == "none":
            return True
        if self.has_long_hair:
            return self.hair_arrangement != "bun"
        return self.hat != "beanie"

    @property
    def is_hair_length_visible(self) -> bool:
        """Whether one can tell how long the hair is, or that there is none."""
        return self.hat == "none" or (self.is_hair_visible and self.has_long_hair)

    @property
    def is_hair_front_visible(self) -> bool:
        """Whether one can tell how the hair falls over the forehead."""
        return self.hat == "none" and (self.has_long_hair or self.hair_length == "short")

    @property
    def are_eyes_visible(self) -> bool:
        """Whether nothing covers the eyes."""
        return self.glasses != "sunglasses"


def sample_attributes(rng: np.random.Generator) -> FaceAttributes:
    """Draws a plausible person: beards on men, grey hair with age, makeup on some women.

    Args:
        rng: Where all chance comes from; equal states give equal people.

    Returns:
        The attributes of one face.
    """
    sex: Sex = _pick(rng, {"woman": 50, "man": 50})
    age: Age = _pick(rng, {"child": 11, "young": 37, "middle-aged": 29, "old": 23})
    skin: Skin = _pick(rng, {"fair": 40, "tan": 24, "brown": 20, "dark": 16})
    hair_length = _sample_hair_length(rng, sex, age)
    is_grown_woman = sex == "woman" and age != "child"
    return FaceAttributes(
        sex=sex,
        age=age,
        face_shape=_sample_face_shape(rng, age),
        skin=skin,
        hair_length=hair_length,
        hair_texture=_sample_hair_texture(rng, skin),
        hair_front=_sample_hair_front(rng, sex),
        hair_arrangement=_sample_hair_arrangement(rng, sex, hair_length),
        hair_colour=_sample_hair_colour(rng, age, skin),
        eyebrows=_sample_eyebrows(rng, sex, age),
        eye_colour=_sample_eye_colour(rng, skin),
        eye_form=_pick(rng, {"round": 35, "almond": 42, "narrow": 23}),
        glasses=_sample_glasses(rng, age),
        nose=_pick(rng, {"small": 26, "average": 36, "broad": 20, "long": 18}),
        mouth=_pick(
            rng, {"neutral": 30, "smiling": 30, "grinning": 20, "open": 10, "frowning": 10}
        ),
        lips=_pick(rng, {"thin": 28, "medium": 42, "full": 30}),
        lipstick=is_grown_woman and bool(rng.random() < 0.42),
        facial_hair=_sample_facial_hair(rng, sex, age),
        hat=_pick(rng, {"none": 76, "cap": 9, "beanie": 8, "brimmed": 7}),
        hat_colour=_sample_cloth_colour(rng),
        earrings=_sample_earrings(rng, sex, age),
        clothes_colour=_sample_cloth_colour(rng),
        background=_sample_background(rng),
    )


def _pick(rng: np.random.Generator, weights: Mapping[T, int]) -> T:
    total = sum(weights.values())
    left = rng.random() * total
    for value, weight in weights.items():
        left -= weight
        if left < 0:
            return value
    return next(reversed(list(weights)))


def _sample_face_shape(rng: np.random.Generator, age: Age) -> FaceShape:
    if age == "child":
        return _pick(rng, {"oval": 40, "round": 60})
    return _pick(rng, {"oval": 30, "round": 20, "square": 18, "long": 16, "heart": 16})


def _sample_hair_length(rng: np.random.Generator, sex: Sex, age: Age) -> HairLength:
    if sex == "woman":
        return _pick(rng, {"cropped": 2, "short": 22, "shoulder-length": 36, "long": 40})
    if age == "child":
        return _pick(rng, {"cropped": 18, "short": 70, "shoulder-length": 12})
    if age == "young":
        return _pick(
            rng,
            {
                "bald": 6,
                "receding": 4,
                "cropped": 20,
                "short": 54,
                "shoulder-length": 10,
                "long": 6,
            },
        )
    if age == "middle-aged":
        return _pick(
            rng, {"bald": 18, "receding": 24, "cropped": 14, "short": 36, "shoulder-length": 8}
        )
    return _pick(rng, {"bald": 26, "receding": 34, "cropped": 8, "short": 26, "shoulder-length": 6})


def _sample_hair_texture(rng: np.random.Generator, skin: Skin) -> HairTexture:
    if skin == "dark":
        return _pick(rng, {"straight": 15, "wavy": 20, "curly": 65})
    if skin == "brown":
        return _pick(rng, {"straight": 35, "wavy": 30, "curly": 35})
    return _pick(rng, {"straight": 48, "wavy": 32, "curly": 20})


def _sample_hair_front(rng: np.random.Generator, sex: Sex) -> HairFront:
    if sex == "woman":
        return _pick(
            rng, {"fringe": 28, "side parting": 32, "centre parting": 28, "swept back": 12}
        )
    return _pick(rng, {"fringe": 28, "side parting": 36, "centre parting": 6, "swept back": 30})


def _sample_hair_arrangement(
    rng: np.random.Generator, sex: Sex, hair_length: HairLength
) -> HairArrangement:
    if hair_length not in ("shoulder-length", "long"):
        return "loose"
    if sex == "man":
        return _pick(rng, {"loose": 76, "bun": 12, "ponytail": 12})
    return _pick(rng, {"loose": 62, "bun": 19, "ponytail": 19})


def _sample_hair_colour(rng: np.random.Generator, age: Age, skin: Skin) -> HairColour:
    if age == "old":
        return _pick(rng, {"grey": 48, "white": 40, "dark brown": 6, "black": 6})
    if age == "middle-aged" and rng.random() < 0.24:
        return "grey"
    if skin == "fair":
        return _pick(rng, {"black": 12, "dark brown": 20, "brown": 24, "blond": 26, "red": 18})
    if skin == "tan":
        return _pick(rng, {"black": 32, "dark brown": 28, "brown": 22, "blond": 12, "red": 6})
    return _pick(rng, {"black": 58, "dark brown": 28, "brown": 10, "blond": 2, "red": 2})


def _sample_eyebrows(rng: np.random.Generator, sex: Sex, age: Age) -> Eyebrows:
    if sex == "woman" or age == "child":
        return _pick(rng, {"thin": 42, "medium": 44, "thick": 14})
    return _pick(rng, {"thin": 16, "medium": 44, "thick": 40})


def _sample_eye_colour(rng: np.random.Generator, skin: Skin) -> EyeColour:
    if skin == "fair":
        return _pick(rng, {"brown": 26, "blue": 38, "green": 22, "grey": 14})
    if skin == "tan":
        return _pick(rng, {"brown": 62, "blue": 14, "green": 16, "grey": 8})
    return _pick(rng, {"brown": 90, "green": 6, "grey": 4})


def _sample_glasses(rng: np.random.Generator, age: Age) -> Glasses:
    if age == "child":
        return _pick(rng, {"none": 82, "round": 11, "square": 7})
    if age == "old":
        return _pick(rng, {"none": 54, "round": 21, "square": 21, "sunglasses": 4})
    return _pick(rng, {"none": 66, "round": 12, "square": 13, "sunglasses": 9})


def _sample_facial_hair(rng: np.random.Generator, sex: Sex, age: Age) -> FacialHair:
    if sex == "woman" or age == "child":
        return "none"
    return _pick(rng, {"none": 42, "stubble": 14, "moustache": 13, "goatee": 11, "full beard": 20})


def _sample_earrings(rng: np.random.Generator, sex: Sex, age: Age) -> Earrings:
    if sex == "man":
        return _pick(rng, {"none": 96, "pearls": 1, "hoops": 3})
    if age == "child":
        return _pick(rng, {"none": 88, "pearls": 12})
    return _pick(rng, {"none": 58, "pearls": 22, "hoops": 20})


def _sample_cloth_colour(rng: np.random.Generator) -> ClothColour:
    return _pick(
        rng,
        {
            "black": 14,
            "white": 12,
            "grey": 12,
            "red": 15,
            "blue": 16,
            "green": 12,
            "yellow": 10,
            "purple": 9,
        },
    )


def _sample_background(rng: np.random.Generator) -> Background:
    return _pick(
        rng,
        {
            "white": 12,
            "grey": 15,
            "blue": 20,
            "green": 14,
            "yellow": 11,
            "pink": 10,
            "purple": 9,
            "orange": 9,
        },
    )
