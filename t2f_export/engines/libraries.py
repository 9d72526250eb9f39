"""The two libraries that build engines: which to take, and whether it can be used here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from t2f_export.engines.tensorrt_api import Library
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.engine_index import Flavour
from t2f_runtime.engines import libraries
from t2f_runtime.engines.choice import NAMES, RTX_TARGETS
from t2f_runtime.engines.gpu import Device, NoDevice, find_device
from t2f_runtime.engines.libraries import MODULES, check_version, how_to_install, is_installed
from t2f_runtime.engines.unavailable import UnavailableEngineError
from t2f_runtime.errors import EngineError

_NAME_A_GPU = (
    "name the GPUs that will run the engines, such as --for sm_86,sm_89,sm_120, to build them here "
    "with TensorRT for RTX, or run this on the machine that will draw"
)


def import_library(flavour: Flavour) -> Library:
    """Imports the library of a flavour.

    Raises:
        EngineError: It is not installed, or cannot be imported.
    """
    try:
        return cast("Library", libraries.import_library(flavour))
    except UnavailableEngineError as error:
        raise EngineError(f"{NAMES[flavour]} cannot build here: {error}") from error


@dataclass(frozen=True, slots=True)
class Host:
    """What this machine has; the defaults ask it."""

    find_device: Callable[[], Device | NoDevice] = find_device
    """Finds the GPU."""
    is_installed: Callable[[str], bool] = is_installed
    """Tells whether a module can be imported, without importing it."""
    load: Callable[[Flavour], Library] = import_library
    """Imports a library."""


def open_library(
    flavour: Flavour, host: Host, *, has_targets: bool
) -> tuple[Library, Device | None]:
    """Opens the library of a flavour, if it can build here.

    Args:
        flavour: The library.
        host: This machine.
        has_targets: Whether the GPUs to build for were named, so that none need be here.

    Returns:
        The library, and the GPU of this machine if there is one.

    Raises:
        EngineBuildError: There is no GPU to build on or for.
        EngineError: The library is missing or of a version that is not served.
    """
    device = host.find_device()
    if isinstance(device, NoDevice) and flavour == "tensorrt":
        raise EngineBuildError(
            f"TensorRT builds an engine on the GPU that will run it, and {device.reason}; "
            f"{_NAME_A_GPU}"
        )
    if isinstance(device, NoDevice) and not has_targets:
        raise EngineBuildError(f"no GPU to build for: {device.reason}; {_NAME_A_GPU}")
    library = host.load(flavour)
    try:
        check_version(library, flavour)
    except UnavailableEngineError as error:
        raise EngineError(f"{NAMES[flavour]} cannot build here: {error}") from error
    return library, None if isinstance(device, NoDevice) else device


def choose_flavour(host: Host, *, has_targets: bool) -> Flavour:
    """Picks the library where none was named.

    Named GPUs need none here, which is TensorRT for RTX. Otherwise TensorRT, which times its
    kernels on the very GPU, comes before TensorRT for RTX, if it is installed.

    Raises:
        EngineBuildError: There is no GPU here, and none was named.
        EngineError: No library is installed that serves the GPU.
    """
    if has_targets:
        return "rtx"
    device = host.find_device()
    if isinstance(device, NoDevice):
        raise EngineBuildError(f"no GPU to build for: {device.reason}; {_NAME_A_GPU}")
    if host.is_installed(MODULES["tensorrt"]):
        return "tensorrt"
    if host.is_installed(MODULES["rtx"]) and device.compute_capability in RTX_TARGETS:
        return "rtx"
    flavours: list[Flavour] = ["tensorrt"]
    if device.compute_capability in RTX_TARGETS:
        flavours.append("rtx")
    raise EngineError(
        f"nothing is installed that builds engines for this {device.name}; "
        f"{how_to_install(flavours)}"
    )
