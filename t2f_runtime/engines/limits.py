"""Which GPUs and how many threads an engine may be asked for."""

from typing import Final

from t2f_runtime.engines.names import CPU_ENGINES
from t2f_runtime.errors import ArgumentError
from t2f_runtime.latent import check_whole_number

MAXIMUM_THREADS: Final = 1024
"""The most threads of one face."""

MAXIMUM_DEVICE: Final = 1023
"""The largest number of a GPU."""


def check_device(device: int, engine: str) -> int:
    """Gives the number of a GPU as an int.

    Args:
        device: The number.
        engine: What is to draw; of those on the CPU that are named, each takes 0 alone.

    Raises:
        ArgumentError: It is out of range, or the engine has no GPU.
    """
    device = check_whole_number("device", device, largest=MAXIMUM_DEVICE)
    if device and engine in CPU_ENGINES:
        raise ArgumentError(
            f"device {device} is a GPU, and the engine {engine!r} draws on the CPU; leave the "
            "device out, or name an engine on a GPU"
        )
    return device


def check_threads(threads: int | None) -> int | None:
    """Gives a number of threads as an int, and None as it is.

    Raises:
        ArgumentError: It is out of range.
    """
    if threads is None:
        return None
    return check_whole_number("threads", threads, largest=MAXIMUM_THREADS, least=1)
