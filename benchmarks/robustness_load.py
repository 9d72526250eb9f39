"""Many threads on one generator, and many faces from one: right pictures, and memory that stays."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from drawing_side import resident_mib
from numpy.typing import NDArray

from t2f_runtime import DescriptionError, FaceGenerator

KINDS = 64
"""Different faces, each of which is drawn alone first."""
FACES_BEFORE = 500
"""Faces before memory is looked at: by then descriptions of every length were drawn."""
MOST_GROWTH_MIB = 8.0
"""What memory may grow by from then to the last face. Allocators take some pages more now and then;
10,000 faces that each left 840 bytes behind would be beyond it, and a picture of 64 pixels has
12,288."""

_WORDS = ("a", "the", "old", "man", "woman", "bald", "smiling", "with", "grey", "hair", "and")
_MOST_WORDS = 16


@dataclass
class Drawn:
    """What came of drawing from many threads."""

    threads: int
    """How many."""
    faces: int = 0
    """Faces that were compared."""
    refused: int = 0
    """Descriptions that had to be refused, and were."""
    wrong: list[str] = field(default_factory=list)
    """Faces that differ from the same drawn alone, and errors; this should be empty."""


def descriptions(count: int, seed: int = 0) -> list[str]:
    """Descriptions of any length, the same each time."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    return [
        " ".join(chance.choices(_WORDS, k=chance.randint(1, _MOST_WORDS))) for _ in range(count)
    ]


def draw_from_threads(
    generator: FaceGenerator, *, threads: int, goes_on: Callable[[int], bool]
) -> Drawn:
    """Draws from many threads at once, and compares each picture with the same drawn alone.

    Args:
        generator: Of a model with text.
        threads: How many.
        goes_on: Given how many rounds a thread has done, whether it does another.
    """
    texts = descriptions(KINDS)
    alone = [generator.generate(text, seed=seed) for seed, text in enumerate(texts)]
    drawn = Drawn(threads)
    lock = threading.Lock()
    start = threading.Barrier(threads)

    def work(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 (no secret)
        start.wait()
        rounds = 0
        while goes_on(rounds):
            rounds += 1
            try:
                found = _draw_some(generator, texts, alone, chance)
            except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
                found = Drawn(1, wrong=[f"{type(error).__name__}: {error}"])
            with lock:
                drawn.faces += found.faces
                drawn.refused += found.refused
                drawn.wrong += found.wrong

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return drawn


def _draw_some(
    generator: FaceGenerator,
    texts: list[str],
    alone: list[NDArray[np.uint8]],
    chance: random.Random,
) -> Drawn:
    """One round of a thread: a face, some in a batch, some candidates, or a bad description."""
    found = Drawn(1)
    kinds = chance.choices(range(KINDS), k=3)
    first = kinds[0]
    match chance.randrange(4):
        case 0:
            pictures = generator.generate(texts[first], seed=first)[np.newaxis]
            kinds = kinds[:1]
        case 1:
            pictures = generator.generate_batch([texts[kind] for kind in kinds], seeds=kinds)
        case 2:
            pictures = generator.generate(texts[first], seed=first, count=2)[:1]
            kinds = kinds[:1]
        case _:
            found.refused += _refuses(generator, "\0" * chance.randint(1, 9))
            return found
    for kind, picture in zip(kinds, pictures, strict=True):
        found.faces += 1
        if not np.array_equal(picture, alone[kind]):
            found.wrong.append(f"seed {kind} differs")
    return found


def _refuses(generator: FaceGenerator, text: str) -> bool:
    try:
        generator.generate(text)
    except DescriptionError:
        return True
    return False


def for_seconds(seconds: float) -> Callable[[int], bool]:
    """Goes on until so many seconds are over from now."""
    end = time.monotonic() + seconds
    return lambda _: time.monotonic() < end


def memory_over_faces(generator: FaceGenerator, count: int) -> list[tuple[int, float]]:
    """Draws faces, each of its own description and seed, and looks at this process's memory.

    Returns:
        Pairs of how many faces were drawn, and the memory held then, in MiB: the first after
        `FACES_BEFORE`.
    """
    held = []
    for number, text in enumerate(descriptions(count), start=1):
        generator.generate(text, seed=number)
        if number % FACES_BEFORE == 0:
            held.append((number, resident_mib()))
    return held


def growth_mib(held: list[tuple[int, float]]) -> float:
    """The most that was held beyond what was held at first."""
    return max(mib for _, mib in held) - held[0][1]
