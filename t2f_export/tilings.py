"""Minimal filtering: 3x3 convolutions of tiles with fewer products, as four small matrices.

Source: Lavin and Gray (2015), "Fast algorithms for convolutional neural networks"
(arXiv:1509.09308), sections 3 and 4. A tile of m x m results is

    results @ ((kernel @ k @ kernel.T) * (pixels @ d @ pixels.T)) @ results.T

with the 3x3 kernel k and the pixels d that it meets. Products are counted a channel, and are summed
over the channels before `results` is applied.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from t2f_train import winograd

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the tiles of a convolution's results are computed, in one dimension.

    Args:
        pixels: Shape `(products, inputs)`: from the pixels that a tile meets, which begin one
            before it.
        kernel: Shape `(products, 3)`: from the taps of the kernel.
        results: Shape `(outputs, products)`: to the results of the tile.
        stride: From one tile's first pixel to the next one's.
    """

    pixels: Matrix
    kernel: Matrix
    results: Matrix
    stride: int

    @property
    def products(self) -> int:
        """Multiplications of one tile, in one dimension."""
        return len(self.pixels)

    @property
    def inputs(self) -> int:
        """Pixels that a tile meets, in one dimension."""
        return int(self.pixels.shape[1])

    @property
    def outputs(self) -> int:
        """Results of a tile, in one dimension."""
        return len(self.results)

    def upsampling(self) -> "Tiling":
        """The same after the pixels were doubled (nearest, 2x), from the pixels before that.

        Doubled pixels are a polynomial that 1 + z divides, so what is taken at z = -1 is 0: it
        needs no product. Of F(4, 3)'s six are left five, of F(2, 3)'s four three.
        """
        # A tile begins on an even pixel, and what it meets with the pixel before: 0, 1 1, 2 2, 3.
        doubled = np.eye(self.inputs // 2 + 1)[(np.arange(self.inputs) + 1) // 2]
        pixels = self.pixels @ doubled
        taken = np.any(pixels != 0, axis=1)
        return Tiling(pixels[taken], self.kernel[taken], self.results[:, taken], self.stride // 2)


SMALL: Final = Tiling(
    pixels=np.array([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    kernel=np.array([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
    results=np.array([[1.0, 1, 1, 0], [0, 1, -1, -1]]),
    stride=2,
)
"""F(2, 3), section 4.1: 4 products for what takes 6."""

LARGE: Final = Tiling(
    pixels=np.array(winograd.PIXELS),
    kernel=np.array(winograd.KERNEL),
    results=np.array(winograd.RESULTS),
    stride=winograd.TILE,
)
"""F(4, 3), section 4.3: 6 products for what takes 12."""

SMALL_UPSAMPLING: Final = SMALL.upsampling()
"""3 products for what takes 4 of the pixels before upsampling."""

LARGE_UPSAMPLING: Final = LARGE.upsampling()
"""5 products for what takes 8."""
