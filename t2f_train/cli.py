"""The commands of training. Heavy imports wait until a command runs, so `t2f --help` is quick."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal, TextIO

import click

if TYPE_CHECKING:
    from t2f_train.config import Config

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
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Changes a setting of CONFIG, such as phases.3.images=40000; may be given again.",
)
@click.option(
    "--from",
    "origin",
    type=click.Path(path_type=Path),
    help="Start from the weights of another run.",
    metavar="RUN",
)
@click.option(
    "--tokenizer",
    type=click.Choice(["keep", "extend"]),
    default="keep",
    show_default=True,
    help="With --from: keep the other run's tokeniser, or extend it by new words.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what the run would take.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for decoded images.  [default: $T2F_CACHE, or t2f in the user's cache folder]",
)
@click.option("--device", default="cpu", show_default=True, help="A device of torch: cpu, cuda …")
def train(
    config: str,
    data: Path | None,
    out: Path | None,
    overrides: tuple[str, ...],
    origin: Path | None,
    tokenizer: Literal["keep", "extend"],
    dry_run: bool,
    cache: Path | None,
    device: str,
) -> None:
    """Train a model on described faces.

    CONFIG is a preset (demo, face2text, celeba, article, progan), a TOML file, or the run.json of
    another run. The same command again continues an interrupted run; Ctrl-C saves and stops.
    Started by torchrun, its processes train one run together.

    Example: t2f train face2text --data data/face2text --out runs/first
    """
    from t2f_runtime.cache_folder import cache_folder
    from t2f_train.config import load_config
    from t2f_train.distributed import is_first, open_processes
    from t2f_train.progress import ProgressReporter
    from t2f_train.schedule import Schedule
    from t2f_train.training_loop import prepare_run
    from t2f_train.warm_start import WarmStart

    settings = load_config(config, overrides)
    if dry_run:
        _tell_estimates(settings, device)
        return
    if data is None or out is None:
        raise click.UsageError("--data and --out are needed, unless --dry-run is given.")
    with (
        open_processes(device) as opened,
        ProgressReporter(Schedule(settings.phases), settings.channels) as reporter,
    ):
        is_teller = is_first()
        run = prepare_run(
            settings,
            data=data,
            out=out,
            cache=cache or cache_folder(),
            device=opened,
            reporter=reporter,
            warm_start=None if origin is None else WarmStart.read(origin, tokenizer),
        )
        with _stop_on_signals() as (stop, received):
            run.train(stop)
    if not run.is_finished:
        if is_teller:
            click.echo(f"saved and stopped; the same command continues the run in {out}")
        # Of several processes, one that got no signal stops with the one that did.
        raise SystemExit(INTERRUPTED + (received or [signal.SIGTERM])[0])
    if not is_teller:
        return
    click.echo(f"run      {out}")
    click.echo(f"samples  {out / 'samples'}")
    click.echo(f"next     t2f export {out} -o BUNDLE")


def _tell_estimates(config: "Config", device: str) -> None:
    from rich.console import Console

    from t2f_train.devices import open_device
    from t2f_train.dry_run import estimate, estimate_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    phases = estimate(config, open_device(device))
    console.print(estimate_table(phases))


@click.command()
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--count", type=click.IntRange(min=1), default=3000, show_default=True, help="Faces.")
@click.option(
    "--size", type=click.IntRange(8, 1024), default=64, show_default=True, help="Side in pixels."
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True)
def draw(out: Path, count: int, size: int, seed: int) -> None:
    """Draw a set of captioned faces to train on.

    For where no photographs are at hand.

    Example: t2f draw --count 3000 --size 32 -o faces
    """
    from t2f_train.data.drawn_set import write_drawn_faces

    with click.progressbar(length=count, label="drawing faces") as bar:
        write_drawn_faces(out, count=count, size=size, seed=seed, progress=lambda _: bar.update(1))
    click.echo(f"faces    {out}: {count}")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The picture to write."
)
@click.option("--text", "texts", multiple=True, help="A description; may be given again.")
@click.option(
    "--from",
    "description_file",
    type=click.File("r", encoding="utf-8"),
    help="Read more descriptions from FILE, one a line; - is standard input.",
    metavar="FILE",
)
@click.option(
    "--count", type=click.IntRange(1, 1000), default=8, show_default=True, help="Faces a row."
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True)
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="One of RUN/checkpoints.  [default: the newest]",
)
@click.option(
    "--truncation",
    "truncations",
    multiple=True,
    type=click.FloatRange(0.0, 1.0),
    help="Factor of the noise; given again, a row for each.  [default: 1]",
)
@click.option(
    "--walk",
    is_flag=True,
    help="Walk in --count steps from each description to the next; with one, from face to face.",
)
def sample(
    run: Path,
    output: Path,
    texts: tuple[str, ...],
    description_file: TextIO | None,
    count: int,
    seed: int,
    checkpoint: Path | None,
    truncations: tuple[float, ...],
    walk: bool,
) -> None:
    """Draw a grid from a run's checkpoint, finished or not.

    Example: t2f sample RUN -o grid.png --text "an old man" --text "a girl with red hair"
    """
    from t2f_runtime.pictures.files import check_picture_path, save_picture
    from t2f_train.sampling import Sampler

    check_picture_path(output)
    lines = [] if description_file is None else description_file.read().splitlines()
    descriptions = [*texts, *(line.strip() for line in lines if line.strip())]
    if walk and len(truncations) > 1:
        raise click.UsageError("--walk takes one --truncation.")
    if walk and count < 2:
        raise click.UsageError("--walk takes a --count of 2 or more.")
    truncation = truncations[0] if truncations else 1.0
    sampler = Sampler(run, seed=seed, truncation=truncation, checkpoint=checkpoint)
    if walk:
        rows = sampler.walk(descriptions, count)
    elif len(truncations) > 1:
        rows = sampler.truncation_sweep(descriptions, count, truncations)
    else:
        rows = sampler.grid(descriptions, count)
    save_picture(sampler.sheet(rows), output, notes={"Software": "T2F", "Source": run.name})
    click.echo(f"{output}  {len(rows)} rows")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The film to write: .mp4, .gif or .webp.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 600.0),
    default=10.0,
    show_default=True,
    help="Length; the finished faces stay two seconds longer.",
)
@click.option("--width", type=click.IntRange(128, 3840), default=768, show_default=True)
def timelapse(run: Path, output: Path, seconds: float, width: int) -> None:
    """Film how a run's faces grew, from the frames that it kept.

    Example: t2f timelapse runs/first -o growth.mp4
    """
    from t2f_train.timelapse import write_timelapse

    frames = write_timelapse(run, output, seconds=seconds, width=width)
    click.echo(f"{output}  {frames} frames, {output.stat().st_size / 2**20:.2f} MiB")
