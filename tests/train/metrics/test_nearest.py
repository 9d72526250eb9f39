import numpy as np
import pytest

from t2f_runtime.errors import ArgumentError
from t2f_train.metrics.nearest import nearest


def noise(count, side, *, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def brute_force(drawn, training):
    """Index and distance of the nearest one, pair by pair."""
    found = []
    for picture in drawn.astype(float):
        distances = [
            min(np.sqrt(((picture - other) ** 2).mean()) for other in (image, image[:, ::-1]))
            for image in training.astype(float)
        ]
        found.append((int(np.argmin(distances)), min(distances)))
    return found


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_it_finds_what_comparing_every_pair_finds(chunk):
    drawn, training = noise(6, 16, seed=0), noise(23, 16, seed=1)
    found = nearest(drawn, training, chunk=chunk)
    indices, distances = zip(*brute_force(drawn, training), strict=True)
    assert found.indices.tolist() == list(indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    assert (found.indices.dtype, found.distances.dtype) == (np.int64, np.float64)


def test_a_copy_is_at_distance_0_even_if_mirrored():
    training = noise(5, 32, seed=0)
    drawn = np.stack([training[3], training[1, :, ::-1]])
    found = nearest(drawn, training)
    assert found.indices.tolist() == [3, 1]
    assert found.distances.tolist() == [0, 0]


def test_a_picture_that_stands_upside_down_is_no_copy():
    training = noise(5, 32, seed=0)
    assert nearest(training[:1, ::-1], training).distances[0] > 50


def test_a_constant_difference_is_the_distance():
    training = noise(3, 32, seed=0) // 2
    found = nearest(training + 10, training)
    np.testing.assert_allclose(found.distances, 10, rtol=1e-12)


def test_large_pictures_are_compared_by_their_averages():
    drawn, training = noise(3, 64, seed=0), noise(8, 64, seed=1)
    found = nearest(drawn, training)
    small = [p.reshape(-1, 32, 2, 32, 2, 3).mean(axis=(2, 4)) for p in (drawn, training)]
    indices, distances = zip(*brute_force(*small), strict=True)
    assert found.indices.tolist() == list(indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)


def test_the_first_of_equal_training_images_is_named():
    training = np.repeat(noise(1, 8, seed=0), 4, axis=0)
    assert nearest(training[:1], training, chunk=2).indices.tolist() == [0]


def test_a_side_that_blocks_cannot_reach_is_refused():
    with pytest.raises(ArgumentError, match="pictures of 48 pixels cannot be averaged in blocks"):
        nearest(noise(1, 48, seed=0), noise(1, 48, seed=0))


def test_pictures_of_unequal_size_are_refused():
    with pytest.raises(ArgumentError, match="of 16 pixels cannot be compared with pictures of 32"):
        nearest(noise(1, 16, seed=0), noise(1, 32, seed=0))


def test_no_training_images_are_refused():
    with pytest.raises(ArgumentError, match="there are 0 training images"):
        nearest(noise(1, 16, seed=0), noise(0, 16, seed=0))
