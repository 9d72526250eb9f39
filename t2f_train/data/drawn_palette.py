"""The colours of drawn faces."""

from dataclasses import dataclass
from typing import TypeAlias

from t2f_train.data.drawn_attributes import (
    Background,
    ClothColour,
    EyeColour,
    FaceAttributes,
    HairColour,
    Skin,
)
from t2f_train.data.drawn_geometry import FaceGeometry

Colour: TypeAlias = tuple[int, int, int]

BLACK: Colour = (24, 20, 22)
WHITE: Colour = (255, 255, 255)

_SKINS: dict[Skin, tuple[Colour, Colour, Colour]] = {
    # The skin itself, its shadow, and the red of cheeks and lips.
    "fair": ((250, 217, 195), (205, 140, 118), (226, 106, 104)),
    "tan": ((226, 174, 132), (168, 106, 74), (196, 88, 78)),
    "brown": ((168, 113, 78), (108, 64, 44), (158, 66, 58)),
    "dark": ((108, 70, 51), (58, 34, 27), (128, 56, 52)),
}
_HAIRS: dict[HairColour, Colour] = {
    "black": (40, 34, 38),
    "dark brown": (78, 49, 36),
    "brown": (130, 84, 50),
    "blond": (230, 190, 112),
    "red": (190, 82, 36),
    "grey": (148, 148, 152),
    "white": (232, 230, 228),
}
_EYES: dict[EyeColour, Colour] = {
    "brown": (104, 62, 34),
    "blue": (62, 132, 200),
    "green": (76, 142, 84),
    "grey": (124, 136, 146),
}
_CLOTHS: dict[ClothColour, Colour] = {
    "black": (46, 46, 52),
    "white": (240, 240, 238),
    "grey": (140, 144, 150),
    "red": (204, 54, 54),
    "blue": (52, 98, 178),
    "green": (58, 140, 88),
    "yellow": (240, 196, 66),
    "purple": (128, 80, 160),
}
_BACKGROUNDS: dict[Background, Colour] = {
    "white": (240, 240, 238),
    "grey": (176, 180, 184),
    "blue": (140, 186, 224),
    "green": (158, 204, 160),
    "yellow": (246, 222, 136),
    "pink": (246, 184, 196),
    "purple": (188, 168, 222),
    "orange": (246, 178, 118),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of one face, RGB, 0 to 255."""

    skin: Colour
    skin_shadow: Colour
    skin_light: Colour
    blush: Colour
    lips: Colour
    hair: Colour
    hair_shadow: Colour
    hair_light: Colour
    brows: Colour
    iris: Colour
    clothes: Colour
    hat: Colour
    frame: Colour
    background: Colour


def palette_of(attributes: FaceAttributes, geometry: FaceGeometry) -> Palette:
    """Returns the colours of a face, shifted a little as its geometry says."""
    skin, shadow, blush = (
        _warmed(_lightened(colour, 0.07 * geometry.skin_lightness), geometry.skin_warmth)
        for colour in _SKINS[attributes.skin]
    )
    hair = _lightened(_HAIRS[attributes.hair_colour], 0.09 * geometry.hair_lightness)
    hair_is_light = sum(hair) > 3 * 135
    lips = (186, 24, 50) if attributes.lipstick else mix(skin, blush, 0.62)
    return Palette(
        skin=skin,
        skin_shadow=shadow,
        skin_light=mix(skin, (255, 240, 222), 0.5),
        blush=blush,
        lips=lips,
        hair=hair,
        hair_shadow=mix(hair, (52, 34, 40), 0.42 if hair_is_light else 0.55),
        hair_light=mix(hair, (255, 238, 214), 0.5 if hair_is_light else 0.3),
        brows=mix(hair, (60, 44, 40), 0.5 if hair_is_light else 0.2),
        iris=_EYES[attributes.eye_colour],
        clothes=_lightened(_CLOTHS[attributes.clothes_colour], 0.1 * geometry.cloth_lightness),
        hat=_lightened(_CLOTHS[attributes.hat_colour], -0.1 * geometry.cloth_lightness),
        frame=mix((26, 26, 32), (112, 62, 34), geometry.frame_tone),
        background=_lightened(
            _BACKGROUNDS[attributes.background], 0.1 * geometry.background_lightness
        ),
    )


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Returns the colour `share` of the way from the first to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(colour: Colour, amount: float) -> Colour:
    """Returns a colour moved towards a cool black."""
    return mix(colour, (20, 14, 30), amount)


def lighter(colour: Colour, amount: float) -> Colour:
    """Returns a colour moved towards white."""
    return mix(colour, WHITE, amount)


def _lightened(colour: Colour, amount: float) -> Colour:
    return lighter(colour, amount) if amount > 0 else darker(colour, -amount)


def _warmed(colour: Colour, warmth: float) -> Colour:
    red, green, blue = colour
    shift = 4.0 * warmth
    return min(255, round(red + shift)), green, max(0, round(blue - 1.5 * shift))
