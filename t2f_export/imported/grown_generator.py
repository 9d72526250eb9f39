"""A generator as pro_gan_pytorch builds it: drawn straight from its weights, or frozen.

Both the package's version 3 and the version 1 that the original T2F trained with have these layers;
they differ in names, scales and in what becomes of the latent. Source: `Generator`,
`GenInitialBlock` and `GenGeneralConvBlock` of akanimax/pro_gan_pytorch, after ProGAN (Karras et al.
2018, arXiv:1710.10196).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from t2f_export.errors import ForeignModelError
from t2f_export.frozen_model import Array, FrozenConvolution, FrozenGenerator, FrozenLinear
from t2f_train.layers import LEAKY_SLOPE, box_matrix

EPSILON = 1e-8
"""What the package's pixel norm adds, to latents too."""


@dataclass(frozen=True, slots=True)
class ForeignLayer:
    """A weight as it was saved, and the factor that its program applies to it."""

    weight: Tensor
    """Shape `(outputs, inputs, side, side)`; of the first layer `(inputs, outputs, 4, 4)`."""
    bias: Tensor
    """Shape `(outputs,)`."""
    scale: float
    """The equalised learning rate's factor; 1 where there is none."""

    @property
    def kernel(self) -> Tensor:
        """The weight as it is applied."""
        return self.weight * self.scale

    @property
    def is_untrained(self) -> bool:
        """Whether the layer is as it was made: no step leaves every bias at exactly 0."""
        return not self.bias.any()


@dataclass(frozen=True, slots=True)
class GrownGenerator:
    """A generator at one size."""

    first: ForeignLayer
    """The transposed convolution from the latent to 4x4 pixels."""
    second: ForeignLayer
    """The convolution that follows."""
    blocks: tuple[tuple[ForeignLayer, ForeignLayer], ...]
    """Two convolutions for every doubling of the size."""
    to_rgb: ForeignLayer
    """The convolution of one pixel to RGB."""
    normalises_latent: bool
    """Whether latents are put on the hypersphere; if not, their length matters."""

    @property
    def image_size(self) -> int:
        """Side of the images, in pixels."""
        return 4 << len(self.blocks)

    @property
    def latent_size(self) -> int:
        """Length of the latent, without what a bundle adds."""
        return self.first.weight.shape[0]

    @property
    def channels(self) -> list[int]:
        """Feature channels at 4, 8, 16 … pixels."""
        return [len(self.second.bias), *(len(block[1].bias) for block in self.blocks)]

    @torch.no_grad()
    def draw(self, latents: Tensor) -> Tensor:
        """Draws images step by step as the program that trained the network does.

        Args:
            latents: Shape `(batch, latent)`, from N(0, 1) or a condition joined with that.

        Returns:
            Shape `(batch, 3, side, side)`, RGB, nominally -1 to 1.
        """
        features = latents[:, :, None, None]
        if self.normalises_latent:
            features = _pixel_norm(features)
        features = F.conv_transpose2d(features, self.first.kernel, self.first.bias)
        features = F.leaky_relu(features, LEAKY_SLOPE)
        features = _pixel_norm(_convolve(features, self.second))
        for block in self.blocks:
            features = F.interpolate(features, scale_factor=2.0)
            for layer in block:
                features = _pixel_norm(_convolve(features, layer))
        return F.conv2d(features, self.to_rgb.kernel, self.to_rgb.bias)

    def freeze(self) -> FrozenGenerator:
        """The same network in a bundle's form.

        The runtime puts every latent on the hypersphere, so a network that does so needs not. For
        one that does not, the latent gets one more value, in front, which is 1 before that and
        tells the network by what to divide the others (`FrozenGenerator.has_scale`).
        """
        weight = self.first.kernel.permute(1, 2, 3, 0).flatten(0, 2)  # (channels 4 4, latent)
        if not self.normalises_latent:
            weight = F.pad(weight, (1, 0))
        convolutions = [_freeze(self.second)]
        for upsampling, convolution in self.blocks:
            convolutions += [_freeze_upsampling(upsampling), _freeze(convolution)]
        return FrozenGenerator(
            dense=FrozenLinear(_array(weight), _array(self.first.bias.repeat_interleave(16))),
            convolutions=tuple(convolutions),
            to_rgb=_freeze(self.to_rgb),
            epsilon=EPSILON,
            has_first_norm=False,
            has_scale=not self.normalises_latent,
        )


@dataclass(frozen=True, slots=True)
class GrowingGenerator:
    """All that a file holds: the layers of every size, trained or still to be."""

    first: ForeignLayer
    """See `GrownGenerator`."""
    second: ForeignLayer
    """See `GrownGenerator`."""
    blocks: tuple[tuple[ForeignLayer, ForeignLayer], ...]
    """See `GrownGenerator`; for the largest size."""
    to_rgbs: tuple[ForeignLayer, ...]
    """The convolution to RGB at 4, 8, 16 … pixels."""
    normalises_latent: bool
    """See `GrownGenerator`."""

    def at(self, pixels: int | None, source: str) -> GrownGenerator:
        """The generator at one size.

        Args:
            pixels: Side of the images; None takes the largest.
            source: What errors call the file.

        Raises:
            ForeignModelError: If there is no such size, or its layers have never been trained.
        """
        sizes = [4 << depth for depth in range(len(self.to_rgbs))]
        wanted = sizes[-1] if pixels is None else pixels
        if wanted not in sizes:
            raise ForeignModelError(
                f"{source} draws {', '.join(map(str, sizes))} pixels, not {wanted}"
            )
        trained = [size for size in sizes if not self._is_untrained(sizes.index(size))]
        if wanted not in trained:
            repair = f"draw what was with --pixels {trained[-1]}" if trained else "train it first"
            raise ForeignModelError(
                f"{source} was saved before its layers of {wanted} pixels were trained (all their "
                f"biases are 0); {repair}"
            )
        depth = sizes.index(wanted)
        return GrownGenerator(
            first=self.first,
            second=self.second,
            blocks=self.blocks[:depth],
            to_rgb=self.to_rgbs[depth],
            normalises_latent=self.normalises_latent,
        )

    def _is_untrained(self, depth: int) -> bool:
        own = self.blocks[depth - 1] if depth else (self.first, self.second)
        return all(layer.is_untrained for layer in (*own, self.to_rgbs[depth]))


def _convolve(features: Tensor, layer: ForeignLayer) -> Tensor:
    return F.leaky_relu(F.conv2d(features, layer.kernel, layer.bias, padding=1), LEAKY_SLOPE)


def _pixel_norm(features: Tensor) -> Tensor:
    return features / (features.square().mean(dim=1, keepdim=True) + EPSILON).sqrt()


def _array(tensor: Tensor) -> Array:
    return tensor.contiguous().numpy()


def _freeze(layer: ForeignLayer) -> FrozenConvolution:
    return FrozenConvolution(_array(layer.kernel), _array(layer.bias))


def _freeze_upsampling(layer: ForeignLayer) -> FrozenConvolution:
    """Doubling and a 3x3 convolution as one transposed convolution; see `box_matrix`."""
    outputs, inputs = layer.weight.shape[:2]
    kernel = layer.kernel.flatten(2) @ box_matrix().flip(1)
    kernel = kernel.reshape(outputs, inputs, 4, 4).transpose(0, 1)
    return FrozenConvolution(_array(kernel), _array(layer.bias), is_upsampling=True)
