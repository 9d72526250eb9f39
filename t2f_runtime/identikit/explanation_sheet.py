"""An explanation as one picture: the face, and for each word where it acts."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.explain import Explanation, WordEffect
from t2f_runtime.identikit.face import Face
from t2f_runtime.identikit.picture_export import faces_facts
from t2f_runtime.identikit.studio import Drawing
from t2f_runtime.pictures.facts import EXPLAINED_TITLE
from t2f_runtime.pictures.sheet import FONT_PIXELS, GAP_PIXELS, MAXIMUM_PIXELS, enlarge

FACE_PIXELS = 128
"""Faces are enlarged to at least this side."""
COLUMNS = 6

_WHITE = (255, 255, 255)
_INK = (32, 32, 32)
_FAINT = (140, 140, 140)
_HEAT = np.array([220, 30, 30], dtype=np.float32)
_STRONGEST_HEAT = 0.85
_LABEL_PIXELS = 2 * (FONT_PIXELS + 4)


def explanation_sheet(explanation: Explanation) -> Image.Image:
    """Draws the face, and beside it one picture a word: red where the word changes most.

    All words share one scale, so that a pale picture is a word of little effect; words that did
    practically nothing are written in grey, and words that training never had are called unseen.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import explain_text, explanation_sheet
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> sheet = explanation_sheet(explain_text(generator, "a bald man", seed=7))
        >>> sheet.mode, sheet.width > 4 * 128
        ('RGB', True)

    Args:
        explanation: Of one face.

    Returns:
        An RGB image on white.

    Raises:
        ArgumentError: The sheet would be too large.
    """
    height, width = explanation.picture.shape[:2]
    scale = max(1, FACE_PIXELS // width)
    across, down = width * scale + GAP_PIXELS, height * scale + GAP_PIXELS + _LABEL_PIXELS
    count = len(explanation.words) + 1
    columns = min(COLUMNS, count)
    size = (columns * across + GAP_PIXELS, -(-count // columns) * down + GAP_PIXELS)
    if size[0] * size[1] > MAXIMUM_PIXELS:
        raise ArgumentError(f"the sheet would have {size[0]}x{size[1]} pixels: explain fewer words")
    sheet = Image.new("RGB", size, _WHITE)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT_PIXELS)
    heats = _heats(explanation.maps)
    for place in range(count):
        row, column = divmod(place, columns)
        left, top = GAP_PIXELS + column * across, GAP_PIXELS + row * down
        picture = explanation.picture
        lines, ink = ("all words", ""), _INK
        if place > 0:
            effect = explanation.words[place - 1]
            picture = _heated(picture, heats[place - 1])
            lines, ink = _label(effect), _FAINT if effect.is_negligible else _INK
        sheet.paste(enlarge(picture, scale), (left, top))
        for number, line in enumerate(lines):
            below = top + height * scale + 4 + number * (FONT_PIXELS + 2)
            draw.text((left + width * scale // 2, below), line, ink, font, anchor="ma")
    return sheet


def explanation_notes(
    generator: Drawing, face: Face, explanation: Explanation, *, time: datetime
) -> dict[str, str]:
    """What the sheet of an explanation says about itself, the words among it: they stand on it.

    Args:
        generator: What drew it.
        face: The face.
        explanation: Of that face.
        time: Now, with its time zone.

    Raises:
        ArgumentError: The time has no time zone.
    """
    pictures = explanation.picture[np.newaxis]
    facts = faces_facts(generator, [face], pictures, time=time, tells_description=True)
    return {**facts.notes(), "Title": EXPLAINED_TITLE}


def _label(effect: WordEffect) -> tuple[str, str]:
    word = effect.word if len(effect.word) <= 14 else f"{effect.word[:13]}…"
    told = "unseen" if effect.is_chance else f"({effect.share:.0%})"
    return word, f"{effect.difference:.1f} {told}"


def _heats(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """How red each pixel is, 0 to `_STRONGEST_HEAT`, on one scale for all words."""
    strongest = float(maps.max(initial=0.0))
    if strongest == 0.0:
        return np.zeros_like(maps)
    heats: NDArray[np.float32] = maps * np.float32(_STRONGEST_HEAT / strongest)
    return heats


def _heated(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture in grey, with red laid over it."""
    grey = np.asarray(Image.fromarray(picture).convert("L"), dtype=np.float32)[..., np.newaxis]
    mixed = grey * (1 - heat[..., np.newaxis]) + _HEAT * heat[..., np.newaxis]
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
