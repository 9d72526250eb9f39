"""The index of a bundle's engines: which file runs which network, and on what."""

from collections.abc import Collection, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from t2f_runtime.bundle.manifest_fields import (
    Count,
    Network,
    Precision,
    Sha256,
    Size,
    check_file_name,
)

ENGINES_FOLDER: Final = "engines"
"""Where a bundle's engines lie. They are no part of its identity: they can be built again."""

Flavour = Literal["rtx", "tensorrt"]
"""The two libraries that build and run engines: TensorRT for RTX, and TensorRT."""

HardwareCompatibility = Literal["ampere_plus", "same_compute_capability"]
"""What GPUs a TensorRT engine runs on beside the one that built it: all from Ampere on, or those
of the same compute capability."""

ComputeCapability = Annotated[str, Meta(pattern=r"^sm_[0-9]{2,3}$")]
"""What instructions a GPU has, as NVIDIA's compilers write it: `sm_86` for 8.6."""


class ShapeRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shapes of one input that an engine takes."""

    minimum: tuple[Size, ...]
    """The smallest shape."""
    optimum: tuple[Size, ...]
    """The shape that the engine is fastest with."""
    maximum: tuple[Size, ...]
    """The largest shape."""


class EngineTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What GPUs run an engine.

    No driver is named: an engine asks the driver for no more than its library does.
    """

    compute_capability: ComputeCapability
    """That of the GPU; with `ampere_plus`, that of the GPU which built the engine."""
    gpu: str | None = None
    """The GPU's name; None where every GPU of the compute capability runs it."""
    multiprocessors: Size | None = None
    """How many the GPU has, since all Jetson Orins share one name; None as for `gpu`."""
    platform: str | None = None
    """Operating system and processor, such as `linux-x86_64`; None where every one will do."""


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an engine was built with; None is the library's own choice."""

    workspace_mib: Size | None = None
    """The most memory that one layer may borrow while it runs, in MiB."""
    builder_level: Annotated[int, Meta(ge=0, le=5)] | None = None
    """How long the builder looks for faster kernels: 0 to 5."""
    is_version_compatible: bool = False
    """Whether newer versions of TensorRT run it too."""
    hardware_compatibility: HardwareCompatibility | None = None
    """What other GPUs run it; None where only the GPU that built it does."""
    is_stripped: bool = False
    """Whether it lacks the weights: loading takes them from the bundle's ONNX file."""


class EngineKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides whether an engine can be used: engines of equal keys replace each other."""

    network: Network
    """The network that it runs."""
    precision: Precision
    """Precision of the network."""
    source_sha256: Sha256
    """SHA-256 of the ONNX file that it was built from: whatever has another is stale."""
    flavour: Flavour
    """The library that built it and runs it."""
    library_version: Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)+$")]
    """The library's version, to the last number: another version refuses the engine."""
    target: EngineTarget
    """The GPUs that run it."""
    profile: dict[str, ShapeRange]
    """The shapes that it takes, by the input's name."""
    options: EngineOptions
    """What it was built with."""


class EngineEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One engine of a bundle."""

    file: str
    """Its name in the bundle, under `ENGINES_FOLDER`."""
    bytes: Count
    """Its size."""
    sha256: Sha256
    """SHA-256 of its bytes; two builds of one key differ in it."""
    key: EngineKey
    """What can run it."""


def check_engines(engines: Sequence[EngineEntry], files: Collection[str]) -> None:
    """Refuses an index whose engines could not be told apart, or lie elsewhere.

    Args:
        engines: The index.
        files: Names of the bundle's other files.

    Raises:
        ValueError: A name is not under `ENGINES_FOLDER`, leaves the bundle, or is listed twice.
    """
    seen = set(files)
    for entry in engines:
        check_file_name(entry.file)
        if not entry.file.startswith(f"{ENGINES_FOLDER}/"):
            raise ValueError(f"engines names {entry.file!r}, which is not in {ENGINES_FOLDER}/")
        if entry.file in seen:
            raise ValueError(f"engines names {entry.file!r}, which the manifest lists already")
        seen.add(entry.file)
        for name, shapes in entry.key.profile.items():
            _check_shapes(f"{entry.file!r} takes {name}", shapes)


def _check_shapes(what: str, shapes: ShapeRange) -> None:
    ranges = (shapes.minimum, shapes.optimum, shapes.maximum)
    is_ordered = all(low <= middle <= high for low, middle, high in zip(*ranges, strict=False))
    if len({len(shape) for shape in ranges}) != 1 or not is_ordered:
        raise ValueError(
            f"engines: {what} from {shapes.minimum} over {shapes.optimum} to {shapes.maximum}, "
            "which is no range"
        )
