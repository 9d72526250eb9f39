import pytest
import torch

from t2f_train.generator import Generator
from t2f_train.layers import upsample

DEPTHS = range(4)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return Generator(10, (8, 8, 6, 4)).double()


@pytest.fixture
def latent():
    return torch.randn(3, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("depth", DEPTHS)
def test_each_depth_doubles_the_resolution(generator, latent, depth):
    assert generator(latent, depth).shape == (3, 3, 4 << depth, 4 << depth)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_at_fade_weight_0_the_image_is_that_of_the_depth_below_enlarged(generator, latent, depth):
    below = upsample(generator(latent, depth - 1))
    torch.testing.assert_close(generator(latent, depth, fade=0.0), below, rtol=0, atol=0)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_fading_ends_without_a_jump(generator, latent, depth):
    almost = generator(latent, depth, fade=1.0 - 1e-9)
    torch.testing.assert_close(almost, generator(latent, depth, fade=1.0), rtol=0, atol=1e-7)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_half_way_both_branches_weigh_the_same(generator, latent, depth):
    ends = [generator(latent, depth, fade=weight) for weight in (0.0, 1.0)]
    torch.testing.assert_close(generator(latent, depth, fade=0.5), (ends[0] + ends[1]) / 2)


@pytest.mark.parametrize("depth", DEPTHS)
def test_gradients_reach_every_active_parameter_and_no_other(generator, latent, depth):
    generator(latent, depth, fade=0.5).square().sum().backward()
    active = {id(parameter) for parameter in generator.active_parameters(depth)}
    for name, parameter in generator.named_parameters():
        is_reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert is_reached == (id(parameter) in active), name


def test_the_first_features_have_unit_mean_square_before_their_norm():
    torch.manual_seed(0)
    generator = Generator(256, (64,))
    latent = torch.randn(64, 256)
    features = generator.first.dense(latent).detach()
    # He's gain over 4: ProGAN's weight for the 4x4 convolution that the layer stands for.
    assert features.square().mean().item() == pytest.approx(2 / 16, rel=0.05)


def test_every_parameter_is_active_at_some_depth(generator):
    active = {id(p) for depth in DEPTHS for p in generator.active_parameters(depth)}
    assert active == {id(parameter) for parameter in generator.parameters()}
