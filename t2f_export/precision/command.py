"""What `t2f precision` and `t2f export --precision` do: options in, lines out."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import click

from t2f_export.descriptions import Descriptions, descriptions_of_file, descriptions_of_run
from t2f_export.precision.adding import PrecisionWish, add_precisions, export_with_precisions
from t2f_runtime.bundle.manifest import Manifest, Precision


def read_precisions(option: str, text: str) -> tuple[Precision, ...]:
    """Reads precisions, parted by commas; `float32` is always there and left out.

    Raises:
        click.UsageError: One is none that can be made.
    """
    known: dict[str, Precision] = {str(name): name for name in get_args(Precision)}
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name == "fp8":
            raise click.UsageError(f"{option} {text}: fp8 is not made; docs/exporting.md says why.")
        if name not in known:
            raise click.UsageError(f"{option} {text}: {name!r} is none of float32, float16, int8.")
    return tuple(known[name] for name in names if name != "float32")


def export_and_tell(
    export: Callable[[Path], Manifest],
    out: Path,
    precisions: tuple[Precision, ...],
    *,
    run: Path | None,
    data: Path | None,
    file: Path | None,
) -> Manifest:
    """Exports a bundle of several precisions.

    Args:
        export: Writes a bundle of float32 into a new folder.
        out: The bundle's folder.
        precisions: What it is to have beside float32.
        run: The run that is exported; None for other people's models.
        data: Folder of the run's data; None takes where it lay in training.
        file: Descriptions to calibrate on, one a line; None takes the run's, if they are at hand.

    Raises:
        T2FError: As `export_with_precisions`, and whatever reading descriptions raises.
    """
    if not precisions:
        return export(out)
    descriptions: Descriptions | None = None
    if file is not None:
        descriptions = descriptions_of_file(file)
    elif run is not None:
        descriptions = descriptions_of_run(run, data)
    wish = PrecisionWish(precisions=precisions, descriptions=descriptions)
    return export_with_precisions(export, out, wish, _tell)


def add_and_tell(
    bundle: Path,
    precisions: tuple[Precision, ...],
    file: Path | None,
    *,
    is_forced: bool,
    drops_signature: bool,
) -> None:
    """Adds precisions to a bundle, and says how its pictures compare then.

    Raises:
        T2FError: As `add_precisions`, and whatever reading descriptions raises.
    """
    wish = PrecisionWish(
        precisions=precisions,
        descriptions=None if file is None else descriptions_of_file(file),
        is_forced=is_forced,
        drops_signature=drops_signature,
    )
    tell_precisions(add_precisions(bundle, wish, _tell))


def tell_precisions(manifest: Manifest) -> None:
    """Says what the precisions of a bundle take and give, and what was calibrated on."""
    for report in manifest.parity:
        graphs = manifest.graphs[report.precision]
        ratio = "identical" if report.psnr_db is None else f"{report.psnr_db:.1f} dB"
        size = manifest.files[graphs.generator.file].bytes
        whole = manifest.files[manifest.graphs["float32"].generator.file].bytes
        click.echo(
            f"parity   {report.precision}: {report.faces} faces against {report.against}: "
            f"at most {report.maximum_levels} of 255 levels apart, {report.mean_levels:.5f} on "
            f"average, {ratio}; generator {size / 2**20:.1f} MiB, {size / whole:.0%} of float32"
        )
        if graphs.calibration is not None:
            calibration = graphs.calibration
            click.echo(
                f"int8     calibrated on {calibration.faces} faces of "
                f"{calibration.descriptions} descriptions: {calibration.source}"
            )
            spared = [layer.layer for layer in graphs.layers if not layer.is_quantised]
            click.echo(
                f"int8     {len(graphs.layers) - len(spared)} of {len(graphs.layers)} layers"
                + (f"; in float32: {', '.join(spared)}" if spared else "")
            )


def _tell(text: str) -> None:
    click.echo(text, err=True)
