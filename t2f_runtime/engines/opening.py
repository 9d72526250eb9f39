"""Opens a bundle's networks in an engine: the one that is named, or the best that works."""

from typing import cast, get_args

import msgspec

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.engines.cpu_engines import prepare_cpu
from t2f_runtime.engines.host import Host, check_device
from t2f_runtime.engines.names import AUTO, AUTO_ORDER, FLAVOURS, PROVIDERS, EngineName
from t2f_runtime.engines.prepared import EngineWish, Prepared
from t2f_runtime.engines.running import PassedOver, RunningEngine, list_reasons
from t2f_runtime.engines.unavailable import UnavailableEngineError
from t2f_runtime.errors import EngineError
from t2f_runtime.sessions import Session


class OpenedEngine(msgspec.Struct, frozen=True, kw_only=True):
    """The networks of a bundle, loaded."""

    engine: RunningEngine
    """What runs them."""
    text_encoder: Session | None
    """None for a model without text."""
    generator: Session
    """What draws."""


def open_engine(bundle: Bundle, wish: EngineWish, host: Host | None = None) -> OpenedEngine:
    """Loads the networks of a bundle into an engine; only here are engines' packages imported.

    Args:
        bundle: The bundle.
        wish: What is wanted.
        host: This machine; None asks it.

    Raises:
        BundleError: The bundle has no networks of that precision, or an engine of it is altered.
        EngineError: There is no such engine, it cannot run here, or it cannot run the bundle; of
            `AUTO`, that none can.
    """
    host = host or Host()
    known = get_args(EngineName)
    if wish.engine != AUTO and wish.engine not in known:
        raise EngineError(
            f"unknown engine {wish.engine!r}; this T2F has: {', '.join((AUTO, *known))}"
        )
    if wish.precision != AUTO:
        bundle.graphs(wish.precision)
    if wish.engine == AUTO:
        return _open_best(bundle, wish, host)
    name = cast("EngineName", wish.engine)
    try:
        return _open(name, bundle, wish, host)
    except UnavailableEngineError as error:
        raise EngineError(f"engine '{name}' cannot run here: {error}") from error


def _open_best(bundle: Bundle, wish: EngineWish, host: Host) -> OpenedEngine:
    passed_over: list[PassedOver] = []
    for name in AUTO_ORDER:
        tried = _try(name, bundle, wish, host)
        if isinstance(tried, OpenedEngine):
            engine = msgspec.structs.replace(tried.engine, passed_over=tuple(passed_over))
            return msgspec.structs.replace(tried, engine=engine)
        passed_over.append(tried)
    raise EngineError(f"no engine draws {bundle.path} here: {list_reasons(passed_over)}")


def _try(
    name: EngineName, bundle: Bundle, wish: EngineWish, host: Host
) -> OpenedEngine | PassedOver:
    try:
        return _open(name, bundle, wish, host)
    except EngineError as error:  # an altered engine is a BundleError, and ends it
        return PassedOver(name=name, reason=str(error))


def _open(name: EngineName, bundle: Bundle, wish: EngineWish, host: Host) -> OpenedEngine:
    prepared = _prepare(name, bundle, wish, host)
    graphs = bundle.manifest.graphs[prepared.precision]
    encoder = graphs.text_encoder
    # The generator first: what it cannot run tells most.
    generator = prepared.open_network("generator", graphs.generator)
    text_encoder = None if encoder is None else prepared.open_network("text_encoder", encoder)
    return OpenedEngine(engine=prepared.engine, text_encoder=text_encoder, generator=generator)


def _prepare(name: EngineName, bundle: Bundle, wish: EngineWish, host: Host) -> Prepared:
    if name not in FLAVOURS and name not in PROVIDERS:
        return prepare_cpu(name, bundle, wish, host)
    # First of all, so that a machine without a GPU does not even load what follows.
    check_device(host, wish.device)
    if name in FLAVOURS:
        from t2f_runtime.engines.tensorrt_engines import prepare_tensorrt  # noqa: PLC0415 (lazy)

        return prepare_tensorrt(name, bundle, wish, host)
    from t2f_runtime.engines.onnx_gpu_engines import prepare_onnx_gpu  # noqa: PLC0415 (lazy)

    return prepare_onnx_gpu(name, bundle, wish, host)
