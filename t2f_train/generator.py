"""The generator: from a latent vector to an image, grown one resolution at a time.

Source: ProGAN (arXiv:1710.10196), section 2 (growing) and table 2 (layers).
"""

from itertools import pairwise

from torch import Tensor, nn

from t2f_train.layers import (
    LEAKY_GAIN,
    Convolution,
    Linear,
    UpsamplingConvolution,
    blend,
    is_fading,
    leaky_relu,
    pixel_norm,
    upsample,
)


class FirstBlock(nn.Module):
    """From the latent to features of 4x4 pixels.

    Args:
        latent_size: Length of the latent.
        channels: Feature channels at 4x4.
    """

    def __init__(self, latent_size: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        # ProGAN divides this layer's gain by 4, to match the 4x4 convolution that it stands for.
        self.dense = Linear(latent_size, channels * 16, gain=LEAKY_GAIN / 4)
        self.convolution = Convolution(channels, channels)

    def forward(self, latent: Tensor) -> Tensor:
        """Maps `(batch, latent)` to `(batch, channels, 4, 4)`."""
        features = self.dense(latent).unflatten(1, (self.channels, 4, 4))
        features = pixel_norm(leaky_relu(features))
        return pixel_norm(leaky_relu(self.convolution(features)))


class Block(nn.Module):
    """Doubles the resolution: a fused upsampling convolution and a plain one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.upsampling = UpsamplingConvolution(inputs, outputs)
        self.convolution = Convolution(outputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Maps `(batch, inputs, side, side)` to `(batch, outputs, 2 side, 2 side)`."""
        features = pixel_norm(leaky_relu(self.upsampling(features)))
        return pixel_norm(leaky_relu(self.convolution(features)))


class Generator(nn.Module):
    """Draws images from latents at any depth it has grown to.

    Depth 0 is 4x4 pixels, depth d is `4 * 2**d`. All depths are built at the start; a depth that
    has not been reached takes no part and gets no gradient.

    Args:
        latent_size: Length of the latent.
        channels: Feature channels at 4, 8, 16 … pixels, one number a depth.
    """

    def __init__(self, latent_size: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_size = latent_size
        self.channels = channels
        self.first = FirstBlock(latent_size, channels[0])
        self.blocks = nn.ModuleList(
            Block(inputs, outputs) for inputs, outputs in pairwise(channels)
        )
        self.to_rgb = nn.ModuleList(Convolution(count, 3, side=1, gain=1.0) for count in channels)

    def forward(self, latent: Tensor, depth: int, fade: float | Tensor = 1.0) -> Tensor:
        """Draws one image a latent.

        Args:
            latent: Shape `(batch, latent)`, on the hypersphere of radius sqrt(latent).
            depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
            fade: Weight of the newest layers, 0 to 1; at 0 the image is the one of the depth
                below, enlarged (ProGAN, figure 2).

        Returns:
            Shape `(batch, 3, side, side)`, RGB, nominally -1 to 1; nothing bounds it.
        """
        features = self.first(latent)
        below = features
        for block in self.blocks[:depth]:
            below = features
            features = block(features)
        images: Tensor = self.to_rgb[depth](features)
        if depth == 0 or not is_fading(fade):
            return images
        old: Tensor = upsample(self.to_rgb[depth - 1](below))
        return blend(old, images, fade)

    def waiting(self, depth: int) -> list[nn.Module]:
        """The layers of higher resolutions than `depth`, which have taken no part yet."""
        return [*self.blocks[depth:], *self.to_rgb[depth + 1 :]]

    def active_parameters(self, depth: int) -> list[nn.Parameter]:
        """The parameters that take part while `depth` fades in: the ones to optimise."""
        parts = [self.first, *self.blocks[:depth], *self.to_rgb[max(depth - 1, 0) : depth + 1]]
        return [parameter for part in parts for parameter in part.parameters()]
