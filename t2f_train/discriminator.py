"""The discriminator: how real an image looks, and how well it fits a description.

Sources: ProGAN (arXiv:1710.10196), table 2, for the trunk that mirrors the generator; Reed et al.
(arXiv:1605.05396), section 4.1, for the compressed description that joins the features at 4x4;
StackGAN++ (arXiv:1710.10916), section 3.2, for the second head that judges images alone.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from t2f_train.layers import (
    LEAKY_GAIN,
    Convolution,
    DownsamplingConvolution,
    Linear,
    downsample,
    leaky_relu,
    minibatch_deviation,
)


class Block(nn.Module):
    """Halves the resolution: a plain convolution and a fused downsampling one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = Convolution(inputs, inputs)
        self.downsampling = DownsamplingConvolution(inputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Maps `(batch, inputs, side, side)` to `(batch, outputs, side / 2, side / 2)`."""
        return leaky_relu(self.downsampling(leaky_relu(self.convolution(features))))


class LastBlock(nn.Module):
    """From features of 4x4 pixels, and a description where it takes one, to a score.

    Args:
        channels: Feature channels at 4x4.
        sentence_size: Length of the sentence embedding psi; 0 for a head that sees none.
        compressed_size: Length to which a linear layer compresses psi.
    """

    def __init__(self, channels: int, sentence_size: int = 0, compressed_size: int = 0) -> None:
        super().__init__()
        self.compression: Linear | None = None
        # One more channel for the deviation over the batch.
        inputs = channels + 1
        if sentence_size:
            self.compression = Linear(sentence_size, compressed_size, gain=LEAKY_GAIN)
            inputs += compressed_size
        self.convolution = Convolution(inputs, channels)
        self.dense = Linear(channels * 16, channels, gain=LEAKY_GAIN)
        self.score = Linear(channels, 1)

    def forward(self, features: Tensor, sentence: Tensor | None = None) -> Tensor:
        """Maps `(batch, channels, 4, 4)` and `(batch, sentence)` to scores `(batch,)`."""
        joined = minibatch_deviation(features)
        if self.compression is not None:
            if sentence is None:
                raise ValueError("this head scores images with descriptions; give sentences")
            compressed = leaky_relu(self.compression(sentence))[:, :, None, None]
            joined = torch.cat([joined, compressed.expand(-1, -1, 4, 4)], dim=1)
        hidden = leaky_relu(self.convolution(joined)).flatten(1)
        score: Tensor = self.score(leaky_relu(self.dense(hidden)))
        return score[:, 0]


class Discriminator(nn.Module):
    """Scores images, with descriptions or alone, at any depth it has grown to.

    The description enters at the last block only, so `features` of an image serve any number of
    descriptions: the mismatched pair of the matching-aware loss costs one more `score`.

    Args:
        channels: Feature channels at 4, 8, 16 … pixels, one number a depth.
        sentence_size: Length of the sentence embedding psi; 0 for images alone.
        compressed_size: Length to which psi is compressed before it joins the features.
        has_second_head: Whether images are also judged without their descriptions.
    """

    def __init__(
        self,
        channels: tuple[int, ...],
        *,
        sentence_size: int,
        compressed_size: int,
        has_second_head: bool = False,
    ) -> None:
        super().__init__()
        self.from_rgb = nn.ModuleList(Convolution(3, count, side=1) for count in channels)
        self.blocks = nn.ModuleList(
            Block(inputs, outputs) for outputs, inputs in pairwise(channels)
        )
        self.last = LastBlock(channels[0], sentence_size, compressed_size)
        self.second: LastBlock | None = LastBlock(channels[0]) if has_second_head else None

    def features(self, images: Tensor, depth: int, fade: float = 1.0) -> Tensor:
        """The trunk: everything that does not depend on the description.

        Args:
            images: Shape `(batch, 3, side, side)` with side `4 * 2**depth`, RGB, -1 to 1.
            depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
            fade: Weight of the newest layers, 0 to 1; at 0 the features are those of the depth
                below for the halved image (ProGAN, figure 2).

        Returns:
            Shape `(batch, channels at 4x4, 4, 4)`.
        """
        features = leaky_relu(self.from_rgb[depth](images))
        for level in range(depth - 1, -1, -1):
            features = self.blocks[level](features)
            if level == depth - 1 and fade < 1.0:
                old = leaky_relu(self.from_rgb[level](downsample(images)))
                features = torch.lerp(old, features, fade)
        return features

    def score(self, features: Tensor, sentence: Tensor | None) -> Tensor:
        """Scores features with sentence embeddings; higher is more real and better matched.

        Args:
            features: Shape `(batch, channels at 4x4, 4, 4)`, from `features`.
            sentence: Shape `(batch, sentence)`; None where the model has no text.

        Returns:
            Shape `(batch,)`, unbounded.
        """
        score: Tensor = self.last(features, sentence)
        return score

    def score_alone(self, features: Tensor) -> Tensor:
        """Scores features without descriptions, by the second head; shapes as for `score`."""
        if self.second is None:
            raise ValueError("this discriminator has no second head")
        score: Tensor = self.second(features)
        return score

    def forward(
        self, images: Tensor, sentence: Tensor | None, depth: int, fade: float = 1.0
    ) -> Tensor:
        """Scores of images with descriptions: `features`, then `score`."""
        return self.score(self.features(images, depth, fade), sentence)

    def active_parameters(self, depth: int) -> list[nn.Parameter]:
        """The parameters that take part while `depth` fades in: the ones to optimise."""
        parts = [self.last, *self.blocks[:depth], *self.from_rgb[max(depth - 1, 0) : depth + 1]]
        if self.second is not None:
            parts.append(self.second)
        return [parameter for part in parts for parameter in part.parameters()]
