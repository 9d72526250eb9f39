"""Breeding: the next generation of faces out of those that a witness chose."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from t2f_runtime.identikit.directions import keep_in_place
from t2f_runtime.identikit.exact import Doubles, random_stream
from t2f_runtime.identikit.face import Face, array, vector

FIRST_STEP = 0.5
"""Share of a child's first mutation that is new: the sine of the angle it turns by."""
NARROWING = 0.75
LAST_STEP = 0.25
"""Steps become no narrower: children that look alike give nothing to choose from."""

_STREAM = 1


def mutation_step(generation: int) -> float:
    """The mutation step of a generation, counted from 0: it narrows from one to the next.

    A genetic search for a face that narrows: Frowd, Hancock and Carson 2004, "EvoFIT: a holistic,
    evolutionary facial imaging technique for creating composites", ACM Transactions on Applied
    Perception 1(1). The numbers are ours, chosen on CelebA at 64 pixels: the first step gives
    relatives, the last ones differ in their features' details.
    """
    return max(FIRST_STEP * NARROWING**generation, LAST_STEP)


def breed_faces(
    parents: Sequence[Face],
    count: int,
    *,
    generation: int,
    seed: int,
    index: int,
    basis: Sequence[Doubles],
) -> tuple[Face, ...]:
    """Makes children of some parents: every pair of them in turn, each child by crossover, mutated.

    Where the parents' words or sliders differ, each parent gives its own to as many children: words
    are not mixed, so that a witness sees faces of the one description or the other, and a child can
    be described further.

    Args:
        parents: At least one; of one alone, children are its mutations.
        count: How many children.
        generation: Decides the mutation step.
        seed: 0 to 2**64 - 1.
        index: Children of one seed and another index are others.
        basis: What locks keep of the parent whose words a child has: orthonormal, float64.
    """
    rng = random_stream(seed, _STREAM, index)
    step = mutation_step(generation)
    children = []
    for place in range(count):
        first = parents[place % len(parents)]
        # Neighbours, then every second one and so on, so that all pairs come up.
        distance = 1 + place // len(parents) % max(1, len(parents) - 1)
        second = parents[(place + distance) % len(parents)]
        children.append(_child(first, second, step, rng, basis))
    return tuple(children)


def cross(first: Doubles, second: Doubles, rng: np.random.Generator) -> Doubles:
    """Uniform crossover: each value is one parent's or the other's, with equal chances.

    Values of N(0, 1) stay so, as no average would. Source: Syswerda 1989, "Uniform crossover in
    genetic algorithms", ICGA 3.

    Args:
        first: Shape `(length,)`, float64.
        second: As `first`.
        rng: Tosses the coins.
    """
    return np.where(rng.random(len(first)) < 0.5, first, second)


def mutate(values: Doubles, step: float, rng: np.random.Generator) -> Doubles:
    """Turns values a step towards new chance: `sqrt(1 - step²) values + step noise`.

    Values of N(0, 1) stay so. Source: the proposal of preconditioned Crank-Nicolson, Cotter et al.
    2013, "MCMC methods for functions", Statistical Science 28(3), section 4.

    Args:
        values: Shape `(length,)`, float64, from N(0, 1).
        step: 0 gives the values, 1 gives others.
        rng: Draws the noise.
    """
    noise = rng.standard_normal(len(values), dtype=np.float32).astype(np.float64)
    turned: Doubles = np.sqrt(1 - step * step) * values + step * noise
    return turned


def _child(
    first: Face, second: Face, step: float, rng: np.random.Generator, basis: Sequence[Doubles]
) -> Face:
    """A child that has the words and sliders of its first parent, and the chance of both."""
    epsilon = cross(array(first.epsilon), array(second.epsilon), rng)
    noise = cross(array(first.noise), array(second.noise), rng)
    child = Face(
        name="",
        bundle_id=first.bundle_id,
        made_by="child",
        parents=tuple(dict.fromkeys((first.name, second.name))),
        descriptions=first.descriptions,
        seed=first.seed,
        index=None,
        reading=first.reading,
        epsilon=vector(mutate(epsilon, step, rng)),
        shift=first.shift,
        noise=vector(mutate(noise, step, rng)),
    )
    return replace(child, shift=keep_in_place(child, first, basis)) if basis else child
