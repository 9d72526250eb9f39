import sys
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from t2f_runtime.errors import ArgumentError, MissingPackageError
from t2f_train.metrics.inception import frechet_and_kernel_distance


class MeanColours(nn.Module):
    """Stands for a plain Inception: takes pictures of 299 pixels."""

    def forward(self, pictures: Tensor) -> Tensor:
        if pictures.dtype != torch.uint8 or pictures.shape[1:] != [3, 299, 299]:
            raise RuntimeError("not what Inception takes")
        return pictures[:, :, ::50, ::50].double().mean(dim=[2, 3])


class LikeNvidias(nn.Module):
    """Takes pictures of their own size, and gives probabilities unless asked for features."""

    def forward(self, pictures: Tensor, return_features: bool = False) -> Tensor:
        if pictures.dtype != torch.uint8 or pictures.shape[2] == 299:
            raise RuntimeError("enlarged before")
        features = pictures.double().mean(dim=[2, 3])
        if return_features:
            return features
        return features.softmax(dim=1)


class WithoutFeatures(nn.Module):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures


def scripted(module, path):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        torch.jit.script(module).save(str(path))
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return scripted(MeanColours(), tmp_path_factory.mktemp("weights") / "inception.pt")


def flat_pictures(count, *, seed, mean, mixing):
    """Pictures of one colour each, normally distributed."""
    rng = np.random.default_rng(seed)
    colours = np.asarray(mean) + rng.normal(0, 1, (count, 3)) @ np.asarray(mixing)
    pictures = np.broadcast_to(colours.round()[:, None, None], (count, 4, 4, 3))
    return pictures.clip(0, 255).astype(np.uint8)


REAL = flat_pictures(60, seed=0, mean=(120, 90, 80), mixing=[[20, 5, 0], [0, 10, 3], [4, 0, 15]])
DRAWN = flat_pictures(40, seed=1, mean=(110, 100, 90), mixing=[[12, 0, 2], [6, 14, 0], [0, 3, 9]])


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values)) @ vectors.T


def frechet_distance(first, second):
    """Between the normal distributions of two samples (arXiv:1706.08500, equation 6)."""
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    means = ((first.mean(axis=0) - second.mean(axis=0)) ** 2).sum()
    return means + np.trace(a) + np.trace(b) - 2 * np.trace(root(root(a) @ b @ root(a)))


def kernel_distance(first, second):
    """The unbiased estimate, pair by pair (arXiv:1801.01401, equation 4)."""

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    count = len(first)
    within = sum(
        kernel(some[i], some[j])
        for some in (first, second)
        for i in range(count)
        for j in range(count)
        if i != j
    )
    across = sum(kernel(x, y) for x in first for y in second)
    return within / (count * (count - 1)) - 2 * across / count**2


def colours(pictures):
    return pictures[:, 0, 0].astype(float)


def test_fid_is_the_distance_of_normal_distributions(weights):
    found = frechet_and_kernel_distance(REAL, DRAWN, weights=weights, batch_size=16)
    assert found["fid"] == pytest.approx(frechet_distance(colours(REAL), colours(DRAWN)), rel=1e-6)


def test_fid_of_pictures_that_are_shifted_alone_is_the_square_of_the_shift(weights):
    shifted = REAL + np.array([3, 0, 4], np.uint8)
    found = frechet_and_kernel_distance(REAL, shifted, weights=weights)
    assert found["fid"] == pytest.approx(25, rel=1e-6)


def test_kid_of_few_pictures_is_the_estimate_over_all_of_them(weights):
    real = REAL[:40]
    found = frechet_and_kernel_distance(real, DRAWN, weights=weights)
    assert found["kid"] == pytest.approx(kernel_distance(colours(real), colours(DRAWN)), rel=1e-6)


def test_equal_sets_are_at_fid_0(weights):
    found = frechet_and_kernel_distance(REAL, REAL, weights=weights)
    assert found["fid"] == pytest.approx(0, abs=1e-6)


def test_a_seed_decides_the_subsets_of_kid_and_leaves_other_randomness_alone(weights):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, again, other = (
        frechet_and_kernel_distance(REAL, DRAWN, weights=weights, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first["fid"] == other["fid"]
    assert first["kid"] != other["kid"]
    assert torch.rand(1) == expected


def test_nvidias_network_gets_pictures_of_their_own_size_and_is_asked_for_features(
    weights, tmp_path
):
    nvidias = scripted(LikeNvidias(), tmp_path / "inception-2015-12-05.pt")
    found = frechet_and_kernel_distance(REAL, DRAWN, weights=nvidias)
    assert found == pytest.approx(frechet_and_kernel_distance(REAL, DRAWN, weights=weights))


def test_a_dictionary_of_weights_is_refused(tmp_path):
    torch.save({"layer": torch.zeros(2)}, tmp_path / "inception.pth")
    with pytest.raises(ArgumentError, match=r"inception.pth: is not a TorchScript module; give"):
        frechet_and_kernel_distance(REAL, DRAWN, weights=tmp_path / "inception.pth")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ArgumentError, match=r"none.pt: is not a file; give NVIDIA's"):
        frechet_and_kernel_distance(REAL, DRAWN, weights=tmp_path / "none.pt")


def test_a_network_that_cannot_take_pictures_is_refused(tmp_path):
    wrong = scripted(nn.Linear(3, 4), tmp_path / "wrong.pt")
    with pytest.raises(ArgumentError, match=r"wrong.pt cannot take uint8 pictures of shape"):
        frechet_and_kernel_distance(REAL, DRAWN, weights=wrong)


def test_a_network_that_returns_no_features_is_refused(tmp_path):
    wrong = scripted(WithoutFeatures(), tmp_path / "wrong.pt")
    with pytest.raises(ArgumentError, match=r"returned \(32, 3, 299, 299\) for 32 pictures"):
        frechet_and_kernel_distance(REAL, DRAWN, weights=wrong)


def test_one_picture_is_too_few(weights):
    with pytest.raises(ArgumentError, match="there are 1 drawn pictures; it takes 2 or more"):
        frechet_and_kernel_distance(REAL, DRAWN[:1], weights=weights)


def test_a_missing_package_is_named_with_the_extra_that_installs_it(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics.image.fid", None)
    with pytest.raises(MissingPackageError, match=r"torchmetrics.*pip install 't2f\[evaluate\]'"):
        frechet_and_kernel_distance(REAL, DRAWN, weights=weights)
