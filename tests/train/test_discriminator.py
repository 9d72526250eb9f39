import pytest
import torch

from t2f_train.discriminator import Discriminator
from t2f_train.layers import batch_deviation, downsample, leaky_relu

DEPTHS = range(4)


@pytest.fixture
def discriminator():
    torch.manual_seed(0)
    return Discriminator((8, 8, 6, 4), sentence_size=7, compressed_size=5).double()


def random(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_image_gets_one_score(discriminator, depth):
    side = 4 << depth
    assert discriminator(random(3, 3, side, side), random(3, 7), depth).shape == (3,)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_at_fade_weight_0_the_score_is_that_of_the_halved_image_a_depth_below(discriminator, depth):
    side = 4 << depth
    images, sentence = random(3, 3, side, side), random(3, 7)
    below = discriminator(downsample(images), sentence, depth - 1)
    torch.testing.assert_close(discriminator(images, sentence, depth, fade=0.0), below)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_fading_ends_without_a_jump(discriminator, depth):
    side = 4 << depth
    images, sentence = random(3, 3, side, side), random(3, 7)
    almost = discriminator(images, sentence, depth, fade=1.0 - 1e-9)
    expected = discriminator(images, sentence, depth, fade=1.0)
    torch.testing.assert_close(almost, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("depth", DEPTHS)
def test_gradients_reach_every_active_parameter_and_no_other(discriminator, depth):
    side = 4 << depth
    scores = discriminator(random(3, 3, side, side), random(3, 7), depth, fade=0.5)
    scores.square().sum().backward()
    active = {id(parameter) for parameter in discriminator.active_parameters(depth)}
    for name, parameter in discriminator.named_parameters():
        is_reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert is_reached == (id(parameter) in active), name


def test_the_description_changes_the_score(discriminator):
    images = random(2, 3, 8, 8)
    one = discriminator(images, random(2, 7, seed=1), depth=1)
    other = discriminator(images, random(2, 7, seed=2), depth=1)
    assert (one - other).abs().min() > 1e-6


def test_a_discriminator_without_text_scores_images_alone():
    torch.manual_seed(0)
    alone = Discriminator((8, 8), sentence_size=0, compressed_size=5).double()
    assert alone(random(3, 3, 8, 8), None, depth=1).shape == (3,)
    assert not any("compression" in name for name, _ in alone.named_parameters())


def test_the_heads_say_what_they_lack(discriminator):
    features = discriminator.features(random(2, 3, 8, 8), depth=1)
    with pytest.raises(ValueError, match="give sentences"):
        discriminator.score(features, None)
    with pytest.raises(ValueError, match="no second head"):
        discriminator.score_alone(features)


@pytest.mark.parametrize("fade", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_trunk_pulls_a_gradient_back_as_autograd_does(discriminator, depth, fade):
    images = random(3, 3, 4 << depth, 4 << depth).requires_grad_()
    gradient = random(3, 8, 4, 4, seed=2)
    (expected,) = torch.autograd.grad(discriminator.features(images, depth, fade), images, gradient)
    trace = discriminator.trace(images.detach(), depth, fade)
    found = discriminator.pull_back(gradient, trace)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.fixture
def two_headed():
    torch.manual_seed(0)
    heads = {"sentence_size": 7, "compressed_size": 5, "has_second_head": True}
    return Discriminator((8, 8, 6, 4), **heads).double()


@pytest.mark.parametrize("depth", [0, 2])
def test_the_slope_and_its_derivatives_are_autograds_at_a_constant_deviation(
    two_headed, depth, monkeypatch
):
    images = random(3, 3, 4 << depth, 4 << depth).requires_grad_()
    sentence = random(3, 7, seed=2)
    parameters = two_headed.active_parameters(depth)

    def derivatives(gradient):
        norms = gradient.square().sum()
        found = torch.autograd.grad(norms, parameters, materialize_grads=True, allow_unused=True)
        assert sum(bool(part.abs().max() > 0) for part in found) > len(parameters) / 3
        return found

    once = two_headed.slope(images.detach(), sentence, depth, fade=0.4, alone=0.5)
    monkeypatch.setattr(
        "t2f_train.discriminator.batch_deviation",
        lambda features, batches=1: batch_deviation(features.detach(), batches),
    )
    features = two_headed.features(images, depth, fade=0.4)
    scores = two_headed.score(features, sentence) + 0.5 * two_headed.score_alone(features)
    (twice,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    torch.testing.assert_close(once, twice, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(derivatives(once), derivatives(twice), rtol=1e-9, atol=1e-12)


def test_the_last_block_convolves_features_deviation_and_description_joined(discriminator):
    last, features, sentence = discriminator.last, random(3, 8, 4, 4), random(3, 7, seed=2)
    deviation = features.std(dim=0, correction=0).mean().expand(3, 1, 4, 4)
    compressed = leaky_relu(last.compression(sentence))[:, :, None, None].expand(-1, -1, 4, 4)
    joined = torch.cat([features, deviation, compressed], dim=1)
    hidden = leaky_relu(last.convolution(joined)).flatten(1)
    expected = last.score(leaky_relu(last.dense(hidden)))[:, 0]
    torch.testing.assert_close(last(features, sentence), expected, rtol=1e-6, atol=0)


def test_batches_in_a_row_are_looked_at_as_if_each_was_alone(discriminator):
    one, other = random(3, 8, 4, 4, seed=1), random(3, 8, 4, 4, seed=2)
    together = discriminator.last.look(torch.cat([one, other]), batches=2)
    apart = torch.cat([discriminator.last.look(one), discriminator.last.look(other)])
    torch.testing.assert_close(together, apart)
