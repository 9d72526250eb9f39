"""Multi-scale structural similarity, and the variety of a set of pictures that it measures.

Source: Wang, Simoncelli and Bovik 2003, "Multi-scale Structural Similarity for Image Quality
Assessment".
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from t2f_runtime.errors import ArgumentError
from t2f_train.metrics.pictures import Pictures, check_pictures

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, the finest first: Wang et al. 2003, section 3.2."""
WINDOW_SIDE = 11
WINDOW_DEVIATION = 1.5
"""Standard deviation of the Gaussian window of 11 pixels."""
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2
"""The constants that keep the quotients steady in dark and flat areas."""

_CHUNK_VALUES = 1 << 18
"""Values of the first pictures of the pairs in work at a time; it bounds the memory."""


def ms_ssim(first: Pictures, second: Pictures) -> NDArray[np.float64]:
    """Compares pictures pair by pair.

    At each scale, means, variances and covariance under a Gaussian window of 11 pixels give the
    similarity of contrast and structure, averaged over places and colours; the coarsest one gives
    that of luminance too. Scales are halved by averaging 2x2 pixels. Their product, each to the
    power of its weight, is the result; averages below 0 count as 0.

    Five scales with whole windows take 176 pixels. Smaller pictures are treated as in ProGAN's code
    (and TensorFlow's, which that took), so that numbers compare: at a scale of fewer than 11 pixels
    the window is that scale's side and its deviation shrinks with it. From 16 pixels on there are
    five scales, below as many as halving gives down to one pixel (four at 8, three at 4), their
    weights scaled to a sum of 1. An odd side loses its last row and column when it is halved.

    torchmetrics 1.9 has no value below 176 pixels, and takes the coarsest similarity over mirrored
    borders too; apart from that it agrees.

    Source: Wang et al. 2003, equations 1 to 4 and 7; arXiv:1710.10196, section 6.1, for its use.

    Args:
        first: Shape `(pairs, side, side, 3)`, uint8, RGB.
        second: The same shape.

    Returns:
        Shape `(pairs,)`, float64, 0 to 1; 1 for equal pictures.

    Raises:
        ArgumentError: If the shapes are not those of pictures, or differ.
    """
    check_pictures("first pictures", first)
    check_pictures("second pictures", second)
    if first.shape != second.shape:
        raise ArgumentError(
            f"pictures of shapes {first.shape} and {second.shape} make no pairs; give equal shapes"
        )
    chunk = max(1, _CHUNK_VALUES // first[0].size)
    parts = [
        _compare(_tensor(first[start : start + chunk]), _tensor(second[start : start + chunk]))
        for start in range(0, len(first), chunk)
    ]
    values: NDArray[np.float64] = torch.cat(parts).numpy()
    return values


def diversity(pictures: Pictures, *, pairs: int = 10_000, seed: int = 0) -> float:
    """Mean MS-SSIM over random pairs of different pictures: the lower, the more varied.

    A set whose value is well above that of as many real photographs draws the same few faces over
    and over (mode collapse). Pictures that are merely noisy lower it too, so it says nothing about
    quality.

    Source: Odena, Olah and Shlens 2017, arXiv:1610.09585, section 4.2; arXiv:1710.10196, section 5.

    Args:
        pictures: Two or more, shape `(count, side, side, 3)`, uint8, RGB.
        pairs: How many pairs are drawn, with replacement.
        seed: Decides the pairs, 0 or more.

    Returns:
        0 to 1.

    Raises:
        ArgumentError: If there are fewer than two pictures or no pairs.
    """
    check_pictures("pictures", pictures, minimum=2)
    if pairs < 1:
        raise ArgumentError(f"pairs is {pairs}; it must be 1 or more")
    rng = np.random.default_rng(seed)
    one = rng.integers(0, len(pictures), pairs)
    other = (one + rng.integers(1, len(pictures), pairs)) % len(pictures)
    chunk = max(1, _CHUNK_VALUES // pictures[0].size)
    total = 0.0
    for start in range(0, pairs, chunk):
        some = slice(start, start + chunk)
        total += ms_ssim(pictures[one[some]], pictures[other[some]]).sum()
    return float(total / pairs)


def scale_weights(side: int) -> tuple[float, ...]:
    """Exponents of the scales that pictures of a side have, the finest first."""
    scales = min(len(SCALE_WEIGHTS), side.bit_length())
    if scales == len(SCALE_WEIGHTS):
        return SCALE_WEIGHTS
    kept = SCALE_WEIGHTS[:scales]
    return tuple(weight / sum(kept) for weight in kept)


def _tensor(pictures: Pictures) -> Tensor:
    """Pictures as float32 of shape `(count * 3, side, side)`, 0 to 255."""
    count, side = pictures.shape[:2]
    planes = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    return planes.reshape(count * 3, side, side).float()


def _compare(first: Tensor, second: Tensor) -> Tensor:
    """MS-SSIM of pairs: shape `(pairs,)`, float64."""
    weights = scale_weights(first.shape[-1])
    product = torch.ones(len(first) // 3, dtype=torch.float64)
    for scale, weight in enumerate(weights):
        if scale:
            first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
        contrast, luminance = _similarity_maps(first, second)
        is_coarsest = scale == len(weights) - 1
        similarity = contrast * luminance if is_coarsest else contrast
        mean = similarity.double().reshape(len(product), -1).mean(dim=1)
        product *= mean.clamp(min=0) ** weight
    return product


def _similarity_maps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Similarity of contrast and structure, and that of luminance, wherever the window fits.

    Source: Wang et al. 2003, equations 1 to 4, with equal exponents and C3 = C2 / 2.
    """
    # Variances do not depend on the grey that is taken for zero, but float32 is more exact around
    # zero than around 255 squared.
    a, b = first - 127.5, second - 127.5
    blurred = _blur(torch.cat([a, b, a * a, b * b, a * b]))
    mean_a, mean_b, square_a, square_b, both = blurred.chunk(5)
    variances = (square_a - mean_a**2) + (square_b - mean_b**2)
    covariance = both - mean_a * mean_b
    contrast = (2 * covariance + C2) / (variances + C2)
    mean_a, mean_b = mean_a + 127.5, mean_b + 127.5
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return contrast, luminance


def _blur(planes: Tensor) -> Tensor:
    """Means under the Gaussian window, where it fits: shape `(planes, less, less)`.

    Two products with a band matrix: up to 128 pixels four times as fast as convolutions on a CPU.
    """
    side = planes.shape[-1]
    size = min(WINDOW_SIDE, side)
    deviation = WINDOW_DEVIATION * size / WINDOW_SIDE
    starts = torch.arange(side - size + 1)
    offsets = torch.arange(side)[:, None] - starts
    distances = offsets - (size - 1) / 2
    band = torch.exp(-(distances**2) / (2 * deviation**2)) * ((offsets >= 0) & (offsets < size))
    band /= band.sum(dim=0)
    return band.T @ (planes @ band)
