import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchmetrics.functional.image import structural_similarity_index_measure

from t2f_runtime.errors import ArgumentError
from t2f_train.metrics.ms_ssim import SCALE_WEIGHTS, diversity, ms_ssim, scale_weights


def noise(count, side, *, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def disturbed(pictures, amount):
    rng = np.random.default_rng(9)
    changed = pictures + rng.normal(0, amount, pictures.shape)
    return changed.clip(0, 255).astype(np.uint8)


def naive_ms_ssim(first, second):
    """The definition, window by window, for one pair and five scales."""
    first, second = first.astype(float), second.astype(float)
    result = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            first, second = (
                (p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) / 4
                for p in (first, second)
            )
        side = len(first)
        size = min(11, side)
        steps = np.arange(size) - (size - 1) / 2
        gauss = np.exp(-(steps**2) / (2 * (1.5 * size / 11) ** 2))
        window = np.outer(gauss, gauss) / gauss.sum() ** 2
        values = []
        for row in range(side - size + 1):
            for column in range(side - size + 1):
                for colour in range(3):
                    place = slice(row, row + size), slice(column, column + size), colour
                    a, b = first[place], second[place]
                    mean_a, mean_b = (window * a).sum(), (window * b).sum()
                    variance_a = (window * (a - mean_a) ** 2).sum()
                    variance_b = (window * (b - mean_b) ** 2).sum()
                    covariance = (window * (a - mean_a) * (b - mean_b)).sum()
                    value = (2 * covariance + 58.5225) / (variance_a + variance_b + 58.5225)
                    if scale == 4:
                        value *= (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
                    values.append(value)
        result *= max(np.mean(values), 0) ** weight
    return result


def torchmetrics_ms_ssim(first, second):
    """From torchmetrics' maps of one scale, without the mirrored borders."""
    first, second = (torch.from_numpy(p).permute(0, 3, 1, 2).double() for p in (first, second))
    result = torch.ones(len(first))
    for scale, weight in enumerate(SCALE_WEIGHTS):
        pair = [F.avg_pool2d(p, 2**scale) for p in (first, second)]
        arguments = {"data_range": 255.0, "reduction": "none"}
        if scale < 4:
            _, value = structural_similarity_index_measure(
                *pair, **arguments, return_contrast_sensitivity=True
            )
        else:
            _, full = structural_similarity_index_measure(
                *pair, **arguments, return_full_image=True
            )
            value = full[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))
        result = result * value.clamp(min=0) ** weight
    return result


def test_at_whole_windows_it_is_what_torchmetrics_computes():
    first = noise(1, 176, seed=0) // 2 + np.arange(0, 88, 0.5).astype(np.uint8)[:, None]
    second = disturbed(first, 40)
    expected = torchmetrics_ms_ssim(first, second)
    np.testing.assert_allclose(ms_ssim(first, second), expected, rtol=1e-4)


@pytest.mark.parametrize("side", [16, 32])
def test_at_small_windows_it_is_the_definition_spelt_out(side):
    first = noise(3, side, seed=1)
    second = disturbed(first, 40)
    expected = [naive_ms_ssim(a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(ms_ssim(first, second), expected, rtol=1e-4)


def test_equal_pictures_have_1():
    pictures = noise(3, 32, seed=0)
    assert ms_ssim(pictures, pictures.copy()).tolist() == [1, 1, 1]


def test_flat_pictures_differ_in_luminance_alone():
    dark, light = np.full((1, 64, 64, 3), 20, np.uint8), np.full((1, 64, 64, 3), 200, np.uint8)
    luminance = (2 * 20 * 200 + 2.55**2) / (20**2 + 200**2 + 2.55**2)
    assert ms_ssim(dark, light)[0] == pytest.approx(luminance**0.1333, rel=2e-4)


def test_negatives_have_0():
    pictures = noise(2, 32, seed=0)
    assert ms_ssim(pictures, 255 - pictures).tolist() == [0, 0]


def test_the_order_within_a_pair_does_not_matter():
    first, second = noise(2, 32, seed=0), disturbed(noise(2, 32, seed=0), 50)
    np.testing.assert_allclose(ms_ssim(first, second), ms_ssim(second, first), rtol=1e-6)


def test_many_pairs_have_the_values_of_each_alone():
    first = noise(120, 32, seed=0)
    second = disturbed(first, 30)
    together = ms_ssim(first, second)
    alone = [ms_ssim(first[i : i + 1], second[i : i + 1])[0] for i in (0, 77, 119)]
    np.testing.assert_allclose(together[[0, 77, 119]], alone, rtol=1e-6)


@pytest.mark.parametrize(("side", "scales"), [(4, 3), (8, 4), (16, 5), (64, 5), (256, 5)])
def test_small_pictures_have_fewer_scales_of_the_same_total_weight(side, scales):
    weights = scale_weights(side)
    assert len(weights) == scales
    assert sum(weights) == pytest.approx(1, abs=2e-4)
    ratio = weights[0] / SCALE_WEIGHTS[0]
    assert weights == pytest.approx([ratio * weight for weight in SCALE_WEIGHTS[:scales]])


@pytest.mark.parametrize("side", [4, 8])
def test_the_more_pictures_differ_the_lower_they_score_at_the_smallest_sides(side):
    pictures = noise(200, side, seed=0)
    means = [ms_ssim(pictures, disturbed(pictures, amount)).mean() for amount in (0, 20, 80)]
    assert means[0] == 1
    assert means[0] > means[1] > means[2] > 0


def test_diversity_pairs_different_pictures_alone():
    pictures = noise(2, 16, seed=0)
    pictures[1] = disturbed(pictures[:1], 40)[0]
    expected = ms_ssim(pictures[:1], pictures[1:])[0]
    assert diversity(pictures, pairs=50) == pytest.approx(expected, rel=1e-6)


def test_diversity_comes_close_to_the_mean_of_all_pairs():
    base = noise(1, 16, seed=0)
    pictures = disturbed(np.repeat(base, 6, axis=0), 60)
    one, other = np.triu_indices(6, k=1)
    expected = ms_ssim(pictures[one], pictures[other])
    found = diversity(pictures, pairs=2000)
    assert found == pytest.approx(expected.mean(), abs=4 * expected.std() / 2000**0.5)


def test_a_collapsed_set_scores_higher_than_a_varied_one():
    varied = noise(20, 32, seed=0)
    collapsed = disturbed(np.repeat(varied[:2], 10, axis=0), 10)
    assert diversity(collapsed, pairs=300) > diversity(varied, pairs=300) + 0.3


def test_a_seed_decides_the_pairs():
    pictures = noise(9, 16, seed=0)
    assert diversity(pictures, pairs=20, seed=1) == diversity(pictures, pairs=20, seed=1)
    assert diversity(pictures, pairs=20, seed=1) != diversity(pictures, pairs=20, seed=2)


def test_one_picture_has_no_diversity():
    with pytest.raises(ArgumentError, match="there are 1 pictures; it takes 2 or more"):
        diversity(noise(1, 16, seed=0))


def test_no_pairs_are_refused():
    with pytest.raises(ArgumentError, match="pairs is 0; it must be 1 or more"):
        diversity(noise(2, 16, seed=0), pairs=0)


def test_unequal_numbers_make_no_pairs():
    with pytest.raises(ArgumentError, match="make no pairs; give equal shapes"):
        ms_ssim(noise(2, 16, seed=0), noise(3, 16, seed=0))
