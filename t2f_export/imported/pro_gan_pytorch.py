"""Reads generators that pro_gan_pytorch trained: the files of PyPI's `pro-gan-pth` from 3.0 on.

Such a file holds, for each network, what it was built with and its state_dict; `shadow_generator`
has the averaged weights. Source: `Generator.get_save_info`, `create_generator_from_saved_model` and
`custom_layers.py` of `pro-gan-pth` 3.4.
"""

import math
from collections.abc import Mapping
from pathlib import Path

from t2f_export.errors import ForeignModelError
from t2f_export.imported.grown_generator import ForeignLayer, GrowingGenerator
from t2f_export.imported.weights_file import NamedTensors, read_weights_file

AVERAGED = "shadow_generator"
LAST = "generator"
"""Names of the generators in a file; the averaged one is taken where there is one, as the package's
own tools do."""

_OLD_NAME = "initial_block"


def read_pro_gan_pytorch(path: Path) -> tuple[GrowingGenerator, dict[str, object]]:
    """Reads a saved generator.

    Args:
        path: The file: `models/depth_D_epoch_E.bin` of a training folder, or what else
            `torch.save` made of `get_save_info()`.

    Returns:
        The generator, and what the file tells of it: `weights` (which of the two generators) and
        `use_eql`.

    Raises:
        ForeignModelError: If the file cannot be read safely, or holds another model.
    """
    saved = read_weights_file(path)
    if not isinstance(saved, Mapping):
        raise ForeignModelError(
            f"{path} is no model of pro_gan_pytorch, but a value of type {type(saved).__name__}"
        )
    part = AVERAGED if AVERAGED in saved else LAST
    entry = saved.get(part)
    if not isinstance(entry, Mapping) or not {"conf", "state_dict"} <= entry.keys():
        raise ForeignModelError(_other_format(path, saved))
    uses_scales = _uses_scales(entry["conf"], path)
    tensors = NamedTensors(entry["state_dict"], f"{path}, {part!r}")
    generator = _read_generator(tensors, uses_scales=uses_scales)
    tensors.check_all_taken()
    return generator, {"weights": part, "use_eql": uses_scales}


def _other_format(path: Path, saved: Mapping[object, object]) -> str:
    names = [str(name) for name in saved]
    if any(_OLD_NAME in name for name in names):
        return (
            f"{path} is a generator of pro-gan-pth 1 or 2, whose files do not tell whether its "
            f"latents were normalised; files of version 3 are read, and those of the original T2F "
            f"with --from t2f-original"
        )
    listed = ", ".join(names[:6]) or "nothing"
    return (
        f"{path} holds no 'generator' with 'conf' and 'state_dict', as pro_gan_pytorch 3 saves it; "
        f"it has: {listed:.200}"
    )


def _uses_scales(conf: object, path: Path) -> bool:
    if not isinstance(conf, Mapping) or not isinstance(conf.get("use_eql"), bool):
        raise ForeignModelError(
            f"{path}: 'conf' does not tell by 'use_eql' whether the learning rate is equalised"
        )
    return bool(conf["use_eql"])


def _read_generator(tensors: NamedTensors, *, uses_scales: bool) -> GrowingGenerator:
    latent_size, channels = tensors.sizes("layers.0.conv_1.weight", 4)[:2]

    def layer(name: str, inputs: int, outputs: int, side: int) -> ForeignLayer:
        return ForeignLayer(
            weight=tensors.take(f"{name}.weight", outputs, inputs, side, side),
            bias=tensors.take(f"{name}.bias", outputs),
            scale=_scale(inputs * side * side) if uses_scales else 1.0,
        )

    blocks = []
    widths = [channels]
    second = layer("layers.0.conv_2", channels, channels, 3)
    for number in range(1, tensors.count("rgb_converters.{}.weight")):
        name = f"layers.{number}"
        outputs = tensors.sizes(f"{name}.conv_2.weight", 4)[0]
        upsampling = layer(f"{name}.conv_1", widths[-1], outputs, 3)
        blocks.append((upsampling, layer(f"{name}.conv_2", outputs, outputs, 3)))
        widths.append(outputs)
    return GrowingGenerator(
        first=ForeignLayer(
            weight=tensors.take("layers.0.conv_1.weight", latent_size, channels, 4, 4),
            bias=tensors.take("layers.0.conv_1.bias", channels),
            scale=_scale(latent_size) if uses_scales else 1.0,
        ),
        second=second,
        blocks=tuple(blocks),
        to_rgbs=tuple(
            layer(f"rgb_converters.{depth}", width, 3, 1) for depth, width in enumerate(widths)
        ),
        normalises_latent=True,
    )


def _scale(fan_in: int) -> float:
    """He's constant (arXiv:1502.01852) as the package applies it, to the layers to RGB too."""
    return math.sqrt(2.0 / fan_in)
