"""One step of training: the discriminator, then the generator, then the averaged weights."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from t2f_train.conditioning import condition_divergence, join_latent, sample_condition
from t2f_train.config import Config, OptimiserSettings
from t2f_train.data.batches import Batch, step_random
from t2f_train.layers import downsample, upsample
from t2f_train.losses import (
    CriticBatch,
    critic_loss,
    drift,
    generator_loss,
    score_batch,
    weighted_penalty,
)
from t2f_train.model import FaceModel, new_discriminator, to_signed
from t2f_train.schedule import Moment


@dataclass(frozen=True, slots=True)
class StepNoise:
    """All that is random in one step."""

    epsilon: Tensor
    """Shape `(batch, condition)`, from N(0, 1)."""
    noise: Tensor
    """Shape `(batch, noise)`, from N(0, 1)."""
    mix: Tensor
    """Shape `(batch, 1, 1, 1)`, uniform in 0 to 1."""


def draw_step_noise(config: Config, moment: Moment, device: torch.device) -> StepNoise:
    """Draws the noise of one step: a pure function of the seed and the step's number."""
    random = step_random(config.seed, moment.step)
    batch, model = moment.phase.batch_size, config.model

    def normal(size: int) -> Tensor:
        values = random.standard_normal((batch, size), dtype=np.float32)
        return torch.from_numpy(values).to(device)

    epsilon, noise = normal(model.condition_size), normal(model.noise_size)
    mix = torch.from_numpy(random.random((batch, 1, 1, 1), dtype=np.float32)).to(device)
    return StepNoise(epsilon, noise, mix)


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
            self.discriminator = new_discriminator(config).to(device)
        self.averaged = copy.deepcopy(self.model).requires_grad_(False)
        self.start_phase(depth=0)

    def start_phase(self, depth: int) -> None:
        """Gives both sides a fresh Adam over what takes part at `depth`.

        ProGAN's published code forgets Adam's moments at each new resolution too. The text encoder
        learns with the discriminator: which real image a description belongs to is the one signal
        about language here that the generator cannot bend to its own ends.
        """
        model, settings = self.model, self._settings
        self.generator_parameters = [
            *model.conditioning.parameters(),
            *model.generator.active_parameters(depth),
        ]
        self.discriminator_parameters = [
            *model.text_encoder.parameters(),
            *self.discriminator.active_parameters(depth),
        ]

        def adam(parameters: list[torch.nn.Parameter], slowing: float) -> torch.optim.Adam:
            first, second = settings.adam_betas
            return torch.optim.Adam(
                parameters,
                lr=settings.learning_rate * slowing,
                betas=(first**slowing, second**slowing),
                foreach=True,
            )

        interval = settings.penalty_interval
        # StyleGAN2 (arXiv:1912.04958), appendix B; see `OptimiserSettings.penalty_interval`.
        slowing = interval / (interval + 1) if interval > 1 else 1.0
        self.generator_optimiser = adam(self.generator_parameters, slowing=1.0)
        self.discriminator_optimiser = adam(self.discriminator_parameters, slowing)

    def average(self, images: int) -> None:
        """Moves the averaged weights towards the current ones, after a step of `images`."""
        remembered = 0.5 ** (images / self._settings.ema_half_life)
        pairs = zip(self.averaged.parameters(), self.model.parameters(), strict=True)
        for averaged, current in pairs:
            averaged.lerp_(current.detach(), 1.0 - remembered)


def train_step(
    networks: Networks, batch: Batch, noise: StepNoise, moment: Moment, settings: OptimiserSettings
) -> dict[str, Tensor]:
    """Takes one step: both networks learn from one batch.

    The images are drawn once and serve both: the discriminator's step changes neither the
    generator nor the latents.

    Returns:
        Scalars without gradient, by name.
    """
    model, discriminator = networks.model, networks.discriminator
    depth, fade = moment.depth, moment.fade
    real = fade_reals(to_signed(batch.pixels), fade)
    sentence = model.text_encoder(batch.tokens)

    mean, log_variance = model.conditioning(sentence.detach())
    latent = join_latent(sample_condition(mean, log_variance, noise.epsilon), noise.noise)
    fake = model.generator(latent, depth, fade)

    shown = CriticBatch(
        real=real, fake=fake.detach(), sentence=sentence, mix=noise.mix, depth=depth, fade=fade
    )
    scores = score_batch(discriminator, shown)
    discriminator_loss = critic_loss(settings.loss, scores) + settings.drift * drift(scores)
    losses = {
        "wasserstein": scores.real.mean() - scores.fake.mean(),
        "matching": scores.real.mean() - scores.mismatched.mean(),
    }
    if moment.step % settings.penalty_interval == 0:
        penalty = weighted_penalty(discriminator, shown, settings)
        discriminator_loss = discriminator_loss + settings.penalty_interval * penalty
        losses["penalty"] = penalty
    networks.discriminator_optimiser.zero_grad()
    torch.autograd.backward(discriminator_loss)
    networks.discriminator_optimiser.step()

    fake_scores = discriminator(fake, sentence.detach(), depth, fade)
    adversarial = generator_loss(settings.loss, fake_scores)
    divergence = condition_divergence(mean, log_variance)
    generator_total = adversarial + settings.condition_divergence * divergence
    networks.generator_optimiser.zero_grad()
    # Named inputs: the discriminator's weights get no gradient here, which would be thrown away.
    torch.autograd.backward(generator_total, inputs=networks.generator_parameters)
    networks.generator_optimiser.step()
    networks.average(len(batch.pixels))

    losses["discriminator_loss"] = discriminator_loss
    losses["generator_loss"] = generator_total
    losses["condition_divergence"] = divergence
    return {name: loss.detach() for name, loss in losses.items()}
