"""The layers that generator and discriminator are made of: equalised, normalised, fused.

Sources: ProGAN (Karras et al. 2018, arXiv:1710.10196) for every layer, to the section named there.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2f_train import winograd
from t2f_train.collectives import batch_mean

LEAKY_SLOPE = 0.2
"""Slope of leaky ReLU below zero (ProGAN, appendix A.1)."""

LEAKY_GAIN = math.sqrt(2.0)
"""He initialisation's gain for rectifiers (He et al. 2015, arXiv:1502.01852, section 2.2)."""

NORM_EPSILON = 1e-7
"""Keeps the pixel norm of a vector of zeros at zero."""


def leaky_relu(features: Tensor) -> Tensor:
    """Leaky ReLU with ProGAN's slope of 0.2; same shape and type as `features`."""
    return F.leaky_relu(features, LEAKY_SLOPE)


def leaky_slope(gradient: Tensor, outputs: Tensor) -> Tensor:
    """Pulls a gradient back through `leaky_relu`.

    The slopes are constants: leaky ReLU has no curvature.

    Args:
        gradient: Of the outputs, any shape.
        outputs: What `leaky_relu` gave: its signs tell the slopes. Same shape.

    Returns:
        The gradient of what went into `leaky_relu`, same shape.
    """
    pulled: Tensor = torch.ops.aten.leaky_relu_backward(
        gradient, outputs.detach(), LEAKY_SLOPE, True
    )
    return pulled


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
    if features.dtype.itemsize < 4:  # the squares of float16 overflow
        return pixel_norm(features.float(), epsilon).to(features.dtype)
    mean_square = features.square().mean(dim=1, keepdim=True)
    return features * (mean_square + epsilon).rsqrt()


def batch_deviation(features: Tensor, batches: int = 1) -> Tensor:
    """The standard deviation over a batch, averaged over everything else, for each of its images.

    Source: ProGAN, section 3, with the whole batch as one group, over all processes.

    Args:
        features: Shape `(batches * batch, channels, height, width)`: whole batches in a row.
        batches: How many there are; each has a deviation of its own.

    Returns:
        Shape `(batches * batch, 1)`, equal within a batch.
    """
    rows = features.reshape(batches, -1, *features.shape[1:]).transpose(0, 1)
    # `Tensor.var` over this dimension takes twenty times as long on a CPU.
    variance = batch_mean((rows - batch_mean(rows)).square())
    # The small constant keeps the root's gradient finite where a batch is all alike.
    deviation = (variance + 1e-8).sqrt().flatten(1).mean(dim=1, keepdim=True)
    return deviation.repeat_interleave(len(features) // batches, dim=0)


def convolve_constant(values: Tensor, kernel: Tensor, side: int) -> Tensor:
    """Convolves images whose channels are constant, without drawing them.

    One matrix product applies each of the kernel's 9 taps to the constants, another adds up at each
    pixel the taps that lie inside the image.

    Args:
        values: The constants, shape `(batch, inputs)`.
        kernel: Shape `(outputs, inputs, 3, 3)`.
        side: Height and width of the images, which are padded with zeros.

    Returns:
        Shape `(batch, outputs, side, side)`.
    """
    inside = F.unfold(kernel.new_ones(1, 1, side, side), 3, padding=1)[0]
    taps = F.linear(values, kernel.flatten(2).transpose(1, 2).flatten(0, 1))
    return (taps.reshape(-1, 9) @ inside).reshape(-1, len(kernel), side, side)


def upsample(images: Tensor) -> Tensor:
    """Doubles height and width by repeating pixels; shape `(batch, channels, height, width)`."""
    return F.interpolate(images, scale_factor=2.0, mode="nearest")


def downsample(images: Tensor) -> Tensor:
    """Halves height and width by averaging 2x2 pixels; shape `(batch, channels, height, width)`."""
    return F.avg_pool2d(images, 2)


def blend(old: Tensor, new: Tensor, fade: float | Tensor) -> Tensor:
    """Goes from old to new as layers fade in: at 0 all is old, at 1 new; all of the same shape."""
    if isinstance(fade, Tensor):  # which may have more digits than the others
        return old + (new - old) * fade
    return torch.lerp(old, new, fade)


def is_fading(fade: float | Tensor) -> bool:
    """Whether the layers below still take part; a tensor says so by being one."""
    return isinstance(fade, Tensor) or fade < 1.0


def box_matrix() -> Tensor:
    """Sums a convolution's kernel over a 2x2 box, as a matrix from 3x3 to 4x4 values.

    A 3x3 convolution of an image whose pixels are doubled is a stride-2 transposed convolution
    with this kernel; followed by 2x2 averaging, it is a stride-2 convolution with a quarter of it.
    Source: the identity behind `fused_scale` in ProGAN's published code; exact, up to rounding.
    One matrix product takes a twentieth of the time of four shifted sums on a CPU.

    Returns:
        Shape `(9, 16)`, of zeros and ones.
    """
    taps = torch.eye(9).reshape(9, 1, 3, 3)
    return F.conv2d(taps, torch.ones(1, 1, 2, 2), padding=1).flatten(1)


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
        # The features are fewer than the weights: to scale them gives the same for less.
        return F.linear(features * self.scale, self.weight, self.bias)


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
        features, kernel = self._scale(features)
        if winograd.is_quicker(features, kernel):
            return winograd.convolve(features, kernel, self.bias)
        return F.conv2d(features, kernel, self.bias, padding=self.padding)

    def pull_back(self, gradient: Tensor) -> Tensor:
        """Maps the gradient of what came out to that of what went in: the transposed layer."""
        gradient, kernel = self._scale(gradient)
        if winograd.is_quicker(gradient, kernel):
            return winograd.convolve(gradient, kernel.flip(2, 3).transpose(0, 1))
        return F.conv_transpose2d(gradient, kernel, padding=self.padding)

    def _scale(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Values and weight, of which the fewer are multiplied by He's constant."""
        if values.numel() < self.weight.numel():
            return values * self.scale, self.weight
        return values, self.scaled_weight()


class UpsamplingConvolution(Convolution):
    """Doubles height and width, then convolves 3x3, as one transposed convolution.

    2.25 times fewer multiplications than `Convolution` after `upsample`, with equal results.
    """

    box: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        # A transposed convolution applies its kernel turned by 180 degrees.
        self.register_buffer("box", box_matrix().flip(1), persistent=False)

    def transposed_kernel(self) -> Tensor:
        """The kernel of the one transposed convolution, shape `(inputs, outputs, 4, 4)`."""
        kernel = self.weight.flatten(2) @ (self.box * self.scale)
        return kernel.reshape(*self.weight.shape[:2], 4, 4).transpose(0, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Maps `(batch, inputs, height, width)` to `(batch, outputs, 2 height, 2 width)`."""
        kernel = self.transposed_kernel()
        return F.conv_transpose2d(features, kernel, self.bias, stride=2, padding=1)


class DownsamplingConvolution(Convolution):
    """Convolves 3x3, then averages 2x2 pixels, as one convolution with stride 2.

    2.25 times fewer multiplications than `downsample` after `Convolution`, with equal results.
    """

    box: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.register_buffer("box", box_matrix(), persistent=False)

    def kernel(self) -> Tensor:
        """The kernel of the one convolution, shape `(outputs, inputs, 4, 4)`."""
        kernel = self.weight.flatten(2) @ (self.box * (0.25 * self.scale))
        return kernel.reshape(*self.weight.shape[:2], 4, 4)

    def forward(self, features: Tensor) -> Tensor:
        """Maps `(batch, inputs, height, width)` to `(batch, outputs, height / 2, width / 2)`."""
        return F.conv2d(features, self.kernel(), self.bias, stride=2, padding=1)

    def pull_back(self, gradient: Tensor) -> Tensor:
        """Maps the gradient of what came out to that of what went in: the transposed layer."""
        return F.conv_transpose2d(gradient, self.kernel(), stride=2, padding=1)
