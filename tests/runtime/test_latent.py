import numpy as np
import pytest

from t2f_runtime import ArgumentError
from t2f_runtime.latent import LARGEST_SEED, condition, draw_latent, draw_noise, on_hypersphere

MEAN = np.array([0.5, -1.0], dtype=np.float32)
LOG_VARIANCE = np.array([0.0, -2.0], dtype=np.float32)


@pytest.mark.parametrize(
    ("seed", "index", "values"),
    [
        (0, 0, [0.059911035001277924, 0.015559634193778038, -1.1644384860992432]),
        (7, 0, [-0.2933390140533447, 1.703830599784851, 1.5391918420791626]),
        (7, 1, [1.2810301780700684, 2.479792594909668, -0.7845168709754944]),
        (LARGEST_SEED, LARGEST_SEED, [-0.09703691303730011, 1.552229642868042, -0.155666023492813]),
    ],
)
def test_a_seed_draws_the_same_noise_with_every_numpy(seed, index, values):
    # A failure means that old seeds draw other faces: not to be mended by other numbers here.
    np.testing.assert_array_equal(draw_noise(seed, index, 3), np.array(values, dtype=np.float32))


def test_a_latent_is_the_same_with_every_numpy():
    latent = draw_latent(MEAN, LOG_VARIANCE, seed=7, index=1, noise_size=2)
    golden = [1.7683769464492798, -0.08711203932762146, -0.7789433002471924, -0.5084311366081238]
    np.testing.assert_allclose(latent, golden, rtol=1e-6)


def test_noise_is_normal():
    noise = draw_noise(1, 0, 100_000)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02


def test_without_a_condition_the_latent_is_the_noise_alone():
    nothing = np.empty(0, dtype=np.float32)
    latent = draw_latent(nothing, nothing, seed=7, index=1, noise_size=6)
    assert latent.dtype == np.float32
    np.testing.assert_array_equal(latent, on_hypersphere(draw_noise(7, 1, 6)))


def test_longer_noise_begins_with_the_shorter():
    np.testing.assert_array_equal(draw_noise(3, 2, 100)[:10], draw_noise(3, 2, 10))


def test_seeds_and_indices_are_independent_streams():
    streams = [draw_noise(seed, index, 10_000) for seed in (0, 1) for index in (0, 1)]
    correlations = np.corrcoef(streams) - np.eye(4)
    assert np.abs(correlations).max() < 0.05


def test_numpy_integers_are_seeds():
    np.testing.assert_array_equal(draw_noise(np.uint64(7), np.int8(1), 4), draw_noise(7, 1, 4))


@pytest.mark.parametrize(
    "seed", [-1, np.int64(-1), LARGEST_SEED + 1, pytest.param(10**5000, id="5001 digits")]
)
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ArgumentError, match=f"seed is .*; it must be 0 to {LARGEST_SEED}"):
        draw_noise(seed, 0, 1)


@pytest.mark.parametrize("seed", [True, 1.0, np.float32(1), np.bool_(True), "1", None, [1]])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(ArgumentError, match="seed must be a whole number, not "):
        draw_noise(seed, 0, 1)


def test_an_index_is_checked_like_a_seed():
    with pytest.raises(ArgumentError, match="index is -1; it must be 0 to"):
        draw_noise(0, -1, 1)


def test_errors_about_arguments_are_value_errors_too():
    with pytest.raises(ValueError, match="seed is -1"):
        draw_noise(-1, 0, 1)


def test_a_condition_has_the_mean_and_the_deviation_that_it_is_drawn_with():
    epsilon = np.array([2.0, 2.0], dtype=np.float32)
    drawn = condition(MEAN, LOG_VARIANCE, epsilon)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn, [0.5 + 2.0, -1.0 + 2.0 * np.exp(-1.0)], rtol=1e-6)


def test_the_hypersphere_has_unit_mean_square():
    scaled = on_hypersphere(np.arange(1, 9, dtype=np.float32).reshape(2, 4))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(np.square(scaled).mean(axis=-1), 1.0, rtol=1e-6)


def test_a_latent_of_zeros_stays_zero():
    assert not on_hypersphere(np.zeros(4, dtype=np.float32)).any()


def test_a_latent_is_condition_and_noise_from_one_draw():
    latent = draw_latent(MEAN, LOG_VARIANCE, seed=5, index=2, noise_size=3)
    noise = draw_noise(5, 2, 5)
    joined = np.concatenate([condition(MEAN, LOG_VARIANCE, noise[:2]), noise[2:]])
    assert latent.shape == (5,)
    assert latent.dtype == np.float32
    np.testing.assert_array_equal(latent, on_hypersphere(joined))
