"""Builds the engines that were asked for into a bundle, each once."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from t2f_export.engines.files import EngineFolder, TimingCache
from t2f_export.engines.jobs import EngineJob, EngineWish, check_options, plan_jobs
from t2f_export.engines.libraries import Host, choose_flavour, open_library
from t2f_export.engines.progress import run_interruptibly
from t2f_export.engines.tensorrt_api import Library
from t2f_export.engines.tensorrt_engine import BuiltEngine, EngineRequest, build_engine
from t2f_export.engines.tensorrt_loading import check_loads
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.engine_index import EngineEntry
from t2f_runtime.bundle.manifest import SIGNATURE
from t2f_runtime.engines.gpu import Device
from t2f_runtime.errors import BundleError


class Reporter(Protocol):
    """What is told while engines are built."""

    def begin(self, name: str) -> None:
        """Tells that a build begins."""
        ...

    def show(self, share: float, phase: str) -> None:
        """Tells how far it has come, 0 to 1; called from other threads."""
        ...

    def kept(self, entry: EngineEntry) -> None:
        """Tells of an engine that is there already, and intact."""
        ...

    def built(self, entry: EngineEntry, seconds: float, warnings: Sequence[str]) -> None:
        """Tells of a new engine, how long it took, and what the builder warned of."""
        ...


@dataclass(frozen=True, slots=True)
class _Builder:
    """What all builds of one call share."""

    bundle: Bundle
    library: Library
    device: Device | None
    is_checked: bool
    timings: TimingCache | None
    reporter: Reporter

    def build(self, job: EngineJob) -> BuiltEngine:
        """Builds an engine, and loads it where the GPU that it is for is here."""
        request = EngineRequest(
            what=f"{job.graph.file} ({job.key.network}, {job.key.precision})",
            model=self.bundle.read(job.graph.file),
            graph=job.graph,
            flavour=job.key.flavour,
            target=job.key.target.compute_capability,
            profile=job.key.profile,
            options=job.key.options,
        )

        def work(is_cancelled: threading.Event) -> BuiltEngine:
            built = build_engine(
                self.library,
                request,
                timing_cache=b"" if self.timings is None else self.timings.read(),
                progress=self.reporter.show,
                is_cancelled=is_cancelled,
            )
            if self.is_checked:
                check_loads(self.library, built.plan, request)
            return built

        self.reporter.begin(job.name)
        built = run_interruptibly(work)
        if self.timings is not None and built.timing_cache:
            self.timings.write(built.timing_cache)
        return built


def build_engines(
    path: Path, wish: EngineWish, reporter: Reporter, *, cache: Path, host: Host | None = None
) -> tuple[EngineEntry, ...]:
    """Builds engines into a bundle, and enters each in its index once it is complete.

    An engine that the index has with the same key, and whose file is intact, is kept. Whatever is
    refused is refused before the first build; an engine that is built for the GPU at hand is also
    loaded before it is kept.

    Args:
        path: The bundle's folder.
        wish: What engines are wanted.
        reporter: Told of each.
        cache: Folder for TensorRT's timing caches.
        host: This machine; None asks it.

    Returns:
        The engines that were wanted, kept or built.

    Raises:
        BundleError: The bundle is missing, incomplete or altered.
        EngineBuildError: An engine cannot be built; those before it are kept.
        EngineError: The library is missing, or of a version that is not served.
        KeyboardInterrupt: The build was interrupted; the engines before it are kept.
    """
    host = host or Host()
    _check_is_unpacked(path)
    bundle = Bundle.open(path)
    has_targets = bool(wish.targets)
    flavour = wish.flavour or choose_flavour(host, has_targets=has_targets)
    check_options(flavour, wish)
    library, device = open_library(flavour, host, has_targets=has_targets)
    jobs = plan_jobs(bundle.manifest, wish, flavour, library, device)
    kept = [] if wish.is_forced else _wanted(bundle, jobs)
    for entry in kept:
        reporter.kept(entry)
    missing = [job for job in jobs if all(job.key != entry.key for entry in kept)]
    if not missing:
        return tuple(kept)
    _check_may_change(path, wish)
    timings = None
    if flavour == "tensorrt" and device is not None:
        timings = TimingCache(
            cache,
            library_version=library.__version__,
            gpu=device.name,
            multiprocessors=device.multiprocessors,
        )
    is_checked = device is not None and not has_targets
    builder = _Builder(bundle, library, device, is_checked, timings, reporter)
    return (*kept, *_build_all(EngineFolder(path), builder, missing))


def _build_all(
    folder: EngineFolder, builder: _Builder, jobs: Sequence[EngineJob]
) -> list[EngineEntry]:
    entries = []
    with folder.locked():
        for job in jobs:
            start = time.monotonic()
            built = builder.build(job)
            folder.drop_signature()
            entry = folder.add(built.plan, job.key)
            builder.reporter.built(entry, time.monotonic() - start, built.warnings)
            entries.append(entry)
    return entries


def _wanted(bundle: Bundle, jobs: Sequence[EngineJob]) -> list[EngineEntry]:
    """The wanted engines that are there and intact."""
    keys = [job.key for job in jobs]
    return [
        entry
        for entry in bundle.manifest.engines
        if entry.key in keys and _is_intact(bundle, entry)
    ]


def _is_intact(bundle: Bundle, entry: EngineEntry) -> bool:
    try:
        bundle.read_engine(entry)
    except BundleError:
        return False
    return True


def _check_is_unpacked(path: Path) -> None:
    if path.is_file():
        raise EngineBuildError(
            f"{path} is a packed bundle, into which nothing can be built; unpack it with: "
            f"t2f unpack {path} -o FOLDER, build there, and pack it again with: t2f pack FOLDER"
        )


def _check_may_change(path: Path, wish: EngineWish) -> None:
    if (path / SIGNATURE).exists() and not wish.drops_signature:
        raise EngineBuildError(
            f"{path} is signed, and its signature ({SIGNATURE}) does not cover new engines; give "
            "--drop-signature, which removes it, and sign the bundle again afterwards"
        )
