import pytest
import torch

from t2f_train.discriminator import Discriminator
from t2f_train.layers import downsample

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
