"""The image pyramid: every face at every resolution of training, decoded once and kept on disk."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from t2f_train.data.build_folders import (
    build_folder,
    damaged_folder,
    remove_abandoned_builds,
)
from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.image_source import ImageSource, PackedFile
from t2f_train.data.photograph import CropBox
from t2f_train.data.problems import Problems
from t2f_train.data.pyramid_levels import level_bytes, level_path, level_sides, write_levels
from t2f_train.errors import DataError

_FORMAT = 1
"""Raised when the same images would give other pixels or files than before."""
_SUMMARY = "pyramid.json"
_ADVICE = "set T2F_CACHE to another folder"


class ImagePyramid:
    """Images at 4, 8, … pixels a side, each level one array.

    Args:
        levels: By their side in pixels: shape `(images, side, side, 3)`, uint8, RGB.
        fingerprint: SHA-256 of pixels and descriptions, as hexadecimal digits.
    """

    def __init__(self, levels: Mapping[int, NDArray[np.uint8]], fingerprint: str) -> None:
        self._levels = dict(sorted(levels.items()))
        self.fingerprint = fingerprint

    @classmethod
    def open(
        cls,
        faces: Sequence[CaptionedFace],
        *,
        crop: CropBox | None,
        resolution: int,
        cache: Path,
        progress: Callable[[int, int], None] | None = None,
    ) -> "ImagePyramid":
        """Opens the pyramid of some faces; the first time, and after any change, it is built.

        What killed builds have left in the cache is removed.

        Args:
            faces: The faces, one or more.
            crop: The square to keep of each image; None takes the largest one at the centre.
            resolution: Side of the largest level, in pixels: a power of two from 4 on.
            cache: Where pyramids are kept.
            progress: Called during building with the number of images done and of all.

        Raises:
            DataError: If images cannot be read, are too small, or the cache cannot be written.
            ValueError: If the resolution is not a power of two from 4 on.
        """
        level_sides(resolution)  # refuses what is no power of two
        _check_crop(crop)
        images = [face.image for face in faces]
        if not images:
            raise DataError("there are no images to open; give a data set of one image or more")
        remove_abandoned_builds(cache)
        entry = _CacheEntry(cache, images, crop, resolution)
        stored = entry.load()
        if stored is None:
            entry.build(progress)
            stored = entry.load()
        if stored is None:
            raise DataError(f"{entry.folder} changed while it was written; start again")
        levels, pixels_sha256 = stored
        return cls(levels, data_fingerprint(pixels_sha256, faces))

    def __len__(self) -> int:
        return len(next(iter(self._levels.values())))

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Sides of the levels in pixels, ascending."""
        return tuple(self._levels)

    def images(self, resolution: int) -> NDArray[np.uint8]:
        """One level, read from disk where it is touched.

        Returns:
            Shape `(images, resolution, resolution, 3)`, uint8, RGB, not to be written to.

        Raises:
            ValueError: If there is no such level.
        """
        if resolution not in self._levels:
            raise ValueError(f"no level of {resolution} pixels, only {list(self._levels)}")
        return self._levels[resolution]


def data_fingerprint(pixels_sha256: str, faces: Sequence[CaptionedFace]) -> str:
    """Tells whether two data sets are the same to training, wherever their files are.

    Args:
        pixels_sha256: Digest of the images.
        faces: Give the descriptions, in the same order.

    Returns:
        SHA-256 of both, as hexadecimal digits.
    """
    digest = hashlib.sha256(pixels_sha256.encode())
    for face in faces:
        digest.update(json.dumps(face.descriptions).encode() + b"\n")
    return digest.hexdigest()


class _Summary(msgspec.Struct, frozen=True):
    """What is stored beside the levels; its presence says that they are complete."""

    key: str
    pixels_sha256: str


class _CacheEntry:
    """The place in the cache of one pyramid, found by all that decides its pixels."""

    def __init__(
        self, cache: Path, images: Sequence[ImageSource], crop: CropBox | None, resolution: int
    ) -> None:
        self._images = images
        self._crop = crop
        self._resolution = resolution
        self._key = _key(images, crop, resolution)
        self._cache = cache
        self.folder = cache / self._key[:16]

    def load(self) -> tuple[dict[int, NDArray[np.uint8]], str] | None:
        """Opens the levels and their digest; None if they are not there or damaged."""
        levels: dict[int, NDArray[np.uint8]] = {}
        try:
            plain = (self.folder / _SUMMARY).read_bytes()
            summary = msgspec.json.decode(plain, type=_Summary)
            for side in level_sides(self._resolution):
                levels[side] = np.load(level_path(self.folder, side), mmap_mode="r")
        except (OSError, ValueError, EOFError, msgspec.MsgspecError):
            return None
        is_whole = summary.key == self._key and all(
            level.dtype == np.uint8 and level.shape == (len(self._images), side, side, 3)
            for side, level in levels.items()
        )
        return (levels, summary.pixels_sha256) if is_whole else None

    def build(self, progress: Callable[[int, int], None] | None) -> None:
        """Decodes all images into a folder of its own, which takes its place when complete.

        A build that is killed leaves that folder behind, for whoever opens the cache to remove.
        """
        try:
            with build_folder(self._cache, self.folder.name) as building:
                self._check_space()
                digest = write_levels(
                    building,
                    self._images,
                    crop=self._crop,
                    resolution=self._resolution,
                    progress=progress,
                )
                summary = msgspec.json.encode(_Summary(self._key, digest))
                (building / _SUMMARY).write_bytes(summary)
                self._publish(building)
        except OSError as error:
            raise DataError(
                f"the cache {self._cache} cannot be written: {error}; {_ADVICE}"
            ) from error

    def _check_space(self) -> None:
        # A memory-mapped file that does not fit on its disk would kill the process without a word.
        needed = level_bytes(len(self._images), self._resolution)
        free = shutil.disk_usage(self._cache).free
        if needed > free:
            raise DataError(
                f"the cache {self._cache} has {free >> 20} MiB free, but the images need "
                f"{needed >> 20} MiB; make room or {_ADVICE}"
            )

    def _publish(self, building: Path) -> None:
        """Puts a complete pyramid in its place, unless another process was faster."""
        if self.load() is None:
            with contextlib.suppress(FileNotFoundError):
                self.folder.rename(damaged_folder(building))
        try:
            building.rename(self.folder)
        except OSError:
            if self.load() is None:
                raise


def _check_crop(crop: CropBox | None) -> None:
    if crop is None:
        return
    left, top, right, bottom = crop
    if left < 0 or top < 0 or right <= left or right - left != bottom - top:
        raise DataError(
            f"the crop {tuple(crop)} is {right - left}x{bottom - top} pixels from ({left}, {top}); "
            "it must be a square (left, top, right, bottom) inside the images"
        )


def _key(images: Sequence[ImageSource], crop: CropBox | None, resolution: int) -> str:
    """SHA-256 of all that decides a pyramid's pixels; files count by path, size and time."""
    problems = Problems("images", "restore these files or take them out of the data set")
    rows: list[Any] = [_FORMAT, crop, resolution]
    rows += [_file_key(image, problems) for image in images]
    problems.raise_if_any()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _file_key(image: ImageSource, problems: Problems) -> list[str | int]:
    """What tells one version of a file from another; empty if there is none, which is noted."""
    file = image.archive if isinstance(image, PackedFile) else image
    try:
        status = file.stat()
    except OSError as error:
        problems.add(image, f"cannot be opened: {error.strerror}")
        return []
    place = [image.offset, image.size] if isinstance(image, PackedFile) else []
    return [str(file.absolute()), status.st_size, status.st_mtime_ns, *place]
