"""The commands of exporting. Heavy imports wait until a command runs."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="The bundle: a new folder."
)
def export(run: Path, out: Path) -> None:
    """Freezes a finished RUN into a bundle and proves that it draws the same pictures.

    Example: t2f export runs/first -o bundles/first
    """
    from t2f_export.bundle_writer import export_run

    written = export_run(run, out)
    (report,) = written.parity
    size = sum(entry.bytes for entry in written.files.values())
    click.echo(f"bundle   {out} ({size / 2**20:.1f} MiB)")
    click.echo(
        f"parity   {report.faces} faces against {report.against}: "
        f"at most {report.maximum_levels} of 255 levels apart, {report.mean_levels:.5f} on average"
    )
    what = '"a smiling woman" -o face.png' if written.takes_text else "--count 16 -o faces.png"
    click.echo(f"next     t2f generate {out} {what}")
