"""The command `t2f doctor`."""

from pathlib import Path

import click
import msgspec

from t2f_runtime.commands.options import TRUST, printable, read_trusted


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@TRUST
def doctor(bundle: Path | None, key_files: tuple[Path, ...], *, as_json: bool) -> None:
    """Say what is installed and which engines work here.

    What does not work is told with what repairs it.
    With a BUNDLE, open it and draw its reference pictures as well. The exit status is 0 if faces
    can be drawn, and 1 if something that drawing needs is broken; a warning leaves it at 0.

    \b
    Examples:
      t2f doctor
      t2f doctor BUNDLE --json
    """  # noqa: D301 (click's mark is the backspace)
    from t2f_runtime.doctor.report import describe, examine  # noqa: PLC0415 (quick `t2f --help`)

    report = examine(bundle, read_trusted(key_files))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2))
    else:
        for line in describe(report):
            click.echo(printable(line))
    if not report.works:
        click.get_current_context().exit(1)
