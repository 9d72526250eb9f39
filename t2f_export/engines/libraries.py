"""The two libraries that build engines: which to take, and whether it can be used here."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from t2f_export.engines.devices import Device, NoDevice, find_device
from t2f_export.engines.tensorrt_api import Library
from t2f_export.errors import EngineBuildError
from t2f_runtime.engine_choice import NAMES, RTX_TARGETS, version_numbers
from t2f_runtime.engine_index import Flavour
from t2f_runtime.errors import EngineError

MODULES: Final[dict[Flavour, str]] = {"rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}

_VERSIONS: Final[dict[Flavour, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "rtx": ((1, 7), (2,)),
    "tensorrt": ((10, 3), (12,)),
}
"""The first version that is served, and the first that no longer is."""

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
        match flavour:
            case "rtx":
                import tensorrt_rtx  # noqa: PLC0415 (a library of NVIDIA's, loaded when wanted)

                return cast("Library", tensorrt_rtx)
            case "tensorrt":
                import tensorrt  # noqa: PLC0415 (as above)

                return cast("Library", tensorrt)
    except ImportError as error:
        raise EngineError(_missing(flavour, error)) from error


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


@dataclass(frozen=True, slots=True)
class Host:
    """What this machine has; the defaults ask it."""

    find_device: Callable[[], Device | NoDevice] = find_device
    """Finds the GPU."""
    is_installed: Callable[[str], bool] = _is_installed
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
    first, last = _VERSIONS[flavour]
    if not first <= version_numbers(library.__version__) < last:
        raise EngineError(
            f"{NAMES[flavour]} {library.__version__} is installed; this T2F builds engines with "
            f"{_dotted(first)} up to, and without, {_dotted(last)}"
        )
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
        f"nothing is installed that builds engines for this {device.name}; {_install(flavours)}"
    )


def _missing(flavour: Flavour, error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == MODULES[flavour]:
        return (
            f"building with {NAMES[flavour]} needs the package '{MODULES[flavour]}'; "
            f"{_install([flavour])}"
        )
    return f"the package '{MODULES[flavour]}' cannot be imported: {error}; {_install([flavour])}"


def _install(flavours: list[Flavour]) -> str:
    ways = {
        "rtx": "pip install 't2f[rtx]'",
        "tensorrt": "pip install 't2f[tensorrt]', or on a Jetson: apt install python3-libnvinfer",
    }
    return "install it with: " + ", or ".join(ways[flavour] for flavour in flavours)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
