"""The command `t2f bench`."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import msgspec

from t2f_runtime.bench.plan import MARGIN, BenchPlan
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import Precision
from t2f_runtime.commands.options import (
    BUNDLE,
    DEVICE,
    THREADS,
    TRUST,
    check_device,
    engines_option,
    printable,
    read_trusted,
)
from t2f_runtime.commands.progress import Progress

if TYPE_CHECKING:
    from t2f_runtime.bench.report import BenchReport

_DEFAULTS = BenchPlan()


@click.command()
@BUNDLE
@engines_option("all that work here, but onnx-tensorrt")
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(get_args(Precision)),
    multiple=True,
    help="Which of the bundle's networks; may be given several times.  [default: all]",
)
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(1, 256),
    multiple=True,
    default=_DEFAULTS.batches,
    show_default=True,
    help="Faces that one run draws; may be given several times.",
)
@DEVICE
@THREADS
@click.option(
    "--rounds",
    type=click.IntRange(5, 1000),
    default=_DEFAULTS.rounds,
    show_default=True,
    help="In each, every engine has a turn.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 60),
    default=_DEFAULTS.seconds,
    show_default=True,
    help="How long a turn of one engine, precision and batch is.",
)
@click.option(
    "--starts",
    type=click.IntRange(1, 100),
    default=_DEFAULTS.starts,
    show_default=True,
    help="Cold starts of each engine.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report as JSON too, to compare with later.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--compare",
    "old_file",
    metavar="OLD.json",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Say what is better, worse or the same since that report.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    default=MARGIN,
    show_default=True,
    help="Share by which two runs differ by the machine's mood; less is noise.",
)
@TRUST
def bench(  # noqa: PLR0913, PLR0917 (options arrive as arguments)
    bundle: Path,
    engines: tuple[str, ...],
    precisions: tuple[str, ...],
    batches: tuple[int, ...],
    device: int,
    threads: int | None,
    rounds: int,
    seconds: float,
    starts: int,
    output: Path | None,
    old_file: Path | None,
    margin: float,
    key_files: tuple[Path, ...],
    *,
    as_json: bool,
) -> None:
    """Measure how long faces take here.

    Every engine and precision that works is measured. Each loads in a process of its own, which on
    a CPU is held to as many CPUs as there are threads, of different cores first. It is warmed up
    until the medians of ten runs and of the ten before are within 2 %, and then all have turns.
    What is timed is text to RGB, and its stages, by the wall clock; what of it is the GPU's, by
    CUDA's events, where TensorRT draws. The exit status is 1 if --compare finds anything worse.

    \b
    Examples:
      t2f bench BUNDLE
      t2f bench BUNDLE --engine onnx-cpu --precision float32 --batch 1 -o before.json
      t2f bench BUNDLE --compare before.json
    """  # noqa: D301 (click's mark is the backspace)
    # Here, so that `t2f --help` and the other commands need none of it.
    from t2f_runtime.bench.comparison import check_comparable  # noqa: PLC0415
    from t2f_runtime.bench.report import BenchReport, check_report_path  # noqa: PLC0415
    from t2f_runtime.bench.running import Bench  # noqa: PLC0415

    check_device(engines, device)
    # Read before minutes are spent on what it would be compared with.
    old = None if old_file is None else BenchReport.read(old_file)
    plan = BenchPlan(
        engines=engines,
        precisions=precisions,
        batches=tuple(dict.fromkeys(batches)),
        device=device,
        threads=threads,
        rounds=rounds,
        seconds=seconds,
        starts=starts,
    )
    if output is not None:
        check_report_path(output)
    opened = Bundle.open(bundle, trusted=read_trusted(key_files))
    if old is not None:
        check_comparable(old, opened.manifest.image_size)
    tell = Progress()
    try:
        report = Bench(bundle, opened, plan, key_files=key_files, tell=tell.say).run()
    finally:
        tell.clear()
    try:
        is_worse = _show(report, old, margin=margin, as_json=as_json)
    finally:  # whatever becomes of one place, the other gets what took minutes to measure
        if output is not None:
            report.write(output)
    if is_worse:
        click.get_current_context().exit(1)


def _show(
    report: "BenchReport", old: "BenchReport | None", *, margin: float, as_json: bool
) -> bool:
    """Prints the report, and what became of the old one's numbers; whether anything is worse."""
    from t2f_runtime.bench.comparison import compare_reports  # noqa: PLC0415 (as above)
    from t2f_runtime.bench.errors import BenchError  # noqa: PLC0415 (as above)
    from t2f_runtime.bench.table import describe, describe_comparison  # noqa: PLC0415 (as above)

    comparison, failure = None, None
    try:
        comparison = None if old is None else compare_reports(old, report, margin=margin)
    except BenchError as error:  # not before the report is printed, which is as good without
        failure = error
    if as_json:
        both = report if comparison is None else {"report": report, "comparison": comparison}
        click.echo(msgspec.json.format(msgspec.json.encode(both), indent=2))
    else:
        for line in describe(report):
            click.echo(printable(line))
        if comparison is not None:
            click.echo()
            for line in describe_comparison(comparison, margin=margin):
                click.echo(printable(line))
    if failure is not None:
        raise failure
    return comparison is not None and any(
        case.difference.outcome == "worse" for case in comparison.cases
    )
