"""What a run would take: parameters, memory, operations and time, before it is started."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from rich.table import Table
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from t2f_train.config import Config, TextSettings
from t2f_train.data.batches import Batch
from t2f_train.minilm_package import read_vocabulary
from t2f_train.progress import duration
from t2f_train.schedule import Moment, Schedule
from t2f_train.tokenizer import open_tokenizer
from t2f_train.training_step import Networks, draw_step_noise, train_step

MEASURED_SECONDS = 10.0
"""How long the speed is measured, over all phases together."""

ASSUMED_TOKENS = 24
"""Length of a description of the random data that is measured with."""

_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEstimate:
    """What one phase takes."""

    resolution: int
    """Side of its images, in pixels."""
    steps: int
    """Steps of the phase."""
    images: int
    """Images of the phase."""
    generator_parameters: int
    """Weights of the generator, the conditioning and the text encoder that take part."""
    discriminator_parameters: int
    """Weights of the discriminator that take part."""
    operations: float
    """Floating-point operations of one image in one step, both networks, forward and backward."""
    memory: int
    """Bytes of weights, their averages, Adam's moments, gradients, and what the backward passes
    keep at their largest; what convolutions use while they run comes on top."""
    images_per_second: float
    """Measured here; of random data, so without reading any."""

    @property
    def seconds(self) -> float:
        """Time of the phase."""
        return self.images / self.images_per_second


def estimate(
    config: Config,
    device: torch.device,
    *,
    seconds: float = MEASURED_SECONDS,
) -> list[PhaseEstimate]:
    """Estimates every phase of a run by taking a few of its steps with random data.

    Args:
        config: The run's configuration.
        device: Where to measure.
        seconds: How long to measure speed, in all; every phase takes three steps at least.

    Raises:
        ConfigError: If the networks cannot be made.
    """
    tokens = vocabulary_size(config.text)
    networks = Networks(config, tokens, device)
    schedule = Schedule(config.phases)
    first_steps = [0]
    for index in range(len(config.phases) - 1):
        first_steps.append(
            first_steps[-1] + schedule.phase_images(index) // config.phases[index].batch_size
        )
    share = seconds / len(config.phases)
    return [
        _estimate_phase(config, networks, schedule.at(step), tokens, share) for step in first_steps
    ]


def vocabulary_size(settings: TextSettings) -> int:
    """Number of tokens of a run that has not begun: at most, where they are still to be found.

    Raises:
        ConfigError: If a pretrained text encoder is not installed.
    """
    match settings.encoder:
        case "lstm":
            return settings.vocabulary_size
        case "minilm":
            return open_tokenizer(read_vocabulary(), settings).vocabulary_size
        case "none":
            return 0


def _estimate_phase(
    config: Config, networks: Networks, moment: Moment, tokens: int, seconds: float
) -> PhaseEstimate:
    networks.start_phase(moment.depth)
    schedule = Schedule(config.phases)
    images = schedule.phase_images(moment.phase_index)
    batch = random_batch(config, moment, tokens, networks.device)
    interval = config.optimiser.penalty_interval
    # A step with a penalty, and one without.
    heavy = replace(moment, step=moment.step // interval * interval)
    light = replace(heavy, step=heavy.step + 1)

    def take(step: Moment) -> None:
        noise = draw_step_noise(config, step, networks.device)
        train_step(networks, batch, noise, step, config.optimiser)

    with count_kept_bytes() as kept, OperationCounter() as with_penalty:
        take(heavy)
    with OperationCounter() as without:
        take(light)
    heavy_seconds = _seconds_a_step(lambda: take(heavy), networks.device, seconds / 2)
    light_seconds = _seconds_a_step(lambda: take(light), networks.device, seconds / 2)
    operations = (with_penalty.total + (interval - 1) * without.total) / interval
    step_seconds = (heavy_seconds + (interval - 1) * light_seconds) / interval
    batch_size = moment.phase.batch_size
    return PhaseEstimate(
        resolution=moment.phase.resolution,
        steps=images // batch_size,
        images=images,
        generator_parameters=_count(networks.generator_parameters)
        + _count(networks.model.text_encoder),
        discriminator_parameters=_count(networks.discriminator.active_parameters(moment.depth)),
        operations=operations / batch_size,
        memory=_bytes_of_weights(networks) + kept.most,
        images_per_second=batch_size / step_seconds,
    )


def random_batch(config: Config, moment: Moment, tokens: int, device: torch.device) -> Batch:
    """A batch of random pixels and descriptions, of so many tokens, for a step at a moment."""
    random = torch.Generator().manual_seed(config.seed % 2**63)
    count, side = moment.phase.batch_size, moment.phase.resolution
    pixels = torch.randint(0, 256, (count, side, side, 3), generator=random, dtype=torch.uint8)
    rows = None
    if config.is_conditional:
        length = min(ASSUMED_TOKENS, config.text.maximum_tokens)
        rows = torch.randint(1, tokens, (count, length), generator=random)
    return Batch(pixels, rows).to(device)


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the floating-point operations of matrix products and convolutions inside its block.

    By torch's own formulas. Its `FlopCounterMode` also follows modules, and there breaks on the
    gradient with respect to images that the penalties take.

    Attributes:
        total: Operations so far, a multiplication and its addition being two.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Runs an operation and counts it."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=result)
        return result


@dataclass
class KeptBytes:
    """Bytes that backward passes keep, now and at most."""

    now: int = 0
    most: int = 0


class _Kept:
    """A tensor that a backward pass keeps; counts itself out when it is let go."""

    def __init__(self, tensor: Tensor, counter: KeptBytes) -> None:
        self.tensor = tensor
        self._size = tensor.numel() * tensor.element_size()
        self._counter = counter
        counter.now += self._size
        counter.most = max(counter.most, counter.now)

    def __del__(self) -> None:
        self._counter.now -= self._size


@contextmanager
def count_kept_bytes() -> Iterator[KeptBytes]:
    """Counts what is kept for backward passes inside the block.

    Weights that are kept for them are counted too, each time that they are.
    """
    counter = KeptBytes()
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: _Kept(tensor, counter), lambda kept: kept.tensor
    ):
        yield counter


def _seconds_a_step(take: Callable[[], None], device: torch.device, seconds: float) -> float:
    steps = 0
    _wait(device)
    start = time.perf_counter()
    while True:
        take()
        steps += 1
        _wait(device)
        passed = time.perf_counter() - start
        if passed >= seconds:
            return passed / steps


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _count(parameters: Sequence[nn.Parameter] | nn.Module | None) -> int:
    if parameters is None:
        return 0
    listed = parameters.parameters() if isinstance(parameters, nn.Module) else parameters
    return sum(parameter.numel() for parameter in listed)


def _bytes_of_weights(networks: Networks) -> int:
    """Weights and their averages; gradients and two moments of Adam for those that learn."""
    modules = (networks.model, networks.averaged, networks.discriminator)
    weights = sum(_count(module) for module in modules)
    learning = _count(networks.generator_parameters) + _count(networks.discriminator_parameters)
    return 4 * (weights + 3 * learning)


def estimate_table(phases: Sequence[PhaseEstimate]) -> Table:
    """The estimates as a table, with the sums that a run is planned by."""
    table = Table(title="What this run would take", title_justify="left")
    for heading in (
        "phase",
        "images",
        "steps",
        "generator",
        "discriminator",
        "GFLOPs an image",
        "memory",
        "images/s",
        "time",
    ):
        table.add_column(heading, justify="right")
    for phase in phases:
        table.add_row(
            f"{phase.resolution}x{phase.resolution}",
            f"{phase.images:,}",
            f"{phase.steps:,}",
            f"{phase.generator_parameters:,}",
            f"{phase.discriminator_parameters:,}",
            f"{phase.operations / 1e9:.3f}",
            f"{phase.memory / _MIB:,.0f} MiB",
            f"{phase.images_per_second:,.0f}",
            duration(phase.seconds),
        )
    table.add_section()
    table.add_row(
        "all",
        f"{sum(phase.images for phase in phases):,}",
        f"{sum(phase.steps for phase in phases):,}",
        "",
        "",
        "",
        f"{max(phase.memory for phase in phases) / _MIB:,.0f} MiB",
        "",
        duration(sum(phase.seconds for phase in phases)),
    )
    return table
