"""Everything that the doctor finds, as one value and as lines for people."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from t2f_runtime import __version__
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.cache_folder import cache_folder
from t2f_runtime.doctor.finding import Finding
from t2f_runtime.doctor.installed import (
    examine_installed,
    installed_packages,
    requirements,
)
from t2f_runtime.doctor.jetson import examine_jetson
from t2f_runtime.doctor.machine import examine_machine
from t2f_runtime.doctor.nvidia import examine_nvidia
from t2f_runtime.doctor.patient import examine_bundle
from t2f_runtime.doctor.sending import examine_telemetry
from t2f_runtime.doctor.trying import examine_engines, try_engines
from t2f_runtime.engines.gpu import Device, find_device
from t2f_runtime.engines.probe import EngineState
from t2f_runtime.errors import MissingPackageError
from t2f_runtime.proof import this_machine

_MARKS: Final = {"ok": "ok", "note": "-", "warning": "!", "broken": "BROKEN"}
_LEGEND: Final = (
    "ok: as it should be; -: how it is; !: wrong, but faces are drawn; BROKEN: they are not"
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `t2f doctor --json` prints."""

    format: int = 1
    """Raised when fields change their meaning."""
    t2f_version: str = __version__
    """Version of the T2F that looked."""
    machine: str
    """Operating system and processor."""
    works: bool
    """Whether faces can be drawn, and if there is a bundle, right ones with it."""
    engines: tuple[EngineState, ...]
    """Every engine."""
    findings: tuple[Finding, ...]
    """Everything that was looked at."""


def examine(bundle: Path | None, trusted: Sequence[PublicKey] | None) -> Report:
    """Looks at this machine, and at a bundle.

    Args:
        bundle: The bundle's folder, or a packed bundle; None looks at the machine alone.
        trusted: Keys of which one must have signed the bundle; None checks no signature.
    """
    device = find_device()
    engines = try_engines()
    working = {engine.name for engine in engines if engine.works}
    findings = [
        *examine_installed(
            installed_packages(), requirements(), sys.version_info[:3], sys.executable
        ),
        *examine_engines(engines, has_gpu=isinstance(device, Device)),
        examine_telemetry(os.environ),
        *examine_nvidia(
            device,
            environment=os.environ,
            site_packages=_site_packages(),
            working=working if sys.platform == "linux" else None,
        ),
        *examine_jetson(),
        *examine_machine(cpus=os.cpu_count(), cache=_cache(is_needed=isinstance(device, Device))),
    ]
    if bundle is not None:
        findings += examine_bundle(bundle, trusted, working)
    return Report(
        machine=this_machine(),
        works=all(finding.verdict != "broken" for finding in findings),
        engines=engines,
        findings=tuple(findings),
    )


def describe(report: Report) -> Iterator[str]:
    """Says line by line what was found, each repair below what it repairs."""
    topic = ""
    following = [*report.findings[1:], None]
    for finding, after in zip(report.findings, following, strict=True):
        if finding.topic != topic:
            topic = finding.topic
            yield topic
        yield f"  {_MARKS[finding.verdict]:<6} {finding.subject}: {finding.text}"
        # One repair of several in a row is said once, below the last.
        if finding.repair is not None and (after is None or after.repair != finding.repair):
            yield f"         repair: {finding.repair}"
    yield _LEGEND
    yield "faces can be drawn here" if report.works else "something that drawing needs is broken"


def _cache(*, is_needed: bool) -> Path | str | None:
    try:
        return cache_folder()
    except MissingPackageError as error:
        # Engines on a CPU keep nothing there.
        return str(error) if is_needed else None


def _site_packages() -> list[Path]:
    return [
        Path(entry) for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}
    ]
