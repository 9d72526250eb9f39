"""Sessions: loaded networks, whatever engine runs them."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol, get_args

from numpy.typing import NDArray

from t2f_runtime.errors import EngineError

Engine = Literal["onnx-cpu"]


class Session(Protocol):
    """One loaded network, whatever engine runs it; safe to run from many threads."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Maps the manifest's input names to arrays, its output names to fresh arrays."""
        ...


def open_session(model: bytes, *, engine: str, threads: int | None) -> Session:
    """Loads a network into an engine; only here is the engine's package imported.

    Args:
        model: An ONNX file's bytes.
        engine: One of `Engine`.
        threads: Threads that work on one face; None takes the CPUs this process may use.

    Raises:
        EngineError: No such engine, its package is missing, or it cannot run the network.
    """
    match engine:
        case "onnx-cpu":
            try:
                from t2f_runtime.sessions.onnx_session import OnnxSession  # noqa: PLC0415 (lazy)
            except ImportError as error:
                raise EngineError(_missing_package(engine, "onnxruntime", "cpu", error)) from error
            return OnnxSession(model, threads=threads)
        case _:
            raise EngineError(
                f"unknown engine {engine!r}; this T2F has: {', '.join(get_args(Engine))}"
            )


def _missing_package(engine: str, package: str, extra: str, error: ImportError) -> str:
    repair = f"install it with: pip install 't2f[{extra}]'"
    if isinstance(error, ModuleNotFoundError):
        return f"engine '{engine}' needs the package '{package}'; {repair}"
    return f"engine '{engine}': the package '{package}' cannot be imported: {error}; {repair}"
