import pytest
import torch

from t2f_train.config import OptimiserSettings
from t2f_train.discriminator import Discriminator
from t2f_train.losses import (
    BatchScores,
    CriticBatch,
    CriticScores,
    adversarial_loss,
    critic_loss,
    discriminator_loss,
    drift,
    generator_loss,
    gradient_penalty,
    real_gradient_penalty,
    score_batch,
    somebody_elses,
)

DEPTH, FADE, BATCH = 1, 0.6, 4


def random(*shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


@pytest.fixture
def discriminator():
    torch.manual_seed(0)
    return Discriminator((6, 6), sentence_size=5, compressed_size=3).double()


@pytest.fixture
def batch():
    return CriticBatch(
        real=random(BATCH, 3, 8, 8, seed=1),
        fake=random(BATCH, 3, 8, 8, seed=2),
        sentence=random(BATCH, 5, seed=3),
        mix=torch.full((BATCH, 1, 1, 1), 0.25, dtype=torch.float64),
        depth=DEPTH,
        fade=FADE,
    )


def test_nobody_keeps_their_own_description():
    sentence = torch.arange(6.0)[:, None]
    assert (somebody_elses(sentence) != sentence).all()
    assert sorted(somebody_elses(sentence)[:, 0].tolist()) == sentence[:, 0].tolist()


def test_shared_features_give_the_scores_and_gradients_of_three_separate_passes(
    discriminator, batch
):
    shared = score_batch(discriminator, batch).first
    real, fake, sentence = batch.real, batch.fake, batch.sentence
    separate = CriticScores(
        real=discriminator(real, sentence, DEPTH, FADE),
        fake=discriminator(fake, sentence, DEPTH, FADE),
        mismatched=discriminator(real, somebody_elses(sentence), DEPTH, FADE),
    )
    torch.testing.assert_close(shared.mismatched, separate.mismatched)
    parameters = list(discriminator.active_parameters(DEPTH))
    gradients = [
        torch.autograd.grad(critic_loss("wgan-gp", scores) + drift(scores), parameters)
        for scores in (shared, separate)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_the_critic_loss_weighs_both_kinds_of_wrong_pair_by_half():
    scores = CriticScores(
        real=torch.tensor([2.0, 4.0]), fake=torch.tensor([1.0, 1.0]), mismatched=torch.tensor([5.0])
    )
    assert critic_loss("wgan-gp", scores) == 0.5 * (1.0 + 5.0) - 3.0
    assert drift(scores) == (4.0 + 16.0) / 2
    assert generator_loss("wgan-gp", scores.fake) == -1.0


def test_the_logistic_loss_is_the_cross_entropy_of_right_and_wrong_pairs():
    scores = CriticScores(*(random(5, seed=seed) for seed in (1, 2, 3)))
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    right, wrong = torch.ones(5).double(), torch.zeros(5).double()
    expected = entropy(scores.real, right) + 0.5 * (
        entropy(scores.fake, wrong) + entropy(scores.mismatched, wrong)
    )
    torch.testing.assert_close(critic_loss("logistic-r1", scores), expected)
    expected = entropy(scores.fake, right)
    torch.testing.assert_close(generator_loss("logistic-r1", scores.fake), expected)


def test_the_hinge_loss_stops_pushing_beyond_its_margins():
    scores = CriticScores(
        real=torch.tensor([3.0, 0.5]),
        fake=torch.tensor([-2.0, 1.0]),
        mismatched=torch.tensor([-0.5]),
    )
    # (0 + 0.5) / 2 for the real ones, half of (0 + 2) / 2 and half of 0.5 for the wrong ones
    assert critic_loss("hinge", scores) == 0.25 + 0.5 * 1.0 + 0.5 * 0.5
    assert generator_loss("hinge", scores.fake) == 0.5


@pytest.mark.parametrize("name", ["wgan-gp", "logistic-r1", "hinge"])
def test_without_descriptions_drawn_images_are_the_only_wrong_ones(name):
    real, fake = random(5, seed=1), random(5, seed=2)
    alone = critic_loss(name, CriticScores(real, fake))
    torch.testing.assert_close(alone, critic_loss(name, CriticScores(real, fake, fake)))


@pytest.mark.parametrize("name", ["wgan-gp", "logistic-r1", "hinge"])
def test_a_real_image_without_a_description_does_not_count(name):
    real, fake, mismatched = (random(4, seed=seed) for seed in (1, 2, 3))
    captioned = torch.tensor([1.0, 0.0, 1.0, 0.0]).double()
    scores = CriticScores(real, fake, mismatched, captioned)
    kept = CriticScores(real[::2], fake, mismatched)
    torch.testing.assert_close(critic_loss(name, scores), critic_loss(name, kept))
    torch.testing.assert_close(drift(scores), drift(kept))
    nobody = CriticScores(real, fake, mismatched, torch.zeros(4).double())
    assert critic_loss(name, nobody).isfinite()


def test_the_second_head_has_the_same_loss_at_its_weight():
    first = CriticScores(*(random(4, seed=seed) for seed in (1, 2, 3)))
    second = CriticScores(random(4, seed=4), random(4, seed=5))
    settings = OptimiserSettings(loss="hinge", drift=0.25, unconditional=0.5)
    expected = critic_loss("hinge", first) + 0.25 * drift(first)
    expected += 0.5 * (critic_loss("hinge", second) + 0.25 * drift(second))
    torch.testing.assert_close(discriminator_loss(BatchScores(first, second), settings), expected)


class FlatCritic:
    """A critic with one slope everywhere, in place of a discriminator's own."""

    def __init__(self, discriminator, slope):
        self.seen = []
        self.slope = slope.reshape(1, 3, 8, 8)
        discriminator.slope = self.slope_at

    def slope_at(self, images, *_):
        self.seen.append(images)
        return self.slope.expand_as(images)


@pytest.fixture
def two_headed():
    torch.manual_seed(0)
    return Discriminator((6, 6), sentence_size=5, compressed_size=3, has_second_head=True).double()


def test_both_heads_judge_the_same_features(two_headed, batch):
    scores = score_batch(two_headed, batch)
    features = two_headed.features(batch.real, DEPTH, FADE)
    torch.testing.assert_close(scores.second.real, two_headed.score_alone(features))
    torch.testing.assert_close(scores.first.real, two_headed.score(features, batch.sentence))
    assert scores.second.mismatched is None


def test_the_generator_answers_to_both_heads(two_headed, batch):
    features = two_headed.features(batch.fake, DEPTH, FADE)
    settings = OptimiserSettings(loss="logistic-r1", unconditional=0.5)
    expected = generator_loss("logistic-r1", two_headed.score(features, batch.sentence))
    expected = expected + 0.5 * generator_loss("logistic-r1", two_headed.score_alone(features))
    found = adversarial_loss(two_headed, features, batch.sentence, settings)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("penalty", [gradient_penalty, real_gradient_penalty])
def test_the_penalty_bounds_the_sum_of_both_heads(two_headed, batch, penalty):
    first, both = penalty(two_headed, batch), penalty(two_headed, batch, 0.5)
    for parameter in two_headed.second.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(penalty(two_headed, batch, 0.5), first)
    assert (both - first).abs() > 1e-3


def test_r1_of_a_critic_with_slope_3_is_9(discriminator, batch):
    slope = random(3 * 8 * 8, seed=4)
    critic = FlatCritic(discriminator, 3.0 * slope / slope.norm())
    penalty = real_gradient_penalty(discriminator, batch)
    torch.testing.assert_close(penalty, torch.tensor(9.0).double())
    torch.testing.assert_close(critic.seen, [batch.real])


def test_the_penalty_of_a_critic_with_slope_3_is_4(discriminator, batch):
    slope = random(3 * 8 * 8, seed=4)
    critic = FlatCritic(discriminator, 3.0 * slope / slope.norm())
    torch.testing.assert_close(gradient_penalty(discriminator, batch), torch.tensor(4.0).double())
    torch.testing.assert_close(critic.seen, [0.25 * batch.real + 0.75 * batch.fake])


def test_the_penaltys_second_derivative_is_that_of_finite_differences(discriminator, batch):
    parameters = [p for p in discriminator.active_parameters(DEPTH) if p.dim() > 1]
    gradients = torch.autograd.grad(
        gradient_penalty(discriminator, batch), parameters, materialize_grads=True
    )
    step = 1e-6
    checked = 0
    for parameter, gradient in zip(parameters, gradients, strict=True):
        index = tuple(size // 2 for size in parameter.shape)
        slopes = []
        for sign in (1.0, -1.0):
            with torch.no_grad():
                parameter[index] += sign * step
            slopes.append(gradient_penalty(discriminator, batch).item())
            with torch.no_grad():
                parameter[index] -= sign * step
        expected = (slopes[0] - slopes[1]) / (2 * step)
        assert gradient[index].item() == pytest.approx(expected, rel=1e-4, abs=1e-7)
        checked += abs(expected) > 1e-5
    assert checked >= 6  # the slope of most weights is far from zero: the test can fail


def test_the_penalty_trains_neither_the_text_nor_the_drawn_images(discriminator, batch):
    batch.fake.requires_grad_()
    batch.sentence.requires_grad_()
    gradient_penalty(discriminator, batch).backward()
    assert batch.fake.grad is None
    assert batch.sentence.grad is None
