"""Faces whose attributes are plain colours, which the networks of the metrics learn in seconds."""

from pathlib import Path

import numpy as np

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.celeba_descriptions import describe
from t2f_train.data.celeba_traits import ATTRIBUTES
from t2f_train.metrics.evaluation_data import EvaluationData, Photographs

SIDE = 8
SHOWN = {"Male": 0, "Smiling": 1, "Blond_Hair": 2}
"""Attributes and the colour channel that is bright where they are there."""


def photographs(count: int, *, seed: int) -> Photographs:
    """Noisy plain pictures; the colour tells the attributes of `SHOWN`, described as CelebA's."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((count, len(ATTRIBUTES)), np.bool_)
    for name in SHOWN:
        rows[:, ATTRIBUTES.index(name)] = rng.random(count) < 0.5
    rows[:, ATTRIBUTES.index("No_Beard")] = True
    rows[:, ATTRIBUTES.index("Young")] = rng.random(count) < 0.5
    bright = rows[:, [ATTRIBUTES.index(name) for name in SHOWN]] * 120 + 60
    pixels = bright[:, None, None, :] + rng.integers(-40, 40, (count, SIDE, SIDE, 3))
    faces = [
        CaptionedFace(Path(f"{seed}/{number:04}.png"), tuple(_descriptions(row, rng)))
        for number, row in enumerate(rows)
    ]
    return Photographs(faces=faces, pictures=pixels.astype(np.uint8), attributes=rows)


def _descriptions(row, rng):
    attributes = frozenset(name for name, has in zip(ATTRIBUTES, row, strict=True) if has)
    return dict.fromkeys(describe(attributes, rng) for _ in range(3))


def evaluation_data() -> EvaluationData:
    """300 faces to learn from and 80 held out."""
    return EvaluationData(
        training=photographs(300, seed=1), held_out=photographs(80, seed=2), is_unseen=True
    )


class Tracer:
    """Draws, for each description, the held-out photograph that it was written from."""

    def __init__(self, data: EvaluationData):
        held_out = data.held_out
        self.by_text = {
            text: picture
            for face, picture in zip(held_out.faces, held_out.pictures, strict=True)
            for text in face.descriptions
        }

    def draw(self, descriptions, *, seed, indices):
        return np.stack([self.by_text[text] for text in descriptions])


class Deaf:
    """Draws any photograph, whatever the description."""

    def __init__(self, data: EvaluationData):
        self.pictures = data.held_out.pictures

    def draw(self, descriptions, *, seed, indices):
        return np.random.default_rng([seed, 1]).permutation(self.pictures)[
            np.arange(len(descriptions)) % len(self.pictures)
        ]
