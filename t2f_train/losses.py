"""Matching-aware losses: what the discriminator and the generator minimise.

`wgan-gp` is the article's: WGAN-GP (arXiv:1704.00028) with ProGAN's drift term (arXiv:1710.10196).
`logistic-r1` is the non-saturating loss (Goodfellow et al., arXiv:1406.2661) with the penalty R1
(Mescheder et al., arXiv:1801.04406), which learns from far fewer images. Both weigh the mismatched
pair as Reed et al. do (arXiv:1605.05396).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from t2f_train.config import LossName, OptimiserSettings
from t2f_train.discriminator import Discriminator

R1_PIXELS = 32 * 32
"""Number of pixels for which the weight of R1 is stated."""


@dataclass(frozen=True, slots=True)
class CriticScores:
    """The scores that the discriminator's loss compares, each of shape `(batch,)`."""

    real: Tensor
    """Real images with their own descriptions."""
    fake: Tensor
    """Drawn images with the descriptions that they were drawn from."""
    mismatched: Tensor
    """Real images with somebody else's descriptions."""


def somebody_elses(sentence: Tensor) -> Tensor:
    """Gives every image another image's sentence embedding, shape `(batch, sentence)`.

    The images of a batch are different ones, so a shift by one matches none of them.
    """
    return sentence.roll(1, dims=0)


@dataclass(frozen=True, slots=True)
class CriticBatch:
    """What one step shows the discriminator."""

    real: Tensor
    """Real images, different ones: shape `(batch, 3, side, side)`, -1 to 1."""
    fake: Tensor
    """Images drawn from the same descriptions, without a gradient: as `real`."""
    sentence: Tensor
    """Sentence embeddings of the descriptions: shape `(batch, sentence)`."""
    mix: Tensor
    """Shares of real images between real and drawn: shape `(batch, 1, 1, 1)`, 0 to 1."""
    depth: int
    """Depth of the images: 0 for 4x4 pixels and so on."""
    fade: float
    """Weight of the newest layers, 0 to 1."""


def score_batch(discriminator: Discriminator, batch: CriticBatch) -> CriticScores:
    """Scores a batch for the discriminator's loss.

    The mismatched pair reuses the real images' features, since the description enters only at the
    last block: exactly the scores of a third pass, at the cost of one head.
    """
    features = discriminator.features(batch.real, batch.depth, batch.fade)
    return CriticScores(
        real=discriminator.score(features, batch.sentence),
        fake=discriminator(batch.fake, batch.sentence, batch.depth, batch.fade),
        mismatched=discriminator.score(features, somebody_elses(batch.sentence)),
    )


def critic_loss(name: LossName, scores: CriticScores) -> Tensor:
    """The discriminator's matching-aware loss without its penalty: right pairs up, wrong down.

    Source: for `wgan-gp`, WGAN-GP, equation 3, first two terms; for `logistic-r1`, Goodfellow et
    al., equation 1, on logits. The two kinds of wrong pair weigh half each, as in Reed et al.,
    algorithm 1, line 10.

    Returns:
        A scalar.
    """
    match name:
        case "wgan-gp":
            wrong = 0.5 * (scores.fake.mean() + scores.mismatched.mean())
            return wrong - scores.real.mean()
        case "logistic-r1":
            wrong = 0.5 * (F.softplus(scores.fake).mean() + F.softplus(scores.mismatched).mean())
            return wrong + F.softplus(-scores.real).mean()


def generator_loss(name: LossName, scores: Tensor) -> Tensor:
    """The generator's loss over drawn images' scores `(batch,)`, with their descriptions.

    Source: as for `critic_loss`; the logistic one in its non-saturating form (section 3).

    Returns:
        A scalar.
    """
    match name:
        case "wgan-gp":
            return -scores.mean()
        case "logistic-r1":
            return F.softplus(-scores).mean()


def drift(scores: CriticScores) -> Tensor:
    """Mean square of the real scores: keeps them near zero (ProGAN, appendix A.1); a scalar."""
    return scores.real.square().mean()


def gradient_penalty(discriminator: Discriminator, batch: CriticBatch) -> Tensor:
    """Mean squared distance of the gradient's norm from 1, between real and drawn images.

    Source: WGAN-GP, equation 3, third term, and algorithm 1.

    The penalty bounds the slope over images, so it does not train the text encoder (and cuDNN's
    LSTM has no second derivative).

    Returns:
        A scalar, 0 or more, without its weight.
    """
    between = torch.lerp(batch.fake.detach(), batch.real.detach(), batch.mix)
    gradient = _image_gradient(discriminator, between, batch)
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norm - 1.0).square().mean()


def real_gradient_penalty(discriminator: Discriminator, batch: CriticBatch) -> Tensor:
    """R1: the mean squared norm of the gradient at real images.

    Source: Mescheder et al. (arXiv:1801.04406), equation 9, without gamma / 2. It does not train
    the text encoder either.

    Returns:
        A scalar, 0 or more, without its weight.
    """
    gradient = _image_gradient(discriminator, batch.real.detach(), batch)
    squares: Tensor = gradient.square().flatten(1).sum(dim=1)
    return squares.mean()


def _image_gradient(discriminator: Discriminator, images: Tensor, batch: CriticBatch) -> Tensor:
    images = images.requires_grad_()
    scores = discriminator(images, batch.sentence.detach(), batch.depth, batch.fade)
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient


def weighted_penalty(
    discriminator: Discriminator, batch: CriticBatch, settings: OptimiserSettings
) -> Tensor:
    """The penalty that goes with the configured loss, times its weight; a scalar."""
    match settings.loss:
        case "wgan-gp":
            return settings.penalty * gradient_penalty(discriminator, batch)
        case "logistic-r1":
            pixels = batch.real.shape[2] * batch.real.shape[3]
            weight = settings.penalty * pixels / R1_PIXELS
            return weight * real_gradient_penalty(discriminator, batch)
