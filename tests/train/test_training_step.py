import copy
from dataclasses import replace

import pytest
import torch
from tiny_training import tiny_config

from t2f_train.augmentation import augment
from t2f_train.conditioning import condition_divergence
from t2f_train.data.batches import Batch
from t2f_train.layers import downsample, upsample
from t2f_train.losses import (
    CriticBatch,
    critic_loss,
    drift,
    generator_loss,
    gradient_penalty,
    real_gradient_penalty,
    score_batch,
)
from t2f_train.model import to_pixels, to_signed
from t2f_train.schedule import Schedule
from t2f_train.training_step import (
    Networks,
    draw_step_noise,
    fade_reals,
    train_step,
)

CPU = torch.device("cpu")
FADING_STEP = 4


@pytest.fixture
def config():
    return tiny_config()


@pytest.fixture
def moment(config):
    return Schedule(config.phases).at(FADING_STEP)


@pytest.fixture
def networks(config, moment):
    networks = Networks(config, 40, CPU)
    networks.start_phase(moment.depth)
    return networks


@pytest.fixture
def batch():
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (4, 8, 8, 3), dtype=torch.uint8, generator=random)
    tokens = torch.randint(2, 40, (4, 5), generator=random)
    tokens[1, 3:] = 0
    return Batch(pixels, tokens)


def changed(before, after):
    return {
        name
        for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(old, new)
    }


def step(networks, batch, moment, config):
    noise = draw_step_noise(config, moment, CPU)
    return train_step(networks, batch, noise, moment, config.optimiser)


def test_one_step_moves_every_active_parameter_of_both_networks(networks, batch, moment, config):
    model, discriminator = copy.deepcopy((networks.model, networks.discriminator))
    step(networks, batch, moment, config)
    moved = changed(model, networks.model)
    assert moved == {name for name, _ in model.named_parameters()}
    moved = changed(discriminator, networks.discriminator)
    assert moved == {name for name, _ in discriminator.named_parameters()}


def test_layers_of_higher_resolutions_do_not_move(networks, batch, config):
    start = Schedule(config.phases).at(0)
    networks.start_phase(start.depth)
    model, discriminator = copy.deepcopy((networks.model, networks.discriminator))
    small = Batch(batch.pixels[:, ::2, ::2], batch.tokens)
    step(networks, small, start, config)
    names = changed(model, networks.model) | changed(discriminator, networks.discriminator)
    higher = ("generator.blocks", "blocks", "generator.to_rgb.1", "from_rgb.1")
    assert not any(name.startswith(higher) for name in names)
    assert {"generator.first.dense.weight", "last.score.weight", "from_rgb.0.weight"} <= names


def test_the_generators_step_leaves_no_gradient_in_the_discriminator(
    networks, batch, moment, config
):
    seen = []
    original = networks.generator_optimiser.step

    def spy():
        seen.extend(parameter.grad for parameter in networks.discriminator_parameters)
        original()

    networks.generator_optimiser.step = spy
    step(networks, batch, moment, config)
    assert seen
    assert all(gradient is None for gradient in seen)


def test_no_gradient_waits_in_memory_for_the_next_step(networks, batch, moment, config):
    step(networks, batch, moment, config)
    parameters = [*networks.model.parameters(), *networks.discriminator.parameters()]
    assert all(parameter.grad is None for parameter in parameters)


def test_the_reported_loss_is_the_formula_of_wgan_gp_with_drift(networks, batch, moment, config):
    noise = draw_step_noise(config, moment, CPU)
    start = copy.deepcopy(networks)
    losses = train_step(networks, batch, noise, moment, config.optimiser)
    model = start.model
    real = fade_reals(to_signed(batch.pixels), moment.fade)
    fake = model(batch.tokens, noise.epsilon, noise.noise, moment.depth, moment.fade).detach()
    sentence = model.text_encoder(batch.tokens)
    shown = CriticBatch(real, fake, sentence, noise.mix, moment.depth, moment.fade)
    scores = score_batch(start.discriminator, shown)
    penalty = gradient_penalty(start.discriminator, shown)
    expected = critic_loss("wgan-gp", scores.first) + 10.0 * penalty + 0.001 * drift(scores.first)
    torch.testing.assert_close(losses["discriminator_loss"], expected.detach())


def test_the_generator_minimises_its_loss_against_the_new_discriminator_and_the_divergence(
    networks, batch, moment, config
):
    noise = draw_step_noise(config, moment, CPU)
    start = copy.deepcopy(networks)
    losses = train_step(networks, batch, noise, moment, config.optimiser)
    model = start.model
    sentence = model.text_encoder(batch.tokens).detach()
    mean, log_variance = model.conditioning(sentence)
    images = model(batch.tokens, noise.epsilon, noise.noise, moment.depth, moment.fade)
    scores = networks.discriminator(images, sentence, moment.depth, moment.fade)
    divergence = condition_divergence(mean, log_variance)
    expected = generator_loss("wgan-gp", scores) + 0.02 * divergence
    torch.testing.assert_close(losses["generator_loss"], expected.detach())
    torch.testing.assert_close(losses["condition_divergence"], divergence.detach())
    # Adam's first step goes against the gradient, so the signs tell what was minimised.
    for parameter, old in (
        (networks.model.generator.first.dense.weight, model.generator.first.dense.weight),
        (networks.model.conditioning.linear.weight, model.conditioning.linear.weight),
    ):
        (gradient,) = torch.autograd.grad(expected, old, retain_graph=True)
        large = gradient.abs() > 1e-4
        assert large.any()
        assert torch.equal((parameter - old).sign()[large], -gradient.sign()[large])


def test_a_lazy_penalty_is_an_update_of_its_own_that_weighs_its_interval(batch):
    settings = {"loss": "logistic-r1", "penalty": 0.5, "penalty_interval": 4}
    config = tiny_config(optimiser=settings)
    schedule = Schedule(config.phases)
    networks = Networks(config, 40, CPU)
    networks.start_phase(1)
    gradients, weights = [], []
    parameter = networks.discriminator.last.dense.weight
    update = networks.discriminator_optimiser.step

    def spy():
        gradients.append(parameter.grad.clone())
        weights.append(copy.deepcopy(networks.discriminator))
        update()

    networks.discriminator_optimiser.step = spy
    text_encoder = copy.deepcopy(networks.model.text_encoder)
    losses = step(networks, batch, schedule.at(4), config)
    assert len(gradients) == 2
    real = fade_reals(to_signed(batch.pixels), schedule.at(4).fade)
    sentence = text_encoder(batch.tokens)
    shown = CriticBatch(real, real, sentence, real[:, :1, :1, :1], 1, schedule.at(4).fade)
    penalty = (0.5 * 8 * 8 / 1024) * real_gradient_penalty(weights[1], shown)
    torch.testing.assert_close(losses["penalty"], penalty.detach())
    (expected,) = torch.autograd.grad(4 * penalty, weights[1].last.dense.weight)
    torch.testing.assert_close(gradients[1], expected)
    losses = step(networks, batch, schedule.at(5), config)
    assert "penalty" not in losses
    assert len(gradients) == 3


def test_a_lazy_penalty_does_not_move_the_text_encoder(batch):
    config = tiny_config(optimiser={"penalty_interval": 4})
    networks = Networks(config, 40, CPU)
    networks.start_phase(1)
    seen = []
    update = networks.discriminator_optimiser.step

    def spy():
        update()
        seen.append(networks.model.text_encoder.embedding.weight.clone())

    networks.discriminator_optimiser.step = spy
    step(networks, batch, Schedule(config.phases).at(4), config)
    assert torch.equal(*seen)


@pytest.mark.parametrize("loss", ["wgan-gp", "logistic-r1", "hinge"])
def test_two_heads_with_augmentation_move_every_active_parameter(batch, loss):
    names = ["colour", "translation", "cutout"]
    config = tiny_config(optimiser={"loss": loss, "unconditional": 1.0, "augmentations": names})
    networks = Networks(config, 40, CPU)
    networks.start_phase(1)
    model, discriminator = copy.deepcopy((networks.model, networks.discriminator))
    captioned = replace(batch, captioned=torch.tensor([1.0, 0.0, 1.0, 1.0]))
    losses = step(networks, captioned, Schedule(config.phases).at(FADING_STEP), config)
    assert changed(model, networks.model) == {name for name, _ in model.named_parameters()}
    moved = changed(discriminator, networks.discriminator)
    assert moved == {name for name, _ in discriminator.named_parameters()}
    assert {"wasserstein", "matching", "wasserstein_alone"} <= losses.keys()


def test_a_model_without_text_learns_from_images_alone(batch):
    config = tiny_config(text={"encoder": "none"})
    networks = Networks(config, 0, CPU)
    networks.start_phase(1)
    model, discriminator = copy.deepcopy((networks.model, networks.discriminator))
    losses = step(
        networks, Batch(batch.pixels, None), Schedule(config.phases).at(FADING_STEP), config
    )
    assert changed(model, networks.model) == {name for name, _ in model.named_parameters()}
    assert all(name.startswith("generator.") for name, _ in model.named_parameters())
    moved = changed(discriminator, networks.discriminator)
    assert moved == {name for name, _ in discriminator.named_parameters()}
    assert not {"matching", "condition_divergence"} & losses.keys()


def test_the_discriminator_sees_augmented_images_and_the_generator_learns_through_them(batch):
    config = tiny_config(optimiser={"augmentations": ["cutout"]})
    moment = Schedule(config.phases).at(FADING_STEP)
    networks = Networks(config, 40, CPU)
    networks.start_phase(moment.depth)
    seen = []
    features = networks.discriminator.features
    networks.discriminator.features = lambda images, *rest: (
        seen.append(images.detach()) or features(images, *rest)
    )
    noise = draw_step_noise(config, moment, CPU)
    train_step(networks, batch, noise, moment, config.optimiser)
    both, again = seen
    real, fake = both.chunk(2)
    expected = fade_reals(to_signed(batch.pixels), moment.fade)
    torch.testing.assert_close(real, augment(expected, noise.augment_real, ["cutout"]))
    assert torch.equal(fake, again)
    assert (fake == 0.0).any()
    assert not torch.equal(fake == 0.0, real == 0.0)


def test_lazy_regularisation_slows_the_discriminators_adam_alone():
    config = tiny_config(
        optimiser={"learning_rate": 0.01, "adam_betas": [0.5, 0.99], "penalty_interval": 3}
    )
    networks = Networks(config, 40, CPU)
    (generator,) = networks.generator_optimiser.param_groups
    (discriminator,) = networks.discriminator_optimiser.param_groups
    assert (generator["lr"], generator["betas"]) == (0.01, (0.5, 0.99))
    assert discriminator["lr"] == pytest.approx(0.0075)
    assert discriminator["betas"] == pytest.approx((0.5**0.75, 0.99**0.75))


def filled(networks, averaged, current):
    with torch.no_grad():
        for parameter in networks.averaged.parameters():
            parameter.fill_(averaged)
        for parameter in networks.model.parameters():
            parameter.fill_(current)


def late_moment(step):
    """A moment far into the second phase, where the half-life has its full length."""
    phases = [
        {"resolution": 4, "images": 16, "batch_size": 4},
        {"resolution": 8, "images": 10**6, "batch_size": 4, "fade_fraction": 0.5},
    ]
    return Schedule(tiny_config(phases=phases).phases).at(step)


def test_the_averaged_weights_forget_half_over_the_half_life(networks, config):
    filled(networks, averaged=1.0, current=3.0)
    half_life = config.optimiser.ema_half_life
    for step in range(half_life // 4):
        networks.average(late_moment(100_000 + step))
    for parameter in networks.averaged.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 2.0), rtol=1e-3, atol=0)


def test_the_average_of_a_phase_soon_forgets_how_it_started(networks):
    filled(networks, averaged=1.0, current=3.0)
    first = Schedule(tiny_config().phases).phases[0].images // 4
    for step in range(250):  # 1,000 images, a tenth of the half-life
        networks.average(late_moment(first + step))
    for parameter in networks.averaged.parameters():
        assert parameter.min() > 2.999


def test_averages_of_layers_that_take_no_part_yet_stay_where_they_are(networks, config):
    networks.start_phase(depth=0)
    before = copy.deepcopy(networks.averaged)
    with torch.no_grad():
        for parameter in networks.model.parameters():
            parameter.add_(1.0)
    networks.average(Schedule(config.phases).at(0))
    moved = changed(before, networks.averaged)
    higher = {n for n, _ in before.named_parameters() if "blocks.0" in n or "to_rgb.1" in n}
    assert higher
    assert moved == {name for name, _ in before.named_parameters()} - higher


def test_averaging_starts_from_the_initial_weights(networks):
    for averaged, current in zip(
        networks.averaged.parameters(), networks.model.parameters(), strict=True
    ):
        assert torch.equal(averaged, current)
        assert not averaged.requires_grad


def test_equal_seeds_start_from_equal_weights_and_leave_torchs_random_state_alone(config):
    state = torch.get_rng_state()
    one, other = Networks(config, 40, CPU), Networks(config, 40, CPU)
    assert not changed(one.model, other.model)
    assert not changed(one.discriminator, other.discriminator)
    assert torch.equal(torch.get_rng_state(), state)
    different = Networks(tiny_config(seed=4), 40, CPU)
    assert changed(one.model, different.model)


def test_real_images_fade_as_drawn_ones_do():
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(fade_reals(images, 1.0), images)
    torch.testing.assert_close(fade_reals(images, 0.0), upsample(downsample(images)))


def test_every_level_survives_the_way_through_the_networks_range():
    levels = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(3, 16, 16)
    pixels = levels.permute(1, 2, 0)[None]
    signed = to_signed(pixels)
    assert signed.min() == -1.0
    assert signed.max() == 1.0
    assert torch.equal(to_pixels(signed), pixels)


def test_pixels_outside_the_range_are_clamped():
    images = torch.tensor([-9.0, -1.01, 1.01, 9.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert to_pixels(images)[0, :, :, 0].flatten().tolist() == [0, 0, 255, 255]
