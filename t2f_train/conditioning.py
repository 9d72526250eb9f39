"""Conditioning augmentation and the latent: from a sentence embedding to the generator's input."""

import torch
from torch import Tensor, nn

from t2f_train.layers import Linear


class ConditioningAugmentation(nn.Module):
    """Gives each sentence a Gaussian to draw its condition from, by one linear layer.

    Source: StackGAN++ (arXiv:1710.10916), section 3.1. The layer predicts the logarithm of the
    variance, so that no activation has to keep a deviation positive.

    Args:
        sentence_size: Length of the sentence embedding psi.
        condition_size: Length of the condition.
    """

    def __init__(self, sentence_size: int, condition_size: int) -> None:
        super().__init__()
        self.condition_size = condition_size
        self.linear = Linear(sentence_size, 2 * condition_size)

    def forward(self, sentence: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the condition.

        Args:
            sentence: Shape `(batch, sentence)`.

        Returns:
            Two tensors of shape `(batch, condition)`: mean and log-variance.
        """
        mean, log_variance = self.linear(sentence).chunk(2, dim=1)
        return mean, log_variance


def sample_condition(mean: Tensor, log_variance: Tensor, epsilon: Tensor) -> Tensor:
    """Draws the condition: `mean + exp(log_variance / 2) * epsilon`.

    Source: StackGAN++ (arXiv:1710.10916), section 3.1, reparameterised as in Kingma and Welling
    (arXiv:1312.6114), section 2.4. All shapes are `(batch, condition)`.
    """
    return mean + torch.exp(0.5 * log_variance) * epsilon


def join_latent(condition: Tensor | None, noise: Tensor) -> Tensor:
    """Joins condition and noise and scales them to the hypersphere of radius sqrt(latent).

    Source: ProGAN (arXiv:1710.10196), appendix A.1: latents are points on a hypersphere.

    Args:
        condition: Shape `(batch, condition)`; None for a model without text.
        noise: Shape `(batch, noise)`, from N(0, 1).

    Returns:
        Shape `(batch, condition + noise)`, each row of unit mean square.
    """
    latent = noise if condition is None else torch.cat([condition, noise], dim=1)
    return latent * (latent.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def condition_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of the condition's Gaussian from N(0, 1), in nats.

    Source: StackGAN (arXiv:1612.03242), equation 2, whose regulariser StackGAN++ keeps, summed
    over the condition and averaged over the batch; closed form from Kingma and Welling
    (arXiv:1312.6114), appendix B.

    Args:
        mean: Shape `(batch, condition)`.
        log_variance: Shape `(batch, condition)`.

    Returns:
        A scalar, 0 or more.
    """
    terms = mean.square() + log_variance.exp() - 1.0 - log_variance
    return 0.5 * terms.sum(dim=1).mean()
