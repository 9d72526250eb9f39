"""The generator's graph once more, in the form that is quickest on a processor.

`onnx_graph.generator_graph` has convolutions, which GPUs are built for. On a processor wide layers
take a third less time as products of matrices over tiles of pixels (`tilings`), which is the same
sum in another order. Features are rows here, one a pixel, its channels side by side: gathering
tiles, and pixels that upsampling doubled, then copies whole rows, and pixel norm reads one row at a
time. The order of the rows is whatever the layer before left; the next one's indices undo it.

Only graphs that gain have this form (`is_quicker`); narrow layers at the end of one are
convolutions. The products' kernels are computed from 3x3 ones when an engine folds constants, so
that the file is no larger than the other form's.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto

from t2f_export.frozen_model import FrozenConvolution, FrozenGenerator, FrozenLinear
from t2f_export.onnx_graph import (
    EPSILON,
    GraphBuilder,
    activate,
    add_norm_shares,
    clip_levels,
    convolve,
    dense_layer,
    draw_levels,
    generator_model,
    leaky_relu,
    levels_layer,
)
from t2f_export.tilings import LARGE, LARGE_UPSAMPLING, SMALL_UPSAMPLING, Tiling
from t2f_runtime.bundle.manifest import IMAGE
from t2f_train.layers import box_matrix

MINIMUM_CHANNELS: Final = 128
"""Channels that a layer of `MINIMUM_SIDE` pixels must give for the form to be worth its file."""
MINIMUM_SIDE: Final = 32

NARROWEST: Final = 64
"""With fewer channels, moving rows takes longer than convolving; from there on, convolutions."""

MINIMUM_TILES: Final = 64
"""Tiles from which the large ones pay off, four times as many where they also upsample. With fewer,
reading the products' kernels takes what fewer products save, and they take memory: those of 16
pixels in small tiles would save 0.3 of 18 ms, for 8 MiB more while a kiosk loads."""

_CONSTANTS: Final[dict[str, NDArray[Any]]] = {
    "one_row": np.array([0, 0, 0, 0, 1, 0], np.int64),  # padding: one row of zeros after the last
    "square": np.array(2.0, np.float32),
}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Features as rows: `(batch, pixels, channels)`."""

    name: str
    channels: int
    places: NDArray[np.int64]
    """Shape `(side, side)`: which row each pixel is."""

    @property
    def side(self) -> int:
        return len(self.places)


def is_quicker(generator: FrozenGenerator) -> bool:
    """Whether a processor draws faster with `processor_graph`.

    Measured with benchmarks/processor_forms.py. A generator whose upsampling is no 3x3 convolution
    of doubled pixels, which some imported ones have, has no such form.
    """
    side = 4
    is_wide = False
    for convolution in generator.convolutions:
        if convolution.is_upsampling:
            side *= 2
            if undouble(convolution.kernel) is None:
                return False
        is_wide |= side >= MINIMUM_SIDE and len(convolution.bias) >= MINIMUM_CHANNELS
    return is_wide


def undouble(kernel: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """The 3x3 kernel that, after nearest upsampling, does what a transposed convolution does.

    Args:
        kernel: Of the transposed convolution with stride 2: `(inputs, outputs, 4, 4)`.

    Returns:
        Shape `(outputs, inputs, 3, 3)`; None where there is none.
    """
    box = box_matrix().flip(1).numpy().astype(np.float64)
    flat = kernel.swapaxes(0, 1).reshape(-1, 16)
    taps: NDArray[np.float64] = flat @ np.linalg.pinv(box)
    if not np.allclose(taps @ box, flat, rtol=0, atol=1e-5 * float(np.abs(flat).max())):
        return None
    return taps.reshape(*kernel.shape[1::-1], 3, 3)


def processor_graph(generator: FrozenGenerator) -> onnx.ModelProto:
    """The graph from latents to pictures; inputs and outputs as `onnx_graph.generator_graph`.

    Args:
        generator: One that `is_quicker`.
    """
    build = GraphBuilder()
    build.weight(EPSILON, np.array(generator.epsilon, np.float32))
    for name, value in _CONSTANTS.items():
        build.weight(name, value)
    widths = {generator.dense.weight.shape[0] // 16, *(len(c.bias) for c in generator.convolutions)}
    for width in sorted(widths):
        build.weight(f"ones_{width}", np.ones(width, np.float32))
    features = _first_rows(build, generator)
    for index, convolution in enumerate(generator.convolutions):
        if min(convolution.kernel.shape[:2]) < NARROWEST:
            _draw_convolved(build, features, generator, index)
            break
        features = _convolve_rows(build, features, convolution, f"convolution_{index}")
    else:
        _draw_rows(build, features, generator)
    return generator_model(build, generator)


def _first_rows(build: GraphBuilder, generator: FrozenGenerator) -> _Rows:
    """The dense layer, its outputs in the order of rows."""
    weight, bias = generator.dense.weight, generator.dense.bias
    channels = len(bias) // 16
    by_row = FrozenLinear(
        weight.reshape(channels, 16, -1).swapaxes(0, 1).reshape(weight.shape),
        np.ascontiguousarray(bias.reshape(channels, 16).T).reshape(-1),
    )
    dense = dense_layer(build, generator, by_row)
    first = build.node("Reshape", [dense, _shape(build, "first", 0, 16, channels)], "first")
    if generator.has_first_norm:
        first = _activate_rows(build, first, channels)
    else:
        first = leaky_relu(build, first)
    return _Rows(first, channels, np.arange(16).reshape(4, 4))


def _convolve_rows(
    build: GraphBuilder, features: _Rows, convolution: FrozenConvolution, name: str
) -> _Rows:
    """A convolution, leaky ReLU and pixel norm."""
    tiling: Tiling | None
    if convolution.is_upsampling:
        kernel = undouble(convolution.kernel)
        assert kernel is not None  # noqa: S101 (`is_quicker` has seen to it)
        is_large = (features.side // LARGE_UPSAMPLING.stride) ** 2 >= 4 * MINIMUM_TILES
        tiling = LARGE_UPSAMPLING if is_large else SMALL_UPSAMPLING
    else:
        kernel = convolution.kernel.astype(np.float64)
        tiling = LARGE if (features.side // LARGE.stride) ** 2 >= MINIMUM_TILES else None
    if tiling is None:
        rows = _convolve_pixels(build, features, kernel, name)
    else:
        rows = _convolve_tiles(build, features, kernel, tiling, name)
    bias = build.weight(f"{name}_bias", convolution.bias)
    biased = build.node("Add", [rows.name, bias], name)
    return _Rows(_activate_rows(build, biased, rows.channels), rows.channels, rows.places)


def _convolve_pixels(
    build: GraphBuilder, features: _Rows, kernel: NDArray[np.float64], name: str
) -> _Rows:
    """A 3x3 convolution as one product: each pixel's row has all that its kernel meets."""
    outputs, side = len(kernel), features.side
    windows = _windows(features, size=3, stride=1)
    gathered = _gather(build, features, windows, name)
    shape = _shape(build, f"{name}_windows", 0, side * side, 9 * features.channels)
    rows = build.node("Reshape", [gathered, shape], f"{name}_windows")
    taps = kernel.transpose(2, 3, 1, 0).reshape(-1, outputs).astype(np.float32)
    product = build.node("MatMul", [rows, build.weight(f"{name}_kernel", taps)], f"{name}_product")
    return _Rows(product, outputs, np.arange(side * side).reshape(side, side))


def _convolve_tiles(
    build: GraphBuilder,
    features: _Rows,
    kernel: NDArray[np.float64],
    tiling: Tiling,
    name: str,
) -> _Rows:
    """A 3x3 convolution, of doubled pixels or not, as `tiling.products` squared products."""
    outputs = len(kernel)
    windows = _windows(features, size=tiling.inputs, stride=tiling.stride)
    tiles = len(windows)
    products = tiling.products**2
    gathered = _gather(build, features, windows.transpose(2, 3, 0, 1), name)

    def apply(matrix: NDArray[np.float64], values: str, width: int, what: str) -> str:
        """A matrix of the tiling, in both dimensions, over values `(batch, ..., width)`."""
        both = np.kron(matrix, matrix).astype(np.float32)
        shape = _shape(build, f"{what}_flat", 0, both.shape[1], tiles * tiles * width)
        flat = build.node("Reshape", [values, shape], f"{what}_flat")
        return build.node("MatMul", [build.weight(f"{what}_map", both), flat], f"{what}_mapped")

    mapped = apply(tiling.pixels, gathered, features.channels, f"{name}_pixels")
    by_tile = _shape(build, f"{name}_pixels", 0, products, tiles * tiles, features.channels)
    pixels = build.node("Reshape", [mapped, by_tile], f"{name}_pixels")
    kernels = _map_kernel(build, kernel, tiling, name)
    product = build.node("MatMul", [pixels, kernels], f"{name}_product")
    results = apply(tiling.results, product, outputs, f"{name}_results")
    count = tiling.outputs**2 * tiles * tiles
    by_row = _shape(build, f"{name}_results", 0, count, outputs)
    rows = build.node("Reshape", [results, by_row], f"{name}_results")
    side = tiling.outputs * tiles
    order = np.arange(count).reshape(tiling.outputs, tiling.outputs, tiles, tiles)
    return _Rows(rows, outputs, order.transpose(2, 0, 3, 1).reshape(side, side))


def _map_kernel(build: GraphBuilder, kernel: NDArray[np.float64], tiling: Tiling, name: str) -> str:
    """The kernel of each product: `(products, inputs, outputs)`, of constants alone."""
    outputs, inputs = kernel.shape[:2]
    taps = kernel.transpose(2, 3, 1, 0).reshape(9, inputs * outputs).astype(np.float32)
    both = np.kron(tiling.kernel, tiling.kernel).astype(np.float32)
    weights = [build.weight(f"{name}_kernel_map", both), build.weight(f"{name}_kernel", taps)]
    mapped = build.node("MatMul", weights, f"{name}_kernels_flat")
    shape = _shape(build, f"{name}_kernels", tiling.products**2, inputs, outputs)
    return build.node("Reshape", [mapped, shape], f"{name}_kernels")


def _windows(features: _Rows, *, size: int, stride: int) -> NDArray[np.int64]:
    """The rows that each window meets, from one pixel before it on.

    Returns:
        Shape `(windows, windows, size, size)`; beyond the edges, the row after the last.
    """
    padded = np.pad(features.places, 1, constant_values=features.places.size)
    return sliding_window_view(padded, (size, size))[::stride, ::stride]


def _gather(build: GraphBuilder, features: _Rows, places: NDArray[np.int64], name: str) -> str:
    """Rows in another order, some of them often; beyond the last one is a row of zeros."""
    padded = build.node("Pad", [features.name, "one_row"], f"{name}_padded")
    indices = build.weight(f"{name}_places", places.reshape(-1).astype(np.int32))
    return build.node("Gather", [padded, indices], f"{name}_gathered", axis=1)


def _activate_rows(build: GraphBuilder, rows: str, channels: int) -> str:
    """Leaky ReLU, then pixel norm (ProGAN, arXiv:1710.10196, section 4.2).

    In the nodes that ONNX Runtime makes one of (its SimplifiedLayerNormalization), for which there
    is a product with ones.
    """
    active = leaky_relu(build, rows)
    square = build.node("Pow", [active, "square"], f"{rows}_square")
    mean = build.node("ReduceMean", [square], f"{rows}_mean", axes=[-1], keepdims=1)
    offset = build.node("Add", [mean, EPSILON], f"{rows}_offset")
    root = build.node("Sqrt", [offset], f"{rows}_root")
    divided = build.node("Div", [active, root], f"{rows}_divided")
    return build.node("Mul", [divided, f"ones_{channels}"], f"{rows}_normed")


def _draw_rows(build: GraphBuilder, features: _Rows, generator: FrozenGenerator) -> None:
    """To the picture, whose pixels come into their order as bytes."""
    side = features.side
    layer = levels_layer(generator)
    flat = _shape(build, "levels_flat", -1, features.channels)
    inputs = [
        build.node("Reshape", [features.name, flat], "levels_flat"),
        build.weight("levels_kernel", layer.kernel[:, :, 0, 0]),
        build.weight("levels_bias", layer.bias),
    ]
    levels = clip_levels(build, build.node("Gemm", inputs, "levels", transB=1))
    cast = build.node("Cast", [levels], "levels_bytes", to=TensorProto.UINT8)
    by_pixel = _shape(build, "levels_rows", -1, side * side, 3)
    rows = build.node("Reshape", [cast, by_pixel], "levels_rows")
    order = build.weight("levels_places", features.places.reshape(-1).astype(np.int32))
    ordered = build.node("Gather", [rows, order], "levels_gathered", axis=1)
    build.node("Reshape", [ordered, _shape(build, IMAGE, 0, side, side, 3)], IMAGE)


def _draw_convolved(
    build: GraphBuilder, rows: _Rows, generator: FrozenGenerator, start: int
) -> None:
    """The layers from `start` on as convolutions, and the picture."""
    side = rows.side
    name = f"convolution_{start}"
    order = build.weight(f"{name}_places", rows.places.reshape(-1).astype(np.int32))
    ordered = build.node("Gather", [rows.name, order], f"{name}_gathered", axis=1)
    by_channel = build.node("Transpose", [ordered], f"{name}_by_channel", perm=[0, 2, 1])
    shape = _shape(build, f"{name}_features", 0, rows.channels, side, side)
    features = build.node("Reshape", [by_channel, shape], f"{name}_features")
    rest = generator.convolutions[start:]
    add_norm_shares(build, *(len(convolution.bias) for convolution in rest))
    for index, convolution in enumerate(rest, start):
        features = convolve(build, features, convolution, f"convolution_{index}")
        features = activate(build, features, len(convolution.bias))
    draw_levels(build, features, generator)


def _shape(build: GraphBuilder, name: str, *sizes: int) -> str:
    """A shape for Reshape, in which 0 keeps the batch."""
    return build.weight(f"{name}_shape", np.array(sizes, np.int64))
