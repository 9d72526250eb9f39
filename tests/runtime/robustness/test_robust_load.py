import sys

import pytest
from robustness_load import (
    FACES_BEFORE,
    KINDS,
    MOST_GROWTH_MIB,
    descriptions,
    draw_from_threads,
    growth_mib,
    memory_over_faces,
)

ROUNDS = 8


class CarelessGenerator:
    """Draws one face wrongly, once it has drawn each alone."""

    def __init__(self, generator):
        self._generator = generator
        self._calls = 0

    def generate(self, text, **options):
        picture = self._generator.generate(text, **options)
        self._calls += 1
        if self._calls > KINDS:
            picture[..., 0, 0, 0] ^= 1
        return picture

    def generate_batch(self, texts, **options):
        return self._generator.generate_batch(texts, **options)


def test_32_threads_draw_what_one_draws_alone(generator):
    drawn = draw_from_threads(generator, threads=32, goes_on=lambda rounds: rounds < ROUNDS)
    assert drawn.wrong == []
    assert drawn.faces > 32 * ROUNDS
    assert drawn.refused > 0


def test_a_wrong_picture_is_noticed(generator):
    careless = CarelessGenerator(generator)
    drawn = draw_from_threads(careless, threads=2, goes_on=lambda rounds: rounds < ROUNDS)
    assert drawn.wrong
    assert all("differs" in wrong for wrong in drawn.wrong)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory held")
def test_faces_leave_nothing_behind_in_memory(generator):
    held = memory_over_faces(generator, 4 * FACES_BEFORE)
    assert [number for number, _ in held] == [FACES_BEFORE * turn for turn in range(1, 5)]
    assert growth_mib(held) < MOST_GROWTH_MIB


def test_growth_is_counted_from_the_first_look():
    assert growth_mib([(500, 80.0), (1000, 83.5), (1500, 81.0)]) == 3.5


def test_descriptions_are_of_all_lengths_and_the_same_each_time():
    texts = descriptions(500)
    assert texts == descriptions(500)
    assert {len(text.split()) for text in texts} == set(range(1, 17))
