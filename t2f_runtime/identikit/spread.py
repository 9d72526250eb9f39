"""Choosing faces that differ, out of more than are shown."""

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.generator import Pictures

_CELLS = 6
_PARTS = 16
"""Colours are compared by such parts of a level."""
_STRANGE = 10
"""One picture in so many is left out as the strangest: of a model that now and then fails, the
faces that are farthest from all others are its failures."""

Features = NDArray[np.int64]


def choose_different(pictures: Pictures, count: int, beside: Pictures | None = None) -> list[int]:
    """Chooses pictures that differ from each other, by farthest points.

    Source: Gonzalez 1985, "Clustering to minimize the maximum intercluster distance", Theoretical
    Computer Science 38: each choice is the one that is farthest from its nearest chosen one, which
    comes within a factor of 2 of the best spread. Distances are those of the pictures, not of the
    latents: in 128 dimensions all latents are about as far from each other, and on CelebA at 64
    pixels their distances correlate with the pictures' by 0.15 only.

    So the choice is the engine's, though hardly: 12 screens of 18 out of 54 were the same in ONNX
    Runtime with float32 and float16 and in OpenVINO; with int8, which draws visibly otherwise, one
    of them was. A case keeps the faces that were chosen, and is the same everywhere.

    Args:
        pictures: Shape `(pool, height, width, 3)`, uint8, RGB.
        count: How many, `pool` at most.
        beside: Pictures of the same size to differ from as well. Without them, the first of
            `pictures` is always chosen.

    Returns:
        Places in `pictures`, in the order of their choice; equal pictures give equal places.
    """
    features = _features(pictures)
    allowed = np.ones(len(features), dtype=bool)
    if beside is None:
        chosen, distances = [0], _squares(features, features[0])
    else:
        chosen = []
        distances = np.min([_squares(features, other) for other in _features(beside)], axis=0)
    allowed[_strangest(features, min(len(features) // _STRANGE, len(features) - count))] = False
    while len(chosen) < count:
        allowed[chosen] = False
        place = int(np.where(allowed, distances, -1).argmax())
        chosen.append(place)
        distances = np.minimum(distances, _squares(features, features[place]))
    return chosen


def _features(pictures: Pictures) -> Features:
    """Coarse colours of the middle of each picture, less their mean: whole numbers, so exact.

    The rim is left out, which is background, and so is the mean, which is lighting.
    """
    side = pictures.shape[1]
    rim = side // 8
    middle = pictures[:, rim : side - rim, rim : side - rim].astype(np.int64)
    cells = min(_CELLS, middle.shape[1])
    width = middle.shape[1] // cells
    middle = middle[:, : cells * width, : cells * width]
    split = middle.reshape(len(pictures), cells, width, cells, width, 3).sum(axis=(2, 4))
    levels = split * _PARTS // (width * width)
    flat: Features = levels.reshape(len(pictures), cells * cells, 3)
    less_mean: Features = flat * (cells * cells) - flat.sum(axis=1, keepdims=True)
    return less_mean.reshape(len(pictures), -1)


def _squares(features: Features, one: Features) -> NDArray[np.float64]:
    # Far below 2**53, so that float64 holds every sum exactly, in whatever order it is added.
    squares: NDArray[np.float64] = np.square(features - one).sum(axis=1).astype(np.float64)
    return squares


def _strangest(features: Features, count: int) -> list[int]:
    """The pictures farthest from their nearest neighbour; the first is never among them."""
    nearest = np.zeros(len(features))
    for place in range(1, len(features)):
        squares = _squares(features, features[place])
        squares[place] = np.inf
        nearest[place] = squares.min()
    order = np.argsort(-nearest, kind="stable")
    return [int(place) for place in order[:count] if place != 0]
