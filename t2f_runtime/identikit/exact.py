"""Arithmetic on latents that gives the same bits on every platform.

Only addition, subtraction, multiplication, division and square root are used, element by element
in float64: IEEE 754 rounds each of them correctly, so no processor may give another bit. Sums are
taken in an order that this module fixes, since BLAS and numpy's reductions choose theirs by the
processor. Sines and exponentials are avoided: every C library rounds them as it likes.

What stays outside: numpy's normal numbers come from integers and tables but for their tails, three
numbers in ten thousand, where the C library's logarithm is taken; and the last step of a latent,
which is `FaceGenerator`'s own. A case keeps the hash of every picture, and so notices.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import ArgumentError
from t2f_runtime.latent import check_whole_number

Doubles = NDArray[np.float64]

AMOUNT_STEPS = 2**20
"""Spherical interpolation goes by such parts of the arc."""

_DEPENDENT = 0.1
"""A vector with less than this share of itself outside the others adds nothing to a basis."""


def total(values: Doubles) -> Doubles:
    """Sums over the last axis, by halves: its upper half is added to its lower until one is left.

    Args:
        values: Shape `(..., length)`, float64.

    Returns:
        Shape `(...)`; zeros where the length is 0.
    """
    length = values.shape[-1]
    if length == 0:
        return np.zeros(values.shape[:-1], dtype=np.float64)
    width = 1 << (length - 1).bit_length()
    padded = np.zeros((*values.shape[:-1], width), dtype=np.float64)
    padded[..., :length] = values
    while width > 1:
        width //= 2
        padded = padded[..., :width] + padded[..., width:]
    return padded[..., 0]


def dot(first: Doubles, second: Doubles) -> float:
    """Inner product of two vectors, float64."""
    return float(total(first * second))


def norm(vector: Doubles) -> float:
    """Length of a vector, float64."""
    return float(np.sqrt(total(vector * vector)))


def slerp(first: Doubles, second: Doubles, amount: float) -> Doubles:
    """Goes a part of the way from one vector to another, over the sphere.

    Source: Shoemake 1985, "Animating rotation with quaternion curves", section 3.3; for latents of
    a GAN, White 2016, arXiv:1609.04468, section 2: the straight way passes nearer to the origin
    than any latent that training saw. Written without sines: the arc is halved twenty times, and
    the middle of an arc is the sum of its ends, scaled to their length. The length goes linearly.

    Args:
        first: Shape `(length,)`, float64.
        second: As `first`.
        amount: 0 gives `first`, 1 gives `second`, to the bit; rounded to 1 / `AMOUNT_STEPS`.

    Raises:
        ArgumentError: The amount is not in 0 to 1, or one vector points away from the other.
    """
    if not 0 <= amount <= 1:
        raise ArgumentError(f"the amount is {amount}; it must be 0 to 1")
    steps = round(amount * AMOUNT_STEPS)
    if steps in {0, AMOUNT_STEPS} or len(first) == 0:
        return second if steps else first
    lengths = norm(first), norm(second)
    if min(lengths) == 0:  # a zero has no direction: only the straight way is left
        return first + (second - first) * amount
    low, high = first / lengths[0], second / lengths[1]
    bit = AMOUNT_STEPS
    while bit > 1:
        bit //= 2
        middle = low + high
        length = norm(middle)
        if length < 1e-6:
            raise ArgumentError("the faces are each other's opposites; mix others")
        if steps & bit:
            low = middle / length
        else:
            high = middle / length
    return low * (lengths[0] + (lengths[1] - lengths[0]) * (steps / AMOUNT_STEPS))


def orthonormal(vectors: Sequence[Doubles]) -> tuple[Doubles, ...]:
    """Gives a basis of what some vectors span, those left out that hardly add to the others.

    Source: Gram and Schmidt's method in its modified form, done twice for accuracy: Golub and Van
    Loan, "Matrix Computations", section 5.2.
    """
    basis: list[Doubles] = []
    for vector in vectors:
        whole = norm(vector)
        rest = outside(outside(vector, basis), basis)
        length = norm(rest)
        if length > _DEPENDENT * whole:
            basis.append(rest / length)
    return tuple(basis)


def outside(vector: Doubles, basis: Sequence[Doubles]) -> Doubles:
    """The part of a vector that an orthonormal basis does not reach."""
    for direction in basis:
        vector = vector - direction * dot(vector, direction)
    return vector


def random_stream(seed: int, stream: int, index: int) -> np.random.Generator:
    """Random numbers that no other stream or index shares.

    Philox is counter-based, its key has 128 bits: the seed and the stream. Stream 0 is that of
    `draw_noise`, whose key is the seed alone.

    Args:
        seed: 0 to 2**64 - 1.
        stream: 1 to 2**64 - 1.
        index: 0 to 2**64 - 1.

    Raises:
        ArgumentError: A number is out of range.
    """
    seed = check_whole_number("seed", seed)
    stream = check_whole_number("stream", stream, least=1)
    counter = check_whole_number("index", index) << 192
    return np.random.Generator(np.random.Philox(key=seed | stream << 64, counter=counter))
