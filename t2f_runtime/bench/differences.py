"""Whether timings have become better or worse, or differ by noise, and by which test."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from t2f_runtime.bench.plan import MARGIN as MARGIN  # noqa: PLC0414 (taken from here)

PERMUTATIONS: Final = 10_000
_AT_ONCE: Final = 500
SIGNIFICANCE: Final = 0.01
"""Probability that chance alone makes any of the differences that count."""
Outcome = Literal["better", "worse", "noise"]


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one case in one report."""

    rounds: Sequence[float]
    """The median of each round, in seconds."""
    least_rounds: Sequence[float] | None = None
    """What these would be at the least, had no thread waited for a CPU; None where nobody knows."""

    yardstick: float | None = None
    """Seconds that the yardstick took meanwhile; None where nobody knows."""

    @property
    def least(self) -> float:
        """The median, without what waiting may have added to it."""
        rounds = self.rounds if self.least_rounds is None else self.least_rounds
        return float(np.median(rounds))


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What two rows of timings say of each other."""

    outcome: Outcome
    """Of the new one."""
    ratio: float
    """Median of the new one over that of the old: below 1 is quicker."""
    probability: float
    """How often chance alone makes as large a difference, of all that are compared at once."""
    may_be_machine: bool = False
    """Whether it would be better or worse, but for threads that waited for a CPU, or a machine that
    was slower at all."""


def compare(
    pairs: Sequence[tuple[Timings, Timings]], *, margin: float = MARGIN
) -> list[Difference]:
    """Says of each pair whether its timings have become better or worse, or differ by noise.

    The test is Wilcoxon's rank-sum test ("Individual comparisons by ranking methods", 1945),
    two-sided, by `PERMUTATIONS` shuffles of a fixed seed; its probability is (b + 1) / (m + 1),
    after Phipson and Smyth, "Permutation p-values should never be zero" (2010), section 3. Ranks
    are what a few slow rounds move little, and what tells five rounds from five. Of several pairs
    one differs by chance more often than of one: all are held to `SIGNIFICANCE` together, after
    Holm, "A simple sequentially rejective multiple test procedure" (1979).

    A difference counts if it is rarer than that, and larger than what the test cannot know, since
    it takes the rounds of one run for independent. Two runs of one program, an hour apart, differ
    by how the machine was: that is the margin. If the yardstick says that the slower run had the
    slower machine, it must be larger than that, too. And if other programs ran meanwhile, threads
    waited for a CPU: as much as they waited may be all of the difference.

    Args:
        pairs: The old timings and the new ones.
        margin: The share by which the medians must differ.
    """
    chances = _holm([_rank_sum(old.rounds, new.rounds) for old, new in pairs])
    return [
        _judge(old, new, probability, margin)
        for (old, new), probability in zip(pairs, chances, strict=True)
    ]


def least_probability(old: int, new: int, pairs: int) -> float:
    """The least that `compare` finds of rounds that never overlap.

    Args:
        old: How many old rounds there are.
        new: How many new ones.
        pairs: How many pairs are compared at once.
    """
    return pairs * max(2 / math.comb(old + new, old), 1 / (PERMUTATIONS + 1))


def _judge(old: Timings, new: Timings, probability: float, margin: float) -> Difference:
    before, after = float(np.median(old.rounds)), float(np.median(new.rounds))
    outcome: Outcome = "noise"
    may_be_machine = False
    most = (1 + margin) * min(before, after)
    if probability < SIGNIFICANCE and max(before, after) > most:
        slower, quicker = (new, old) if after > before else (old, new)
        may_be_machine = slower.least <= most * _slowdown(slower, quicker)
        if not may_be_machine:
            outcome = "worse" if after > before else "better"
    return Difference(
        outcome=outcome,
        ratio=after / before,
        probability=probability,
        may_be_machine=may_be_machine,
    )


def _slowdown(slower: Timings, quicker: Timings) -> float:
    """By how much the machine of the slower row was slower itself; 1 if it was not."""
    if slower.yardstick is None or quicker.yardstick is None:
        return 1.0
    return max(1.0, slower.yardstick / quicker.yardstick)


def _rank_sum(old: Sequence[float], new: Sequence[float]) -> float:
    """The probability of one pair alone."""
    ranks = _ranks(np.concatenate([old, new]))
    expected = len(new) * (len(ranks) + 1) / 2
    least = abs(ranks[len(old) :].sum() - expected) - 1e-9
    random = np.random.default_rng(0)
    as_large = 0
    for _ in range(PERMUTATIONS // _AT_ONCE):  # all at once would take the memory of all
        shuffles = random.permuted(np.tile(ranks, (_AT_ONCE, 1)), axis=1)
        chance = np.abs(shuffles[:, len(old) :].sum(axis=1) - expected)
        as_large += int(np.count_nonzero(chance >= least))
    return (as_large + 1) / (PERMUTATIONS + 1)


def _holm(probabilities: Sequence[float]) -> list[float]:
    """What each probability is among all: the least is multiplied by how many there are."""
    adjusted = [1.0] * len(probabilities)
    greatest = 0.0
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    for place, index in enumerate(order):
        greatest = max(greatest, (len(order) - place) * probabilities[index])
        adjusted[index] = min(1.0, greatest)
    return adjusted


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]
