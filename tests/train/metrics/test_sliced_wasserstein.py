import cv2
import numpy as np
import pytest

from t2f_runtime.errors import ArgumentError
from t2f_train.metrics.sliced_wasserstein import (
    double,
    halve,
    laplacian_level,
    level_sides,
    sliced_wasserstein,
)


def noise(count, side, *, seed, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, (count, side, side, 3), dtype=np.uint8)


def blurred(pictures, deviation):
    return np.stack([cv2.GaussianBlur(picture, (0, 0), deviation) for picture in pictures])


def smooth(count, side, *, seed):
    """Pictures with structure: noise of few pixels, enlarged."""
    small = noise(count, 8, seed=seed)
    return np.stack([cv2.resize(p, (side, side), interpolation=cv2.INTER_CUBIC) for p in small])


def test_halving_is_what_opencv_calls_pyr_down():
    picture = noise(1, 32, seed=0).astype(np.float32)
    np.testing.assert_allclose(halve(picture)[0], cv2.pyrDown(picture[0]), atol=1e-4)


def test_doubling_is_what_opencv_calls_pyr_up():
    picture = noise(1, 16, seed=0).astype(np.float32)
    np.testing.assert_allclose(double(picture)[0], cv2.pyrUp(picture[0]), atol=1e-4)


def test_the_levels_together_make_up_the_picture():
    pictures = noise(2, 64, seed=1)
    rebuilt = laplacian_level(pictures, 2)
    assert rebuilt.shape == (2, 16, 16, 3)
    for depth in (1, 0):
        rebuilt = double(rebuilt) + laplacian_level(pictures, depth)
    np.testing.assert_allclose(rebuilt, pictures, atol=1e-3)


@pytest.mark.parametrize(
    ("side", "sides"), [(4, (4,)), (8, (8,)), (16, (16,)), (64, (64, 32, 16)), (48, (48, 24))]
)
def test_levels_go_down_to_16_pixels_and_small_pictures_are_one_level(side, sides):
    assert level_sides(side) == sides
    pictures = noise(3, side, seed=2)
    assert tuple(sliced_wasserstein(pictures, noise(3, side, seed=3))) == sides


def test_equal_sets_are_not_apart():
    pictures = noise(6, 32, seed=0)
    assert sliced_wasserstein(pictures, pictures.copy()) == {32: 0.0, 16: 0.0}


def test_colours_that_vary_in_one_channel_are_as_far_from_those_of_another_as_geometry_says():
    # Normalised, the real set is (1, 0, 0) and (-1, 0, 0), the drawn one (0, 1, 0) and (0, -1, 0).
    # In a random direction u they are ||u_red| - |u_green|| apart: the square root of 2, less 1,
    # on average over the sphere.
    real, drawn = np.full((2, 2, 1, 1, 3), 100, np.uint8)
    real[0, ..., 0] = 50
    drawn[0, ..., 1] = 220
    (distance,) = sliced_wasserstein(real, drawn).values()
    assert distance == pytest.approx(1000 * (2**0.5 - 1), rel=0.05)


def test_patches_of_whole_pictures_give_the_distance_of_sorted_projections():
    # At 7 pixels every patch is its whole picture, so the distance can be had without patches.
    real, drawn = noise(5, 7, seed=0), noise(5, 7, seed=1)
    rng = np.random.default_rng(99)
    directions = rng.standard_normal((4000, 147))
    directions /= np.sqrt((directions**2).sum(axis=1))[:, None]
    projections = []
    for pictures in (real, drawn):
        values = (pictures - pictures.mean(axis=(0, 1, 2))) / pictures.std(axis=(0, 1, 2))
        projections.append(np.sort(directions @ values.reshape(5, 147).T, axis=1))
    expected = 1000 * np.abs(projections[0] - projections[1]).mean()
    assert sliced_wasserstein(real, drawn)[7] == pytest.approx(expected, rel=0.05)


def test_brightness_and_contrast_of_a_whole_set_do_not_count():
    real = noise(4, 32, seed=0, high=100)
    assert max(sliced_wasserstein(real, real * 2 + 30).values()) < 0.01


def test_the_more_a_set_is_blurred_the_farther_it_is():
    real, others = smooth(24, 64, seed=0), smooth(24, 64, seed=1)
    distances = [
        sliced_wasserstein(real, drawn)
        for drawn in (others, blurred(others, 1.5), blurred(others, 6))
    ]
    assert distances[0][64] < distances[1][64]
    assert distances[1][32] < distances[2][32]
    assert distances[0][16] < distances[2][16]


def test_noise_is_far_from_pictures_at_the_finest_level():
    real, others = smooth(24, 32, seed=0), smooth(24, 32, seed=1)
    distance = sliced_wasserstein(real, noise(24, 32, seed=2))[32]
    assert distance > 2 * sliced_wasserstein(real, others)[32]


def test_flat_pictures_are_at_a_finite_distance():
    flat = np.full((3, 32, 32, 3), 7, np.uint8)
    assert sliced_wasserstein(flat, flat) == {32: 0.0, 16: 0.0}
    assert all(np.isfinite(list(sliced_wasserstein(flat, noise(3, 32, seed=0)).values())))


def test_a_seed_decides_the_distance():
    real, drawn = noise(4, 16, seed=0), noise(4, 16, seed=1)
    assert sliced_wasserstein(real, drawn, seed=5) == sliced_wasserstein(real, drawn, seed=5)
    assert sliced_wasserstein(real, drawn, seed=5) != sliced_wasserstein(real, drawn, seed=6)


def test_less_memory_gives_the_same_distance():
    # 300 pictures are more than one chunk; in 64 MiB fit the projections in 218 directions.
    real, drawn = noise(300, 4, seed=0), noise(300, 4, seed=1)
    whole, in_parts = (sliced_wasserstein(real, drawn, memory_mib=mib) for mib in (512, 64))
    assert whole == pytest.approx(in_parts, rel=1e-5)


def test_sets_of_unequal_number_are_refused():
    with pytest.raises(ArgumentError, match=r"3 real pictures and 2 drawn ones; .* leave some out"):
        sliced_wasserstein(noise(3, 16, seed=0), noise(2, 16, seed=0))


def test_pictures_of_unequal_size_are_refused():
    with pytest.raises(ArgumentError, match="of 16 pixels cannot be compared with pictures of 32"):
        sliced_wasserstein(noise(2, 16, seed=0), noise(2, 32, seed=0))


def test_a_side_that_does_not_halve_is_refused():
    with pytest.raises(ArgumentError, match="pictures of 90 pixels cannot be halved down to 16"):
        sliced_wasserstein(noise(1, 90, seed=0), noise(1, 90, seed=0))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 16, 16, 3), np.float32),
        np.zeros((2, 16, 8, 3), np.uint8),
        np.zeros((2, 3, 16, 16), np.uint8),
        np.zeros((16, 16, 3), np.uint8),
    ],
)
def test_what_has_not_the_form_of_pictures_is_refused(wrong):
    with pytest.raises(ArgumentError, match=r"the drawn pictures are .* must be uint8 of shape"):
        sliced_wasserstein(noise(2, 16, seed=0), wrong)


def test_an_empty_set_is_refused():
    with pytest.raises(ArgumentError, match="there are 0 real pictures; it takes 1 or more"):
        sliced_wasserstein(noise(0, 16, seed=0), noise(0, 16, seed=0))
