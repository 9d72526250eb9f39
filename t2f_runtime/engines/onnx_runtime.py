"""The installation of ONNX Runtime: whether it can be imported, and what it was built with."""

from types import ModuleType
from typing import Final

from t2f_runtime.engines.unavailable import UnavailableEngineError
from t2f_runtime.telemetry import silence_imported

PACKAGES: Final = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-qnn",
)
"""Packages that all install the same module `onnxruntime`, over each other."""

_REPLACE: Final = "replace it with: pip uninstall -y onnxruntime && pip install 't2f[gpu]'"


def import_onnxruntime() -> ModuleType:
    """Imports ONNX Runtime.

    Raises:
        UnavailableEngineError: It is not installed, or cannot be imported.
    """
    try:
        import onnxruntime  # noqa: PLC0415 (an engine, loaded when wanted)
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime"
        reason = "is not installed" if is_missing else f"cannot be imported: {error}"
        raise UnavailableEngineError(
            f"the package 'onnxruntime' {reason}", "install it with: pip install 't2f[cpu]'"
        ) from error
    silence_imported(onnxruntime)
    return onnxruntime  # type: ignore[no-any-return]  # it carries no type information


def find_packages() -> tuple[str, ...]:
    """Names, with versions, of the installed packages that are ONNX Runtime: one, if all is well.

    Where there are several, the files of the one that was installed last lie over the others', so
    that nobody can tell which of them is imported.
    """
    return tuple(
        f"{package} {version}" for package in PACKAGES if (version := _version(package)) is not None
    )


def check_alone() -> None:
    """Refuses several packages that overwrite each other.

    Raises:
        UnavailableEngineError: There are several.
    """
    found = find_packages()
    if len(found) > 1:
        names = " ".join(package.partition(" ")[0] for package in found)
        raise UnavailableEngineError(
            f"{' and '.join(found)} are both installed, and overwrite each other's files",
            f"keep one: pip uninstall -y {names} && pip install 't2f[gpu]'",
        )


def check_provider(onnxruntime: ModuleType, provider: str) -> None:
    """Refuses a build of ONNX Runtime that lacks a provider.

    That it has one says nothing about whether it works: see `OnnxGpuSession`.

    Raises:
        UnavailableEngineError: It lacks the provider.
    """
    built_in: list[str] = onnxruntime.get_available_providers()
    if provider not in built_in:
        raise UnavailableEngineError(
            f"ONNX Runtime {onnxruntime.__version__} here was built without {provider}", _REPLACE
        )


def _version(package: str) -> str | None:
    from importlib import metadata  # noqa: PLC0415 (takes long, and is asked for GPUs alone)

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
