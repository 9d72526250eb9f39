import copy
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny_training import StopAfter, tiny_config, train_tiny_run
from torch._dynamo.testing import CompileCounter

from t2f_train import computing
from t2f_train.checkpoint import OPTIMISERS, WEIGHTS, latest_checkpoint
from t2f_train.computing import Computing, check_compiler
from t2f_train.config import ComputeSettings
from t2f_train.data.batches import Batch
from t2f_train.errors import ConfigError, DivergedError
from t2f_train.layers import pixel_norm
from t2f_train.schedule import Schedule
from t2f_train.training_step import Networks, draw_step_noise, train_step

CPU = torch.device("cpu")
LOWER = [torch.bfloat16, torch.float16]


def batch():
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (4, 8, 8, 3), dtype=torch.uint8, generator=random)
    return Batch(pixels, torch.randint(2, 40, (4, 5), generator=random))


def one_step(config, prepare=lambda networks: None):
    """Networks after one step at a fading moment, and the losses of that step."""
    moment = Schedule(config.phases).at(4)
    networks = Networks(config, 40, CPU)
    networks.start_phase(moment.depth)
    prepare(networks)
    noise = draw_step_noise(config, moment, CPU)
    return networks, train_step(networks, batch(), noise, moment, config.optimiser)


def checkpoint_of(base: Path, name: str):
    folder = latest_checkpoint(base / name / "checkpoints")
    return (folder / WEIGHTS).read_bytes(), torch.load(folder / OPTIMISERS)


def assert_resumes_bit_for_bit(base, config):
    train_tiny_run(base, config=config, name="unbroken")
    for step in (3, 6):
        assert train_tiny_run(base, config=config, reporter=StopAfter(step)).step == step
    train_tiny_run(base, config=config)
    unbroken, resumed = checkpoint_of(base, "unbroken"), checkpoint_of(base, "run")
    assert unbroken[0] == resumed[0]
    torch.testing.assert_close(unbroken[1], resumed[1], rtol=0, atol=0)
    assert (base / "unbroken" / "metrics.jsonl").read_bytes() == (
        base / "run" / "metrics.jsonl"
    ).read_bytes()
    return safetensors.torch.load(unbroken[0]), unbroken[1]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_run_in_lower_precision_keeps_float32_weights_and_resumes_bit_for_bit(
    tmp_path, precision
):
    config = tiny_config(compute={"precision": precision, "channels_last": True})
    weights, optimisers = assert_resumes_bit_for_bit(tmp_path, config)
    assert all(tensor.dtype == torch.float32 for tensor in weights.values())
    assert ("scalers" in optimisers) == (precision == "float16")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_losses_in_lower_precision_are_close_to_those_in_float32(precision):
    optimiser = {"unconditional": 1.0, "augmentations": ["colour"]}
    _, exact = one_step(tiny_config(optimiser=optimiser))
    _, lower = one_step(tiny_config(optimiser=optimiser, compute={"precision": precision}))
    assert exact.keys() == lower.keys()
    for name, loss in exact.items():
        assert lower[name].dtype == torch.float32
        torch.testing.assert_close(lower[name], loss, rtol=0.03, atol=0.03)
    assert any(lower[name] != loss for name, loss in exact.items())


def test_images_and_trunk_are_computed_in_lower_precision_and_heads_and_penalty_are_not():
    seen = {}

    def watch(networks):
        discriminator = networks.discriminator
        for name, layer in {
            "generator": networks.model.generator.to_rgb[1],
            "trunk": discriminator.from_rgb[1],
            "head": discriminator.last.dense,
            "text": networks.model.text_encoder.lstm,
        }.items():
            layer.register_forward_hook(
                lambda module, inputs, output, name=name: seen.setdefault(name, []).append(
                    (output if isinstance(output, torch.Tensor) else output[0]).dtype
                )
            )

    one_step(tiny_config(compute={"precision": "bfloat16"}), watch)
    assert seen["generator"] == [torch.bfloat16]
    # Real and drawn images at once, the penalty, and the drawn ones for the generator.
    assert seen["trunk"] == [torch.bfloat16, torch.float32, torch.bfloat16]
    assert set(seen["head"]) == {torch.float32}
    assert seen["text"] == [torch.float32]


@pytest.mark.parametrize("dtype", LOWER)
def test_pixel_norm_squares_in_float32(dtype):
    features = torch.full((2, 3, 4, 4), 1000.0, dtype=dtype)
    normed = pixel_norm(features)
    assert normed.dtype == dtype
    torch.testing.assert_close(normed, torch.ones_like(features))


def test_a_step_that_overflows_float16_is_skipped_and_lowers_that_sides_scale():
    before = {}

    def scale_up(networks):
        scaler = networks.computing.scalers["discriminator"]
        scaler.scale(torch.ones(()))
        scaler.update(2.0**60)
        before["discriminator"] = copy.deepcopy(networks.discriminator)
        before["generator"] = copy.deepcopy(networks.model.generator)

    networks, losses = one_step(tiny_config(compute={"precision": "float16"}), scale_up)
    for name, weight in before["discriminator"].named_parameters():
        assert torch.equal(weight, networks.discriminator.get_parameter(name)), name
    assert not torch.equal(
        before["generator"].first.dense.weight, networks.model.generator.first.dense.weight
    )
    assert networks.computing.scalers["discriminator"].get_scale() == 2.0**59
    assert networks.computing.scalers["generator"].get_scale() == 2.0**16
    assert losses.keys() == {"generator_loss", "condition_divergence"}
    assert all(loss.isfinite() for loss in losses.values())


def test_scaled_gradients_move_weights_as_unscaled_ones_do():
    loss_scales = []
    for scale in (1.0, 1024.0):
        config = tiny_config(compute={"precision": "float16"})

        def set_scale(networks, scale=scale):
            for scaler in networks.computing.scalers.values():
                scaler.scale(torch.ones(()))
                scaler.update(scale)

        networks, _ = one_step(config, set_scale)
        state = networks.discriminator_optimiser.state
        loss_scales.append([values["exp_avg_sq"] for values in state.values()])
    torch.testing.assert_close(*loss_scales, rtol=0.1, atol=1e-4)


def test_gradients_that_overflow_at_any_scale_have_diverged(tmp_path, monkeypatch):
    monkeypatch.setattr(computing, "LOWEST_SCALE", 2.0**20)
    with pytest.raises(DivergedError, match=r"gradients overflow float16 at any scale; there was"):
        train_tiny_run(tmp_path, config=tiny_config(compute={"precision": "float16"}))


def test_kernels_and_images_lie_channels_last_and_give_the_same():
    _, plain = one_step(tiny_config())
    layouts = []

    def watch(networks):
        for layer in (networks.discriminator.from_rgb[1], networks.discriminator.blocks[0]):
            layer.register_forward_pre_hook(
                lambda module, inputs: layouts.append(
                    inputs[0].is_contiguous(memory_format=torch.channels_last)
                )
            )

    networks, losses = one_step(tiny_config(compute={"channels_last": True}), watch)
    torch.testing.assert_close(losses, plain)
    assert layouts
    assert all(layouts)
    for module in (networks.model.generator, networks.averaged.generator, networks.discriminator):
        for name, parameter in module.named_parameters():
            if parameter.dim() == 4:
                assert parameter.is_contiguous(memory_format=torch.channels_last), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the compiler looks at all
def test_a_compiled_run_has_the_same_names_and_compiles_once_for_a_whole_fade(
    tmp_path, monkeypatch
):
    phases = [
        {"resolution": 4, "images": 8, "batch_size": 4},
        {"resolution": 8, "images": 48, "batch_size": 4, "fade_fraction": 0.5},
    ]
    plain = train_tiny_run(tmp_path, config=tiny_config(phases=phases), name="plain")
    counter = CompileCounter()
    monkeypatch.setattr(computing, "COMPILER", counter)
    monkeypatch.setattr(computing, "check_compiler", lambda device: None)
    config = tiny_config(phases=phases, compute={"compile": True})
    compiled = train_tiny_run(tmp_path, config=config)
    # The generator; the trunk for the discriminator's step and for the generator's. At 4 pixels,
    # while 8 fade in, and afterwards.
    assert counter.frame_count == 9
    states = [run.networks.discriminator.state_dict() for run in (plain, compiled)]
    torch.testing.assert_close(*states, rtol=0, atol=1e-5)
    weights = [checkpoint_of(tmp_path, name)[0] for name in ("plain", "run")]
    names = [safetensors.torch.load(content).keys() for content in weights]
    assert names[0] == names[1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_missing_compiler_is_one_line_of_error(monkeypatch):
    def no_compiler(graph, inputs):
        raise RuntimeError("No working C++ compiler found\nand a long explanation")

    monkeypatch.setattr(computing, "COMPILER", no_compiler)
    with pytest.raises(ConfigError) as caught:
        Computing(ComputeSettings(compile=True), CPU)
    text = str(caught.value)
    assert text.startswith("compute.compile is true, but torch cannot compile on cpu here: ")
    assert "RuntimeError: No working C++ compiler found; install a C++ compiler such as" in text
    assert "\n" not in text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_working_compiler_is_found(monkeypatch):
    counter = CompileCounter()
    monkeypatch.setattr(computing, "COMPILER", counter)
    check_compiler(CPU)
    assert counter.frame_count == 1
