"""Sliced Wasserstein distance of small image patches, scale by scale: ProGAN's own metric.

Source: Karras et al. 2018, "Progressive Growing of GANs", arXiv:1710.10196, section 5.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import ArgumentError
from t2f_train.metrics.pictures import Pictures, check_pictures, check_same_side

COARSEST_SIDE = 16
"""Side of the pyramid's last level, in pixels."""
PATCH_SIDE = 7
PATCHES = 128
"""Patches that are looked at in a picture, at every level."""
DIRECTIONS = 512
"""Projections to one dimension (the paper's code takes four times 128)."""

_CHUNK = 256
"""Pictures that are in work at a time."""


def sliced_wasserstein(
    real: Pictures, drawn: Pictures, *, seed: int = 0, memory_mib: int = 512
) -> dict[int, float]:
    """Compares the patches of two sets of pictures at every level of their Laplacian pyramids.

    A level's patches, 7x7 pixels in three colours, are normalised by mean and deviation of each
    colour within their set, so that neither brightness nor contrast of a whole set counts. Their
    Wasserstein-1 distance is averaged over 512 random directions, in each of which it is the mean
    difference between the sorted projections. The value at 16 pixels tells of composition, the
    one at the pictures' own side of texture.

    The paper took 16,384 pictures, 128 patches of each. Numbers from fewer pictures are larger
    (two sets of real photographs are not 0 apart either), so compare only numbers of equal counts,
    and give beside them the distance between two sets of real photographs.

    One departure: the same random places are looked at in both sets, where the paper's code draws
    places for each. That takes noise away, and a set is at distance 0 from itself.

    Source: arXiv:1710.10196, section 5; Rabin et al. 2011, "Wasserstein Barycenter and its
    Application to Texture Mixing", for the distance; Burt and Adelson 1983 for the pyramid.

    Args:
        real: Shape `(count, side, side, 3)`, uint8, RGB. The side must be halved down to 16 pixels
            without a remainder.
        drawn: As many pictures of the same side.
        seed: Decides places and directions, 0 or more.
        memory_mib: About how much memory the projections may take; less of it takes longer, since
            all patches are read again for each group of directions.

    Returns:
        The distances times 1,000, as the paper gives them, by the side of their level in pixels,
        the finest first: 64, 32 and 16 for pictures of 64. Pictures below 16 pixels have one level,
        themselves; below 7 pixels, a patch is the whole picture.

    Raises:
        ArgumentError: If the two sets differ in number or size, or the side cannot be halved.
    """
    check_pictures("real pictures", real)
    check_pictures("drawn pictures", drawn)
    check_same_side(real, drawn)
    if len(real) != len(drawn):
        raise ArgumentError(
            f"there are {len(real)} real pictures and {len(drawn)} drawn ones; the sliced "
            "Wasserstein distance compares equal numbers, so leave some out"
        )
    distances = {}
    for depth, side in enumerate(level_sides(real.shape[1])):
        rng = np.random.default_rng([seed, side])
        patch = min(PATCH_SIDE, side)
        places = rng.integers(0, side - patch + 1, (2, len(real), PATCHES))
        directions = _random_directions(rng, patch * patch * 3)
        sets = [_PatchSet(pictures, depth, patch, places) for pictures in (real, drawn)]
        per_direction = _distances(sets[0], sets[1], directions, memory_mib)
        distances[side] = float(per_direction.mean() * 1e3)
    return distances


def level_sides(side: int) -> tuple[int, ...]:
    """Sides of the levels that pictures of a side are compared at, the finest first.

    Raises:
        ArgumentError: If halving does not end at a whole number of pixels.
    """
    sides = [side]
    while sides[-1] // 2 >= COARSEST_SIDE:
        if sides[-1] % 2:
            raise ArgumentError(
                f"pictures of {side} pixels cannot be halved down to {COARSEST_SIDE}; "
                "give pictures whose side is a power of two"
            )
        sides.append(sides[-1] // 2)
    return tuple(sides)


def laplacian_level(pictures: Pictures, depth: int) -> NDArray[np.float32]:
    """One level of the Laplacian pyramid: what halving once more would lose.

    Source: Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code"; its filter
    (1, 4, 6, 4, 1) / 16 in rows and columns, mirrored at the borders.

    Args:
        pictures: Shape `(count, side, side, 3)`, uint8.
        depth: How often they are halved first; the last level is what remains of the picture.

    Returns:
        Shape `(count, side / 2**depth, side / 2**depth, 3)`, float32, in the levels of a pixel.
    """
    level = pictures.astype(np.float32)
    for _ in range(depth):
        level = halve(level)
    if depth < len(level_sides(pictures.shape[1])) - 1:
        level -= double(halve(level))
    return level


def halve(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooths and takes every other row and column, shape `(count, side, side, channels)`."""
    columns = _halve_rows(level).swapaxes(1, 2)
    halved: NDArray[np.float32] = _halve_rows(columns).swapaxes(1, 2)
    return halved


def double(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolates to twice the side with the filter of `halve`."""
    columns = _double_rows(level).swapaxes(1, 2)
    doubled: NDArray[np.float32] = _double_rows(columns).swapaxes(1, 2)
    return doubled


def _halve_rows(level: NDArray[np.float32]) -> NDArray[np.float32]:
    length = level.shape[1]
    padded = np.pad(level, ((0, 0), (2, 2), (0, 0), (0, 0)), mode="reflect")
    taps = [padded[:, start : start + length : 2] for start in range(5)]
    weighted = taps[0] + taps[4] + 4 * (taps[1] + taps[3]) + 6 * taps[2]
    weighted *= np.float32(1 / 16)
    return weighted


def _double_rows(level: NDArray[np.float32]) -> NDArray[np.float32]:
    # Zeros between the rows, mirrored at the borders and smoothed: the row before the first one is
    # the second one then, and the row after the last one is the last one again.
    count, length, width, channels = level.shape
    before = np.concatenate([level[:, 1:2], level[:, :-1]], axis=1)
    after = np.concatenate([level[:, 1:], level[:, -1:]], axis=1)
    doubled = np.empty((count, 2 * length, width, channels), np.float32)
    doubled[:, 0::2] = (before + 6 * level + after) / 8
    doubled[:, 1::2] = (level + after) / 2
    return doubled


@dataclass(frozen=True, slots=True)
class _PatchSet:
    """The patches of one level of a set, cut out anew whenever they are asked for."""

    pictures: Pictures
    depth: int
    patch: int
    """Side of a patch, in pixels."""
    places: NDArray[np.int64]
    """Row and column of the patches' first pixels: shape `(2, count, patches)`."""

    def count(self) -> int:
        return self.places.size // 2

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Gives the patches of some pictures: shape `(some, 3, pixels)`, not normalised."""
        for start in range(0, len(self.pictures), _CHUNK):
            level = laplacian_level(self.pictures[start : start + _CHUNK], self.depth)
            windows = np.lib.stride_tricks.sliding_window_view(
                level, (self.patch, self.patch), axis=(1, 2)
            )
            rows, columns = self.places[:, start : start + _CHUNK]
            patches = windows[np.arange(len(level))[:, None], rows, columns]
            yield patches.reshape(-1, 3, self.patch * self.patch)

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of each colour over all patches."""
        total, squares = np.zeros(3), np.zeros(3)
        for patches in self.chunks():
            total += patches.sum(axis=(0, 2), dtype=np.float64)
            squares += np.square(patches).sum(axis=(0, 2), dtype=np.float64)
        values = self.count() * self.patch * self.patch
        mean = total / values
        return mean, np.sqrt(np.maximum(squares / values - mean**2, 0))

    def sorted_projections(
        self,
        directions: NDArray[np.float32],
        moments: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> NDArray[np.float32]:
        """Projects the normalised patches; shape `(directions, patches)`, each row ascending."""
        mean, deviation = (moment.astype(np.float32)[:, None] for moment in moments)
        # Colours that never change are all mean; whatever they are divided by, zero comes out.
        deviation = np.where(deviation > 0, deviation, np.float32(1))
        projections = np.empty((len(directions), self.count()), np.float32)
        end = 0
        for patches in self.chunks():
            start, end = end, end + len(patches)
            normalised = ((patches - mean) / deviation).reshape(len(patches), -1)
            np.matmul(directions, normalised.T, out=projections[:, start:end])
        projections.sort(axis=1)
        return projections


def _distances(
    first: _PatchSet, second: _PatchSet, directions: NDArray[np.float32], memory_mib: int
) -> NDArray[np.float64]:
    """Wasserstein-1 distance of two sets of patches in each direction, shape `(directions,)`."""
    moments = first.moments(), second.moments()
    bytes_per_direction = 2 * first.count() * np.dtype(np.float32).itemsize
    group = max(1, (memory_mib << 20) // bytes_per_direction)
    distances = []
    for start in range(0, len(directions), group):
        some = directions[start : start + group]
        difference = first.sorted_projections(some, moments[0])
        difference -= second.sorted_projections(some, moments[1])
        np.abs(difference, out=difference)
        distances.append(difference.mean(axis=1, dtype=np.float64))
    return np.concatenate(distances)


def _random_directions(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Draws unit vectors, evenly in all directions: shape `(DIRECTIONS, size)`."""
    directions = rng.standard_normal((DIRECTIONS, size))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions.astype(np.float32)
