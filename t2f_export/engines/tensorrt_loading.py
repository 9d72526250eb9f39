"""Loads a new engine on the GPU that is here, so that one that does not load is never kept."""

from t2f_export.engines.tensorrt_api import Library
from t2f_export.engines.tensorrt_engine import EngineRequest
from t2f_export.engines.tensorrt_messages import Messages, make_logger
from t2f_export.errors import EngineBuildError
from t2f_runtime.engine_choice import NAMES


def check_loads(library: Library, plan: bytes, request: EngineRequest) -> None:
    """Loads an engine, and gives a stripped one its weights from the ONNX file.

    To be called only where CUDA has a GPU that the engine was built for: without a driver
    TensorRT's loader may end the process.

    Args:
        library: The module of the request's flavour.
        plan: The engine.
        request: What it was built from.

    Raises:
        EngineBuildError: The engine does not load, or the weights do not fit.
    """
    messages = Messages()
    logger = make_logger(library, messages)
    runtime = library.Runtime(logger)
    if request.options.is_version_compatible:
        # Such an engine brings a small runtime of its version with it, which is code.
        runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(plan)
    name = f"{NAMES[request.flavour]} {library.__version__}"
    if engine is None:
        raise EngineBuildError(
            f"{name} built {request.what} but does not load it on this GPU: {messages.told()}"
        )
    if request.options.is_stripped:
        missing = _refit(library, engine, logger, request.model)
        if missing is not None:
            raise EngineBuildError(
                f"{name} built {request.what} without weights but does not take them back from "
                f"the ONNX file ({missing}): {messages.told()}; build it without --strip"
            )


def _refit(library: Library, engine: object, logger: object, model: bytes) -> str | None:
    """Gives an engine the weights of an ONNX file; says what failed, or None."""
    refitter = library.Refitter(engine, logger)
    if not library.OnnxParserRefitter(refitter, logger).refit_from_bytes(model):
        return "it does not match them"
    missing = refitter.get_missing_weights()
    if missing:
        return f"{len(missing)} are missing, {missing[0]} first"
    return None if refitter.refit_cuda_engine() else "it refuses them"
