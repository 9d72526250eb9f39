"""Matching-aware losses: what the discriminator and the generator minimise.

`wgan-gp` is the article's: WGAN-GP (arXiv:1704.00028) with ProGAN's drift term (arXiv:1710.10196).
`logistic-r1` is the non-saturating loss (Goodfellow et al., arXiv:1406.2661) with the penalty R1
(Mescheder et al., arXiv:1801.04406), which learns from far fewer images. `hinge` (Lim and Ye,
arXiv:1705.02894) has the same penalty. All weigh the mismatched pair as Reed et al. do
(arXiv:1605.05396). A second head may judge images without descriptions by the same loss
(StackGAN++, arXiv:1710.10916, section 3.2).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from t2f_train.collectives import process_mean
from t2f_train.config import LossName, OptimiserSettings
from t2f_train.discriminator import Discriminator

Trunk = Callable[[Tensor, int, float], Tensor]
"""From images, depth and fade to features, as `Discriminator.features`."""

R1_PIXELS = 32 * 32
"""Number of pixels for which the weight of R1 is stated."""


@dataclass(frozen=True, slots=True)
class CriticScores:
    """The scores of one head that its loss compares, each of shape `(batch,)`."""

    real: Tensor
    """Real images with their own descriptions."""
    fake: Tensor
    """Drawn images with the descriptions that they were drawn from."""
    mismatched: Tensor | None = None
    """Real images with somebody else's descriptions; None of a head that sees no descriptions."""
    captioned: Tensor | None = None
    """Which real images have a description of their own, as 0 or 1; None where all have. The
    `real` score of one that has none means nothing and does not count."""

    def mean_real(self, values: Tensor | None = None) -> Tensor:
        """Mean of the real scores, or of what was made of them, over the images that count."""
        values = self.real if values is None else values
        if self.captioned is None:
            return values.mean()
        # Over the images of all processes, to each of which its own weigh more or less.
        share = process_mean(self.captioned.mean())
        return (values * self.captioned).mean() / share.clamp(min=1e-9)


def somebody_elses(sentence: Tensor, before: Tensor | None = None) -> Tensor:
    """Gives every image another image's sentence embedding, shape `(batch, sentence)`.

    The images of a batch are different ones, so a shift by one matches none of them.

    Args:
        sentence: Shape `(batch, sentence)`.
        before: What the first image gets, shape `(1, sentence)`; None takes the last.
    """
    return torch.cat([sentence[-1:] if before is None else before, sentence[:-1]])


@dataclass(frozen=True, slots=True)
class CriticBatch:
    """What one step shows the discriminator."""

    real: Tensor
    """Real images, different ones: shape `(batch, 3, side, side)`, about -1 to 1."""
    fake: Tensor
    """Images drawn from the same descriptions, without a gradient: as `real`."""
    sentence: Tensor | None
    """Sentence embeddings of the descriptions: shape `(batch, sentence)`; None without text."""
    mix: Tensor
    """Shares of real images between real and drawn: shape `(batch, 1, 1, 1)`, 0 to 1."""
    depth: int
    """Depth of the images: 0 for 4x4 pixels and so on."""
    fade: float
    """Weight of the newest layers, 0 to 1."""
    captioned: Tensor | None = None
    """See `CriticScores.captioned`."""
    before: Tensor | None = None
    """What the first image gets as somebody else's, shape `(1, sentence)`; see `somebody_elses`."""


@dataclass(frozen=True, slots=True)
class BatchScores:
    """The scores of a batch by each head of the discriminator."""

    first: CriticScores
    """The head that sees descriptions, or the only one of a model without text."""
    second: CriticScores | None
    """The head that judges images alone, where there is one."""


def score_batch(
    discriminator: Discriminator, batch: CriticBatch, trunk: Trunk | None = None
) -> BatchScores:
    """Scores a batch for the discriminator's loss.

    The mismatched pair and the second head reuse the real images' features, since the description
    enters only at the last block: exactly the scores of further passes, at the cost of one head.

    Args:
        discriminator: Whose scores they are.
        batch: The images and descriptions.
        trunk: Computes `Discriminator.features`; None does so as it stands.
    """
    images = torch.cat([batch.real, batch.fake])
    trunk = trunk or discriminator.features
    features = trunk(images, batch.depth, batch.fade)
    seen = discriminator.last.look(features, batches=2)
    real, fake = seen.chunk(2)
    if batch.sentence is None:
        first = CriticScores(*discriminator.last.judge(seen).chunk(2))
    else:
        sentences = [batch.sentence, batch.sentence, somebody_elses(batch.sentence, batch.before)]
        scores = discriminator.last.judge(torch.cat([real, fake, real]), torch.cat(sentences))
        right, wrong, mismatched = scores.chunk(3)
        first = CriticScores(right, wrong, mismatched, batch.captioned)
    if discriminator.second is None:
        return BatchScores(first, None)
    alone = discriminator.second.judge(discriminator.second.look(features, batches=2))
    return BatchScores(first, CriticScores(*alone.chunk(2)))


def critic_loss(name: LossName, scores: CriticScores) -> Tensor:
    """The discriminator's matching-aware loss without its penalty: right pairs up, wrong down.

    Source: for `wgan-gp`, WGAN-GP, equation 3, first two terms; for `logistic-r1`, Goodfellow et
    al., equation 1, on logits; for `hinge`, Lim and Ye, section 3. The two kinds of wrong pair
    weigh half each, as in Reed et al., algorithm 1, line 10; without descriptions drawn images are
    the only wrong ones.

    Returns:
        A scalar.
    """
    real, fake, mismatched = scores.real, scores.fake, scores.mismatched
    match name:
        case "wgan-gp":
            return _wrong(fake, mismatched) - scores.mean_real()
        case "logistic-r1":
            wrong = _wrong(F.softplus(fake), _apply(F.softplus, mismatched))
            return wrong + scores.mean_real(F.softplus(-real))
        case "hinge":
            wrong = _wrong(_above_margin(fake), _apply(_above_margin, mismatched))
            return wrong + scores.mean_real(F.relu(1.0 - real))


def _above_margin(scores: Tensor) -> Tensor:
    return F.relu(1.0 + scores)


def _apply(function: Callable[[Tensor], Tensor], values: Tensor | None) -> Tensor | None:
    return None if values is None else function(values)


def _wrong(fake: Tensor, mismatched: Tensor | None) -> Tensor:
    if mismatched is None:
        return fake.mean()
    return 0.5 * (fake.mean() + mismatched.mean())


def generator_loss(name: LossName, scores: Tensor) -> Tensor:
    """The generator's loss over drawn images' scores `(batch,)`, with their descriptions.

    Source: as for `critic_loss`; the logistic one in its non-saturating form (section 3).

    Returns:
        A scalar.
    """
    match name:
        case "wgan-gp" | "hinge":
            return -scores.mean()
        case "logistic-r1":
            return F.softplus(-scores).mean()


def drift(scores: CriticScores) -> Tensor:
    """Mean square of the real scores: keeps them near zero (ProGAN, appendix A.1); a scalar."""
    return scores.mean_real(scores.real.square())


def discriminator_loss(scores: BatchScores, settings: OptimiserSettings) -> Tensor:
    """The discriminator's whole loss but for the penalty: each head's, with drift; a scalar."""
    total = critic_loss(settings.loss, scores.first) + settings.drift * drift(scores.first)
    if scores.second is None:
        return total
    alone = critic_loss(settings.loss, scores.second) + settings.drift * drift(scores.second)
    return total + settings.unconditional * alone


def adversarial_loss(
    discriminator: Discriminator,
    features: Tensor,
    sentence: Tensor | None,
    settings: OptimiserSettings,
) -> Tensor:
    """What the generator minimises for drawn images with these features; a scalar."""
    total = generator_loss(settings.loss, discriminator.score(features, sentence))
    if discriminator.second is None:
        return total
    alone = generator_loss(settings.loss, discriminator.score_alone(features))
    return total + settings.unconditional * alone


def gradient_penalty(
    discriminator: Discriminator, batch: CriticBatch, unconditional: float = 0.0
) -> Tensor:
    """Mean squared distance of the gradient's norm from 1, between real and drawn images.

    Source: WGAN-GP, equation 3, third term, and algorithm 1.

    The penalty bounds the slope over images, so it does not train the text encoder (and cuDNN's
    LSTM has no second derivative). With two heads it bounds their sum, weighed as in the loss.

    Args:
        discriminator: Whose gradient it is.
        batch: The images and descriptions.
        unconditional: Weight of the second head.

    Returns:
        A scalar, 0 or more, without its weight.
    """
    between = torch.lerp(batch.fake.detach(), batch.real.detach(), batch.mix)
    gradient = _image_gradient(discriminator, between, batch, unconditional)
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norm - 1.0).square().mean()


def real_gradient_penalty(
    discriminator: Discriminator, batch: CriticBatch, unconditional: float = 0.0
) -> Tensor:
    """R1: the mean squared norm of the gradient at real images.

    Source: Mescheder et al. (arXiv:1801.04406), equation 9, without gamma / 2. It does not train
    the text encoder either. The images are those that the discriminator sees: augmented ones.
    Arguments as for `gradient_penalty`.

    Returns:
        A scalar, 0 or more, without its weight.
    """
    gradient = _image_gradient(discriminator, batch.real.detach(), batch, unconditional)
    squares: Tensor = gradient.square().flatten(1).sum(dim=1)
    return squares.mean()


def _image_gradient(
    discriminator: Discriminator, images: Tensor, batch: CriticBatch, unconditional: float
) -> Tensor:
    sentence = None if batch.sentence is None else batch.sentence.detach()
    return discriminator.slope(images, sentence, batch.depth, batch.fade, unconditional)


def weighted_penalty(
    discriminator: Discriminator, batch: CriticBatch, settings: OptimiserSettings
) -> Tensor:
    """The penalty that goes with the configured loss, times its weight; a scalar."""
    match settings.loss:
        case "wgan-gp":
            return settings.penalty * gradient_penalty(discriminator, batch, settings.unconditional)
        case "logistic-r1" | "hinge":
            pixels = batch.real.shape[2] * batch.real.shape[3]
            weight = settings.penalty * pixels / R1_PIXELS
            return weight * real_gradient_penalty(discriminator, batch, settings.unconditional)
