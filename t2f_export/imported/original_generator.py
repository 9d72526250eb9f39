"""Reads the generator of the original T2F: `GAN_GEN_N.pth`, of pro-gan-pth 1.

Sources: `Generator` in `PRO_GAN.py` and the layers in `CustomLayers.py` of `pro-gan-pth` 1.3.3.3,
the last version whose `ConditionalProGAN` takes sentences, and so the last that the original works
with. Its equalised layers keep their weights under `conv`, `deconv` or `linear`, apart from their
biases, and multiply by the root mean square of the weights that they drew at first. That number is
not in the file: whenever the original itself loads one, its layers draw other weights and so take
another. What is taken here is the value that all of these lie around, He's constant with a gain of
1 as torch draws it; see `docs/exporting.md` for how far they are apart.
"""

from t2f_export.imported.grown_generator import ForeignLayer, GrowingGenerator
from t2f_export.imported.weights_file import NamedTensors

_EQUALISED = ("conv", "deconv")
"""Under which an equalised layer keeps its weight."""


def read_original_generator(tensors: NamedTensors) -> GrowingGenerator:
    """Reads the generator of every size that the file holds.

    Args:
        tensors: Of `GAN_GEN_N.pth` or `GAN_GEN_SHADOW_N.pth`.

    Raises:
        ForeignModelError: If tensors are missing, too many, or do not fit each other.
    """
    latent_size, channels = tensors.sizes(_weight_name(tensors, "initial_block.conv_1"), 4)[:2]
    first = _take(tensors, "initial_block.conv_1", (latent_size, channels, 4, 4), channels)
    second = _take_convolution(tensors, "initial_block.conv_2", channels, channels, 3)
    widths = [channels]
    blocks = []
    number = 0
    while any(f"layers.{number}.conv_2.{name}" in tensors for name in ("weight", "conv.weight")):
        name = f"layers.{number}"
        outputs = tensors.sizes(_weight_name(tensors, f"{name}.conv_2"), 4)[0]
        upsampling = _take_convolution(tensors, f"{name}.conv_1", widths[-1], outputs, 3)
        blocks.append(
            (upsampling, _take_convolution(tensors, f"{name}.conv_2", outputs, outputs, 3))
        )
        widths.append(outputs)
        number += 1
    to_rgbs = tuple(
        _take_convolution(tensors, f"rgb_converters.{depth}", width, 3, 1)
        for depth, width in enumerate(widths)
    )
    tensors.check_all_taken()
    return GrowingGenerator(
        first=first,
        second=second,
        blocks=tuple(blocks),
        to_rgbs=to_rgbs,
        normalises_latent=False,
    )


def _weight_name(tensors: NamedTensors, name: str) -> str:
    for inner in _EQUALISED:
        if f"{name}.{inner}.weight" in tensors:
            return f"{name}.{inner}.weight"
    return f"{name}.weight"


def _take_convolution(
    tensors: NamedTensors, name: str, inputs: int, outputs: int, side: int
) -> ForeignLayer:
    return _take(tensors, name, (outputs, inputs, side, side), outputs)


def _take(
    tensors: NamedTensors, name: str, shape: tuple[int, int, int, int], outputs: int
) -> ForeignLayer:
    weight_name = _weight_name(tensors, name)
    is_equalised = weight_name != f"{name}.weight"
    weight = tensors.take(weight_name, *shape)
    bias = tensors.take(f"{name}.bias", outputs)
    inner_bias = weight_name.removesuffix("weight") + "bias"
    if is_equalised and inner_bias in tensors:  # up to version 1.3.3: both are added
        bias = bias + tensors.take(inner_bias, outputs)
    # Of a transposed convolution torch takes the second dimension for the inputs.
    fan_in = shape[1] * shape[2] * shape[3]
    return ForeignLayer(weight=weight, bias=bias, scale=fan_in**-0.5 if is_equalised else 1.0)
