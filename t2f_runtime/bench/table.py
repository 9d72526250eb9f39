"""Reports as text."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from t2f_runtime.bench.comparison import Comparison
from t2f_runtime.bench.differences import SIGNIFICANCE
from t2f_runtime.bench.report import BenchReport, CaseResult, EngineResult, GpuFacts, MachineFacts
from t2f_runtime.bench.samples import ENOUGH_FOR_P90, ENOUGH_FOR_P99, FAR_OUT
from t2f_runtime.bench.stages import PARTS

_MIB = 2**20
MUCH_WAITING = 0.05
"""Share of the time that threads wait for a CPU from which it is told."""


def describe(report: BenchReport) -> Iterator[str]:
    """The report as lines: where, the whole, its stages, and what an engine costs once."""
    yield from _describe_machine(report)
    yield ""
    yield "Text to RGB, milliseconds a run"
    yield from _describe_whole(report)
    yield ""
    yield "Its stages, median milliseconds a run"
    yield from _describe_stages(report)
    yield ""
    yield "Once an engine, in a process of its own"
    yield from aligned(
        [["engine", "precision", "cold start ms", "held to CPUs"], *map(_once, report.engines)]
    )
    yield from _explain_whole(report)
    by_reason: dict[str, list[str]] = {}
    for entry in report.not_run:
        name = entry.engine if entry.precision is None else f"{entry.engine} {entry.precision}"
        by_reason.setdefault(entry.reason, []).append(name)
    for reason, names in by_reason.items():
        yield f"not run: {', '.join(names)}: {reason}"


def _describe_whole(report: BenchReport) -> list[str]:
    columns: dict[str, Callable[[CaseResult], str]] = {
        "p50": lambda case: _milliseconds(case.stages["whole"].p50),
        "p90": lambda case: _milliseconds(case.stages["whole"].p90),
        "p99": lambda case: _milliseconds(case.stages["whole"].p99),
        "faces/s": lambda case: f"{case.faces_per_second:.1f}",
    }
    if report.meter:
        columns["J/face"] = lambda case: _joules(case.joules_per_face)
    columns["peak MiB"] = lambda case: _mebibytes(case.peak_bytes)
    if any(case.device_bytes is not None for case in report.cases):
        columns["GPU MiB"] = lambda case: _mebibytes(case.device_bytes)
    columns["outliers"] = lambda case: (
        f"{case.stages['whole'].outliers} of {case.stages['whole'].count}"
    )
    rows = [
        [case.engine, case.precision, str(case.batch), *(tell(case) for tell in columns.values())]
        for case in report.cases
    ]
    return aligned([["engine", "precision", "batch", *columns], *rows])


def _describe_stages(report: BenchReport) -> Iterator[str]:
    on_gpu = ["GPU"] if any(case.gpu is not None for case in report.cases) else []
    yield from aligned(
        [
            ["engine", "precision", "batch", *PARTS, *on_gpu],
            *(_stages(case, has_gpu=bool(on_gpu)) for case in report.cases),
        ]
    )
    if on_gpu:
        yield "GPU: what of draw is the GPU's, by CUDA's events, with its copies to and fro"


def _explain_whole(report: BenchReport) -> Iterator[str]:
    """What is to be known of the first table."""
    for case in report.cases:
        if not case.is_steady:
            yield (
                f"{_name(case)}: not steady after {case.warm_up_runs} runs of warming up; "
                "the machine does something else as well"
            )
    waited = [case for case in report.cases if (case.waited_share or 0.0) > MUCH_WAITING]
    if waited:
        shares = ", ".join(f"{_name(case)} {case.waited_share:.0%}" for case in waited)
        yield f"other programs ran, and threads waited for a CPU, of the time: {shares}"
    if any(case.stages["whole"].outliers for case in report.cases):
        yield (
            f"outliers: runs over the upper quartile by more than {FAR_OUT:g} interquartile "
            "ranges; all other columns count them"
        )
    if any(case.stages["whole"].p99 is None for case in report.cases):
        yield (
            f"p90 and p99: told of {ENOUGH_FOR_P90} and {ENOUGH_FOR_P99} runs or more; longer "
            "turns have more: --seconds"
        )
    if any(case.peak_bytes is not None for case in report.cases):
        yield "peak MiB: of the process, with this batch and all smaller ones"


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
        f"better, worse: the medians of the rounds differ by more than {margin:.0%}, by more than "
        "the machine itself (work that is always the same, threads that waited for a CPU), and by "
        f"chance alone any would in fewer than {SIGNIFICANCE:.0%} of comparisons (rank-sum test, "
        "Holm)"
    )
    yield from comparison.doubts
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
    if report.gpu is not None:
        yield _gpu(report.gpu)
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


def _gpu(gpu: GpuFacts) -> str:
    parts = []
    if gpu.megahertz is not None:
        least, greatest = gpu.megahertz
        parts.append(f"{least:.0f} to {greatest:.0f} MHz after turns")
    if gpu.power_limit is not None:
        parts.append(f"limit {gpu.power_limit:.0f} W")
    if gpu.driver is not None:
        parts.append(f"driver {gpu.driver}")
    return f"GPU: {', '.join(parts) or 'its clock is not told'}"


def _name(case: CaseResult) -> str:
    return f"{case.engine} {case.precision} batch {case.batch}"


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
        "-" if pinned is None else ",".join(map(str, pinned)),
    ]


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.3f}"


def _joules(joules: float | None) -> str:
    return "-" if joules is None else f"{joules:.3f}"


def _mebibytes(size: int | None) -> str:
    return "-" if size is None else f"{size / _MIB:.0f}"
