"""The numbers that look at pictures alone: likeness to photographs, variety, copying, faces."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from t2f_train.metrics.evaluation_data import EvaluationData
from t2f_train.metrics.face_detector import FaceDetector
from t2f_train.metrics.image_network import Progress
from t2f_train.metrics.inception import frechet_and_kernel_distance
from t2f_train.metrics.ms_ssim import diversity
from t2f_train.metrics.nearest import Nearest, nearest
from t2f_train.metrics.pictures import Pictures
from t2f_train.metrics.sliced_wasserstein import sliced_wasserstein

CLOSEST_PAIRS = 12
"""Pairs of drawn picture and training image that a report shows."""
_PAIRS = 5_000
"""Pairs of pictures that variety is measured on."""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One number, beside those that tell what it means."""

    key: str
    """Name in JSON."""
    drawn: float
    """For the drawn pictures."""
    real: float | None = None
    """The same for real photographs."""
    chance: float | None = None
    """The same by chance."""
    count: int
    """Pictures that it was measured on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosestPairs:
    """The drawn pictures that are most alike a training image, the nearest first."""

    drawn: Pictures
    """Shape `(pairs, side, side, 3)`."""
    training: Pictures
    """Shape `(pairs, side, side, 3)`."""
    distances: NDArray[np.float64]
    """Shape `(pairs,)`, in levels of 0 to 255."""


def measure_pictures(
    drawn: Pictures,
    real: Pictures,
    data: EvaluationData,
    *,
    seed: int,
    inception: Path | None,
    device: torch.device,
    progress: Progress,
) -> tuple[list[Measure], ClosestPairs]:
    """Measures drawn pictures.

    Args:
        drawn: Shape `(count, side, side, 3)`, uint8, RGB.
        real: Held-out photographs, of the same side; about as many, where there are.
        data: Gives the training part.
        seed: Decides which pictures and patches are compared.
        inception: Weights for FID and KID; None measures neither.
        device: Where Inception runs.
        progress: Is told what is being measured.

    Returns:
        The numbers, and the pairs to look at.
    """
    tasks = 4 + (inception is not None)
    progress("measuring pictures", 0, tasks)
    measures = _distances(drawn, real, data.training.pictures, seed)
    progress("measuring pictures", 1, tasks)
    variety = [diversity(part, pairs=_PAIRS, seed=seed) for part in (drawn, real)]
    measures.append(Measure(key="ms_ssim", drawn=variety[0], real=variety[1], count=len(drawn)))
    progress("measuring pictures", 2, tasks)
    nearness, pairs = _nearness(drawn, real, data)
    measures += nearness
    progress("measuring pictures", 3, tasks)
    detector = FaceDetector()
    faces = [detector.share(part) for part in (drawn, real)]
    measures.append(Measure(key="faces", drawn=faces[0], real=faces[1], count=len(drawn)))
    if inception is not None:
        progress("measuring pictures", 4, tasks)
        measures += _inception(drawn, real, data.training.pictures, inception, seed, device)
    progress("measuring pictures", tasks, tasks)
    return measures, pairs


def _some(pictures: Pictures, count: int, seed: int) -> Pictures:
    return pictures[np.random.default_rng(seed).permutation(len(pictures))[:count]]


def _distances(drawn: Pictures, real: Pictures, training: Pictures, seed: int) -> list[Measure]:
    count = min(len(drawn), len(real), len(training))
    compared = _some(real, count, seed)
    of_drawn = sliced_wasserstein(compared, drawn[:count], seed=seed)
    of_real = sliced_wasserstein(compared, _some(training, count, seed), seed=seed)
    sides = list(of_drawn)
    measures = [
        Measure(key=f"swd_{side}", drawn=of_drawn[side], real=of_real[side], count=count)
        for side in sides
    ]
    means = [float(np.mean([found[side] for side in sides])) for found in (of_drawn, of_real)]
    return [Measure(key="swd", drawn=means[0], real=means[1], count=count), *measures]


def _nearness(
    drawn: Pictures, real: Pictures, data: EvaluationData
) -> tuple[list[Measure], ClosestPairs]:
    """Distances to the same training part for both, and the pairs among all that the model saw."""
    of_drawn = nearest(drawn, data.training.pictures)
    of_real = nearest(real, data.training.pictures)

    def measure(key: str, percentile: float) -> Measure:
        values = [float(np.percentile(n.distances, percentile)) for n in (of_drawn, of_real)]
        return Measure(key=key, drawn=values[0], real=values[1], count=len(drawn))

    measures = [measure("nearest_median", 50.0), measure("nearest_least", 0.0)]
    return measures, _closest(drawn, of_drawn, data)


def _closest(drawn: Pictures, found: Nearest, data: EvaluationData) -> ClosestPairs:
    photographs = data.training.pictures[found.indices]
    distances = found.distances
    if not data.is_unseen:  # the model may have copied these as well
        others = nearest(drawn, data.held_out.pictures)
        is_nearer = others.distances < distances
        photographs = np.where(
            is_nearer[:, None, None, None], data.held_out.pictures[others.indices], photographs
        )
        distances = np.minimum(others.distances, distances)
    order = np.argsort(distances, kind="stable")[:CLOSEST_PAIRS]
    return ClosestPairs(drawn=drawn[order], training=photographs[order], distances=distances[order])


def _inception(
    drawn: Pictures,
    real: Pictures,
    training: Pictures,
    weights: Path,
    seed: int,
    device: torch.device,
) -> list[Measure]:
    """FID and KID against as many training images, which held-out photographs are compared with."""
    reference = _some(training, max(len(drawn), len(real)), seed)
    of_drawn, of_real = (
        frechet_and_kernel_distance(reference, part, weights=weights, seed=seed, device=device)
        for part in (drawn, real)
    )
    return [
        Measure(key=key, drawn=of_drawn[key], real=of_real[key], count=len(drawn))
        for key in of_drawn
    ]
