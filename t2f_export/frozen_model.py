"""A trained model as plain arrays: what is learnt, with every constant factor folded in."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from t2f_train.generator import Block, Generator
from t2f_train.layers import NORM_EPSILON, Convolution, Linear, UpsamplingConvolution
from t2f_train.model import FaceModel
from t2f_train.text_encoder import TextEncoder

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FrozenLinear:
    """A fully connected layer."""

    weight: Array
    """Shape `(outputs, inputs)`."""
    bias: Array
    """Shape `(outputs,)`."""


@dataclass(frozen=True, slots=True)
class FrozenConvolution:
    """A convolution that keeps height and width, or doubles them."""

    kernel: Array
    """Shape `(outputs, inputs, side, side)`, or `(inputs, outputs, 4, 4)` where `is_upsampling`."""
    bias: Array
    """Shape `(outputs,)`."""
    is_upsampling: bool = False
    """Whether it is a transposed convolution with stride 2."""


@dataclass(frozen=True, slots=True)
class FrozenTextEncoder:
    """The text encoder and the conditioning layer."""

    embedding: Array
    """Shape `(vocabulary, embedding)`."""
    input_weight: Array
    """Shape `(4 sentence, embedding)`; gates in torch's order: input, forget, cell, output."""
    state_weight: Array
    """Shape `(4 sentence, sentence)`; gates likewise."""
    input_bias: Array
    """Shape `(4 sentence,)`; gates likewise."""
    state_bias: Array
    """Shape `(4 sentence,)`; gates likewise."""
    mean: FrozenLinear
    """From the sentence embedding to the condition's mean."""
    log_variance: FrozenLinear
    """From the sentence embedding to the condition's log-variance."""


@dataclass(frozen=True, slots=True)
class FrozenGenerator:
    """The generator at one depth, without its fading branch."""

    dense: FrozenLinear
    """From the latent to the features at 4x4, flattened."""
    convolutions: tuple[FrozenConvolution, ...]
    """All convolutions in their order, but for the last; leaky ReLU and pixel norm follow each."""
    to_rgb: FrozenConvolution
    """The last convolution, to RGB in -1 to 1."""
    epsilon: float = NORM_EPSILON
    """What pixel norm adds."""
    has_first_norm: bool = True
    """Whether pixel norm follows the dense layer, too; leaky ReLU always does."""
    has_scale: bool = False
    """Whether the first value of the latent is a 1 that was scaled with the others onto the
    hypersphere; all are divided by it, which undoes the scaling, before the dense layer."""

    @property
    def image_size(self) -> int:
        """Side of the images, in pixels."""
        return 4 << sum(convolution.is_upsampling for convolution in self.convolutions)


def freeze_conditioning(model: FaceModel) -> tuple[FrozenLinear, FrozenLinear]:
    """Freezes what maps a model's sentence embedding to the condition's mean and log-variance."""
    if model.conditioning is None:
        raise TypeError("the model draws without text and has no condition to freeze")
    joined = _freeze_linear(model.conditioning.linear)
    size = model.condition_size
    mean = FrozenLinear(joined.weight[:size], joined.bias[:size])
    return mean, FrozenLinear(joined.weight[size:], joined.bias[size:])


def freeze_text_encoder(model: FaceModel) -> FrozenTextEncoder:
    """Freezes the text encoder, an LSTM, and the conditioning layer of a model."""
    encoder = model.text_encoder
    if not isinstance(encoder, TextEncoder):
        raise TypeError(f"the model's text encoder is no LSTM, but {type(encoder).__name__}")
    lstm = encoder.lstm
    mean, log_variance = freeze_conditioning(model)
    return FrozenTextEncoder(
        embedding=_array(encoder.embedding.weight),
        input_weight=_array(lstm.get_parameter("weight_ih_l0")),
        state_weight=_array(lstm.get_parameter("weight_hh_l0")),
        input_bias=_array(lstm.get_parameter("bias_ih_l0")),
        state_bias=_array(lstm.get_parameter("bias_hh_l0")),
        mean=mean,
        log_variance=log_variance,
    )


def freeze_generator(generator: Generator, depth: int) -> FrozenGenerator:
    """Freezes a generator at a depth whose layers have faded in: 0 for 4x4 pixels and so on."""
    convolutions = [_freeze_convolution(generator.first.convolution)]
    for module in generator.blocks[:depth]:
        block = cast("Block", module)
        convolutions.append(_freeze_upsampling(block.upsampling))
        convolutions.append(_freeze_convolution(block.convolution))
    return FrozenGenerator(
        dense=_freeze_linear(generator.first.dense),
        convolutions=tuple(convolutions),
        to_rgb=_freeze_convolution(cast("Convolution", generator.to_rgb[depth])),
    )


def _array(tensor: Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)


def _freeze_linear(layer: Linear) -> FrozenLinear:
    return FrozenLinear(_array(layer.scaled_weight()), _array(layer.bias))


def _freeze_convolution(layer: Convolution) -> FrozenConvolution:
    return FrozenConvolution(_array(layer.scaled_weight()), _array(layer.bias))


def _freeze_upsampling(layer: UpsamplingConvolution) -> FrozenConvolution:
    kernel = _array(layer.transposed_kernel())
    return FrozenConvolution(kernel, _array(layer.bias), is_upsampling=True)
