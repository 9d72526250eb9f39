"""The latent: all randomness of a face, drawn from the caller's seed, the same for every engine."""

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import ArgumentError

LARGEST_SEED = 2**64 - 1

Floats = NDArray[np.float32]


def draw_noise(seed: int, index: int, size: int) -> Floats:
    """Draws the normal noise of one candidate.

    Philox is counter-based: its key is the seed, and the candidate's index is the counter's
    highest word. So candidates are independent streams, and a candidate does not depend on how
    many others are drawn.

    Args:
        seed: 0 to 2**64 - 1.
        index: Which candidate of this seed, 0 to 2**64 - 1.
        size: Number of values.

    Returns:
        Shape `(size,)`, float32, from N(0, 1).

    Raises:
        ArgumentError: The seed or the index is no whole number, or out of range.
    """
    key = check_whole_number("seed", seed)
    counter = check_whole_number("index", index) << 192
    random = np.random.Generator(np.random.Philox(key=key, counter=counter))
    return random.standard_normal(size, dtype=np.float32)


def condition(mean: Floats, log_variance: Floats, epsilon: Floats) -> Floats:
    """Draws a condition: `mean + exp(log_variance / 2) * epsilon`.

    Source: StackGAN++ (arXiv:1710.10916), section 3.1, where text becomes a Gaussian
    (StackGAN, arXiv:1612.03242, section 3.2); written with the logarithm of the variance.

    Args:
        mean: Shape `(..., condition)`, float32.
        log_variance: As `mean`.
        epsilon: As `mean`, from N(0, 1).

    Returns:
        Shape `(..., condition)`, float32.
    """
    deviation = np.exp(log_variance * np.float32(0.5))
    drawn: Floats = mean + deviation * epsilon
    return drawn


def on_hypersphere(latent: Floats, epsilon: float = 1e-8) -> Floats:
    """Scales each latent to unit mean square.

    Source: ProGAN (arXiv:1710.10196), appendix A.1: latents are points on a hypersphere; the
    formula is that of section 4.2.

    Args:
        latent: Shape `(..., latent)`, float32.
        epsilon: Keeps a latent of zeros at zero.

    Returns:
        Same shape and type as `latent`.
    """
    mean_square = np.mean(np.square(latent), axis=-1, keepdims=True)
    scaled: Floats = latent / np.sqrt(mean_square + np.float32(epsilon))
    return scaled


def draw_latent(
    mean: Floats, log_variance: Floats, *, seed: int, index: int, noise_size: int
) -> Floats:
    """Draws the latent of one face: its condition and its noise, on the hypersphere.

    Args:
        mean: Mean of the condition, shape `(condition,)`, float32; empty for a model without
            text, whose latent is the noise alone.
        log_variance: Logarithm of its variance, of the shape and type of `mean`.
        seed: 0 to 2**64 - 1.
        index: Which candidate of this seed.
        noise_size: Length of the noise z.

    Returns:
        Shape `(condition + noise,)`, float32.
    """
    condition_size = mean.shape[0]
    noise = draw_noise(seed, index, condition_size + noise_size)
    drawn = condition(mean, log_variance, noise[:condition_size])
    return on_hypersphere(np.concatenate([drawn, noise[condition_size:]]))


def check_latents(latents: Floats, *, size: int, most: int) -> None:
    """Refuses what is no array of latents.

    Args:
        latents: Shape `(faces, size)`, float32, finite.
        size: Length of one latent.
        most: The most faces.

    Raises:
        ArgumentError: It is of another shape or type, or not finite.
    """
    found = getattr(latents, "dtype", type(latents).__name__)
    if found != np.float32:
        raise ArgumentError(f"latents must be an array of float32, not {found}")
    if latents.ndim != 2 or latents.shape[1] != size or len(latents) > most:
        raise ArgumentError(
            f"latents has the shape {latents.shape}; it must be (faces, {size}), "
            f"with {most} faces at most"
        )
    if not np.isfinite(latents).all():
        raise ArgumentError("latents holds values that are not finite")


def check_whole_number(name: str, value: int, largest: int = LARGEST_SEED, least: int = 0) -> int:
    """Returns a whole number of Python or numpy as an int.

    Raises:
        ArgumentError: It is a bool, a float or anything else, or not in `least` to `largest`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentError(f"{name} must be a whole number, not {value!r:.50}")
    if not least <= value <= largest:
        # Python refuses to write integers of thousands of digits.
        shown = str(value) if abs(int(value)) < 2**128 else "a number of more than 128 bits"
        raise ArgumentError(f"{name} is {shown}; it must be {least} to {largest}")
    return int(value)
