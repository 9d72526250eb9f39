import numpy as np
import pytest

from t2f_export.tilings import LARGE, LARGE_UPSAMPLING, SMALL, SMALL_UPSAMPLING

PLAIN = [SMALL, LARGE]
UPSAMPLING = [SMALL_UPSAMPLING, LARGE_UPSAMPLING]


def tile(tiling, pixels, kernel):
    """One tile of results, as a processor computes it."""
    products = (tiling.kernel @ kernel @ tiling.kernel.T) * (
        tiling.pixels @ pixels @ tiling.pixels.T
    )
    return tiling.results @ products @ tiling.results.T


def convolve(pixels, kernel):
    side = len(pixels) - 2
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3))
    return np.einsum("yxab,ab->yx", windows, kernel).reshape(side, side)


@pytest.mark.parametrize("tiling", PLAIN, ids=["F(2, 3)", "F(4, 3)"])
def test_a_tile_is_a_convolution(tiling):
    random = np.random.default_rng(0)
    pixels = random.standard_normal((tiling.inputs, tiling.inputs))
    kernel = random.standard_normal((3, 3))
    assert tiling.inputs == tiling.outputs + 2
    np.testing.assert_allclose(tile(tiling, pixels, kernel), convolve(pixels, kernel), atol=1e-12)


@pytest.mark.parametrize("tiling", UPSAMPLING, ids=["of F(2, 3)", "of F(4, 3)"])
def test_an_upsampling_tile_is_a_convolution_of_doubled_pixels(tiling):
    random = np.random.default_rng(0)
    pixels = random.standard_normal((tiling.inputs, tiling.inputs))
    kernel = random.standard_normal((3, 3))
    doubled = pixels.repeat(2, axis=0).repeat(2, axis=1)[1:-1, 1:-1]
    expected = convolve(doubled, kernel)
    np.testing.assert_allclose(tile(tiling, pixels, kernel), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("tiling", "products", "stride"),
    [(SMALL, 4, 2), (LARGE, 6, 4), (SMALL_UPSAMPLING, 3, 1), (LARGE_UPSAMPLING, 5, 2)],
)
def test_doubled_pixels_need_a_product_less(tiling, products, stride):
    assert (tiling.products, tiling.stride) == (products, stride)
    assert tiling.kernel.shape == (products, 3)
