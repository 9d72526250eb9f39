"""Reports as text."""

from collections.abc import Iterator, Sequence

import numpy as np

from t2f_runtime.bench.comparison import Comparison
from t2f_runtime.bench.report import BenchReport, CaseResult, EngineResult, MachineFacts
from t2f_runtime.bench.samples import FAR_OUT, SIGNIFICANCE
from t2f_runtime.bench.stages import PARTS

_MIB = 2**20


def describe(report: BenchReport) -> Iterator[str]:
    """The report as lines: where, the whole, its stages, and what an engine costs once."""
    yield from _describe_machine(report)
    yield ""
    yield "Text to RGB, milliseconds a run"
    energy = ["J/face"] if report.meter else []
    head = ["engine", "precision", "batch", "p50", "p90", "p99", "faces/s", *energy, "outliers"]
    rows = [_whole(case, has_energy=bool(energy)) for case in report.cases]
    yield from aligned([head, *rows])
    yield ""
    yield "Its stages, median milliseconds a run"
    on_gpu = ["GPU"] if any(case.gpu is not None for case in report.cases) else []
    yield from aligned(
        [
            ["engine", "precision", "batch", *PARTS, *on_gpu],
            *(_stages(case, has_gpu=bool(on_gpu)) for case in report.cases),
        ]
    )
    if on_gpu:
        yield "GPU: what of draw is the GPU's, by CUDA's events, with its copies to and fro"
    yield ""
    yield "Once an engine, in a process of its own"
    yield from aligned(
        [
            ["engine", "precision", "cold start ms", "peak MiB", "GPU MiB", "held to CPUs"],
            *map(_once, report.engines),
        ]
    )
    for case in report.cases:
        if not case.is_steady:
            yield (
                f"{_name(case)}: not steady after {case.warm_up_runs} runs of warming up; "
                "the machine does something else as well"
            )
    if any(case.stages["whole"].outliers for case in report.cases):
        yield (
            f"outliers: runs over the upper quartile by more than {FAR_OUT:g} interquartile "
            "ranges; all other columns count them"
        )
    by_reason: dict[str, list[str]] = {}
    for entry in report.not_run:
        name = entry.engine if entry.precision is None else f"{entry.engine} {entry.precision}"
        by_reason.setdefault(entry.reason, []).append(name)
    for reason, names in by_reason.items():
        yield f"not run: {', '.join(names)}: {reason}"


def describe_comparison(comparison: Comparison, *, margin: float) -> Iterator[str]:
    """The comparison as lines.

    Args:
        comparison: What became of each case.
        margin: What it was made with.
    """
    yield from aligned(
        [
            ["engine", "precision", "batch", "new/old", "chance", "verdict"],
            *(
                [
                    case.engine,
                    case.precision,
                    str(case.batch),
                    f"{case.difference.ratio:.3f}",
                    f"{case.difference.probability:.4f}",
                    case.difference.outcome,
                ]
                for case in comparison.cases
            ),
        ]
    )
    yield (
        f"better, worse: the medians of the rounds differ by more than {margin:.0%}, and by chance "
        f"alone would in fewer than {SIGNIFICANCE:.0%} of cases (rank-sum test)"
    )
    yield from comparison.missing
    yield from comparison.changed


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table, the first two columns to the left and the others to the right.

    Args:
        rows: Equally long, the head first.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _describe_machine(report: BenchReport) -> Iterator[str]:
    machine = report.machine
    size = report.image_size
    yield f"t2f {report.t2f_version}, bundle {report.bundle_id[:12]}, {size}x{size} pixels"
    yield (
        f"{machine.processor}, {machine.usable_cpus} usable CPUs, {machine.platform}, "
        f"Python {machine.python}, numpy {machine.numpy}; {report.threads} threads a face"
    )
    yield f"{_clock(machine)}; energy: {report.meter or 'nothing here measures it'}"


def _clock(machine: MachineFacts) -> str:
    parts = []
    if machine.megahertz is not None:
        before, after = machine.megahertz
        parts.append(f"{before:.0f} MHz before and {after:.0f} MHz after")
    if machine.governor is not None:
        parts.append(f"governor {machine.governor}")
    if machine.power_mode is not None:
        parts.append(f"power mode {machine.power_mode}")
    if machine.load is not None:
        parts.append(f"load {machine.load:.2f} before")
    return ", ".join(parts) or "clock and load are not told"


def _name(case: CaseResult) -> str:
    return f"{case.engine} {case.precision} batch {case.batch}"


def _whole(case: CaseResult, *, has_energy: bool) -> list[str]:
    whole = case.stages["whole"]
    energy = "-" if case.joules_per_face is None else f"{case.joules_per_face:.3f}"
    return [
        case.engine,
        case.precision,
        str(case.batch),
        *(_milliseconds(value) for value in (whole.p50, whole.p90, whole.p99)),
        f"{case.faces_per_second:.1f}",
        *([energy] if has_energy else []),
        f"{whole.outliers} of {whole.count}",
    ]


def _stages(case: CaseResult, *, has_gpu: bool) -> list[str]:
    times = [_milliseconds(case.stages[stage].p50) for stage in PARTS]
    if has_gpu:
        times.append("-" if case.gpu is None else _milliseconds(case.gpu.p50))
    return [case.engine, case.precision, str(case.batch), *times]


def _once(engine: EngineResult) -> list[str]:
    pinned = engine.pinned_to
    return [
        engine.engine,
        engine.precision,
        f"{np.median(engine.cold_start) * 1000:.0f}",
        _mebibytes(engine.peak_bytes),
        _mebibytes(engine.device_bytes),
        "-" if pinned is None else ",".join(map(str, pinned)),
    ]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3f}"


def _mebibytes(size: int | None) -> str:
    return "-" if size is None else f"{size / _MIB:.0f}"
