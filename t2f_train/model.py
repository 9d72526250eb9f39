"""The model that draws: text encoder, conditioning and generator, as they are sampled together."""

import torch
from torch import Tensor, nn

from t2f_train.conditioning import (
    ConditioningAugmentation,
    condition_divergence,
    join_latent,
    sample_condition,
)
from t2f_train.config import Config, TextSettings
from t2f_train.discriminator import Discriminator
from t2f_train.errors import ConfigError
from t2f_train.generator import Generator
from t2f_train.minilm import MiniLMEncoder
from t2f_train.minilm_package import load_minilm
from t2f_train.text_encoder import TextEncoder


class FaceModel(nn.Module):
    """Everything between tokens and an image; its averaged weights are what is exported.

    Args:
        config: The run's configuration.
        vocabulary_size: Number of the tokeniser's tokens; 0 for a model without text.

    Raises:
        ConfigError: If a pretrained text encoder is not installed, or does not fit.

    Attributes:
        text_encoder: From tokens to sentence embeddings; None for a model without text.
        conditioning: From sentence embeddings to the condition; None for a model without text.
        sentence_size: Length of a sentence embedding; 0 for a model without text.
        condition_size: Length of the condition; 0 for a model without text.
        generator: From latents to images.
    """

    def __init__(self, config: Config, vocabulary_size: int) -> None:
        super().__init__()
        model = config.model
        self.text_encoder: TextEncoder | MiniLMEncoder | None = None
        self.conditioning: ConditioningAugmentation | None = None
        self.sentence_size = 0
        if config.is_conditional:
            self.text_encoder = new_text_encoder(config.text, vocabulary_size)
            self.sentence_size = self.text_encoder.sentence_size
            self.conditioning = ConditioningAugmentation(self.sentence_size, model.condition_size)
        self.condition_size = config.condition_size
        self.generator = Generator(config.condition_size + model.noise_size, config.channels)

    def read(self, tokens: Tensor | None) -> Tensor | None:
        """Reads descriptions.

        Args:
            tokens: Shape `(batch, length)`, int64, padded with 0; not looked at by a model
                without text.

        Returns:
            The sentence embeddings psi, shape `(batch, sentence)`; None of a model without text.
        """
        if self.text_encoder is None:
            return None
        if tokens is None:
            raise ValueError("this model draws from descriptions; give tokens")
        sentence: Tensor = self.text_encoder(tokens)
        return sentence

    def place(
        self, sentence: Tensor | None, epsilon: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Places descriptions in the space of latents.

        Args:
            sentence: Shape `(batch, sentence)`; None for a model without text.
            epsilon: Shape `(batch, condition)`, from N(0, 1); no columns without text.
            noise: Shape `(batch, noise)`, from N(0, 1).

        Returns:
            The latents, shape `(batch, latent)`, and the condition's divergence from N(0, 1), a
            scalar in nats: 0 for a model without text.
        """
        if self.conditioning is None:
            return join_latent(None, noise), torch.zeros((), device=noise.device)
        mean, log_variance = self.conditioning(sentence)
        latent = join_latent(sample_condition(mean, log_variance, epsilon), noise)
        return latent, condition_divergence(mean, log_variance)

    def forward(
        self,
        tokens: Tensor | None,
        epsilon: Tensor,
        noise: Tensor,
        depth: int,
        fade: float = 1.0,
    ) -> Tensor:
        """Draws one image a description.

        Args:
            tokens: Shape `(batch, length)`, int64, padded with 0; None for a model without text.
            epsilon: Shape `(batch, condition)`, from N(0, 1); no columns without text.
            noise: Shape `(batch, noise)`, from N(0, 1).
            depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
            fade: Weight of the newest layers, 0 to 1.

        Returns:
            Shape `(batch, 3, side, side)`, RGB, nominally -1 to 1.
        """
        latent, _ = self.place(self.read(tokens), epsilon, noise)
        images: Tensor = self.generator(latent, depth, fade)
        return images


def new_text_encoder(settings: TextSettings, vocabulary_size: int) -> TextEncoder | MiniLMEncoder:
    """The text encoder that `text.encoder` names: one to be trained, or a pretrained one.

    Raises:
        ConfigError: If the pretrained one is not installed, or does not fit.
    """
    if settings.encoder != "minilm":
        return TextEncoder(vocabulary_size, settings.embedding_size, settings.sentence_size)
    encoder = load_minilm()
    sizes = encoder.sizes
    if vocabulary_size != sizes.vocabulary_size:
        raise ConfigError(
            f"the tokeniser has {vocabulary_size} tokens, but the installed MiniLM knows "
            f"{sizes.vocabulary_size}; install the version that the run was trained with"
        )
    if settings.maximum_tokens > sizes.positions:
        raise ConfigError(
            f"text.maximum_tokens is {settings.maximum_tokens}, but the installed MiniLM reads "
            f"{sizes.positions} at most; lower it"
        )
    return encoder


def new_discriminator(config: Config, sentence_size: int) -> Discriminator:
    """The discriminator that mirrors the generator of `config`.

    Args:
        config: The run's configuration.
        sentence_size: Length of the sentence embeddings that it is shown; 0 for a model without
            text.
    """
    return Discriminator(
        config.channels,
        sentence_size=sentence_size,
        compressed_size=config.model.compressed_size,
        has_second_head=config.optimiser.unconditional > 0.0,
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
