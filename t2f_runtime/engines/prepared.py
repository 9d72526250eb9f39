"""What is wanted of an engine, and an engine that is ready to load networks."""

from collections.abc import Callable
from typing import Literal

import msgspec

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import Graph, Precision
from t2f_runtime.bundle.manifest_fields import Network
from t2f_runtime.engines.names import AUTO, AUTO_PRECISIONS, EngineName
from t2f_runtime.engines.running import RunningEngine
from t2f_runtime.sessions import Session


class EngineWish(msgspec.Struct, frozen=True, kw_only=True):
    """How a bundle's networks are to be run; as in `FaceGenerator.load`."""

    engine: str = AUTO
    """`AUTO`, or one of `EngineName`."""
    precision: Precision | Literal["auto"] = AUTO
    """`AUTO`, or a precision of the bundle."""
    device: int = 0
    """Which GPU, from 0."""
    threads: int | None = None
    """Threads that work on one face, on a CPU."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """An engine that can run here, and loads the networks of one precision."""

    engine: RunningEngine
    """What it is."""
    precision: Precision
    """Precision of the networks."""
    open_network: Callable[[Network, Graph], Session]
    """Loads a network."""


def precisions(name: EngineName, bundle: Bundle, wish: EngineWish) -> tuple[Precision, ...]:
    """The precisions to try in an engine, best first: see `AUTO_PRECISIONS`."""
    if wish.precision != AUTO:
        return (wish.precision,)
    best = AUTO_PRECISIONS.get(name, ("float32",))
    return tuple(precision for precision in best if precision in bundle.manifest.graphs)
