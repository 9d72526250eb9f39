"""The discriminator: how real an image looks, and how well it fits a description.

Sources: ProGAN (arXiv:1710.10196), table 2, for the trunk that mirrors the generator; Reed et al.
(arXiv:1605.05396), section 4.1, for the compressed description that joins the features at 4x4;
StackGAN++ (arXiv:1710.10916), section 3.2, for the second head that judges images alone.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2f_train.layers import (
    LEAKY_GAIN,
    Convolution,
    DownsamplingConvolution,
    Linear,
    batch_deviation,
    blend,
    convolve_constant,
    downsample,
    is_fading,
    leaky_relu,
    leaky_slope,
    upsample,
)


class Block(nn.Module):
    """Halves the resolution: a plain convolution and a fused downsampling one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = Convolution(inputs, inputs)
        self.downsampling = DownsamplingConvolution(inputs, outputs)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What both layers make of features.

        Args:
            features: Shape `(batch, inputs, side, side)`.

        Returns:
            Shapes `(batch, inputs, side, side)` and `(batch, outputs, side / 2, side / 2)`.
        """
        hidden = leaky_relu(self.convolution(features))
        return hidden, leaky_relu(self.downsampling(hidden))

    def pull_back(self, gradient: Tensor, hidden: Tensor, outputs: Tensor) -> Tensor:
        """Maps the gradient of `outputs` to that of the features, as `forward` made them."""
        gradient = self.downsampling.pull_back(leaky_slope(gradient, outputs))
        return self.convolution.pull_back(leaky_slope(gradient, hidden))


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

    def look(self, features: Tensor, batches: int = 1) -> Tensor:
        """The images' part of the convolution, which serves any number of descriptions.

        The deviation and the description are constant over an image, so that they are convolved
        apart, and cheaply; the sum is the convolution of all of them joined.

        Args:
            features: Shape `(batches * batch, channels, 4, 4)`.
            batches: How many batches these are; see `batch_deviation`.

        Returns:
            Same shape as `features`.
        """
        channels, scale = features.shape[1], self.convolution.scale
        kernel = self.convolution.weight
        seen = F.conv2d(features * scale, kernel[:, :channels], self.convolution.bias, padding=1)
        deviation = batch_deviation(features, batches) * scale
        return seen + convolve_constant(deviation, kernel[:, channels : channels + 1], 4)

    def judge(self, seen: Tensor, sentence: Tensor | None = None) -> Tensor:
        """Maps what `look` gave and sentences `(batch, sentence)` to scores `(batch,)`."""
        score: Tensor = self.score(self._hidden(seen, sentence)[1])
        return score[:, 0]

    def _hidden(self, seen: Tensor, sentence: Tensor | None) -> tuple[Tensor, Tensor]:
        """Outputs of the convolution and of the dense layer behind it."""
        if self.compression is not None:
            if sentence is None:
                raise ValueError("this head scores images with descriptions; give sentences")
            compressed = leaky_relu(self.compression(sentence)) * self.convolution.scale
            kernel = self.convolution.weight[:, seen.shape[1] + 1 :]
            seen = seen + convolve_constant(compressed, kernel, 4)
        hidden = leaky_relu(seen)
        return hidden, leaky_relu(self.dense(hidden.flatten(1)))

    def slope(self, features: Tensor, sentence: Tensor | None = None) -> Tensor:
        """The gradient of each image's score by its features, written out.

        The deviation over the batch counts as a constant: the penalty is one of each image by
        itself (WGAN-GP, arXiv:1704.00028, section 4, on batch normalisation), and through the
        deviation a gradient would also hold what an image does to the scores of the others.

        Args:
            features: Shape `(batch, channels, 4, 4)`.
            sentence: Shape `(batch, sentence)`, or None as for `judge`.

        Returns:
            Same shape as `features`; it has derivatives by the weights, and by nothing else.
        """
        with torch.no_grad():
            hidden, dense = self._hidden(self.look(features), sentence)
        gradient = leaky_slope(self.score.scaled_weight().expand_as(dense), dense)
        gradient = F.linear(gradient * self.dense.scale, self.dense.weight.T).view_as(hidden)
        gradient = leaky_slope(gradient, hidden) * self.convolution.scale
        kernel = self.convolution.weight[:, : features.shape[1]]
        return F.conv_transpose2d(gradient, kernel, padding=1)

    def forward(self, features: Tensor, sentence: Tensor | None = None) -> Tensor:
        """Maps `(batch, channels, 4, 4)` and `(batch, sentence)` to scores `(batch,)`."""
        return self.judge(self.look(features), sentence)


@dataclass(frozen=True, slots=True)
class Trace:
    """What the trunk made of images, layer by layer: all that its gradient depends on."""

    features: Tensor
    """Shape `(batch, channels at 4x4, 4, 4)`."""
    first: Tensor
    """Output of the layer from RGB, shape `(batch, channels, side, side)`."""
    blocks: tuple[tuple[Tensor, Tensor], ...]
    """Outputs of the blocks, from the highest resolution down; see `Block.forward`."""
    old: Tensor | None
    """Output of the layer that fades out, shape `(batch, channels, side / 2, side / 2)`."""
    fade: float | Tensor
    """Weight of the newest layers, 0 to 1."""


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

    def features(self, images: Tensor, depth: int, fade: float | Tensor = 1.0) -> Tensor:
        """The trunk: everything that does not depend on the description.

        Args:
            images: Shape `(batch, 3, side, side)` with side `4 * 2**depth`, RGB, -1 to 1.
            depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
            fade: Weight of the newest layers, 0 to 1; at 0 the features are those of the depth
                below for the halved image (ProGAN, figure 2).

        Returns:
            Shape `(batch, channels at 4x4, 4, 4)`.
        """
        return self.trace(images, depth, fade).features

    def trace(self, images: Tensor, depth: int, fade: float | Tensor = 1.0) -> Trace:
        """The trunk, with what each of its layers gave; arguments as for `features`."""
        first = features = leaky_relu(self.from_rgb[depth](images))
        old = None
        blocks = []
        for level in range(depth - 1, -1, -1):
            blocks.append(self.blocks[level](features))
            features = blocks[-1][1]
            if level == depth - 1 and is_fading(fade):
                old = leaky_relu(self.from_rgb[level](downsample(images)))
                features = blend(old, features, fade)
        return Trace(features, first, tuple(blocks), old, fade)

    def slope(
        self, images: Tensor, sentence: Tensor | None, depth: int, fade: float, alone: float = 0.0
    ) -> Tensor:
        """The gradient of each image's score by the image; a penalty on it is differentiated once.

        The trunk is linear but for the slopes of its leaky ReLUs, so that its gradient is the
        transposed network, written out: it gives what differentiating twice gives, without the
        pass back through the trunk that finds nothing to bend. What the deviation over the batch
        does is left out; see `LastBlock.slope`.

        Args:
            images: Shape `(batch, 3, side, side)`; as for `features`.
            sentence: Shape `(batch, sentence)`; None where the model has no text.
            depth: As for `features`.
            fade: As for `features`.
            alone: Weight of the second head's score, where there is one.

        Returns:
            Same shape as `images`; it has derivatives by the weights, and by nothing else.
        """
        with torch.no_grad():
            trace = self.trace(images, depth, fade)
        gradient = self.last.slope(trace.features, sentence)
        if self.second is not None:
            gradient = gradient + alone * self.second.slope(trace.features)
        return self.pull_back(gradient, trace)

    def pull_back(self, gradient: Tensor, trace: Trace) -> Tensor:
        """Maps the gradient of a trace's features to that of its images: the transposed trunk.

        Args:
            gradient: Shape `(batch, channels at 4x4, 4, 4)`.
            trace: What `trace` gave.

        Returns:
            Shape `(batch, 3, side, side)`.
        """
        fading = gradient
        depth = len(trace.blocks)
        for level, (hidden, outputs) in enumerate(reversed(trace.blocks)):
            if level == depth - 1:
                fading = gradient
                gradient = gradient * trace.fade
            gradient = cast("Block", self.blocks[level]).pull_back(gradient, hidden, outputs)
        from_rgb = [cast("Convolution", layer) for layer in self.from_rgb]
        images = from_rgb[depth].pull_back(leaky_slope(gradient, trace.first))
        if trace.old is None:
            return images
        fading = leaky_slope(fading * (1.0 - trace.fade), trace.old)
        return images + 0.25 * upsample(from_rgb[depth - 1].pull_back(fading))

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
