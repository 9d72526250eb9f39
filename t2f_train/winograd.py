"""3x3 convolutions with a quarter of the multiplications, for wide layers on a processor.

Winograd's minimal filtering F(4x4, 3x3), as in Lavin and Gray (2015), "Fast algorithms for
convolutional neural networks" (arXiv:1509.09308), section 4.3: tiles of 6x6 pixels and kernels of
3x3 are mapped to 36 values each, multiplied value by value and summed over the input channels (36
matrix products), and mapped to tiles of 4x4 results. Both gradients are computed in the same way.
The mappings are matrix products too, so that everything here is torch's own.

Rounding errors grow to about 1e-5 of the largest result in float32, which Adam does not notice.
torch's convolutions on a processor do not use it: oneDNN has it for no type of x86 any more.
"""

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

TILE = 4
"""Side of the tiles of results; those of pixels reach over them by one on every side."""

MINIMUM_CHANNELS = 128
"""With fewer, the mappings take longer than what is saved (measured; see `is_quicker`)."""

MINIMUM_TILES = 128
"""With fewer, mapping the kernel takes what is saved, and memory."""

CHUNK_VALUES = 2**19
"""Mapped pixels that are held at once: 2 MiB in float32, which stay in a processor's cache."""

PIXELS = (
    (4.0, 0.0, -5.0, 0.0, 1.0, 0.0),
    (0.0, -4.0, -4.0, 1.0, 1.0, 0.0),
    (0.0, 4.0, -4.0, -1.0, 1.0, 0.0),
    (0.0, -2.0, -1.0, 2.0, 1.0, 0.0),
    (0.0, 2.0, -1.0, -2.0, 1.0, 0.0),
    (0.0, 4.0, 0.0, -5.0, 0.0, 1.0),
)
"""From the 6 pixels that a tile meets to 6 values, in one dimension."""

KERNEL = (
    (1 / 4, 0.0, 0.0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0.0, 0.0, 1.0),
)
"""From the 3 taps of a kernel."""

RESULTS = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    (0.0, 1.0, -1.0, 2.0, -2.0, 0.0),
    (0.0, 1.0, 1.0, 4.0, 4.0, 0.0),
    (0.0, 1.0, -1.0, 8.0, -8.0, 1.0),
)
"""From the 6 products to the 4 results of a tile."""


def is_quicker(images: Tensor, kernel: Tensor) -> bool:
    """Whether `convolve` takes less time than torch's convolution.

    Args:
        images: Shape `(batch, inputs, height, width)`.
        kernel: Shape `(outputs, inputs, side, side)`.
    """
    height, width = images.shape[2:]
    return (
        images.device.type == "cpu"
        and images.dtype == kernel.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
        and kernel.shape[2:] == (3, 3)
        and min(kernel.shape[:2]) >= MINIMUM_CHANNELS
        and height % TILE == width % TILE == 0
        and len(images) * height * width >= MINIMUM_TILES * TILE * TILE
    )


def convolve(images: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    """What `F.conv2d` gives with a padding of 1, up to rounding; can be differentiated once.

    Args:
        images: Shape `(batch, inputs, height, width)`, both sides multiples of 4.
        kernel: Shape `(outputs, inputs, 3, 3)`, of the same type.
        bias: Shape `(outputs,)`.

    Returns:
        Shape `(batch, outputs, height, width)`, in memory pixel by pixel (channels last).
    """
    results: Tensor = _Winograd.apply(images, kernel, bias)  # type: ignore[no-untyped-call]
    return results


class _Winograd(torch.autograd.Function):
    """Forward and backward pass of `convolve`."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 (torch passes it)
        images: Tensor,
        kernel: Tensor,
        bias: Tensor | None,
    ) -> Tensor:
        """Convolves."""
        ctx.save_for_backward(images, kernel)
        return _convolve(images, _map_kernel(kernel), bias)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401
        gradient: Tensor,
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Gradients of the images, the kernel and the bias, as far as they are asked for."""
        images, kernel = ctx.saved_tensors
        of_images = of_kernel = of_bias = None
        if ctx.needs_input_grad[0]:
            of_images = _convolve(gradient, _map_kernel(kernel.flip(2, 3).transpose(0, 1)))
        if ctx.needs_input_grad[1]:
            of_kernel = _kernel_gradient(images, gradient)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum(dim=(0, 2, 3))
        return of_images, of_kernel, of_bias


def _convolve(images: Tensor, mapped: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolves with a kernel that `_map_kernel` made."""
    count, _, height, width = images.shape
    outputs = mapped.shape[2]
    pixels, _, results = _matrices(images.dtype)
    whole = images.new_empty(count, height, width, outputs)
    tiled = whole.view(count, height // TILE, TILE, width // TILE, TILE, outputs)
    for start, part in _chunks(images):
        tiles = _tiles(part)
        products = torch.bmm(_map(pixels, tiles), mapped)
        shape = (TILE, TILE, len(part), height // TILE, width // TILE, outputs)
        found = (results @ products.flatten(1)).view(shape).permute(2, 3, 0, 4, 1, 5)
        place = tiled[start : start + len(part)]
        if bias is None:
            place.copy_(found)
        else:
            torch.add(found, bias, out=place)
    return whole.permute(0, 3, 1, 2)


def _kernel_gradient(images: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of the kernel, shape `(outputs, inputs, 3, 3)`."""
    pixels, kernel, results = _matrices(images.dtype)
    inputs, outputs = images.shape[1], gradient.shape[1]
    mapped = images.new_zeros(36, inputs, outputs)
    for start, part in _chunks(images):
        tiles = _map(pixels, _tiles(part))
        slopes = _tiles(gradient[start : start + len(part)], overlap=0)
        mapped.baddbmm_(tiles.transpose(1, 2), _map(results.T, slopes))
    found = (kernel.T @ mapped.flatten(1)).view(3, 3, inputs, outputs)
    return found.permute(3, 2, 0, 1)


def _map_kernel(kernel: Tensor) -> Tensor:
    """Shape `(36, inputs, outputs)`."""
    taps = kernel.permute(2, 3, 1, 0).reshape(9, -1)
    return (_matrices(kernel.dtype)[1] @ taps).view(36, kernel.shape[1], kernel.shape[0])


def _map(matrix: Tensor, tiles: Tensor) -> Tensor:
    """Shape `(36, tiles, channels)` from what `_tiles` gave."""
    return (matrix @ tiles.flatten(1)).view(len(matrix), *tiles.shape[1:])


def _tiles(images: Tensor, overlap: int = 1) -> Tensor:
    """Tiles that reach over their 4x4 pixels by `overlap`: shape `(pixels, tiles, channels)`."""
    pixels = images.permute(0, 2, 3, 1)
    side = TILE + 2 * overlap
    # Windows are gathered from images whose channels lie together.
    padded = F.pad(pixels.contiguous(), (0, 0, overlap, overlap, overlap, overlap))
    windows = padded.unfold(1, side, TILE).unfold(2, side, TILE)  # batch, rows, columns, channels
    return windows.permute(4, 5, 0, 1, 2, 3).reshape(side * side, -1, images.shape[1])


def _chunks(images: Tensor) -> list[tuple[int, Tensor]]:
    """Parts of a batch that stay in the cache, each with the number of its first image."""
    _, inputs, height, width = images.shape
    values = 36 * (height // TILE) * (width // TILE) * inputs
    size = max(1, CHUNK_VALUES // values)
    return [(start, images[start : start + size]) for start in range(0, len(images), size)]


@lru_cache
def _matrices(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """What maps pixels, kernels and results in two dimensions: 36x36, 36x9 and 16x36."""
    rows = (torch.tensor(matrix, dtype=dtype) for matrix in (PIXELS, KERNEL, RESULTS))
    pixels, kernel, results = (torch.kron(matrix, matrix) for matrix in rows)
    return pixels, kernel, results
