"""A face as a value: what its latent is made of, and how it came about."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import replace
from numpy.typing import NDArray

from t2f_runtime.bundle.manifest_fields import Sha256
from t2f_runtime.errors import ArgumentError
from t2f_runtime.generator import MAXIMUM_FACES
from t2f_runtime.identikit.exact import Doubles, slerp
from t2f_runtime.identikit.given import finite_number
from t2f_runtime.latent import Floats, check_whole_number, draw_noise, on_hypersphere

MAXIMUM_VALUES = 2**14
"""The longest condition or noise: far beyond any model's."""

LARGEST_VALUE = 1e6
"""No latent holds anything like it; it keeps squares finite."""

MAXIMUM_DESCRIPTIONS = 256
"""The most that a mixed face follows."""

Vector = Annotated[bytes, Meta(max_length=4 * MAXIMUM_VALUES)]
"""Values of float32, little-endian; JSON holds them in base64."""

Text = Annotated[str, Meta(max_length=2**16)]


class Reading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the text encoder read in a description; both are empty for a model without text.

    Kept with every step, so that a case gives the same latents on every engine.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> face = Session.start("a bald man", generator).face
        >>> len(face.reading.mean) == len(face.reading.deviation) == 4 * 4  # 4 values of float32
        True
    """

    mean: Vector
    """Mean of the condition."""
    deviation: Vector
    """Its standard deviation."""

    def __post_init__(self) -> None:
        check_vectors(mean=self.mean, deviation=self.deviation)
        if len(self.mean) != len(self.deviation):
            raise ValueError("mean and deviation differ in length")


class Face(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One face: equal faces have equal latents, and one engine draws equal pictures of them.

    Its condition is `mean + deviation * epsilon + shift`, the sum of what the words say, what
    chance made of it, and what sliders added; beside it lies the noise z. Both together, on the
    hypersphere, are the latent.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> face = Session.start("a bald man", generator, seed=7).face
        >>> face.descriptions, face.seed, face.index
        (('a bald man',), 7, 0)
        >>> face.latent().shape
        (8,)
    """

    name: Annotated[str, Meta(max_length=64)]
    """The step that made it and its place on the screen: `3.07`."""
    bundle_id: Sha256
    """The bundle that it is of: another draws another face, or none; see `Bundle.bundle_id`."""
    made_by: Annotated[str, Meta(max_length=256)]
    """What made it: `candidate`, `child`, `describe`, `more older`, …"""
    parents: Annotated[tuple[Annotated[str, Meta(max_length=256)], ...], Meta(max_length=16)] = ()
    """Names of the faces that it was made of."""
    descriptions: Annotated[tuple[Text, ...], Meta(max_length=MAXIMUM_DESCRIPTIONS)]
    """The words that it follows; several of a mixed face, none of a model without text."""
    seed: int
    """The seed of its session."""
    index: int | None
    """Which candidate of the seed it was at first; None for a child or a mixture of two faces."""
    reading: Reading
    """What the words say."""
    epsilon: Vector
    """What chance made of the words: values from N(0, 1)."""
    shift: Vector
    """What sliders and locks added to the condition."""
    noise: Vector
    """What no word decides: z, values from N(0, 1)."""

    def __post_init__(self) -> None:
        check_vectors(epsilon=self.epsilon, shift=self.shift, noise=self.noise)
        if not len(self.epsilon) == len(self.shift) == len(self.reading.mean):
            raise ValueError("epsilon, shift and mean differ in length")

    def condition(self) -> Doubles:
        """The condition, shape `(condition,)`: values of float32, given as float64."""
        mean, deviation = floats(self.reading.mean), floats(self.reading.deviation)
        drawn = mean + deviation * floats(self.epsilon) + floats(self.shift)
        return drawn.astype(np.float64)

    def latent(self) -> Floats:
        """What the generator draws: condition and noise on the hypersphere.

        The arithmetic is `t2f_runtime.latent.draw_latent`'s, so that a candidate has the very bits
        that `FaceGenerator.generate` draws.

        Returns:
            Shape `(latent,)`, float32, of unit mean square.
        """
        condition = self.condition().astype(np.float32)
        return on_hypersphere(np.concatenate([condition, floats(self.noise)]))


def latents(faces: Sequence[Face]) -> Floats:
    """The latents of some faces, shape `(faces, latent)`, float32.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, latents
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> session = Session.start("a bald man", generator).candidates(3)
        >>> bool((generator.draw(latents(session.screen)) == session.pictures()).all())
        True
    """
    return np.stack([face.latent() for face in faces])


def first_face(
    descriptions: tuple[str, ...],
    reading: Reading,
    *,
    bundle_id: str,
    seed: int,
    index: int,
    noise_size: int,
) -> Face:
    """The face of a description that `FaceGenerator.generate` draws as candidate `index` of a seed.

    Raises:
        ArgumentError: The seed or the index is out of range.
    """
    size = len(reading.mean) // 4
    values = draw_noise(seed, index, size + noise_size)
    return Face(
        name="",
        bundle_id=bundle_id,
        made_by="candidate",
        descriptions=descriptions,
        seed=seed,
        index=index,
        reading=reading,
        epsilon=vector(values[:size]),
        shift=vector(np.zeros(size)),
        noise=vector(values[size:]),
    )


def mix(first: Face, second: Face, amount: float) -> Face:
    """Mixes two faces, of one session or of two witnesses'.

    The mixture of several witnesses' composites is recognised better than one alone: Bruce et al.
    2002, "Four heads are better than one", Journal of Applied Psychology 87(5). Chance and noise go
    over the sphere, which keeps them from N(0, 1); what words and sliders say goes straight.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, mix
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> first = Session.start("a bald man", generator, seed=1).face
        >>> second = Session.start("a smiling man", generator, seed=2).face
        >>> mix(first, second, 0.5).descriptions
        ('a bald man', 'a smiling man')

    Args:
        first: A face.
        second: Another of the same bundle.
        amount: 0 gives the first and 1 the second, with their own descriptions and index; between
            them, a face follows the descriptions of both.

    Raises:
        ArgumentError: The faces are of two bundles, follow more than 256 descriptions together, or
            the amount is not in 0 to 1.
    """
    check_is_face(first)
    check_is_face(second)
    amount = finite_number("amount", amount)
    if first.bundle_id != second.bundle_id:
        raise ArgumentError(
            f"the faces are of the bundles {first.bundle_id[:12]} and {second.bundle_id[:12]}; "
            "only faces of one bundle can be mixed"
        )
    if not 0 <= amount <= 1:
        raise ArgumentError(f"the amount is {amount:g}; it must be 0 to 1")
    if amount in {0.0, 1.0}:
        end = second if amount else first
        own = (end.name,) if end.name else ()
        return replace(end, name="", made_by=f"mix {amount:g}", parents=own)
    descriptions = tuple(dict.fromkeys(first.descriptions + second.descriptions))
    if len(descriptions) > MAXIMUM_DESCRIPTIONS:
        raise ArgumentError(
            f"the mixed face would follow {len(descriptions)} descriptions, and "
            f"{MAXIMUM_DESCRIPTIONS} are the most: describe one of the two anew, and mix that"
        )

    def straight(start: bytes, end: bytes) -> bytes:
        return vector(array(start) * (1 - amount) + array(end) * amount)

    def over_the_sphere(start: bytes, end: bytes) -> bytes:
        return vector(slerp(array(start), array(end), amount))

    return Face(
        name="",
        bundle_id=first.bundle_id,
        made_by=f"mix {amount:g}",
        parents=tuple(name for name in (first.name, second.name) if name),
        descriptions=descriptions,
        seed=first.seed,
        index=None,
        epsilon=over_the_sphere(first.epsilon, second.epsilon),
        noise=over_the_sphere(first.noise, second.noise),
        shift=straight(first.shift, second.shift),
        reading=Reading(
            mean=straight(first.reading.mean, second.reading.mean),
            deviation=straight(first.reading.deviation, second.reading.deviation),
        ),
    )


def morph(first: Face, second: Face, count: int) -> tuple[Face, ...]:
    """The way from one face to another, both ends among the faces.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, morph
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> first, second = Session.start("a bald man", generator).candidates(2).screen
        >>> [face.made_by for face in morph(first, second, 3)]
        ['mix 0', 'mix 0.5', 'mix 1']

    Args:
        first: Where it begins.
        second: Where it ends.
        count: Number of faces, 2 to 10,000.

    Raises:
        ArgumentError: As `mix`, or the count is out of range.
    """
    return tuple(mix(first, second, amount) for amount in morph_amounts(count))


def morph_amounts(count: int) -> tuple[float, ...]:
    """Where the faces of a morph lie between its ends.

    Raises:
        ArgumentError: The number is out of range.
    """
    count = check_whole_number("count", count, largest=MAXIMUM_FACES)
    if count < 2:
        raise ArgumentError(f"a morph has both of its ends, so 2 faces or more, not {count}")
    return tuple(place / (count - 1) for place in range(count))


def check_is_face(face: object) -> None:
    """Refuses what is no face, such as a session; raises `ArgumentError`."""
    if not isinstance(face, Face):
        kind = type(face).__name__
        raise ArgumentError(f"this is no Face but a {kind}; of a session, take session.face")


def check_face(face: Face) -> None:
    """Refuses a face that a program put together otherwise than any case can hold it.

    Raises:
        ArgumentError: A part of it is of another type, too long, or no Unicode.
    """
    try:
        msgspec.json.decode(msgspec.json.encode(face), type=Face)
    except (msgspec.MsgspecError, UnicodeEncodeError, TypeError) as error:
        raise ArgumentError(f"this is no face that a case can hold: {error}") from error


def vector(values: NDArray[np.float64] | Floats) -> bytes:
    """Keeps values as a `Vector`."""
    return values.astype("<f4").tobytes()


def array(kept: bytes) -> Doubles:
    """Gives the values of a `Vector`, shape `(length,)`, float64."""
    return np.frombuffer(kept, dtype="<f4").astype(np.float64)


def floats(kept: bytes) -> Floats:
    """Gives the values of a `Vector`, shape `(length,)`, float32."""
    return np.frombuffer(kept, dtype="<f4").astype(np.float32)


def check_vectors(**vectors: bytes) -> None:
    """Refuses bytes that are no values, or values that no latent holds.

    Raises:
        ValueError: They are no whole number of float32, not finite, or huge.
    """
    for name, kept in vectors.items():
        if len(kept) % 4:
            raise ValueError(f"{name} has {len(kept)} bytes, which are no float32 values")
        values = array(kept)
        if not np.isfinite(values).all() or (np.abs(values) > LARGEST_VALUE).any():
            raise ValueError(f"{name} holds values that no latent has")
