"""The photographs that an evaluation compares with: a part to learn from, and a held-out part."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2f_train.config import Config
from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.held_out import split_faces
from t2f_train.data.pyramid import ImagePyramid
from t2f_train.data.readers import read_faces
from t2f_train.errors import DataError
from t2f_train.metrics.attribute_rows import Rows, read_attribute_rows
from t2f_train.metrics.image_network import Progress
from t2f_train.metrics.pictures import Pictures

OWN_SHARE = 0.1
"""Share that evaluation keeps from its own networks where training has held out nothing."""
OWN_IMAGES = 100
"""Small sets give a larger share, to come to about so many images."""
_OWN_LARGEST_SHARE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Photographs:
    """A part of a data set, at one resolution."""

    faces: Sequence[CaptionedFace]
    """The faces, with their descriptions."""
    pictures: Pictures
    """Shape `(count, side, side, 3)`, uint8, RGB."""
    attributes: Rows | None
    """Shape `(count, 40)`; None for data without CelebA's attributes."""

    def captioned(self) -> NDArray[np.int64]:
        """Numbers of the faces that have a description."""
        return np.flatnonzero([bool(face.descriptions) for face in self.faces])

    def chosen(self, numbers: NDArray[np.int64]) -> "Photographs":
        """Some of the photographs."""
        return Photographs(
            faces=[self.faces[n] for n in numbers],
            pictures=self.pictures[numbers],
            attributes=None if self.attributes is None else self.attributes[numbers],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationData:
    """What an evaluation compares with."""

    training: Photographs
    """What metrics may learn from."""
    held_out: Photographs
    """What no network of the metrics has seen."""
    is_unseen: bool
    """Whether the generator has not seen the held-out part either."""


def open_evaluation_data(
    config: Config,
    folder: Path,
    *,
    side: int,
    cache: Path,
    fingerprint: str,
    progress: Progress,
) -> EvaluationData:
    """Opens the data of a run and splits it as training did.

    Where `data.held_out` is 0, the generator has seen all images; the same hash of their names
    then keeps some of them from the networks of the metrics alone.

    Args:
        config: The run's configuration.
        folder: Where the data is.
        side: Side of the pictures, in pixels.
        cache: Folder for decoded images.
        fingerprint: That of the data that the run was trained on.
        progress: Is told how far the reading of images is.

    Raises:
        DataError: If the data cannot be read, or is not what the run was trained on.
    """
    faces = read_faces(config.data.reader, folder)
    trained_on, held_out = split_faces(faces, config.data.held_out)
    levels = _open(config, trained_on, cache, progress)
    if levels.fingerprint != fingerprint:
        raise DataError(
            f"{folder} is not the data that the run was trained on (its images or descriptions "
            f"differ); give the folder of that data with --data"
        )
    pictures = levels.images(side)
    rows = read_attribute_rows(config.data.reader, folder, trained_on)
    trained = Photographs(faces=trained_on, pictures=pictures, attributes=rows)
    if not held_out:
        return _split_own(trained)
    unseen = Photographs(
        faces=held_out,
        pictures=np.array(_open(config, held_out, cache, progress).images(side)),
        attributes=read_attribute_rows(config.data.reader, folder, held_out),
    )
    everything = np.arange(len(trained_on))
    return EvaluationData(training=trained.chosen(everything), held_out=unseen, is_unseen=True)


def _open(
    config: Config, faces: Sequence[CaptionedFace], cache: Path, progress: Progress
) -> ImagePyramid:
    return ImagePyramid.open(
        faces,
        crop=config.data.crop,
        resolution=config.resolution,
        cache=cache,
        progress=lambda done, total: progress("reading images", done, total),
    )


def _split_own(photographs: Photographs) -> EvaluationData:
    count = len(photographs.faces)
    share = min(_OWN_LARGEST_SHARE, max(OWN_SHARE, OWN_IMAGES / count))
    kept, _ = split_faces(photographs.faces, share)
    kept_images = {str(face.image) for face in kept}
    is_kept = np.array([str(face.image) in kept_images for face in photographs.faces])
    return EvaluationData(
        training=photographs.chosen(np.flatnonzero(is_kept)),
        held_out=photographs.chosen(np.flatnonzero(~is_kept)),
        is_unseen=False,
    )
