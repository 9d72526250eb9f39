"""The commands of training. Heavy imports wait until a command runs, so `t2f --help` is quick."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

INTERRUPTED = 128
"""A command that a signal stopped exits with this plus the signal's number, as shells expect."""


@contextmanager
def _stop_on_signals() -> Iterator[tuple[threading.Event, list[int]]]:
    """Turns the first SIGINT or SIGTERM into a request to save and stop; a second one kills."""
    stop = threading.Event()
    received: list[int] = []

    def request_stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, request_stop) for number in numbers]
    try:
        yield stop, received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@click.command()
@click.argument("config")
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="Folder of the data set."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The run folder.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for decoded images.  [default: $T2F_CACHE, or t2f in the user's cache folder]",
)
@click.option("--device", default="cpu", show_default=True, help="A device of torch: cpu, cuda …")
def train(config: str, data: Path, out: Path, cache: Path | None, device: str) -> None:
    """Trains a model on described faces.

    CONFIG is a preset (demo, face2text, celeba) or a TOML file. The same command again continues
    an interrupted run; Ctrl-C saves and stops.

    Example: t2f train face2text --data data/face2text --out runs/first
    """
    from t2f_train.config import load_config
    from t2f_train.data.pyramid import default_cache
    from t2f_train.devices import open_device
    from t2f_train.progress import ProgressReporter
    from t2f_train.schedule import Schedule
    from t2f_train.training_loop import prepare_run

    settings = load_config(config)
    with ProgressReporter(Schedule(settings.phases), settings.channels) as reporter:
        run = prepare_run(
            settings,
            data=data,
            out=out,
            cache=cache or default_cache(),
            device=open_device(device),
            reporter=reporter,
        )
        with _stop_on_signals() as (stop, received):
            run.train(stop)
    if not run.is_finished:
        click.echo(f"saved and stopped; the same command continues the run in {out}")
        raise SystemExit(INTERRUPTED + received[0])
    click.echo(f"run      {out}")
    click.echo(f"samples  {out / 'samples'}")
    click.echo(f"next     t2f export {out} -o BUNDLE")


@click.command()
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--count", type=click.IntRange(min=1), default=3000, show_default=True, help="Faces.")
@click.option(
    "--size", type=click.IntRange(8, 1024), default=64, show_default=True, help="Side in pixels."
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True)
def draw(out: Path, count: int, size: int, seed: int) -> None:
    """Draws a set of captioned faces to train on where no photographs are at hand.

    Example: t2f draw --count 3000 --size 32 -o faces
    """
    from t2f_train.data.drawn_set import write_drawn_faces

    with click.progressbar(length=count, label="drawing faces") as bar:
        write_drawn_faces(out, count=count, size=size, seed=seed, progress=lambda _: bar.update(1))
    click.echo(f"faces    {out}")
