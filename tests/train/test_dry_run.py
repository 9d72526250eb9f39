import io

import pytest
import torch
from rich.console import Console
from tiny_training import tiny_config

from t2f_train.dry_run import OperationCounter, count_kept_bytes, estimate, estimate_table
from t2f_train.training_step import Networks

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def phases():
    return estimate(tiny_config(), CPU, seconds=0.0)


def test_every_phase_is_estimated_with_its_images_and_steps(phases):
    assert [(p.resolution, p.images, p.steps) for p in phases] == [(4, 16, 4), (8, 24, 6)]
    assert all(p.images_per_second > 0.0 and p.seconds > 0.0 for p in phases)


def test_the_parameters_are_those_that_take_part(phases):
    networks = Networks(tiny_config(), 300, CPU)
    networks.start_phase(1)
    expected = sum(p.numel() for p in networks.discriminator.active_parameters(1))
    assert phases[1].discriminator_parameters == expected
    everything = sum(p.numel() for p in networks.model.parameters())
    assert phases[1].generator_parameters == everything
    assert phases[0].generator_parameters < everything


def test_higher_resolutions_take_more(phases):
    low, high = phases
    assert high.operations > 2 * low.operations
    assert high.memory > low.memory


def test_a_lazy_penalty_saves_operations():
    lazy = tiny_config(optimiser={"penalty_interval": 8})
    every, seldom = (estimate(c, CPU, seconds=0.0)[1] for c in (tiny_config(), lazy))
    assert seldom.operations < 0.8 * every.operations


def test_a_model_without_text_is_estimated_too():
    phases = estimate(tiny_config(text={"encoder": "none"}), CPU, seconds=0.0)
    assert len(phases) == 2


def test_a_matrix_product_is_two_operations_a_multiplication():
    with OperationCounter() as counted:
        torch.ones(3, 5) @ torch.ones(5, 7)
    assert counted.total == 2 * 3 * 5 * 7


def test_what_a_backward_pass_keeps_is_counted_until_it_is_let_go():
    values = torch.ones(100, requires_grad=True)
    with count_kept_bytes() as kept:
        squares = values * values
        assert kept.now == 2 * 400
        del squares
    assert kept.now == 0
    assert kept.most == 2 * 400


def test_the_table_sums_images_and_time(phases):
    output = io.StringIO()
    Console(file=output, width=160).print(estimate_table(phases))
    text = output.getvalue()
    assert "8x8" in text
    assert "40" in next(line for line in text.splitlines() if "all" in line)
