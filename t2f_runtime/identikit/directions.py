"""Directions of the condition that words stand for, found by reading pairs of descriptions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from t2f_runtime.errors import ArgumentError, DescriptionError
from t2f_runtime.identikit.exact import Doubles, dot, norm, orthonormal, outside, total
from t2f_runtime.identikit.face import Face, Reading, array, vector
from t2f_runtime.identikit.word_pairs import CARRIERS, find_pair, own_texts

SLIDER_END = 3.0
"""How far a slider goes to either side, in `Direction.spread`. Seen on CelebA at 64 pixels: two
show what was asked for, three exaggerate it, and beyond that the faces fall apart."""

_LEAST_REACH = 0.05
"""Words that move the condition by less than this share of a spread are read as nothing."""

_LEAST_FREE = 0.3
"""The least share of a direction that locks must leave free for it to be moved along."""

_ROUNDING = 1e-3
"""Vectors are kept as float32, so that a slider may stand this far beyond its end."""

Reader = Callable[[str], Reading]


@dataclass(frozen=True, slots=True)
class Direction:
    """Where words point in the space of conditions, and how far faces lie apart along it.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import SLIDER_END, Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> session = Session.start("a bald man", generator)
        >>> direction = session.direction("older")
        >>> before = direction.position(session.face)
        >>> round(direction.position(session.more("older", 0.5).face) - before, 3)
        0.5
        >>> -SLIDER_END <= before <= SLIDER_END
        True
    """

    words: str
    """What was asked for."""
    unit: bytes
    """The direction, of length 1, shape `(condition,)`; a `Vector`."""
    centre: float
    """Where the descriptions lie on average that it was made from."""
    spread: float
    """Standard deviation along it of the conditions of those descriptions: the unit of sliders."""
    reach: float
    """How far the words themselves move the condition, in `spread`."""
    agreement: float
    """Mean cosine between the direction and those of the single pairs: 1 where the words mean the
    same in every description, 0 where they mean nothing in common. Words that the model never saw
    may agree as well: only the picture tells."""

    def position(self, face: Face) -> float:
        """Where a face's slider stands, in `spread` from the centre."""
        return (dot(face.condition(), array(self.unit)) - self.centre) / self.spread


def find_direction(words: str, read: Reader, own: Sequence[str] = ()) -> Direction:
    """Finds what direction words stand for, as the mean difference of pairs of descriptions.

    No labels are needed. Means of differences: Radford et al. 2016, arXiv:1511.06434, section 6.3.2
    (there of latents, with labelled pictures; here of what the text encoder reads in two
    descriptions that differ in one thing). A condition's variance along the direction is that of
    the means plus the mean of the variances.

    Args:
        words: Such as `older` or `with a beard`; see `find_pair`.
        read: Reads a description.
        own: The descriptions that the face follows; each is one more pair, where the model can read
            it with words added to it.

    Raises:
        ArgumentError: There are no words, or the model reads nothing in them.
        DescriptionError: The model cannot read them.
    """
    pair = find_pair(words)
    readings = [_read_both(carrier.texts(pair), read) for carrier in CARRIERS]
    own_readings = [_read_own(own_texts(description, pair), read) for description in own]
    readings += [both for both in own_readings if both is not None]
    differences = [array(towards.mean) - array(away.mean) for towards, away in readings]
    mean = _mean(differences)
    reach = norm(mean)
    unit = array(vector(mean / reach if reach else mean))
    everything = [reading for both in readings for reading in both]
    along = np.array([dot(array(reading.mean), unit) for reading in everything])
    centre = float(total(along)) / len(along)
    between = float(total(np.square(along - centre))) / len(along)
    within = _mean([np.square(array(reading.deviation) * unit) for reading in everything])
    spread = float(np.sqrt(between + total(within)))
    if not reach > _LEAST_REACH * spread:
        raise ArgumentError(
            f"this bundle reads nothing in {words!r:.80}: descriptions with and without it are the "
            "same to it; say it in other words"
        )
    lengths = [norm(difference) for difference in differences]
    cosines = [
        dot(difference, unit) / length if length else 0.0
        for difference, length in zip(differences, lengths, strict=True)
    ]
    return Direction(
        words=words,
        unit=vector(unit),
        centre=centre,
        spread=spread,
        reach=reach / spread,
        agreement=sum(cosines) / len(cosines),
    )


def slide(face: Face, direction: Direction, amount: float, basis: Sequence[Doubles]) -> bytes:
    """The shift of a face whose slider has been moved.

    Args:
        face: The face.
        direction: What the slider is of.
        amount: How far, in the direction's `spread`; less than 0 goes the other way.
        basis: What locks keep: orthonormal, float64.

    Returns:
        What takes the place of the face's `shift`.

    Raises:
        ArgumentError: The slider would leave its range, or locks keep most of what it moves.
    """
    share = free_share(direction, basis)
    if not share:
        raise ArgumentError(
            f"{direction.words!r:.80} would change nothing but what is locked; unlock that first"
        )
    before = direction.position(face)
    _check_end(face, direction, before, amount, share)
    free = outside(array(direction.unit), basis)
    return vector(array(face.shift) + free * (amount * direction.spread))


def free_share(direction: Direction, basis: Sequence[Doubles]) -> float:
    """How far a slider goes when it is moved by 1: less where locks keep a part of what it moves.

    Args:
        direction: What the slider is of.
        basis: As in `slide`.

    Returns:
        0 to 1, in the direction's `spread`; 0 where so much is locked that it cannot be moved.
    """
    free = outside(array(direction.unit), basis)
    share = dot(free, free)
    return share if share >= _LEAST_FREE**2 else 0.0


def _check_end(
    face: Face, direction: Direction, before: float, amount: float, share: float
) -> None:
    after = before + amount * share
    if abs(after) <= SLIDER_END + _ROUNDING or abs(after) < abs(before):
        return
    end = SLIDER_END if amount > 0 else -SLIDER_END
    left = abs(end - before) / share if abs(before) < SLIDER_END else 0.0
    advice = f"take {left:.1f} or less" if left >= 0.1 else "it cannot go further"
    raise ArgumentError(
        f"the slider {direction.words!r:.80} of face {face.name} is at {before:+.1f} and ends at "
        f"{end:+.0f}: {advice}"
    )


def basis_of(vectors: Sequence[bytes]) -> tuple[Doubles, ...]:
    """An orthonormal basis of what kept directions span."""
    return orthonormal([array(kept) for kept in vectors])


def keep_in_place(face: Face, model: Face, basis: Sequence[Doubles]) -> bytes:
    """The shift that gives a face a model's condition in what locks keep, and its own elsewhere."""
    difference = model.condition() - face.condition()
    return vector(array(face.shift) + (difference - outside(difference, basis)))


def _mean(values: Sequence[Doubles]) -> Doubles:
    added = values[0]
    for value in values[1:]:
        added = added + value
    return added / len(values)


def _read_both(texts: tuple[str, str], read: Reader) -> tuple[Reading, Reading]:
    return read(texts[0]), read(texts[1])


def _read_own(texts: tuple[str, str], read: Reader) -> tuple[Reading, Reading] | None:
    """Reads both; None where they are too long with the words added to them.

    The carriers have shown by then that the words themselves can be read.
    """
    try:
        return _read_both(texts, read)
    except DescriptionError:
        return None
