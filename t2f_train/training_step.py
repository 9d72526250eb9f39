"""One step of training: the discriminator, then the generator, then the averaged weights."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from t2f_train.augmentation import RANDOM_NUMBERS, augment
from t2f_train.collectives import mean_losses
from t2f_train.computing import Computing
from t2f_train.config import Config, OptimiserSettings
from t2f_train.data.batches import Batch, step_random
from t2f_train.layers import downsample, upsample
from t2f_train.losses import (
    BatchScores,
    CriticBatch,
    adversarial_loss,
    discriminator_loss,
    score_batch,
    weighted_penalty,
)
from t2f_train.model import FaceModel, new_discriminator, to_signed
from t2f_train.schedule import Moment

AVERAGED_SHARE = 0.25
"""The averaged weights' half-life is at most this share of what the phase has seen so far."""


@dataclass(frozen=True, slots=True)
class StepNoise:
    """All that is random in one step."""

    epsilon: Tensor
    """Shape `(batch, condition)`, from N(0, 1)."""
    noise: Tensor
    """Shape `(batch, noise)`, from N(0, 1)."""
    mix: Tensor
    """Shape `(batch, 1, 1, 1)`, uniform in 0 to 1."""
    augment_real: Tensor
    """Shape `(batch, RANDOM_NUMBERS)`, uniform in 0 to 1: how real images are changed."""
    augment_fake: Tensor
    """As `augment_real`, for drawn images."""

    def share(self, rank: int, count: int) -> "StepNoise":
        """The rows of one of `count` processes, as `Batch.share` takes them."""
        rows = (getattr(self, field.name).chunk(count)[rank] for field in fields(self))
        return StepNoise(*rows)


def draw_step_noise(config: Config, moment: Moment, device: torch.device) -> StepNoise:
    """Draws the noise of one step: a pure function of the seed and the step's number."""
    random = step_random(config.seed, moment.step)
    batch, model = moment.phase.batch_size, config.model

    def normal(size: int) -> Tensor:
        values = random.standard_normal((batch, size), dtype=np.float32)
        return torch.from_numpy(values).to(device)

    def uniform(*shape: int) -> Tensor:
        return torch.from_numpy(random.random((batch, *shape), dtype=np.float32)).to(device)

    return StepNoise(
        epsilon=normal(config.condition_size),
        noise=normal(model.noise_size),
        mix=uniform(1, 1, 1),
        augment_real=uniform(RANDOM_NUMBERS),
        augment_fake=uniform(RANDOM_NUMBERS),
    )


def fade_reals(images: Tensor, fade: float) -> Tensor:
    """Blends real images with their halved resolution, as drawn images are blended.

    Source: ProGAN (arXiv:1710.10196), figure 2's caption.

    Args:
        images: Shape `(batch, 3, side, side)`.
        fade: Weight of the full resolution, 0 to 1.
    """
    if fade >= 1.0:
        return images
    return torch.lerp(upsample(downsample(images)), images, fade)


class Networks:
    """The networks of a run, their averaged copy, and the optimisers of the current depth.

    Args:
        config: The run's configuration; its seed decides the initial weights.
        vocabulary_size: Number of the tokeniser's tokens.
        device: Where the networks live.
    """

    def __init__(self, config: Config, vocabulary_size: int, device: torch.device) -> None:
        self.device = device
        self._settings = config.optimiser
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.model = FaceModel(config, vocabulary_size).to(device)
            self.discriminator = new_discriminator(config, self.model.sentence_size).to(device)
        self.computing = Computing(config.compute, device)
        self.computing.arrange(self.model)
        self.computing.arrange(self.discriminator)
        self.averaged = copy.deepcopy(self.model).requires_grad_(False)
        self.start_phase(depth=0)

    def start_phase(self, depth: int) -> None:
        """Gives both sides a fresh Adam over what takes part at `depth`.

        ProGAN's published code forgets Adam's moments at each new resolution too. The text encoder
        learns with the discriminator: which real image a description belongs to is the one signal
        about language here that the generator cannot bend to its own ends.
        """
        self.computing.start_phase()
        model, settings = self.model, self._settings
        # Layers of higher resolutions do not move yet, and so their average stays where it is.
        waiting = {id(p) for part in model.generator.waiting(depth) for p in part.parameters()}
        pairs = zip(self.averaged.parameters(), model.parameters(), strict=True)
        self._averaging = [pair for pair in pairs if id(pair[1]) not in waiting]
        self.generator_parameters = model.generator.active_parameters(depth)
        self.discriminator_parameters = self.discriminator.active_parameters(depth)
        if model.conditioning is not None:
            self.generator_parameters += model.conditioning.parameters()
        if model.text_encoder is not None:
            self.discriminator_parameters += model.text_encoder.parameters()

        def adam(parameters: list[torch.nn.Parameter], slowing: float) -> torch.optim.Adam:
            first, second = settings.adam_betas
            return torch.optim.Adam(
                parameters,
                lr=settings.learning_rate * slowing,
                betas=(first**slowing, second**slowing),
                fused=True,
            )

        interval = settings.penalty_interval
        # StyleGAN2 (arXiv:1912.04958), appendix B; see `OptimiserSettings.penalty_interval`.
        slowing = interval / (interval + 1) if interval > 1 else 1.0
        self.generator_optimiser = adam(self.generator_parameters, slowing=1.0)
        self.discriminator_optimiser = adam(self.discriminator_parameters, slowing)

    def features(self, images: Tensor, depth: int, fade: float) -> Tensor:
        """The discriminator's features, as `compute` says; see `Discriminator.features`."""
        return self.computing.features(self.discriminator, images, depth, fade)

    def average(self, moment: Moment) -> None:
        """Moves the averaged weights towards the current ones, after the step at `moment`.

        The half-life grows from nothing in each phase, as in StyleGAN2-ADA's code (`ema_rampup`,
        arXiv:2006.06676): new layers start from chance, which their average would remember.
        """
        images = moment.phase.batch_size
        seen = (moment.phase_step + 1) * images
        half_life = min(self._settings.ema_half_life, AVERAGED_SHARE * seen)
        remembered = 0.5 ** (images / half_life)
        with torch.no_grad():
            for averaged, current in self._averaging:
                averaged.lerp_(current, 1.0 - remembered)


def train_step(
    networks: Networks, batch: Batch, noise: StepNoise, moment: Moment, settings: OptimiserSettings
) -> dict[str, Tensor]:
    """Takes one step: both networks learn from one batch.

    The images are drawn once and serve both: the discriminator's step changes neither the
    generator nor the latents.

    Where processes train together, each shows its own images and all take the same step.

    Returns:
        Scalars without gradient, by name: means over all processes. Those of a side whose step
        float16 skipped are left out.
    """
    model, computing = networks.model, networks.computing
    depth, fade = moment.depth, moment.fade
    real = fade_reals(to_signed(batch.pixels), fade)
    sentence, before = _read(model, batch)
    seen = None if sentence is None else sentence.detach()
    latent, divergence = model.place(seen, noise.epsilon, noise.noise)
    # Once for both steps, the augmentation too: the generator learns from what was judged.
    drawn = computing.draw(model.generator, latent, depth, fade)
    fake = augment(drawn, noise.augment_fake, settings.augmentations)
    shown = CriticBatch(
        real=augment(real, noise.augment_real, settings.augmentations),
        fake=fake.detach(),
        sentence=sentence,
        mix=noise.mix,
        depth=depth,
        fade=fade,
        captioned=batch.captioned,
        before=before,
    )
    losses = _discriminator_step(networks, shown, moment, settings)

    with _frozen(networks.discriminator):  # whose gradient would be thrown away here
        features = networks.features(fake, depth, fade)
        adversarial = adversarial_loss(networks.discriminator, features, seen, settings)
    total = adversarial + settings.condition_divergence * divergence
    if computing.descend("generator", networks.generator_optimiser, total):
        losses["generator_loss"] = total
        if sentence is not None:
            losses["condition_divergence"] = divergence
    networks.average(moment)
    return mean_losses({name: loss.detach() for name, loss in losses.items()})


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """Leaves the weights of a module out of what is differentiated."""
    module.requires_grad_(requires_grad=False)
    try:
        yield
    finally:
        module.requires_grad_(requires_grad=True)


def _read(model: FaceModel, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
    """The sentence embeddings of a batch, and the one before its first where it is a share."""
    sentence = model.read(batch.tokens) if batch.sentence is None else batch.sentence
    if sentence is None or not batch.is_share:
        return sentence, None
    return sentence[:-1], sentence[-1:]


def _discriminator_step(
    networks: Networks, shown: CriticBatch, moment: Moment, settings: OptimiserSettings
) -> dict[str, Tensor]:
    discriminator, optimiser = networks.discriminator, networks.discriminator_optimiser
    computing = networks.computing
    scores = score_batch(discriminator, shown, networks.features)
    loss = discriminator_loss(scores, settings)
    losses = _score_differences(scores)
    is_lazy = settings.penalty_interval > 1
    losses["discriminator_loss"] = loss
    if not is_lazy:
        computing.accumulate("discriminator", loss)
        loss = losses["penalty"] = weighted_penalty(discriminator, shown, settings)
        losses["discriminator_loss"] = losses["discriminator_loss"].detach() + loss
    if not computing.descend("discriminator", optimiser, loss):
        losses = {}
    if is_lazy and moment.step % settings.penalty_interval == 0:
        losses["penalty"] = weighted_penalty(discriminator, shown, settings)
        weighed = settings.penalty_interval * losses["penalty"]
        computing.descend("discriminator", optimiser, weighed, is_lowered=False)
    return losses


def _score_differences(scores: BatchScores) -> dict[str, Tensor]:
    first, second = scores.first, scores.second
    differences = {"wasserstein": first.mean_real() - first.fake.mean()}
    if first.mismatched is not None:
        differences["matching"] = first.mean_real() - first.mismatched.mean()
    if second is not None:
        differences["wasserstein_alone"] = second.real.mean() - second.fake.mean()
    return differences
