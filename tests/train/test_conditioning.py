import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from t2f_runtime.latent import draw_latent, draw_noise
from t2f_train.conditioning import (
    ConditioningAugmentation,
    condition_divergence,
    join_latent,
    sample_condition,
)


def test_the_divergence_is_that_of_torch_distributions():
    mean, log_variance = torch.randn(5, 7).double(), torch.randn(5, 7).double()
    drawn = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(drawn, Normal(0.0, 1.0)).sum(dim=1).mean()
    torch.testing.assert_close(condition_divergence(mean, log_variance), expected)


def test_the_divergence_of_the_standard_normal_distribution_is_0():
    assert condition_divergence(torch.zeros(3, 4), torch.zeros(3, 4)) == 0


def test_conditions_have_the_mean_and_variance_that_were_predicted():
    mean, log_variance = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.0, 2.0]])
    epsilon = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    drawn = sample_condition(mean, log_variance, epsilon)
    torch.testing.assert_close(drawn.mean(dim=0), mean[0], rtol=0, atol=0.02)
    torch.testing.assert_close(drawn.var(dim=0), log_variance.exp()[0], rtol=0.02, atol=0)


def test_latents_lie_on_the_hypersphere():
    latent = join_latent(torch.randn(4, 6) * 9, torch.randn(4, 10))
    torch.testing.assert_close(latent.norm(dim=1), torch.full((4,), 16**0.5))


def test_torch_and_the_runtime_make_the_same_latent():
    random = np.random.default_rng(0)
    mean, log_variance = random.normal(size=(2, 6)).astype(np.float32)
    noise = torch.from_numpy(draw_noise(5, 2, 10))[None]
    condition = sample_condition(
        torch.from_numpy(mean)[None], torch.from_numpy(log_variance)[None], noise[:, :6]
    )
    expected = draw_latent(mean, log_variance, seed=5, index=2, noise_size=4)
    latent = join_latent(condition, noise[:, 6:])[0].numpy()
    np.testing.assert_allclose(latent, expected, rtol=1e-6, atol=1e-7)


def test_one_linear_layer_gives_mean_and_log_variance():
    layer = ConditioningAugmentation(8, 3)
    mean, log_variance = layer(torch.zeros(2, 8))
    assert mean.shape == log_variance.shape == (2, 3)
    assert [name for name, _ in layer.named_parameters()] == ["linear.weight", "linear.bias"]


@pytest.mark.parametrize("scale", [0.0, 1e-6])
def test_a_latent_of_almost_nothing_stays_finite(scale):
    latent = join_latent(torch.ones(1, 2) * scale, torch.ones(1, 2) * scale)
    assert latent.isfinite().all()
