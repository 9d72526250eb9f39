from dataclasses import replace

import numpy as np
import pytest
import torch
from coloured_faces import evaluation_data

from t2f_train.metrics.nearest import nearest
from t2f_train.metrics.picture_measures import CLOSEST_PAIRS, measure_pictures
from t2f_train.metrics.sliced_wasserstein import sliced_wasserstein


@pytest.fixture(scope="module")
def data():
    return evaluation_data()


def measured(drawn, data):
    real = data.held_out.pictures
    measures, pairs = measure_pictures(
        drawn,
        real,
        data,
        seed=0,
        inception=None,
        device=torch.device("cpu"),
        progress=lambda task, done, total: None,
    )
    return {measure.key: measure for measure in measures}, pairs


def noise(count):
    return np.random.default_rng(9).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


def test_photographs_drawn_again_measure_as_photographs(data):
    found, _ = measured(data.held_out.pictures, data)
    for key in ("ms_ssim", "nearest_median", "nearest_least", "faces"):
        assert found[key].drawn == found[key].real
    assert found["swd"].drawn < 3 * found["swd"].real


def test_noise_is_farther_from_photographs_than_they_are_from_each_other(data):
    found, _ = measured(noise(40), data)
    assert found["swd"].drawn > 2 * found["swd"].real
    assert found["nearest_median"].drawn > found["nearest_median"].real


def test_equal_numbers_are_compared_however_many_are_drawn(data):
    found, _ = measured(noise(200), data)
    assert found["swd"].count == len(data.held_out.pictures)
    chosen = np.random.default_rng(0).permutation(data.held_out.pictures)
    assert found["swd_8"].drawn == sliced_wasserstein(chosen, noise(200)[:80], seed=0)[8]


def test_copies_of_training_photographs_lead_the_pairs(data):
    drawn = noise(30)
    drawn[[7, 21]] = data.training.pictures[[100, 5]]
    found, pairs = measured(drawn, data)
    assert found["nearest_least"].drawn == 0.0
    assert found["nearest_least"].real > 0.0
    assert len(pairs.drawn) == len(pairs.training) == CLOSEST_PAIRS
    np.testing.assert_array_equal(pairs.drawn[:2], pairs.training[:2])
    np.testing.assert_array_equal(pairs.distances, np.sort(pairs.distances))


@pytest.mark.parametrize("is_unseen", [True, False])
def test_pairs_are_sought_among_all_photographs_that_the_model_saw(data, is_unseen):
    drawn = noise(30)
    drawn[3] = data.held_out.pictures[4]
    found, pairs = measured(drawn, replace(data, is_unseen=is_unseen))
    expected = float(nearest(drawn, data.training.pictures).distances.min())
    assert found["nearest_least"].drawn == expected > 0.0
    assert pairs.distances[0] == (expected if is_unseen else 0.0)
