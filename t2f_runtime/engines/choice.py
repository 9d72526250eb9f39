"""Picks from a bundle's index the engines that a machine can run, or says how to build them."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from t2f_runtime.bundle.engine_index import EngineEntry, Flavour
from t2f_runtime.bundle.manifest import Manifest, Precision
from t2f_runtime.bundle.manifest_fields import Network
from t2f_runtime.errors import EngineError

RTX_TARGETS: Final = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_120", "sm_121")
"""What TensorRT for RTX builds engines for, found by trying; it leaves out the data-centre GPUs
sm_90 and sm_100 and the Jetsons sm_87 and sm_110."""

NAMES: Final[dict[Flavour, str]] = {"rtx": "TensorRT for RTX", "tensorrt": "TensorRT"}
"""What people call the flavours."""

_AMPERE = 80


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine would run on."""

    flavour: Flavour
    """The library that is to run it."""
    library_version: str
    """The library's version, to the last number: `1.7.1.116`."""
    compute_capability: str
    """Of the GPU: `sm_86`."""
    gpu: str
    """The GPU's name, as CUDA gives it."""
    multiprocessors: int
    """How many the GPU has."""
    platform: str
    """Operating system and processor: `linux-x86_64`."""


def choose_engines(
    manifest: Manifest, machine: Machine, precision: Precision, *, bundle: str = "BUNDLE"
) -> dict[Network, EngineEntry]:
    """Picks an engine for every network that drawing with a precision needs.

    An engine fits only if it was built from the very ONNX file that the bundle has now. Of several
    that fit, one that was built for this GPU and version alone comes first, since what is
    compatible with others may be slower.

    Args:
        manifest: The bundle's manifest.
        machine: What the engines would run on.
        precision: Precision of the networks.
        bundle: What the message calls the bundle.

    Raises:
        EngineError: The bundle has no networks of that precision, or a network has no engine that
            fits; the message says why those that there are do not, and which command builds one.
    """
    if precision not in manifest.graphs:
        raise EngineError(
            f"{bundle} holds no networks of precision '{precision}'; "
            f"it has: {', '.join(manifest.graphs)}"
        )
    chosen: dict[Network, EngineEntry] = {}
    for network, source in network_sources(manifest, precision):
        engines = [entry for entry in manifest.engines if entry.key.network == network]
        fitting = [entry for entry in engines if misfit(entry, machine, source) is None]
        if not fitting:
            command = build_command(bundle, machine, precision)
            raise EngineError(
                f"{bundle} has no {NAMES[machine.flavour]} engine of its {network} in {precision} "
                f"that runs here{_reasons(engines, machine, source)}; {command}"
            )
        chosen[network] = max(fitting, key=_preference)
    return chosen


def network_sources(manifest: Manifest, precision: Precision) -> Iterator[tuple[Network, str]]:
    """Gives the networks of a precision, and the SHA-256 of their ONNX files."""
    graphs = manifest.graphs[precision]
    if graphs.text_encoder is not None:
        yield "text_encoder", manifest.files[graphs.text_encoder.file].sha256
    yield "generator", manifest.files[graphs.generator.file].sha256


def misfit(entry: EngineEntry, machine: Machine, source_sha256: str) -> str | None:
    """Says why a machine cannot run an engine; None where it can.

    Sources: NVIDIA's TensorRT documentation, "Engine Compatibility" (versions, hardware,
    platforms), and TensorRT for RTX's "CPU-Only AOT" (its engines run on Windows and Linux alike).

    Args:
        entry: The engine.
        machine: What would run it.
        source_sha256: SHA-256 of the ONNX file whose network is wanted.
    """
    key, target = entry.key, entry.key.target
    for fits, reason in (
        (key.flavour == machine.flavour, f"it is one of {NAMES[key.flavour]}"),
        (key.source_sha256 == source_sha256, "it was built from another ONNX file"),
        (
            _runs_version(entry, machine.library_version),
            f"it is of version {key.library_version}, not {machine.library_version}",
        ),
        (
            target.platform in {None, machine.platform},
            f"it is for {target.platform}, not {machine.platform}",
        ),
    ):
        if not fits:
            return reason
    return _gpu_misfit(entry, machine)


def _gpu_misfit(entry: EngineEntry, machine: Machine) -> str | None:
    target = entry.key.target
    if entry.key.options.hardware_compatibility == "ampere_plus":
        is_newer = _number(machine.compute_capability) >= _AMPERE
        return None if is_newer else f"it is for sm_{_AMPERE} on, not {machine.compute_capability}"
    if target.compute_capability != machine.compute_capability:
        return f"it is for {target.compute_capability}, not {machine.compute_capability}"
    if target.gpu not in {None, machine.gpu}:
        return f"it is for {target.gpu}, not {machine.gpu}"
    if target.multiprocessors not in {None, machine.multiprocessors}:
        return (
            f"it is for {target.gpu} with {target.multiprocessors} multiprocessors, "
            f"not {machine.multiprocessors}"
        )
    return None


def build_command(bundle: str, machine: Machine, precision: Precision) -> str:
    """Says which command builds the engines that a machine lacks, and where to run it."""
    command = f"t2f engine {bundle} --flavour {machine.flavour} --precision {precision}"
    if machine.flavour == "tensorrt":
        return f"build it on this machine with: {command}"
    if machine.compute_capability in RTX_TARGETS:
        return f"build it, on any machine, with: {command} --for {machine.compute_capability}"
    return (
        f"TensorRT for RTX does not serve {machine.compute_capability}; install TensorRT here, "
        f"and build with: t2f engine {bundle} --flavour tensorrt --precision {precision}"
    )


def _reasons(engines: list[EngineEntry], machine: Machine, source_sha256: str) -> str:
    if not engines:
        return ""
    reasons = (f"{entry.file}: {misfit(entry, machine, source_sha256)}" for entry in engines)
    return f" ({', '.join(reasons)})"


def _runs_version(entry: EngineEntry, running: str) -> bool:
    built = entry.key.library_version
    if built == running:
        return True
    if not entry.key.options.is_version_compatible:
        return False
    before, now = version_numbers(built), version_numbers(running)
    # Across major versions, only from 10 to 11.
    return before <= now and (before[0] == now[0] or (before[0], now[0]) == (10, 11))


def version_numbers(version: str) -> tuple[int, ...]:
    """Splits a version into its numbers, as far as they go: `10.3.0` is (10, 3, 0)."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _number(compute_capability: str) -> int:
    return int(compute_capability.removeprefix("sm_"))


def _preference(entry: EngineEntry) -> tuple[bool, bool, bool, tuple[int, ...]]:
    options = entry.key.options
    return (
        not options.is_version_compatible,
        options.hardware_compatibility is None,
        options.hardware_compatibility != "ampere_plus",
        version_numbers(entry.key.library_version),
    )
