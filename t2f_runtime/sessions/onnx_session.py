"""ONNX Runtime on the CPU."""

from collections.abc import Callable, Mapping
from typing import Any

import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as inner

from t2f_runtime.errors import EngineError, T2FError
from t2f_runtime.processors import usable_cpus

PROVIDER = "CPUExecutionProvider"

_ERRORS_ONLY = 3


class OnnxSession:
    """A network in ONNX Runtime, on the CPU and nothing else.

    Args:
        model: An ONNX file's bytes, or what reads them: then nothing holds them once they are
            parsed, which for a large network is a sixth of the memory that loading takes.
        threads: Threads that work on one run; None takes the CPUs this process may use.

    Raises:
        EngineError: ONNX Runtime cannot load the network.
        BundleError: It cannot be read.
    """

    def __init__(self, model: bytes | Callable[[], bytes], *, threads: int | None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cpus()
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _ERRORS_ONLY
        # A thread that spins for its next task takes a CPU from the kiosk's own program, and saves
        # nothing: on two cores, 17 ms a face of 64 pixels either way; on a busy machine, 50 ms
        # without spinning and 79 with it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Neither an arena, which keeps the most that was ever asked for, nor a plan of the memory
        # of each shape, which every length of a description would add to: 72 MiB after 2,000 faces
        # of 64 pixels rather than 75, and no slower (3.6 ms a face either way).
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        try:
            self._session, self._outputs = _load(model, options)
        except T2FError:  # the bytes cannot be read
            raise
        except Exception as error:  # its errors derive from Exception alone, and vary by version
            raise EngineError(
                f"ONNX Runtime {onnxruntime.__version__} cannot load the network: {error}; "
                "export the run again, or upgrade with: pip install -U onnxruntime"
            ) from error
        # ONNX Runtime takes another provider than it was asked for without raising anything.
        providers = self._session.get_providers()
        if providers != [PROVIDER]:
            raise EngineError(f"ONNX Runtime runs on {providers}; {PROVIDER} was asked for")

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Maps input names to arrays, output names to fresh arrays; see `Session.run`."""
        try:
            outputs = self._session.run(self._outputs, dict(inputs), None)
        except Exception as error:  # as above
            raise EngineError(f"ONNX Runtime cannot run the network: {error}") from error
        return dict(zip(self._outputs, outputs, strict=True))


def _load(model: bytes | Callable[[], bytes], options: Any) -> tuple[Any, list[str]]:  # noqa: ANN401 (untyped there)
    """Gives a session and the names of its outputs.

    `onnxruntime.InferenceSession` holds the file's bytes while it prepares the network, and for
    good. What it wraps does not, and is taken where it is as it was in ONNX Runtime 1.20.1 and
    1.32.0; it is no public interface, and a release that has another costs memory, not the kiosk.
    """
    try:
        session = inner.InferenceSession(options, _read(model), False, False)
        session.initialize_session([PROVIDER], [{}], set())
        return session, [output.name for output in session.outputs_meta]
    except (AttributeError, TypeError):
        # Without its fallback, which would tell of itself on standard output, where `t2f serve`
        # speaks its protocol.
        public = onnxruntime.InferenceSession(
            _read(model), options, providers=[PROVIDER], enable_fallback=0
        )
        return public, [output.name for output in public.get_outputs()]


def _read(model: bytes | Callable[[], bytes]) -> bytes:
    return model() if callable(model) else model
