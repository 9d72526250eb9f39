"""The command `t2f evaluate`. Heavy imports wait until it runs, so `t2f --help` is quick."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from t2f_train.metrics.picture_measures import Measure

_SECONDS_BETWEEN_LINES = 15.0


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of the data that the run was trained on.  [default: where it lay then]",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of the report.  [default: RUN/evaluation]",
)
@click.option(
    "--faces",
    type=click.IntRange(2, 100_000),
    default=None,
    help="Faces to draw.  [default: 500, quick: 100]",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option(
    "--inception",
    type=click.Path(path_type=Path),
    default=None,
    help="TorchScript weights of Inception, to measure FID and KID too.",
)
@click.option(
    "--beside",
    type=click.Path(path_type=Path),
    default=None,
    help="Pictures of another program, to put its numbers beside the run's.",
)
@click.option(
    "--ask",
    type=click.Path(path_type=Path),
    default=None,
    help="Only write to FILE what another program is to draw for --beside.",
    metavar="FILE",
)
@click.option(
    "--no-photographs",
    is_flag=True,
    help="Show no photographs of the data, whose licence may forbid passing the page on.",
)
@click.option("--quick", is_flag=True, help="A rough look in a quarter of the time.")
@click.option("--device", default="cpu", show_default=True, help="A device of torch: cpu, cuda …")
def evaluate(
    run: Path,
    data: Path | None,
    out: Path | None,
    faces: int | None,
    seed: int,
    inception: Path | None,
    beside: Path | None,
    ask: Path | None,
    no_photographs: bool,
    quick: bool,
    device: str,
) -> None:
    """Measure what a run draws, beside real photographs.

    Numbers go to the screen and a page with pictures into the report's folder.

    The first evaluation of a data set trains two small networks that judge pictures against
    descriptions, which takes minutes; they are kept in the cache ($T2F_CACHE, or t2f in the user's
    cache folder).

    \b
    Examples:
      t2f evaluate runs/first -o report
      t2f evaluate runs/first --ask asked.json
      t2f evaluate runs/first --beside pictures.npz -o report
    """  # noqa: D301 (click's mark is the backspace)
    import msgspec

    from t2f_runtime.atomic_files import write_atomically
    from t2f_runtime.cache_folder import cache_folder
    from t2f_train.devices import open_device
    from t2f_train.metrics.evaluation import (
        FACES,
        QUICK_FACES,
        EvaluationSettings,
        asked_pictures,
        evaluate_run,
    )
    from t2f_train.metrics.report import NUMBERS, PAGE, check_report_folder, write_report

    folder = out or run / "evaluation"
    if ask is None:
        check_report_folder(folder)
    settings = EvaluationSettings(
        faces=faces or (QUICK_FACES if quick else FACES),
        seed=seed,
        is_quick=quick,
        inception=inception,
        cache=cache_folder(),
        device=open_device(device),
        beside=beside,
    )
    if ask is not None:
        asked = asked_pictures(run, data, settings, _Teller())
        write_atomically(ask, msgspec.json.format(msgspec.json.encode(asked), indent=1) + b"\n")
        click.echo(f"{ask}: {len(asked):,} pictures to draw")
        return
    evaluation, pictures = evaluate_run(run, data, settings, _Teller())
    write_report(folder, evaluation, pictures, shows_photographs=not no_photographs)
    _tell(evaluation.measures)
    if evaluation.beside is not None:
        click.echo(f"\n{evaluation.beside.name}:")
        _tell(evaluation.beside.measures)
        click.echo()
    click.echo(f"numbers  {folder / NUMBERS}")
    click.echo(f"page     {folder / PAGE}")


def _tell(measures: "list[Measure]") -> None:
    from t2f_train.metrics.measure_names import name_of

    for measure in measures:
        name = name_of(measure.key)
        compared = "".join(
            f"  {word} {name.written(value)}"
            for word, value in (("photographs", measure.real), ("chance", measure.chance))
            if value is not None
        )
        click.echo(f"{name.title}: {name.written(measure.drawn)}{compared}")


class _Teller:
    """Writes how far a task is: when it begins, when it ends, and now and then between."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, task: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done in {0, total} or now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            click.echo(f"{task}: {done:,} of {total:,}", err=True)
