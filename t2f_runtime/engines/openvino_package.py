"""The installation of OpenVINO."""

from types import ModuleType

from t2f_runtime.engines.unavailable import UnavailableEngineError
from t2f_runtime.telemetry import silenced_openvino


def import_openvino() -> ModuleType:
    """Imports OpenVINO.

    Raises:
        UnavailableEngineError: It is not installed, or cannot be imported.
    """
    try:
        with silenced_openvino():
            import openvino  # noqa: PLC0415 (an engine, loaded when wanted)
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == "openvino"
        reason = "is not installed" if is_missing else f"cannot be imported: {error}"
        raise UnavailableEngineError(
            f"the package 'openvino' {reason}", "install it with: pip install 't2f[openvino]'"
        ) from error
    return openvino  # type: ignore[no-any-return]  # it carries no type information
