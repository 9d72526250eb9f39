"""Loads a new engine on the GPU that is here, so that one that does not load is never kept."""

from t2f_export.engines.tensorrt_api import Library
from t2f_export.engines.tensorrt_engine import EngineRequest
from t2f_export.errors import EngineBuildError
from t2f_runtime.engines.choice import NAMES
from t2f_runtime.engines.plan import LoadedPlan
from t2f_runtime.errors import EngineError


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
    options = request.options
    try:
        LoadedPlan(
            library,
            plan,
            name=f"{NAMES[request.flavour]} {library.__version__}",
            is_version_compatible=options.is_version_compatible,
            weights=request.model if options.is_stripped else None,
        )
    except EngineError as error:
        repair = "; build it without --strip" if options.is_stripped else ""
        raise EngineBuildError(f"{request.what} was built, but {error}{repair}") from error
