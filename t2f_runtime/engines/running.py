"""What runs a generator's networks, as a value: for the programmer, the log, and the court."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from t2f_runtime.bundle.manifest_fields import Precision


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """An engine that "auto" would rather have taken.

    Example:
        >>> from t2f_runtime import FaceGenerator, PassedOver
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> all(isinstance(engine, PassedOver) for engine in generator.engine.passed_over)
        True
        >>> print(PassedOver(name="tensorrt", reason="no NVIDIA driver is installed").reason)
        no NVIDIA driver is installed
    """

    name: str
    """The engine."""
    reason: str
    """Why it was not taken."""


class RunningEngine(msgspec.Struct, frozen=True, kw_only=True):
    """The engine that draws; written as text, `onnx-cpu 1.32.0 on cpu, float32`.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle", engine="onnx-cpu")
        >>> print(generator.engine)
        onnx-cpu ... on cpu, float32
        >>> generator.engine.passed_over
        ()
    """

    name: str
    """One of the engines that `FaceGenerator.load` takes."""
    version: str
    """Version of its library."""
    device: str
    """What it runs on: `cpu`, or the GPU as `cuda:0 NVIDIA GeForce RTX 3060 (sm_86)`."""
    precision: Precision | Literal["unknown"]
    """Precision of the networks."""
    passed_over: tuple[PassedOver, ...] = ()
    """What "auto" would rather have taken, best first."""

    def __str__(self) -> str:
        return f"{self.name} {self.version} on {self.device}, {self.precision}"


UNKNOWN: Final = RunningEngine(
    name="unknown", version="unknown", device="unknown", precision="unknown"
)
"""Of a generator whose sessions somebody else opened, and did not say with what."""


def list_reasons(passed_over: Sequence[PassedOver]) -> str:
    """Says why engines were not taken, with those of one reason together."""
    names: dict[str, list[str]] = {}
    for engine in passed_over:
        names.setdefault(engine.reason, []).append(engine.name)
    return "; ".join(f"{', '.join(engines)}: {reason}" for reason, engines in names.items())
