"""Several processes that train one run together, on one machine or many: data parallel training.

`torchrun` starts the processes and tells each its number in the environment. Every process holds
the whole networks, draws the order and the noise of the whole batch, and takes its own rows of them
(`Batch.share`), so that together they see what one process would see. `collectives` has the
arithmetic over all rows. The first process alone writes the run folder; what it reads there, it
tells the others. Every machine needs the data and has its own cache.

Where one process trains alone no group is open: it is the first of one, and nothing here talks.
"""

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from t2f_runtime.errors import T2FError
from t2f_train.config import Phase
from t2f_train.devices import open_device
from t2f_train.errors import ConfigError, DataError, ProcessError

LONGEST_WAIT = timedelta(hours=6)
"""How long processes wait for each other; decoding many photographs takes its time."""

_CPU = torch.device("cpu")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Launch:
    """What `torchrun` tells a process."""

    rank: int
    """Number of the process, from 0."""
    count: int
    """Number of processes."""
    local_rank: int
    """Number of the process on its machine, from 0."""

    def device_name(self, name: str) -> str:
        """The device of this process: a GPU of its own where `name` is `cuda`.

        Raises:
            ConfigError: If the processes cannot train on `name`, or this one has no GPU.
        """
        if name == "cpu":
            return name
        if name != "cuda":
            raise ConfigError(
                f"--device {name} names one device for {self.count} processes; give cpu, or cuda, "
                f"of which each process takes a GPU of its own"
            )
        found = torch.cuda.device_count()
        if self.local_rank >= found:
            raise ConfigError(
                f"process {self.rank} of {self.count} is number {self.local_rank} on the machine "
                f"{platform.node()}, which has {found} GPUs that torch can use; "
                + (
                    f"start {found} there: --nproc-per-node {found}"
                    if found
                    else "give --device cpu"
                )
            )
        return f"cuda:{self.local_rank}"


def read_launch(environment: Mapping[str, str]) -> Launch | None:
    """Reads what `torchrun` has put into the environment; None where it did not start us.

    Raises:
        ConfigError: If it is incomplete or no number.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    found = [environment.get(name) for name in names]
    if found[1] is None:
        return None
    try:
        rank, count, local_rank = (int(value or "") for value in found)
    except ValueError as error:
        said = ", ".join(f"{name}={environment.get(name, '')!r}" for name in names)
        raise ConfigError(
            f"the environment says {said}, of which each must be a number; start the processes "
            f"with torchrun, or unset WORLD_SIZE to train by one process"
        ) from error
    return Launch(rank, count, local_rank) if count > 1 else None


@contextmanager
def open_processes(device: str) -> Iterator[torch.device]:
    """Joins the processes that `torchrun` started; a process that was started alone stays alone.

    An error of one process ends all. Where all know of it the process that it came from tells it,
    and the others exit without a word.

    Args:
        device: `cpu`, or `cuda`, of which each process takes a GPU of its own.

    Yields:
        The opened device of this process.

    Raises:
        ConfigError: If there is no such device here.
        ProcessError: If the processes do not find each other.
    """
    launch = read_launch(os.environ)
    if launch is None:
        yield open_device(device)
        return
    opened = open_device(launch.device_name(device))
    if opened.type == "cuda":
        torch.cuda.set_device(opened)
    # GPUs talk by NCCL; gloo carries what lies in main memory, such as the wish to stop.
    backend = "gloo" if opened.type == "cpu" else "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(backend, timeout=LONGEST_WAIT)
    except (RuntimeError, ValueError) as error:
        raise ProcessError(
            f"process {launch.rank} of {launch.count} cannot reach the others: "
            f"{_first_line(error)}; start all with torchrun, with the same --rdzv-endpoint on "
            f"every machine"
        ) from error
    try:
        yield opened
    except _ToldError as error:
        raise SystemExit(1) from error
    # After an error there is nobody to take leave of, and NCCL would wait.
    with talking():
        dist.barrier()
    dist.destroy_process_group()


class _ToldError(ProcessError):
    """Another process has stopped and says why itself."""


def is_open() -> bool:
    """Whether several processes train together."""
    return dist.is_available() and dist.is_initialized()


def process_rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if is_open() else 0


def process_count() -> int:
    """Number of processes that train together; 1 of one that trains alone."""
    return dist.get_world_size() if is_open() else 1


def is_first() -> bool:
    """Whether this is the process that writes."""
    return process_rank() == 0


def check_batch_sizes(phases: tuple[Phase, ...]) -> None:
    """Raises `ConfigError` if the processes cannot share the batches of a phase evenly."""
    count = process_count()
    for number, phase in enumerate(phases):
        if phase.batch_size % count:
            raise ConfigError(
                f"phases[{number}].batch_size is {phase.batch_size}, which {count} processes "
                f"cannot share evenly; make it a multiple of {count}, or start another number of "
                f"processes"
            )


def check_same_data(fingerprint: str) -> None:
    """Raises `DataError` if processes have read different data, as machines may."""
    if not is_open():
        return
    answers: list[Any] = [None] * process_count()
    with talking():
        dist.all_gather_object(answers, (fingerprint, platform.node()))
    for number, (other, machine) in enumerate(answers):
        if other != answers[0][0]:
            raise DataError(
                f"process {number} on the machine {machine} has other images or descriptions than "
                f"the first on {answers[0][1]}; copy the same data to every machine"
            )


def from_first(make: Callable[[], T]) -> T:
    """Has the first process make something, and tells it to all.

    Args:
        make: Called by the first process alone.

    Returns:
        What it made; an equal copy in the other processes.

    Raises:
        T2FError: What `make` raised.
        ProcessError: In the other processes, if `make` raised, or if a process is gone.
    """
    if not is_open():
        return make()
    made: list[Any] = [None, None]
    failure: T2FError | None = None
    if is_first():
        try:
            made[0] = make()
        except T2FError as error:
            failure, made[1] = error, str(error)
    with talking():
        dist.broadcast_object_list(made, src=0, device=_CPU)
    if failure is not None:
        raise failure
    if made[1] is not None:
        raise _ToldError(f"the first of {process_count()} processes stopped: {made[1]}")
    result: T = made[0]
    return result


def once_a_machine(make: Callable[[], T]) -> T:
    """Has every process make something that the first on each machine caches for the others there.

    Args:
        make: Called by one process of each machine, and when it is done by the others.

    Returns:
        What it made.

    Raises:
        T2FError: What `make` raised.
        ProcessError: In the other processes, if `make` raised, or if a process is gone.
    """
    if not is_open():
        return make()
    launch = read_launch(os.environ)
    turn = 0 if launch is None or launch.local_rank == 0 else 1
    made: list[T] = []
    for number in range(2):
        with _together():
            if number == turn:
                made.append(make())
    return made[0]


@contextmanager
def _together() -> Iterator[None]:
    """An error of one process becomes an error of all; nothing inside may talk."""
    failure: T2FError | None = None
    try:
        yield
    except T2FError as error:
        failure = error
    answers: list[str | None] = [None] * process_count()
    with talking():
        dist.all_gather_object(answers, None if failure is None else str(failure))
    failed = [number for number, answer in enumerate(answers) if answer is not None]
    if not failed:
        return
    if failure is not None and failed[0] == process_rank():
        raise failure
    raise _ToldError(
        f"process {failed[0]} of {process_count()} stopped: {answers[failed[0]]}"
    ) from failure


def is_any(flag: bool) -> bool:
    """Whether the flag is set in any process; all of them get the same answer."""
    if not is_open():
        return flag
    answer = torch.tensor(int(flag))
    with talking():
        dist.all_reduce(answer, op=dist.ReduceOp.MAX)
    return bool(answer)


@contextmanager
def talking() -> Iterator[None]:
    """Turns a connection that breaks into `ProcessError`."""
    try:
        yield
    except RuntimeError as error:  # gloo has no type of its own for a connection that broke
        raise ProcessError(
            f"process {process_rank()} of {process_count()} has lost the others "
            f"({_first_line(error)}); if none of them says why, it was killed: the same command "
            f"goes on from the last checkpoint"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
