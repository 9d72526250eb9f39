"""What a target of fuzzing is, and what several have in common."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from robustness_mutation import spoil_bytes, spoil_json

TINY_BUNDLE = Path(__file__).resolve().parents[1] / "tests" / "runtime" / "tiny_bundle"

Spoil = Callable[[random.Random], bytes]


@dataclass(frozen=True)
class Target:
    """Something that reads what anybody may have written."""

    name: str
    """What the command line calls it."""
    spoil: Spoil
    """Makes an input; the same from the same chance."""
    check: Callable[[bytes], None]
    """Reads an input. A T2FError refuses it; an AssertionError says that it was misread."""
    seeds: Sequence[bytes]
    """Valid inputs, which atheris begins with."""


def spoil_json_or_bytes(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Spoils one of some inputs, mostly as JSON."""
    data = chance.choice(seeds)
    if chance.random() < 0.8:
        return spoil_json(chance, data)
    return spoil_bytes(chance, data, seeds)
