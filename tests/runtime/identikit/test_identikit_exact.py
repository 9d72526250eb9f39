import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2f_runtime import ArgumentError
from t2f_runtime.identikit.exact import (
    dot,
    norm,
    orthonormal,
    outside,
    random_stream,
    slerp,
    total,
)

a_few = settings(deadline=None, max_examples=40)  # a shared machine may pause for longer

seeds = st.integers(0, 2**32 - 1)


def normals(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


@a_few
@given(seeds, st.integers(0, 300))
def test_a_sum_by_halves_is_the_sum(seed, length):
    values = normals(seed, 3, length)
    assert total(values) == pytest.approx(values.sum(axis=-1), abs=1e-9)


def test_a_sum_goes_by_halves_whatever_the_processor():
    # 1 + 2**-53 is 1: only this order keeps both small ones.
    assert total(np.array([1.0, 2**-53, 0.0, 2**-53])) == 1.0 + 2**-52


@a_few
@given(seeds, st.integers(2, 200), st.floats(0, 1))
def test_a_part_of_the_way_over_the_sphere_is_shoemakes_formula(seed, length, amount):
    first, second = normals(seed, 2, length)
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    angle = np.arccos(cosine)
    if np.sin(angle) < 0.01:
        return
    part = round(amount * 2**20) / 2**20
    units = first / np.linalg.norm(first), second / np.linalg.norm(second)
    direction = np.sin((1 - part) * angle) * units[0] + np.sin(part * angle) * units[1]
    length = np.linalg.norm(first) * (1 - part) + np.linalg.norm(second) * part
    expected = direction / np.sin(angle) * length
    assert slerp(first, second, amount) == pytest.approx(expected, abs=1e-6)


@a_few
@given(seeds, st.integers(0, 50))
def test_the_ends_of_the_way_are_its_ends_to_the_bit(seed, length):
    first, second = normals(seed, 2, length)
    assert np.array_equal(slerp(first, second, 0), first)
    assert np.array_equal(slerp(first, second, 1), second)


def test_there_is_no_way_between_opposites():
    with pytest.raises(ArgumentError, match="each other's opposites"):
        slerp(np.array([1.0, 2.0]), np.array([-1.0, -2.0]), 0.5)


@pytest.mark.parametrize("amount", [-0.1, 1.1, float("nan")])
def test_an_amount_outside_the_way_is_refused(amount):
    with pytest.raises(ArgumentError, match="it must be 0 to 1"):
        slerp(np.ones(2), np.zeros(2), amount)


@a_few
@given(seeds, st.integers(1, 6))
def test_what_lies_outside_a_basis_is_orthogonal_to_all_that_made_it(seed, count):
    vectors = list(normals(seed, count, 16))
    basis = orthonormal([*vectors, vectors[0] * 3])
    assert len(basis) <= count
    rest = outside(normals(seed + 1, 16), basis)
    lengths = [norm(vector) for vector in basis]
    assert lengths == pytest.approx([1] * len(basis))
    assert [dot(rest, vector) for vector in basis] == pytest.approx([0] * len(basis), abs=1e-12)


@a_few
@given(seeds, st.integers(1, 1000), st.integers(0, 1000))
def test_streams_of_one_seed_share_nothing(seed, stream, index):
    here = random_stream(seed, stream, index).standard_normal(4)
    again = random_stream(seed, stream, index).standard_normal(4)
    others = [
        random_stream(seed, stream + 1, index),
        random_stream(seed, stream, index + 1),
        random_stream(seed + 1, stream, index),
    ]
    assert np.array_equal(here, again)
    assert not any(np.array_equal(here, other.standard_normal(4)) for other in others)
