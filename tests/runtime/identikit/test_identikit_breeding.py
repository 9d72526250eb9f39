import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2f_runtime.identikit import Session
from t2f_runtime.identikit.breeding import (
    FIRST_STEP,
    LAST_STEP,
    breed_faces,
    cross,
    mutate,
    mutation_step,
)
from t2f_runtime.identikit.face import array

a_few = settings(deadline=None, max_examples=40)  # a shared machine may pause for longer

seeds = st.integers(0, 2**32 - 1)
COUNT = 20_000


@a_few
@given(seeds, st.floats(0, 1))
def test_crossover_and_mutation_keep_values_normal(seed, step):
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((2, COUNT))
    child = mutate(cross(first, second, rng), step, rng)
    # Five standard errors of the mean, and of the mean square.
    assert abs(child.mean()) < 5 / np.sqrt(COUNT)
    assert abs(np.square(child).mean() - 1) < 5 * np.sqrt(2 / COUNT)


@a_few
@given(seeds)
def test_every_value_of_a_crossing_is_one_of_the_parents(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((2, 200))
    child = cross(first, second, rng)
    assert np.all((child == first) | (child == second))
    assert 50 < np.count_nonzero(child == first) < 150


@a_few
@given(seeds, st.floats(0, 1))
def test_a_mutation_turns_by_its_step(seed, step):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(COUNT)
    child = mutate(values, step, rng)
    cosine = values @ child / np.linalg.norm(values) / np.linalg.norm(child)
    assert cosine == pytest.approx(np.sqrt(1 - step**2), abs=0.05)


def test_the_step_narrows_to_its_end_and_stays_there():
    steps = [mutation_step(generation) for generation in range(20)]
    assert steps[0] == FIRST_STEP
    assert steps[-1] == LAST_STEP
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) > 2


def test_every_pair_of_parents_has_children(generator):
    parents = Session.start("a bald man", generator).candidates(4).screen
    children = breed_faces(parents, 12, generation=0, seed=0, index=1, basis=())
    pairs = {child.parents for child in children}
    assert len(pairs) == 12
    assert all(len(pair) == 2 for pair in pairs)


def test_children_have_the_words_of_their_first_parent(generator):
    start = Session.start("a bald man", generator)
    first, second = start.face, start.describe("a man with glasses").face
    children = breed_faces([first, second], 4, generation=0, seed=0, index=1, basis=())
    assert [child.descriptions for child in children] == [
        first.descriptions,
        second.descriptions,
        first.descriptions,
        second.descriptions,
    ]


def test_the_children_of_one_parent_are_its_mutations(generator):
    parent = Session.start("a bald man", generator).face
    children = breed_faces([parent], 3, generation=0, seed=0, index=1, basis=())
    assert len({child.noise for child in children}) == 3
    assert all(child.parents == (parent.name,) for child in children)
    norms = [np.linalg.norm(array(child.noise)) for child in children]
    assert all(norms)
