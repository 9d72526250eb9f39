from functools import partial

import pytest
import torch
import torch.nn.functional as F

from t2f_train import winograd
from t2f_train.layers import Convolution


def random(*shape, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator)


@pytest.mark.parametrize("chunk", [1, winograd.CHUNK_VALUES])
@pytest.mark.parametrize("has_bias", [False, True])
def test_results_and_gradients_are_those_of_torchs_convolution(monkeypatch, chunk, has_bias):
    monkeypatch.setattr(winograd, "CHUNK_VALUES", chunk)
    images = random(3, 5, 8, 12, seed=1).requires_grad_()
    kernel = random(4, 5, 3, 3, seed=2).requires_grad_()
    bias = random(4, seed=3).requires_grad_() if has_bias else None
    given = [images, kernel, *([bias] if has_bias else [])]
    found, expected = winograd.convolve(*given), F.conv2d(*given, padding=1)
    torch.testing.assert_close(found, expected)
    slopes = random(3, 4, 8, 12, seed=4)
    torch.testing.assert_close(
        torch.autograd.grad(found, given, slopes), torch.autograd.grad(expected, given, slopes)
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_in_float32_it_errs_by_less_than_a_ten_thousandth(layout):
    images = random(2, 128, 16, 16, seed=1).to(torch.float32, memory_format=layout)
    kernel = random(128, 128, 3, 3, seed=2).float()
    found = winograd.convolve(images, kernel)
    expected = F.conv2d(images.double(), kernel.double(), padding=1)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_what_needs_no_gradient_gets_none():
    images, kernel = random(1, 2, 4, 4, seed=1), random(2, 2, 3, 3, seed=2).requires_grad_()
    winograd.convolve(images, kernel).sum().backward()
    assert images.grad is None
    assert kernel.grad is not None
    kernel.requires_grad_(requires_grad=False)
    assert not winograd.convolve(images, kernel).requires_grad


def test_it_is_differentiated_once():
    images = random(1, 2, 4, 4).requires_grad_()
    results = winograd.convolve(images, random(2, 2, 3, 3)).square().sum()
    (gradient,) = torch.autograd.grad(results, images, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


WIDE, MANY = winograd.MINIMUM_CHANNELS, winograd.MINIMUM_TILES


@pytest.mark.parametrize(
    ("images", "kernel", "expected"),
    [
        ((MANY, WIDE, 4, 4), (WIDE, WIDE, 3, 3), True),
        ((MANY - 1, WIDE, 4, 4), (WIDE, WIDE, 3, 3), False),
        ((MANY, WIDE - 1, 4, 4), (WIDE, WIDE - 1, 3, 3), False),
        ((MANY, WIDE, 4, 4), (WIDE, WIDE, 1, 1), False),
        ((MANY, WIDE, 6, 4), (WIDE, WIDE, 3, 3), False),
    ],
)
def test_only_wide_layers_of_many_whole_tiles_are_quicker(images, kernel, expected):
    images, kernel = torch.empty(images, device="meta"), torch.empty(kernel, device="meta")
    assert not winograd.is_quicker(images, kernel)  # on anything but a processor
    images, kernel = torch.empty_like(images, device="cpu"), torch.empty_like(kernel, device="cpu")
    assert winograd.is_quicker(images, kernel) == expected
    assert not winograd.is_quicker(images.double(), kernel.double())
    with torch.autocast("cpu", torch.bfloat16):
        assert not winograd.is_quicker(images, kernel)


def test_a_wide_layer_gives_the_same_either_way(monkeypatch):
    torch.manual_seed(0)
    layer = Convolution(WIDE, WIDE)
    features = random(4, WIDE, 32, 32, dtype=torch.float32)
    assert winograd.is_quicker(features, layer.weight)
    quick = layer(features), layer.pull_back(features)
    monkeypatch.setattr(winograd, "is_quicker", lambda *_: False)
    plain = layer(features), layer.pull_back(features)
    torch.testing.assert_close(quick, plain, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.torch.jit.trace", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(
    "trace", [partial(torch.jit.trace, check_trace=False), torch.export.export]
)
def test_what_is_traced_for_other_programs_is_an_ordinary_convolution(trace):
    layer = Convolution(WIDE, WIDE).requires_grad_(requires_grad=False)
    features = random(1, WIDE, 64, 64, dtype=torch.float32)
    assert winograd.is_quicker(features, layer.weight)
    graph = str(trace(layer, (features,)).graph)
    assert "conv" in graph
    assert "PythonOp" not in graph
    assert "bmm" not in graph
