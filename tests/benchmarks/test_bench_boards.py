"""The figures of boards that nobody here has: that they agree with each other, and say whence."""

import re

import pytest


@pytest.fixture
def boards(script):
    return {board.name: board for board in script("boards").BOARDS}


def test_every_board_names_a_document_and_where_it_was_read(boards):
    for board in boards.values():
        assert board.source.startswith("NVIDIA, "), board.name
        assert re.search(r"[\w-]+\.(com|net)\b", board.source), board.name


def test_the_rates_are_those_that_makers_print_rounded(boards):
    printed = {  # TFLOPS of float32, where a document gives them
        "Jetson AGX Orin 64 GB": (5.3, 0.05),
        "Jetson AGX Thor (T5000)": (8.064, 0.0005),
        "GeForce RTX 4060": (15, 0.5),
        "GeForce RTX 4070": (29, 0.5),
    }
    for name, (teraflops, rounding) in printed.items():
        assert boards[name].float32 / 1e12 == pytest.approx(teraflops, abs=rounding), name


def test_cores_of_one_kind_are_as_quick_as_their_clocks(boards):
    """Orins have one tensor core for every 32 CUDA cores, so both rates keep one ratio."""
    orins = [board for name, board in boards.items() if "Orin" in name]
    ratios = [board.float16 / board.float32 for board in orins]
    assert len(orins) == 3
    assert ratios == pytest.approx([8.0] * 3, rel=0.01)


def test_bandwidth_is_what_the_bus_carries(boards):
    buses = {  # bits, and gigabits a second of each
        "Jetson Orin Nano 8 GB (Super)": (128, 6.4),
        "Jetson Orin NX 16 GB": (128, 6.4),
        "Jetson AGX Orin 64 GB": (256, 6.4),
        "Jetson AGX Thor (T5000)": (256, 8.532),
        "GeForce RTX 4060": (128, 17.0),
        "GeForce RTX 4070": (192, 21.0),
    }
    for name, (bits, gigabits) in buses.items():
        assert boards[name].bandwidth / 1e9 == pytest.approx(bits * gigabits / 8, rel=0.005), name
