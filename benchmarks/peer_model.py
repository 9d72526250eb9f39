"""The peer's model for text: `ConditionalProGAN` of `pro-gan-pth`, glued as the original T2F does.

The peer's are its networks, losses, optimisers, averaged weights and both halves of its training
step. The glue is that of the original's `train_network.py`: a text encoder reads the description,
conditioning augmentation makes the condition, which is joined with noise as the latent. As in the
original, the text encoder is either a frozen pretrained one (its second configuration, for 64
pixels; MiniLM in the place of InferSent) or an LSTM, which gets the gradients of the generator's
step alone, as the conditioning augmentation does.

Of the glue, four things are T2F's, all of them in the peer's favour:
- the LSTM's sentence is its state after the last word, not after the padding behind it;
- MiniLM's sentences, of length 1, are scaled to unit mean square, which equalised layers expect;
- the augmentation predicts a log-variance; the original's ReLU for a deviation stops learning
  where it is 0;
- the condition's divergence weighs 0.02 as in T2F's runs, not 1: a sum over all dimensions that
  outweighs the critic makes the condition noise that says nothing of the description.
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pro_gan_pytorch.PRO_GAN import ConditionalProGAN
from torch import Tensor, nn

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.latent import draw_noise
from t2f_runtime.text.tokenizer import Tokenizer, pad
from t2f_train.conditioning import (
    ConditioningAugmentation,
    condition_divergence,
    sample_condition,
)
from t2f_train.config import TextSettings
from t2f_train.data.batches import Batch
from t2f_train.minilm import MiniLMEncoder
from t2f_train.model import new_text_encoder, to_pixels, to_signed
from t2f_train.text_encoder import TextEncoder
from t2f_train.tokenizer import cut_tokens

DEPTH = 5
"""Resolutions 4, 8, 16, 32 and 64."""
LEARNING_RATE = 0.001
BETAS = (0.0, 0.99)
DIVERGENCE_WEIGHT = 0.02
DRAWN_AT_A_TIME = 32

# Of the peer's calls, which today's torch deprecates.
warnings.filterwarnings("ignore", message=".*upsample.* is deprecated")


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """Sizes of the peer's networks; half of the latent is the condition, as in its own runs."""

    latent_size: int
    """Length of the latent and feature channels up to 32 pixels; 64 pixels have half as many."""
    ema_decay: float
    """Share of the averaged weights that a step leaves as it is."""

    @property
    def condition_size(self) -> int:
        """Length of the condition."""
        return self.latent_size // 2


class Peer:
    """The peer's networks and their training.

    Args:
        settings: Sizes.
        text: The text encoder's sizes.
        tokenizer: Reads descriptions.
    """

    def __init__(self, settings: PeerSettings, text: TextSettings, tokenizer: Tokenizer) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self.encoder = new_text_encoder(text, tokenizer.vocabulary_size)
        size = self.encoder.sentence_size
        self.gan = ConditionalProGAN(
            size,
            depth=DEPTH,
            latent_size=settings.latent_size,
            compressed_latent_size=settings.condition_size,
            learning_rate=LEARNING_RATE,
            beta_1=BETAS[0],  # the integer 0 that it has by default is refused by today's Adam
            beta_2=BETAS[1],
            drift=0.001,
            loss="wgan-gp",
            use_ema=True,
            ema_decay=settings.ema_decay,
        )
        self.conditioning = ConditioningAugmentation(size, settings.condition_size)
        learning = [*self.conditioning.parameters()]
        if isinstance(self.encoder, TextEncoder):
            learning += self.encoder.parameters()
        self._text_optimiser = torch.optim.Adam(learning, lr=LEARNING_RATE, betas=BETAS)

    def train_step(self, batch: Batch, depth: int, fade: float) -> dict[str, float]:
        """Takes one step; the peer brings the pictures, all of 64 pixels, to the resolution.

        Args:
            batch: Pictures and tokens.
            depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
            fade: Weight of the newest layers, 0 to 1.

        Returns:
            The losses by name.
        """
        images = to_signed(batch.pixels)
        sentence = self._scaled(
            self.encoder(batch.tokens) if batch.sentence is None else batch.sentence
        )
        mean, log_variance = self.conditioning(sentence)
        condition = sample_condition(mean, log_variance, torch.randn_like(mean))
        latent = torch.cat([condition, self._noise(len(images))], dim=1)
        discriminator_loss = self.gan.optimize_discriminator(
            latent.detach(), images, sentence.detach(), depth, fade
        )
        latent = torch.cat([condition, self._noise(len(images))], dim=1)
        self._text_optimiser.zero_grad()
        generator_loss = self.gan.optimize_generator(latent, sentence, depth, fade)
        divergence = condition_divergence(mean, log_variance)
        (DIVERGENCE_WEIGHT * divergence).backward()
        self._text_optimiser.step()
        return {
            "discriminator_loss": discriminator_loss,
            "generator_loss": generator_loss,
            "condition_divergence": divergence.item(),
        }

    def _scaled(self, sentence: Tensor) -> Tensor:
        is_ready = isinstance(self.encoder, MiniLMEncoder)
        return sentence * self.encoder.sentence_size**0.5 if is_ready else sentence

    def _noise(self, count: int) -> Tensor:
        return torch.randn(count, self._settings.latent_size - self._settings.condition_size)

    @torch.no_grad()
    def draw(
        self,
        descriptions: Sequence[str],
        *,
        seeds: Sequence[int],
        indices: Sequence[int],
        depth: int,
        fade: float,
        is_averaged: bool,
    ) -> NDArray[np.uint8]:
        """Draws one face a description, from the noise that T2F would draw for the same seed.

        Args:
            descriptions: One a face.
            seeds: One a face.
            indices: Number of the face within its seed, one a face.
            depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
            fade: Weight of the newest layers, 0 to 1.
            is_averaged: Whether the averaged weights of the generator draw, or the newest.

        Returns:
            Shape `(faces, side, side, 3)`, uint8, RGB.
        """
        generator = self.gan.gen_shadow if is_averaged else self.gan.gen
        size = self._settings.latent_size
        parts = []
        for start in range(0, len(descriptions), DRAWN_AT_A_TIME):
            some = slice(start, start + DRAWN_AT_A_TIME)
            tokens = pad([cut_tokens(self._tokenizer, text) for text in descriptions[some]])
            pairs = zip(seeds[some], indices[some], strict=True)
            drawn = torch.from_numpy(np.stack([draw_noise(s, i, size) for s, i in pairs]))
            sentence = self._scaled(self.encoder(torch.from_numpy(tokens)))
            mean, log_variance = self.conditioning(sentence)
            epsilon, noise = drawn.split([mean.shape[1], size - mean.shape[1]], dim=1)
            condition = sample_condition(mean, log_variance, epsilon)
            images = generator(torch.cat([condition, noise], dim=1), depth, fade)
            parts.append(to_pixels(images).numpy())
        return np.concatenate(parts)

    def save(self, path: Path, progress: dict[str, float]) -> None:
        """Writes everything that training goes on from, and `progress` with it."""
        content = io.BytesIO()
        state = {name: part.state_dict() for name, part in self._parts().items()}
        scales = {name: _scales(part) for name, part in self._networks().items()}
        torch.save({"progress": progress, "state": state, "scales": scales}, content)
        write_atomically(path, content.getvalue())

    def load(self, path: Path) -> dict[str, float]:
        """Takes up what `save` wrote, and returns its `progress`."""
        saved = torch.load(path, weights_only=True)
        for name, part in self._parts().items():
            part.load_state_dict(saved["state"][name])
        # The peer's own files lack the scales of its equalised layers, which it takes from the
        # first weights that chance gives.
        for name, network in self._networks().items():
            for layer, scale in saved["scales"][name].items():
                network.get_submodule(layer).scale = scale
        progress: dict[str, float] = saved["progress"]
        return progress

    def _networks(self) -> dict[str, nn.Module]:
        gan = self.gan
        return {"generator": gan.gen, "averaged": gan.gen_shadow, "discriminator": gan.dis}

    def _parts(self) -> dict[str, Any]:
        learning = isinstance(self.encoder, TextEncoder)
        return {
            **self._networks(),
            **({"encoder": self.encoder} if learning else {}),
            "conditioning": self.conditioning,
            "generator_optimiser": self.gan.gen_optim,
            "discriminator_optimiser": self.gan.dis_optim,
            "text_optimiser": self._text_optimiser,
        }


def _scales(network: nn.Module) -> dict[str, Tensor]:
    return {
        name: module.scale
        for name, module in network.named_modules()
        if isinstance(getattr(module, "scale", None), Tensor)
    }
