import math

import pytest
import torch
import torch.nn.functional as F

from t2f_train.layers import (
    LEAKY_GAIN,
    Convolution,
    DownsamplingConvolution,
    Linear,
    UpsamplingConvolution,
    batch_deviation,
    convolve_constant,
    downsample,
    leaky_relu,
    leaky_slope,
    pixel_norm,
    upsample,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def plain_convolution(layer, features):
    return F.conv2d(features, layer.scaled_weight(), layer.bias, padding=1)


@pytest.mark.parametrize("side", [1, 4, 7])
def test_the_fused_upsampling_equals_the_plain_one(side):
    layer = UpsamplingConvolution(5, 3).double()
    layer.bias.data.normal_()
    features = torch.randn(2, 5, side, side, dtype=torch.float64)
    expected = plain_convolution(layer, upsample(features))
    torch.testing.assert_close(layer(features), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("side", [2, 4, 8])
def test_the_fused_downsampling_equals_the_plain_one(side):
    layer = DownsamplingConvolution(5, 3).double()
    layer.bias.data.normal_()
    features = torch.randn(2, 5, side, side, dtype=torch.float64)
    expected = downsample(plain_convolution(layer, features))
    torch.testing.assert_close(layer(features), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("fused_layer", "plain"),
    [
        (UpsamplingConvolution, lambda layer, x: plain_convolution(layer, upsample(x))),
        (DownsamplingConvolution, lambda layer, x: downsample(plain_convolution(layer, x))),
    ],
)
def test_the_fused_layers_have_the_gradients_of_the_plain_ones(fused_layer, plain):
    layer = fused_layer(3, 4).double()
    features = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    inputs = [features, layer.weight, layer.bias]
    fused = torch.autograd.grad(layer(features).sin().sum(), inputs)
    expected = torch.autograd.grad(plain(layer, features).sin().sum(), inputs)
    torch.testing.assert_close(fused, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layer", [Convolution(64, 64), Linear(512, 256, gain=LEAKY_GAIN)])
def test_weights_start_from_the_standard_normal_distribution(layer):
    weight = layer.weight.detach()
    assert weight.mean().item() == pytest.approx(0.0, abs=0.02)
    assert weight.std().item() == pytest.approx(1.0, abs=0.02)
    assert (layer.bias == 0).all()


@pytest.mark.parametrize(
    ("layer", "fan_in", "gain"),
    [
        (Convolution(64, 32), 64 * 9, math.sqrt(2)),
        (Convolution(64, 3, side=1, gain=1.0), 64, 1.0),
        (UpsamplingConvolution(64, 32), 64 * 9, math.sqrt(2)),
        (DownsamplingConvolution(64, 32), 64 * 9, math.sqrt(2)),
        (Linear(100, 64), 100, 1.0),
    ],
)
def test_weights_are_scaled_by_hes_constant_when_they_are_applied(layer, fan_in, gain):
    torch.testing.assert_close(layer.scaled_weight(), layer.weight * gain / math.sqrt(fan_in))


def test_an_equalised_convolution_and_leaky_relu_keep_the_mean_square():
    features = torch.randn(8, 64, 16, 16)
    active = F.leaky_relu(Convolution(64, 256)(features), 0.2).detach()
    # He's gain of sqrt(2) is that of a ReLU; the leak adds 4 %, the border's zeros take a little.
    assert active.square().mean().item() == pytest.approx(1.0, abs=0.1)


def test_pixel_norm_gives_every_pixel_unit_mean_square():
    normed = pixel_norm(torch.randn(2, 16, 3, 3) * 7)
    torch.testing.assert_close(normed.square().mean(dim=1), torch.ones(2, 3, 3))


def test_pixel_norm_of_zeros_is_zero_with_a_finite_gradient():
    features = torch.zeros(1, 4, 2, 2, requires_grad=True)
    normed = pixel_norm(features)
    normed.sum().backward()
    assert (normed == 0).all()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize(
    "layer", [Convolution(3, 5), Convolution(3, 5, side=1), DownsamplingConvolution(3, 5)]
)
def test_a_convolution_pulls_a_gradient_back_as_autograd_does(layer):
    layer = layer.double()
    features = torch.randn(2, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    outputs = layer(features)
    gradient = torch.randn_like(outputs)
    (expected,) = torch.autograd.grad(outputs, features, gradient)
    torch.testing.assert_close(layer.pull_back(gradient), expected, rtol=1e-12, atol=1e-12)


def test_the_slopes_of_leaky_relu_are_those_of_autograd_and_constants():
    features = torch.tensor([-2.0, -0.0, 0.0, 3.0], requires_grad=True)
    outputs = leaky_relu(features)
    gradient = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    (expected,) = torch.autograd.grad(outputs, features, gradient.detach(), retain_graph=True)
    pulled = leaky_slope(gradient, outputs)
    assert torch.equal(pulled, expected)
    pulled.square().sum().backward()
    torch.testing.assert_close(gradient.grad, torch.tensor([0.08, 0.16, 0.24, 8.0]))
    assert features.grad is None


def test_the_batch_deviation_is_the_mean_standard_deviation_of_each_batch():
    features = torch.randn(6, 3, 4, 4)
    torch.testing.assert_close(
        batch_deviation(features), features.std(dim=0, correction=0).mean().expand(6, 1)
    )
    halves = torch.cat([batch_deviation(half) for half in features.chunk(2)])
    torch.testing.assert_close(batch_deviation(features, batches=2), halves)
    assert halves[0] != halves[3]


def test_the_batch_deviation_of_equal_images_is_nearly_zero_with_a_finite_gradient():
    features = torch.ones(4, 3, 4, 4, requires_grad=True)
    deviation = batch_deviation(features)
    deviation.sum().backward()
    assert deviation.abs().max() < 1e-3
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("side", [1, 2, 4, 7])
def test_constant_images_are_convolved_without_drawing_them(side):
    values = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(3, 5, 3, 3, dtype=torch.float64, requires_grad=True)
    drawn = F.conv2d(values[:, :, None, None].expand(-1, -1, side, side), kernel, padding=1)
    found = convolve_constant(values, kernel, side)
    torch.testing.assert_close(found, drawn, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(x.sin().sum(), [values, kernel]) for x in (found, drawn)]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)
