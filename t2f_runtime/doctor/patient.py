"""A bundle: whether it is whole, and whether it draws here what it should."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.doctor.finding import Finding, Verdict
from t2f_runtime.doctor.machine import examine_folder
from t2f_runtime.errors import T2FError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.verification import describe_levels, describe_tolerance, measure_generator

_TOPIC: Final = "bundle"


def examine_bundle(
    path: Path, trusted: Sequence[PublicKey] | None, working: Collection[str]
) -> Iterator[Finding]:
    """Opens a bundle, and draws its reference pictures with the engine that "auto" takes.

    Args:
        path: The bundle's folder, or a packed bundle.
        trusted: Keys of which one must have signed it; None checks no signature.
        working: The engines that work here: why one of them was passed over is told. Without any,
            nothing is drawn.
    """
    try:
        bundle = Bundle.open(path, keep="float32", trusted=trusted)
        files = len(bundle.manifest.files)
        yield _finding("files", "ok", f"{bundle.short_id}, {files} files with their SHA-256")
        yield examine_folder("disk", path, is_written=False, topic=_TOPIC)
        if not working:
            # Nor tried: an engine whose library ends the process is not to end this one.
            yield _finding("pictures", "note", "were not drawn and compared: no engine works here")
            return
        with FaceGenerator.from_bundle(bundle) as generator:
            yield _finding("engine", "ok", f"{generator.engine}")
            for passed_over in generator.engine.passed_over:
                if passed_over.name in working:
                    text = f"passed over: {passed_over.reason}"
                    yield _finding(passed_over.name, "note", text)
            yield _compare(bundle, generator)
    except T2FError as error:
        text, _, repair = str(error).rpartition("; ")
        yield _finding("bundle", "broken", text or repair, repair if text else None)


def _compare(bundle: Bundle, generator: FaceGenerator) -> Finding:
    precision = generator.engine.precision
    assert precision != "unknown"  # noqa: S101 (of a generator that was loaded)
    report = measure_generator(bundle, generator, precision)
    text = (
        f"{report.faces} faces differ from {report.against} by at most {describe_levels(report)} "
        f"({describe_tolerance(report)})"
    )
    if report.passes:
        return _finding("pictures", "ok", text)
    return _finding(
        "pictures",
        "broken",
        f"it draws other faces here than it should: {text}",
        "draw with --engine onnx-cpu --precision float32, or export the run again",
    )


def _finding(subject: str, verdict: Verdict, text: str, repair: str | None = None) -> Finding:
    return Finding(topic=_TOPIC, subject=subject, verdict=verdict, text=text, repair=repair)
