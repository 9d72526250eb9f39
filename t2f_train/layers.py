"""The layers that generator and discriminator are made of: equalised, normalised, fused.

Sources: ProGAN (Karras et al. 2018, arXiv:1710.10196) for every layer, to the section named there.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAKY_SLOPE = 0.2
"""Slope of leaky ReLU below zero (ProGAN, appendix A.1)."""

LEAKY_GAIN = math.sqrt(2.0)
"""He initialisation's gain for rectifiers (He et al. 2015, arXiv:1502.01852, section 2.2)."""

NORM_EPSILON = 1e-7
"""Keeps the pixel norm of a vector of zeros at zero."""


def leaky_relu(features: Tensor) -> Tensor:
    """Leaky ReLU with ProGAN's slope of 0.2; same shape and type as `features`."""
    return F.leaky_relu(features, LEAKY_SLOPE)


def pixel_norm(features: Tensor, epsilon: float = NORM_EPSILON) -> Tensor:
    """Scales the feature vector at every pixel to unit mean square.

    Source: ProGAN, section 4.2. The paper adds 1e-8, which optimisers of ONNX graphs are known to
    drop, so that a vector of zeros becomes NaN; 1e-7 survives them.

    Args:
        features: Shape `(batch, channels, ...)`, any float type.
        epsilon: Keeps an all-zero vector at zero.

    Returns:
        Same shape and type as `features`.
    """
    mean_square = features.square().mean(dim=1, keepdim=True)
    return features * (mean_square + epsilon).rsqrt()


def minibatch_deviation(features: Tensor) -> Tensor:
    """Adds a channel with the standard deviation over the batch, averaged over everything else.

    Source: ProGAN, section 3, with the whole batch as one group.

    Args:
        features: Shape `(batch, channels, height, width)`.

    Returns:
        Shape `(batch, channels + 1, height, width)`.
    """
    # The small constant keeps the root's gradient finite where a batch is all alike.
    deviation = (features.var(dim=0, correction=0) + 1e-8).sqrt().mean()
    return torch.cat([features, deviation.expand_as(features[:, :1])], dim=1)


def upsample(images: Tensor) -> Tensor:
    """Doubles height and width by repeating pixels; shape `(batch, channels, height, width)`."""
    return F.interpolate(images, scale_factor=2.0, mode="nearest")


def downsample(images: Tensor) -> Tensor:
    """Halves height and width by averaging 2x2 pixels; shape `(batch, channels, height, width)`."""
    return F.avg_pool2d(images, 2)


def box_kernel(kernel: Tensor) -> Tensor:
    """Sums a convolution's kernel over a 2x2 box: `(..., 3, 3)` becomes `(..., 4, 4)`.

    A 3x3 convolution of an image whose pixels are doubled is a stride-2 transposed convolution
    with this kernel; followed by 2x2 averaging, it is a stride-2 convolution with a quarter of it.
    Source: the identity behind `fused_scale` in ProGAN's published code; exact, up to rounding.
    """
    padded = F.pad(kernel, (1, 1, 1, 1))
    return padded[..., 1:, 1:] + padded[..., :-1, 1:] + padded[..., 1:, :-1] + padded[..., :-1, :-1]


class EqualisedLayer(nn.Module):
    """A weight drawn from N(0, 1) and scaled at run time by He's constant, and a bias of zeros.

    So that all weights learn at the same speed under Adam. Source: ProGAN, section 4.1.

    Args:
        shape: Shape of the weight, output channels first.
        fan_in: Inputs that one output sums over.
        gain: He's gain: sqrt(2) before a leaky ReLU, 1 where nothing follows.
    """

    def __init__(self, shape: tuple[int, ...], *, fan_in: int, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0]))
        self.scale = gain / math.sqrt(fan_in)

    def scaled_weight(self) -> Tensor:
        """The weight as it is applied: the learnt one times He's constant."""
        return self.weight * self.scale


class Linear(EqualisedLayer):
    """Equalised fully connected layer: `(batch, inputs)` to `(batch, outputs)`."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__((outputs, inputs), fan_in=inputs, gain=gain)

    def forward(self, features: Tensor) -> Tensor:
        """Maps `(batch, inputs)` to `(batch, outputs)`."""
        return F.linear(features, self.scaled_weight(), self.bias)


class Convolution(EqualisedLayer):
    """Equalised convolution that keeps height and width.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        side: Height and width of the kernel: 1 or 3.
        gain: He's gain, see `EqualisedLayer`.
    """

    def __init__(
        self, inputs: int, outputs: int, *, side: int = 3, gain: float = LEAKY_GAIN
    ) -> None:
        super().__init__((outputs, inputs, side, side), fan_in=inputs * side * side, gain=gain)
        self.padding = side // 2

    def forward(self, features: Tensor) -> Tensor:
        """Maps `(batch, inputs, height, width)` to `(batch, outputs, height, width)`."""
        return F.conv2d(features, self.scaled_weight(), self.bias, padding=self.padding)


class UpsamplingConvolution(Convolution):
    """Doubles height and width, then convolves 3x3, as one transposed convolution.

    2.25 times fewer multiplications than `Convolution` after `upsample`, with equal results.
    """

    def transposed_kernel(self) -> Tensor:
        """The kernel of the one transposed convolution, shape `(inputs, outputs, 4, 4)`."""
        # A transposed convolution applies its kernel turned by 180 degrees.
        return box_kernel(self.scaled_weight()).flip(2, 3).transpose(0, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Maps `(batch, inputs, height, width)` to `(batch, outputs, 2 height, 2 width)`."""
        kernel = self.transposed_kernel()
        return F.conv_transpose2d(features, kernel, self.bias, stride=2, padding=1)


class DownsamplingConvolution(Convolution):
    """Convolves 3x3, then averages 2x2 pixels, as one convolution with stride 2.

    2.25 times fewer multiplications than `downsample` after `Convolution`, with equal results.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Maps `(batch, inputs, height, width)` to `(batch, outputs, height / 2, width / 2)`."""
        kernel = box_kernel(self.scaled_weight()) * 0.25
        return F.conv2d(features, kernel, self.bias, stride=2, padding=1)
