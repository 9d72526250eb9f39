"""Rates of boards that nobody here has, from their makers' data sheets: for estimates alone.

float32 is twice the CUDA cores times the clock, as NVIDIA's data sheets reckon it. float16 is that
of the tensor cores without sparsity: the sparse INT8 or FP4 figure, halved for sparsity and again
for every doubling of the bits. Where a figure was not read in the maker's own document, the source
says where it was. GeForce RTX 3060 and 5070 are left out: no page was at hand that gives the rate
of their tensor cores, or their bandwidth.
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


_COMPARISON = (
    "NVIDIA, Compare GeForce Graphics Cards, nvidia.com/en-gb/geforce/graphics-cards/compare, as "
    "copied on 2026-05-19"
)

BOARDS = (
    Board(
        "Jetson Orin Nano 8 GB (Super)",
        2 * 1024 * 1.02e9,
        67e12 / 4,
        102e9,
        "NVIDIA, Jetson Orin Nano Super Developer Kit data sheet, December 2024: 1024 CUDA cores, "
        "1.02 GHz, 67 TOPS of sparse INT8, 102 GB/s; as quoted on "
        "brojogopalsapui.com/ai-foundations (Jetson Orin Nano Super)",
    ),
    Board(
        "Jetson Orin NX 16 GB",
        2 * 1024 * 918e6,
        60e12 / 4,
        102e9,
        "NVIDIA, Jetson Orin NX Series data sheet DS-10712-001 v1.0: page 1, 1024 CUDA cores, "
        "918 MHz, 100 TOPS of sparse INT8, 40 of them of the two DLAs, which leaves 60 for the "
        "GPU; page 9, 102 GB/s; files.waveshare.com/wiki/common/Jetson_Orin_NX_DS-10712-001_v1.0."
        "pdf, as quoted in a public record of specifications",
    ),
    Board(
        "Jetson AGX Orin 64 GB",
        2 * 2048 * 1.3e9,
        170e12 / 4,
        204.8e9,
        "NVIDIA, Jetson AGX Orin Series Modules data sheet DS-10662-001 v1.8: page 7, 2048 CUDA "
        "cores, 1.3 GHz, 170 TOPS of sparse INT8 for the GPU; page 12, up to 204.8 GB/s; "
        "static.generation-robots.com/media/Jetson-AGX-Orin-Data-Sheet.pdf, as quoted in a public "
        "record of specifications",
    ),
    Board(
        "Jetson AGX Thor (T5000)",
        2 * 2560 * 1.575e9,
        2070e12 / 8,
        273e9,
        "NVIDIA, Jetson Thor Series Modules data sheet DS-11945-001 v1.5, at MAXN: 2560 CUDA "
        "cores, 1.575 GHz (8.064 TFLOPS of float32), 2070 TFLOPS of sparse FP4, 273 GB/s; as "
        "quoted in a public survey of July 2026, and alike on developer.ridgerun.com (NVIDIA "
        "Jetson AGX Thor, SoM Overview)",
    ),
    Board(
        "GeForce RTX 4060",
        2 * 3072 * 2.46e9,
        242e12 / 8,
        272e9,
        f"{_COMPARISON}: 3072 CUDA cores, 2.46 GHz, 242 AI TOPS (sparse INT8); GeForce tensor "
        "cores add up in float32 at half the rate (30.2 TFLOPS on hmc-tech.com); 272 GB/s is not "
        "on that page, but 128 bits at 17 Gbit/s on itcreations.com (GeForce RTX 4060)",
    ),
    Board(
        "GeForce RTX 4070",
        2 * 5888 * 2.48e9,
        466e12 / 8,
        504.2e9,
        f"{_COMPARISON}: 5888 CUDA cores, 2.48 GHz, 466 AI TOPS (sparse INT8), at half the rate as "
        "above; 504.2 GB/s is not on that page, but on topcpu.net (GeForce RTX 4070)",
    ),
)
