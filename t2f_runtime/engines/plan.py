"""Loads an engine that was built, and gives it back the weights that it was built without."""

from t2f_runtime.engines.tensorrt_api import ICudaEngine, RunningLibrary
from t2f_runtime.engines.tensorrt_log import Messages, make_logger
from t2f_runtime.errors import EngineError


class LoadedPlan:
    """An engine on the GPU, with what must live as long as it does.

    To be made only where CUDA has a GPU that the engine was built for: without a driver TensorRT's
    loader may end the process.

    Attributes:
        engine: The engine.
        messages: What the library says of it from now on.

    Args:
        library: TensorRT, or TensorRT for RTX.
        plan: The engine's bytes.
        name: What errors call the library.
        is_version_compatible: Whether the engine brings a small runtime of its version with it,
            which is code that the library must be allowed to run.
        weights: The ONNX file that it was built from, for an engine without weights; None for one
            that has them.

    Raises:
        EngineError: The engine does not load, or the weights do not fit.
    """

    def __init__(
        self,
        library: RunningLibrary,
        plan: bytes,
        *,
        name: str,
        is_version_compatible: bool,
        weights: bytes | None,
    ) -> None:
        self.messages = Messages()
        self._logger = make_logger(library, self.messages)
        self._runtime = library.Runtime(self._logger)
        if is_version_compatible:
            self._runtime.engine_host_code_allowed = True
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineError(f"{name} does not load it on this GPU: {self.messages.told()}")
        self.engine: ICudaEngine = engine
        if weights is not None:
            missing = _refit(library, engine, self._logger, weights)
            if missing is not None:
                raise EngineError(
                    f"{name} does not take its weights back from the ONNX file ({missing}): "
                    f"{self.messages.told()}"
                )


def _refit(
    library: RunningLibrary, engine: ICudaEngine, logger: object, model: bytes
) -> str | None:
    """Gives an engine the weights of an ONNX file; says what failed, or None."""
    refitter = library.Refitter(engine, logger)
    if not library.OnnxParserRefitter(refitter, logger).refit_from_bytes(model):
        return "it does not match them"
    missing = refitter.get_missing_weights()
    if missing:
        return f"{len(missing)} are missing, {missing[0]} first"
    return None if refitter.refit_cuda_engine() else "it refuses them"
