"""Two real processes that talk by gloo train the tiny run; what they did is compared here."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from unittest import mock

import pytest
import safetensors.torch
import torch
import torch.multiprocessing
from test_train_cli import toml
from tiny_training import SilentReporter, StopAfter, tiny_config, train_tiny_run, write_faces

from t2f_train import distributed, training_step
from t2f_train.checkpoint import OPTIMISERS, WEIGHTS, latest_checkpoint
from t2f_train.collectives import average_gradients, share_weights, sum_over_processes
from t2f_train.data.batches import Batch
from t2f_train.distributed import open_processes
from t2f_train.errors import ConfigError, DataError, ProcessError, RunError
from t2f_train.model import to_signed
from t2f_train.schedule import Schedule
from t2f_train.training_step import Networks, StepNoise, draw_step_noise, train_step

CPU = torch.device("cpu")
COUNT = 2
LOSSES = {
    "wgan-gp": {"loss": "wgan-gp"},
    "lazy": {"loss": "logistic-r1", "penalty": 0.5, "penalty_interval": 2},
    "hinge": {"loss": "hinge", "penalty": 0.5},
}
EVERYTHING = {
    "data": {"reader": "partly-captioned", "horizontal_flips": True},
    "optimiser": {
        **LOSSES["lazy"],
        "unconditional": 1.0,
        "augmentations": ["colour", "translation", "cutout"],
    },
}


def gradients(name, rank=0, count=1):
    """Gradients of one step in double precision, from this process's share; no weight moves."""
    config = tiny_config(optimiser={**LOSSES[name], "unconditional": 0.7})
    moment = Schedule(config.phases).at(4)
    networks = Networks(config, 40, CPU)
    networks.model.double()
    networks.averaged.double()
    networks.discriminator.double()
    networks.start_phase(moment.depth)
    found = []
    for optimiser in (networks.discriminator_optimiser, networks.generator_optimiser):

        def record(optimiser=optimiser):
            parameters = [p for group in optimiser.param_groups for p in group["params"]]
            found.append([None if p.grad is None else p.grad.clone() for p in parameters])

        optimiser.step = record
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (4, 8, 8, 3), dtype=torch.uint8, generator=random)
    tokens = torch.randint(2, 40, (4, 5), generator=random)
    batch = Batch(pixels, tokens, torch.tensor([1.0, 0.0, 1.0, 1.0]))
    noise = draw_step_noise(config, moment, CPU)
    noise = StepNoise(*(getattr(noise, field.name).double() for field in fields(noise)))
    with mock.patch.object(training_step, "to_signed", lambda pixels: to_signed(pixels).double()):
        losses = train_step(
            networks, batch.share(rank, count), noise.share(rank, count), moment, config.optimiser
        )
    return found, losses


def weights_of(run):
    parts = (run.networks.model, run.networks.averaged, run.networks.discriminator)
    return [parameter.detach() for part in parts for parameter in part.parameters()]


def complaint(work, *arguments, **settings):
    try:
        work(*arguments, **settings)
    except (ConfigError, DataError, ProcessError, RunError) as error:
        return type(error).__name__, str(error)
    return None


def second_derivative(rank):
    """Of a sum over processes of cubes: what goes through the sum twice must come back twice."""
    values = torch.full((2,), 1.0 + rank, dtype=torch.float64, requires_grad=True)
    total = sum_over_processes(values) ** 3
    (gradient,) = torch.autograd.grad(total.sum(), values, create_graph=True)
    gradient.square().sum().backward()
    return gradient.detach(), values.grad


def bucketed(rank):
    """Gradients that fill more than one bucket, in two layouts of memory."""
    parameters = [torch.nn.Parameter(torch.zeros(2, 3, 2, 2)) for _ in range(3)]
    for number, parameter in enumerate(parameters[:2]):
        parameter.grad = torch.arange(24.0).reshape(2, 3, 2, 2) * (1 + rank + number)
    parameters[1].grad = parameters[1].grad.contiguous(memory_format=torch.channels_last)
    with mock.patch("t2f_train.collectives.BUCKET_BYTES", 8):
        average_gradients(parameters)
    return [None if parameter.grad is None else parameter.grad for parameter in parameters]


def once_in_a_cache(base, rank):
    """Whether each process found what the first of the machine had made."""
    file = base / "once"

    def make():
        is_maker = not file.exists()
        if is_maker:
            file.write_text("made")
        return is_maker

    return distributed.once_a_machine(make)


def fail_in(rank):
    """Complaints of all about the one process that fails."""

    def make():
        if distributed.process_rank() == rank:
            raise DataError(f"process {rank} found rot")

    return complaint(distributed.once_a_machine, make)


def fail():
    raise RunError("the folder is full of cats")


def start(rank, base, ports):
    """What each of the two processes does; results go to `base / "results-RANK.pt"`."""
    torch.set_num_threads(1)
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": COUNT, "MASTER_ADDR": "127.0.0.1"}
    os.environ.update({name: str(value) for name, value in places.items()})
    os.environ["MASTER_PORT"] = str(ports[0])
    work(rank, base)
    os.environ["MASTER_PORT"] = str(ports[1])
    lose(rank, base)


def work(rank, base):
    with open_processes("cpu") as device:
        assert device == CPU
        results = {"gradients": {name: gradients(name, rank, COUNT) for name in LOSSES}}
        results["weights"] = weights_of(train_tiny_run(base, name="pair"))
        everything = tiny_config(**EVERYTHING)
        results["everything"] = weights_of(
            train_tiny_run(base / "partly", config=everything, name="pair")
        )
        # The second process alone is asked to stop.
        for step in (2, 6):
            reporter = StopAfter(step) if rank else SilentReporter()
            results[f"stopped-{step}"] = train_tiny_run(base, name="broken", reporter=reporter).step
        reporter = StopAfter(5) if rank else SilentReporter()
        train_tiny_run(base, name="shrinking", reporter=reporter)
        results["resumed"] = weights_of(train_tiny_run(base, name="broken"))
        results["second-derivative"] = second_derivative(rank)
        results["bucketed"] = bucketed(rank)
        results["once"] = once_in_a_cache(base, rank)
        results["told"] = distributed.from_first(lambda: f"from {rank}")
        results["complaints"] = {
            "cats": complaint(distributed.from_first, fail),
            "first-rot": fail_in(0),
            "second-rot": fail_in(1),
            "data": complaint(distributed.check_same_data, "abc"[rank]),
            "same-data": complaint(distributed.check_same_data, "abc"),
            "batches": complaint(
                train_tiny_run,
                base,
                name="odd",
                config=tiny_config(phases=[{"resolution": 4, "images": 9, "batch_size": 3}]),
            ),
            "cats-at-home": complaint(train_tiny_run, base, name="faces"),
        }
        layer = torch.nn.Linear(3, 2)
        with torch.no_grad():
            layer.weight.fill_(rank)
        share_weights([layer])
        results["shared"] = layer.weight.detach()
    assert not distributed.is_open()
    torch.save(results, base / f"results-{rank}.pt")


def lose(rank, base):
    """The second process goes without a word; what the first then says goes to a file."""
    with open_processes("cpu"):
        distributed.is_any(False)
        if rank == 0:
            (base / "lost").write_text(complaint(distributed.is_any, False)[1])
        os._exit(0)


@contextmanager
def free_ports(count):
    """Ports that are given to nobody else meanwhile, but may be listened at by who knows them."""
    with ExitStack() as stack:
        holders = [stack.enter_context(socket.socket()) for _ in range(count)]
        for holder in holders:  # bound, which keeps the port, and not listening, which leaves it
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", 0))
        yield [holder.getsockname()[1] for holder in holders]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder of two processes' runs, and their results."""
    base = tmp_path_factory.mktemp("together")
    write_faces(base / "faces")
    (base / "partly").mkdir()
    write_faces(base / "partly" / "faces")
    for number in (1, 4, 5):
        (base / "partly" / "faces" / f"{number:02}.txt").unlink()
    with free_ports(2) as ports:
        torch.multiprocessing.spawn(start, (base, ports), nprocs=COUNT)
    return base, [torch.load(base / f"results-{rank}.pt") for rank in range(COUNT)]


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", LOSSES)
def test_two_processes_have_the_gradients_of_one_with_the_whole_batch(together, name):
    expected, losses = gradients(name)
    assert len(expected) == (3 if name == "lazy" else 2)
    for results in together[1]:
        found, their_losses = results["gradients"][name]
        for update, theirs in zip(expected, found, strict=True):
            assert any(gradient is not None and gradient.abs().max() > 1e-3 for gradient in update)
            torch.testing.assert_close(theirs, update, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(their_losses, losses, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["weights", "everything", "resumed"])
def test_both_processes_end_with_the_same_weights_bit_for_bit(together, name):
    one, other = (results[name] for results in together[1])
    assert one
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_run_of_two_processes_ends_with_the_weights_of_one(together, tmp_path):
    # Rounding differs; the bound is a hundredth of what one of the ten steps may move a weight.
    alone = weights_of(train_tiny_run(tmp_path))
    torch.testing.assert_close(together[1][0]["weights"], alone, rtol=0, atol=1e-5)


def test_all_that_a_run_can_do_ends_with_the_weights_of_one_process(together, tmp_path):
    base, results = together
    alone = train_tiny_run(base / "partly", config=tiny_config(**EVERYTHING), name="alone")
    torch.testing.assert_close(results[0]["everything"], weights_of(alone), rtol=0, atol=1e-5)


def test_a_stop_of_one_process_stops_both_after_the_same_step(together):
    for results in together[1]:
        assert (results["stopped-2"], results["stopped-6"]) == (2, 6)


def test_an_interrupted_run_of_two_processes_equals_the_unbroken_one_bit_for_bit(together):
    base, _ = together
    folders = [base / "pair", base / "broken"]
    checkpoints = [latest_checkpoint(folder / "checkpoints") for folder in folders]
    contents = [(checkpoint / WEIGHTS).read_bytes() for checkpoint in checkpoints]
    assert contents[0] == contents[1]
    optimisers = [torch.load(checkpoint / OPTIMISERS) for checkpoint in checkpoints]
    torch.testing.assert_close(*optimisers, rtol=0, atol=0)
    logs = [(folder / "metrics.jsonl").read_bytes() for folder in folders]
    assert logs[0] == logs[1]


def test_one_process_finishes_what_two_began(together):
    base, results = together
    run = train_tiny_run(base, name="shrinking")
    assert run.is_finished
    torch.testing.assert_close(weights_of(run), results[0]["weights"], rtol=0, atol=1e-5)


def test_only_the_first_process_writes(together):
    base, _ = together
    log = (base / "pair" / "metrics.jsonl").read_text().splitlines()
    assert len(log) == 5
    weights = latest_checkpoint(base / "pair" / "checkpoints") / WEIGHTS
    saved = safetensors.torch.load_file(weights)
    assert "model.generator.first.dense.weight" in saved


def test_sums_over_processes_are_differentiated_twice(together):
    # s = 1 + 2; both add up s^3, so that d/dx = 2 * 3 s^2, and of its square d/dx = 2 * 2 g * 12 s.
    for results in together[1]:
        first, second = results["second-derivative"]
        torch.testing.assert_close(first, torch.full((2,), 54.0, dtype=torch.float64))
        torch.testing.assert_close(second, torch.full((2,), 7776.0, dtype=torch.float64))


def test_gradients_are_averaged_in_any_number_of_buckets_and_layouts(together):
    numbers = torch.arange(24.0).reshape(2, 3, 2, 2)
    for results in together[1]:
        first, second, none = results["bucketed"]
        assert torch.equal(first, 1.5 * numbers)
        assert torch.equal(second, 2.5 * numbers)
        assert second.is_contiguous(memory_format=torch.channels_last)
        assert none is None


def test_weights_are_those_of_the_first_process(together):
    for results in together[1]:
        assert torch.equal(results["shared"], torch.zeros(2, 3))
        assert results["told"] == "from 0"


def test_the_first_process_of_a_machine_makes_what_the_others_find(together):
    assert [results["once"] for results in together[1]] == [True, False]


def test_an_error_of_one_process_is_told_by_it_and_ends_the_others(together):
    first, second = (results["complaints"] for results in together[1])
    assert first["cats"] == ("RunError", "the folder is full of cats")
    assert second["cats"][1] == "the first of 2 processes stopped: the folder is full of cats"
    assert first["first-rot"] == ("DataError", "process 0 found rot")
    assert second["first-rot"][1] == "process 0 of 2 stopped: process 0 found rot"
    assert first["second-rot"][1] == "process 1 of 2 stopped: process 1 found rot"
    assert second["second-rot"] == ("DataError", "process 1 found rot")
    assert "faces is not empty and holds no run.json" in first["cats-at-home"][1]
    assert "stopped: " in second["cats-at-home"][1]


def test_other_data_on_another_machine_is_refused_by_all(together):
    for results in together[1]:
        kind, text = results["complaints"]["data"]
        assert kind == "DataError"
        assert text.startswith("process 1 on the machine ")
        assert "has other images or descriptions than the first" in text
        assert results["complaints"]["same-data"] is None


def test_batches_that_cannot_be_shared_evenly_are_refused(together):
    kind, text = together[1][0]["complaints"]["batches"]
    assert kind == "ConfigError"
    assert text == (
        "phases[0].batch_size is 3, which 2 processes cannot share evenly; make it a multiple of "
        "2, or start another number of processes"
    )


def test_a_process_that_is_gone_is_an_error_and_no_waiting(together):
    text = (together[0] / "lost").read_text()
    assert text.startswith("process 0 of 2 has lost the others (")
    assert "the same command goes on from the last checkpoint" in text


def test_torchrun_starts_the_command(tmp_path):
    write_faces(tmp_path / "faces")
    (tmp_path / "tiny.toml").write_text(toml(tiny_config()), encoding="utf-8")
    torchrun, t2f = (Path(sys.executable).parent / name for name in ("torchrun", "t2f"))
    command = [torchrun, "--standalone", "--no-python", "--nproc-per-node=2", t2f, "train"]
    done = subprocess.run(
        [*command, "tiny.toml", "--data=faces", "--out=run", "--cache=cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.splitlines()[0] == "run      run"
    assert done.stdout.count("run      run") == 1
    assert latest_checkpoint(tmp_path / "run" / "checkpoints").name == "step-00000010"
