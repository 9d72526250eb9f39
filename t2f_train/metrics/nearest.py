"""The nearest training image of a drawn picture: the check on copying real people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import ArgumentError
from t2f_train.metrics.pictures import Pictures, check_pictures, check_same_side

COMPARED_SIDE = 32
"""Side at which pictures are compared, in pixels."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """What `nearest` found."""

    indices: NDArray[np.int64]
    """The nearest training image of each picture: shape `(drawn,)`."""
    distances: NDArray[np.float64]
    """Its distance, in levels of 0 to 255: shape `(drawn,)`."""


def nearest(drawn: Pictures, training: Pictures, *, chunk: int = 1024) -> Nearest:
    """Finds the training image, or its mirror image, that each picture is most alike.

    The distance is the root mean square difference of all pixels and colours. Pictures above 32
    pixels are averaged down in blocks first: one pixel's shift or a strand of hair then counts for
    little beside the shape of a face, so a copied person is found though no pixel is the same, and
    numbers of runs of 32 pixels and more compare.

    A small distance means copying only next to that of held-out photographs: give those as `drawn`
    too. Pictures that are nearer to the training images than real photographs of others are copies.

    Args:
        drawn: Shape `(drawn, side, side, 3)`, uint8, RGB. Above 32 pixels, the side is a multiple
            of 32.
        training: Shape `(training, side, side, 3)`, of the same side.
        chunk: Training images in work at a time, 1 or more; it bounds the memory.

    Returns:
        Indices and distances; of training images equally near, the first one.

    Raises:
        ArgumentError: If the pictures are none, of different sides, or of a side that blocks of
            whole pixels cannot bring to 32.
    """
    check_pictures("drawn pictures", drawn)
    check_pictures("training images", training)
    check_same_side(drawn, training)
    sought = _averaged(drawn)
    both_ways = np.concatenate([sought, sought[:, :, ::-1]]).reshape(2 * len(sought), -1)
    squares = np.square(both_ways).sum(axis=1)
    best = np.full(len(drawn), np.inf)
    indices = np.zeros(len(drawn), np.int64)
    for start in range(0, len(training), chunk):
        some = _averaged(training[start : start + chunk]).reshape(-1, both_ways.shape[1])
        # |a - b|^2 = |a|^2 + |b|^2 - 2 ab: one matrix product instead of every difference.
        distances = np.square(some).sum(axis=1) - 2 * (both_ways @ some.T) + squares[:, None]
        either = np.minimum(*np.split(distances, 2))
        found = either.argmin(axis=1)
        value = either[np.arange(len(drawn)), found]
        closer = value < best
        best[closer], indices[closer] = value[closer], start + found[closer]
    return Nearest(indices, _exact_distances(sought, _averaged(training[indices])))


def _averaged(pictures: Pictures) -> NDArray[np.float64]:
    """Brings pictures to the compared side: shape `(count, less, less, 3)`, -128 to 127.

    Float64, because sums of squares cancel: in float32 near copies were off by 0.01 levels.
    """
    count, side = pictures.shape[:2]
    values = pictures.astype(np.float64) - 128
    if side <= COMPARED_SIDE:
        return values
    if side % COMPARED_SIDE:
        raise ArgumentError(
            f"pictures of {side} pixels cannot be averaged in blocks to {COMPARED_SIDE}; "
            f"give pictures whose side is a multiple of {COMPARED_SIDE}"
        )
    block = side // COMPARED_SIDE
    blocks = values.reshape(count, COMPARED_SIDE, block, COMPARED_SIDE, block, 3)
    averaged: NDArray[np.float64] = blocks.mean(axis=(2, 4))
    return averaged


def _exact_distances(
    sought: NDArray[np.float64], found: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Root mean square differences to the pictures or their mirror images, free of cancellation."""
    direct = np.square(sought - found).mean(axis=(1, 2, 3))
    mirrored = np.square(sought - found[:, :, ::-1]).mean(axis=(1, 2, 3))
    distances: NDArray[np.float64] = np.sqrt(np.minimum(direct, mirrored))
    return distances
