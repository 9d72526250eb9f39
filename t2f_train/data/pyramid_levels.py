"""Decodes photographs into the levels of an image pyramid: one array on disk a resolution."""

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from t2f_train.data.image_source import ImageSource
from t2f_train.data.photograph import BrokenPhotographError, CropBox, read_square
from t2f_train.data.problems import Problems

Levels: TypeAlias = dict[int, "np.memmap[Any, np.dtype[np.uint8]]"]
"""Arrays on disk by their side in pixels: shape `(images, side, side, 3)`, uint8, RGB."""

_BLOCK = 32
"""Images that a thread decodes before it reports; keeps the queue short for large data sets."""


def level_sides(resolution: int) -> tuple[int, ...]:
    """Sides of a pyramid's levels, in pixels: 4, 8, … `resolution`.

    Raises:
        ValueError: If the resolution is not a power of two from 4 on.
    """
    if resolution < 4 or resolution & (resolution - 1):
        raise ValueError(f"resolution is {resolution}; it must be a power of two from 4 on")
    return tuple(1 << power for power in range(2, resolution.bit_length()))


def level_path(folder: Path, side: int) -> Path:
    """Where a level is stored: a .npy file, shape `(images, side, side, 3)`, uint8, RGB."""
    return folder / f"images-{side:04d}.npy"


def level_bytes(count: int, resolution: int) -> int:
    """Size of all levels of `count` images, in bytes."""
    return count * sum(3 * side * side for side in level_sides(resolution))


def write_levels(
    folder: Path,
    images: Sequence[ImageSource],
    *,
    crop: CropBox | None,
    resolution: int,
    progress: Callable[[int, int], None] | None,
) -> str:
    """Decodes images on all processor cores and writes the levels of their pyramid.

    Args:
        folder: Where the files go.
        images: The photographs.
        crop: The square to keep of each; None takes the largest one at the centre.
        resolution: Side of the top level, in pixels.
        progress: Called now and then with the number of images done and the number of all.

    Returns:
        SHA-256 of the top level's shape and pixels, as hexadecimal digits.

    Raises:
        DataError: With every image that cannot be used.
    """
    levels: Levels = {
        side: np.lib.format.open_memmap(
            level_path(folder, side), mode="w+", dtype=np.uint8, shape=(len(images), side, side, 3)
        )
        for side in level_sides(resolution)
    }

    def write(n: int) -> str | None:
        """Puts an image into all levels, or says why it cannot be used."""
        try:
            _fill(levels, n, read_square(images[n], crop, resolution))
        except BrokenPhotographError as error:
            return str(error)
        return None

    _for_each(images, write, progress)
    for level in levels.values():
        level.flush()
    return _digest(levels[resolution])


def _for_each(
    images: Sequence[ImageSource],
    write: Callable[[int], str | None],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Calls `write` with the number of each image, in threads, and raises what it complains of."""
    problems = Problems(
        "images", "repair these images or take them out of the data set, and start again"
    )
    blocks = [range(len(images))[n : n + _BLOCK] for n in range(0, len(images), _BLOCK)]
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        # Filters belong to the process, not to a thread, so they are set here and not by `write`.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            answers = pool.map(lambda block: [write(n) for n in block], blocks)
            for block, complaints in zip(blocks, answers, strict=True):
                for n, complaint in zip(block, complaints, strict=True):
                    if complaint is not None:
                        problems.add(images[n], complaint)
                if progress:
                    progress(block.stop, len(images))
    finally:
        # Whoever interrupts a build does not wait for the images that are still in the queue.
        pool.shutdown(cancel_futures=True)
    problems.raise_if_any()


def _fill(levels: Levels, n: int, pixels: NDArray[np.uint8]) -> None:
    """Writes one image to all levels.

    Every lower level is the exact mean of the top level's pixels, rounded once (halves upwards):
    rounding at each level would add up to a visible drift at 4 pixels.

    Args:
        levels: The arrays to write to, by side.
        n: Number of the image.
        pixels: Shape `(resolution, resolution, 3)`, uint8.
    """
    side = len(pixels)
    levels[side][n] = pixels
    sums = pixels.astype(np.uint32)
    area = 1
    while side > 4:
        side //= 2
        area *= 4
        rows = sums[0::2] + sums[1::2]
        sums = rows[:, 0::2] + rows[:, 1::2]
        levels[side][n] = (sums + area // 2) // area


def _digest(level: NDArray[np.uint8]) -> str:
    """SHA-256 of an array's shape and content, read in pieces."""
    digest = hashlib.sha256(repr(level.shape).encode())
    for start in range(0, len(level), 1024):
        digest.update(level[start : start + 1024].tobytes())
    return digest.hexdigest()
