"""The GPU of this machine, asked of CUDA's driver before any library of NVIDIA's is touched.

TensorRT may end the process where there is no driver, so the driver is asked first, through
`ctypes`: it needs no package, and where it is missing nothing is loaded at all. Source of the calls
and numbers: NVIDIA, CUDA Driver API, sections 6.2 to 6.5.
"""

import ctypes
import platform
import sys
from collections.abc import Callable
from typing import Final

import msgspec

_MULTIPROCESSOR_COUNT: Final = 16
_COMPUTE_CAPABILITY_MAJOR: Final = 75
_COMPUTE_CAPABILITY_MINOR: Final = 76
_NAME_BYTES: Final = 256


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU that CUDA gives to this process."""

    name: str
    """As CUDA calls it: `NVIDIA GeForce RTX 4070`, `Orin`."""
    compute_capability: str
    """What instructions it has: `sm_89`."""
    multiprocessors: int
    """How many it has."""


class NoDevice(msgspec.Struct, frozen=True):
    """There is no such GPU for this process."""

    reason: str
    """Why not."""


def load_driver() -> ctypes.CDLL:
    """Loads CUDA's driver library.

    Raises:
        OSError: There is none.
    """
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def find_device(index: int = 0, load: Callable[[], ctypes.CDLL] = load_driver) -> Device | NoDevice:
    """Asks CUDA for a GPU that this process may use (`CUDA_VISIBLE_DEVICES` chooses and orders).

    Args:
        index: Which of them, from 0.
        load: Gives the driver library, or raises OSError.
    """
    try:
        driver = load()
    except OSError:
        return NoDevice("no NVIDIA driver is installed")
    device, count = ctypes.c_int(0), ctypes.c_int(0)
    name = ctypes.create_string_buffer(_NAME_BYTES)
    major, minor, multiprocessors = ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(0)
    for question, arguments in (
        ("cuInit", (0,)),
        ("cuDeviceGetCount", (ctypes.byref(count),)),
        ("cuDeviceGet", (ctypes.byref(device), index)),
        ("cuDeviceGetName", (name, _NAME_BYTES, device)),
        ("cuDeviceGetAttribute", (ctypes.byref(major), _COMPUTE_CAPABILITY_MAJOR, device)),
        ("cuDeviceGetAttribute", (ctypes.byref(minor), _COMPUTE_CAPABILITY_MINOR, device)),
        ("cuDeviceGetAttribute", (ctypes.byref(multiprocessors), _MULTIPROCESSOR_COUNT, device)),
    ):
        if question == "cuDeviceGet" and index >= count.value:
            return _absent(index, count.value)
        status = getattr(driver, question)(*arguments)
        if status != 0:
            return NoDevice(f"the NVIDIA driver answers {question} with error {status}")
    return Device(
        name=name.value.decode(errors="replace"),
        compute_capability=f"sm_{major.value}{minor.value}",
        multiprocessors=multiprocessors.value,
    )


def _absent(index: int, count: int) -> NoDevice:
    if count == 0:
        return NoDevice("the NVIDIA driver shows no GPU to this process")
    shown = "1 GPU" if count == 1 else f"{count} GPUs"
    return NoDevice(
        f"the NVIDIA driver shows {shown} to this process, counted from 0: there is no {index}"
    )


def this_platform() -> str:
    """Operating system and processor, as the index of engines spells them: `linux-x86_64`."""
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}-{machine}"
