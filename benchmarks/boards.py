"""Rates of boards that nobody here has, from their makers' data sheets: for estimates alone.

float32 is twice the CUDA cores times the clock, as NVIDIA's data sheets reckon it. float16 is that
of the tensor cores without sparsity: the sparse INT8 or FP4 figure, halved for sparsity and again
for every doubling of the bits.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Board:
    """What a data sheet says."""

    name: str
    float32: float
    """Operations a second."""
    float16: float
    """Operations a second, in tensor cores, dense."""
    bandwidth: float
    """Bytes a second of its memory."""
    source: str
    """Where the figures are from, and what was made of them."""


BOARDS = (
    Board(
        "Jetson Orin Nano 8 GB (Super)",
        2 * 1024 * 1.02e9,
        67e12 / 4,
        102e9,
        "NVIDIA, Jetson Orin Nano Super Developer Kit data sheet, December 2024: 1024 CUDA cores, "
        "1.02 GHz, 67 TOPS of sparse INT8, 102 GB/s",
    ),
    Board(
        "Jetson AGX Orin 64 GB",
        5.3e12,
        170e12 / 4,
        204.8e9,
        "NVIDIA, Jetson AGX Orin Series technical brief 1.2: 5.3 TFLOPS of float32 and 170 TOPS of "
        "sparse INT8 for the GPU, 204.8 GB/s",
    ),
    Board(
        "Jetson AGX Thor (T5000)",
        2 * 2560 * 1.57e9,
        2070e12 / 8,
        273e9,
        "NVIDIA, Jetson Thor series modules data sheet: 2560 CUDA cores, 1.57 GHz, 2070 TFLOPS of "
        "sparse FP4, 273 GB/s",
    ),
    Board(
        "GeForce RTX 4060",
        2 * 3072 * 2.46e9,
        242e12 / 8,
        272e9,
        "NVIDIA, GeForce RTX 4060 specifications: 3072 CUDA cores, 2.46 GHz, 242 AI TOPS (sparse "
        "INT8), 272 GB/s; GeForce tensor cores add up in float32 at half the rate",
    ),
)
