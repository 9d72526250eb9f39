"""How much each layer loses by INT8, and which layers are spared so that the pictures hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import onnx

from t2f_export.errors import PrecisionError
from t2f_export.precision.half import stored_in_half
from t2f_export.precision.quantise import Feed, layers_to_quantise, quantise, without_quantising
from t2f_runtime.bundle.manifest import LayerError
from t2f_runtime.bundle.manifest_fields import Network
from t2f_runtime.pictures.arrays import Pictures
from t2f_runtime.tolerances import TOLERANCES
from t2f_runtime.verification import compare

ROOM_DB: Final = 3.0
"""How much clearer the pictures must be here than the tolerance asks, since others are drawn later;
each of the two networks may take half of the noise that is left."""

Draw = Callable[[onnx.ModelProto], Pictures]
"""Draws the faces to compare with a network; the other network is the float32 one."""


@dataclass(frozen=True, slots=True)
class QuantisedNetwork:
    """A network in INT8, with what is known of its layers."""

    model: onnx.ModelProto
    """The graph."""
    layers: tuple[LayerError, ...]
    """Each layer that can be quantised."""


def quantise_within(
    network: Network, model: onnx.ModelProto, feeds: Sequence[Feed], draw: Draw
) -> QuantisedNetwork:
    """Quantises a network, but for the layers that cost too much.

    Each layer is quantised alone, and the pictures compared with those of float32. Then all are
    quantised together; while the pictures are too far off, the layer that was worst alone is taken
    back to float32.

    Args:
        network: Which network it is.
        model: The graph in float32.
        feeds: What is calibrated on.
        draw: Draws what is compared; other faces than those calibrated on.

    Raises:
        PrecisionError: The pictures are too far off even with one layer quantised.
    """
    layers = layers_to_quantise(model)
    all_quantised = quantise(model, feeds)
    expected = draw(model)

    def psnr(spared: Sequence[str]) -> float | None:
        return compare(draw(without_quantising(all_quantised, model, spared)), expected).psnr_db

    alone = {name: psnr([other for other in layers if other != name]) for name in layers}
    by_loss = sorted(layers, key=lambda name: _clear(alone[name]))
    wanted = (TOLERANCES["int8"].least_psnr_db or 0.0) + ROOM_DB
    spared: list[str] = []
    while _clear(psnr(spared)) < wanted:
        spared.append(by_loss[len(spared)])
        if len(spared) == len(layers):
            worst = by_loss[-1]
            raise PrecisionError(
                f"the {network} cannot be int8: its least sensitive layer, {worst!r}, alone gives "
                f"pictures of {_clear(alone[worst]):.1f} dB, and {wanted:g} are wanted; leave int8 "
                "out, or give other descriptions to calibrate on with --descriptions"
            )
    rows = tuple(
        LayerError(
            network=network, layer=name, psnr_db=alone[name], is_quantised=name not in spared
        )
        for name in layers
    )
    kept = without_quantising(all_quantised, model, spared)
    # What is still float32 computes in float32, but need not take the room.
    return QuantisedNetwork(stored_in_half(kept), rows)


def _clear(psnr_db: float | None) -> float:
    return float("inf") if psnr_db is None else psnr_db
