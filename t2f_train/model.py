"""The model that draws: text encoder, conditioning and generator, as they are sampled together."""

import torch
from torch import Tensor, nn

from t2f_train.conditioning import ConditioningAugmentation, join_latent, sample_condition
from t2f_train.config import Config
from t2f_train.discriminator import Discriminator
from t2f_train.generator import Generator
from t2f_train.text_encoder import TextEncoder


class FaceModel(nn.Module):
    """Everything between tokens and an image; its averaged weights are what is exported.

    Args:
        config: The run's configuration.
        vocabulary_size: Number of the tokeniser's tokens.
    """

    def __init__(self, config: Config, vocabulary_size: int) -> None:
        super().__init__()
        text, model = config.text, config.model
        self.text_encoder = TextEncoder(vocabulary_size, text.embedding_size, text.sentence_size)
        self.conditioning = ConditioningAugmentation(text.sentence_size, model.condition_size)
        self.generator = Generator(
            model.condition_size + model.noise_size, model.channels(config.resolution)
        )

    def forward(
        self, tokens: Tensor, epsilon: Tensor, noise: Tensor, depth: int, fade: float = 1.0
    ) -> Tensor:
        """Draws one image a description.

        Args:
            tokens: Shape `(batch, length)`, int64, padded with 0.
            epsilon: Shape `(batch, condition)`, from N(0, 1).
            noise: Shape `(batch, noise)`, from N(0, 1).
            depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
            fade: Weight of the newest layers, 0 to 1.

        Returns:
            Shape `(batch, 3, side, side)`, RGB, nominally -1 to 1.
        """
        mean, log_variance = self.conditioning(self.text_encoder(tokens))
        latent = join_latent(sample_condition(mean, log_variance, epsilon), noise)
        images: Tensor = self.generator(latent, depth, fade)
        return images


def new_discriminator(config: Config) -> Discriminator:
    """The discriminator that mirrors the generator of `config`."""
    return Discriminator(
        config.model.channels(config.resolution),
        sentence_size=config.text.sentence_size,
        compressed_size=config.model.compressed_size,
    )


def to_signed(pixels: Tensor) -> Tensor:
    """Turns pixels into what the networks see.

    Args:
        pixels: Shape `(batch, side, side, 3)`, uint8, RGB.

    Returns:
        Shape `(batch, 3, side, side)`, float32, -1 to 1.
    """
    return pixels.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0


def to_pixels(images: Tensor) -> Tensor:
    """Turns what the generator draws into pixels, rounding to the nearest level.

    Args:
        images: Shape `(batch, 3, side, side)`, nominally -1 to 1; what lies outside is clamped.

    Returns:
        Shape `(batch, side, side, 3)`, uint8, RGB.
    """
    levels = (images * 127.5 + 128.0).clamp(0.0, 255.0)  # truncated below: rounds half up
    return levels.permute(0, 2, 3, 1).to(torch.uint8)
