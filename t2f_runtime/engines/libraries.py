"""The two libraries that build and run engines: which versions are served, and how to get them."""

import importlib.util
from collections.abc import Sequence
from typing import Final, cast

from t2f_runtime.bundle.engine_index import Flavour
from t2f_runtime.engines.choice import NAMES, version_numbers
from t2f_runtime.engines.tensorrt_api import RunningLibrary
from t2f_runtime.engines.unavailable import UnavailableEngineError

MODULES: Final[dict[Flavour, str]] = {"rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}
"""What each is imported as."""

_VERSIONS: Final[dict[Flavour, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "rtx": ((1, 7), (2,)),
    "tensorrt": ((10, 3), (12,)),
}
"""The first version that is served, and the first that no longer is."""

_WAYS: Final[dict[Flavour, str]] = {
    "rtx": "pip install 't2f[rtx]'",
    "tensorrt": "pip install 't2f[tensorrt]', or on a Jetson: apt install python3-libnvinfer",
}


def import_library(flavour: Flavour) -> RunningLibrary:
    """Imports the library of a flavour.

    Raises:
        UnavailableEngineError: It is not installed, or cannot be imported.
    """
    try:
        match flavour:
            case "rtx":
                import tensorrt_rtx  # noqa: PLC0415 (a library of NVIDIA's, loaded when wanted)

                return cast("RunningLibrary", tensorrt_rtx)
            case "tensorrt":
                import tensorrt  # noqa: PLC0415 (as above)

                return cast("RunningLibrary", tensorrt)
    except ImportError as error:
        module = MODULES[flavour]
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == module
        reason = "is not installed" if is_missing else f"cannot be imported: {error}"
        raise UnavailableEngineError(
            f"the package '{module}' {reason}", how_to_install([flavour])
        ) from error


def check_version(library: RunningLibrary, flavour: Flavour) -> None:
    """Refuses a version that is not served.

    Raises:
        UnavailableEngineError: The library is older, or newer.
    """
    first, last = _VERSIONS[flavour]
    if not first <= version_numbers(library.__version__) < last:
        raise UnavailableEngineError(
            f"{NAMES[flavour]} {library.__version__} is installed, and this T2F is made for "
            f"{_dotted(first)} up to, and without, {_dotted(last)}",
            how_to_install([flavour]),
        )


def is_installed(module: str) -> bool:
    """Whether a module of the top level can be imported; nothing is."""
    return importlib.util.find_spec(module) is not None


def how_to_install(flavours: Sequence[Flavour]) -> str:
    """Says which commands install the libraries."""
    return "install it with: " + ", or ".join(_WAYS[flavour] for flavour in flavours)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
