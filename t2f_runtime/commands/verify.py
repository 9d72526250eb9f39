"""The command `t2f verify`: on a kiosk with the runtime alone, or beside the exporter."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import MANIFEST
from t2f_runtime.commands.info import describe_parity
from t2f_runtime.commands.options import (
    BUNDLE,
    DEVICE,
    THREADS,
    TRUST,
    check_device,
    check_output_file,
    engines_option,
    printable,
    read_trusted,
)
from t2f_runtime.engines.names import EngineName
from t2f_runtime.errors import VerificationError
from t2f_runtime.proof import AttributeReport, Proof, ProofRequest, prove
from t2f_runtime.verification import check_report


@click.command()
@BUNDLE
@engines_option("onnx-cpu, and what works on the GPU")
@DEVICE
@THREADS
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write the numbers as JSON too; a file that is there is replaced.",
)
@click.option(
    "--against",
    "run",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Hold the bundle against torch, which draws the run's averaged weights, on descriptions "
    "of the run's data.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="With --against: folder of the run's data.  [default: where it lay in training]",
)
@click.option(
    "--descriptions",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --against: descriptions to draw, one a line, in place of the data's.",
)
@click.option(
    "--faces",
    type=click.IntRange(1, 10_000),
    help="With --against: faces to draw beside the reference pictures.  [default: 32]",
)
@click.option("--openvino", is_flag=True, help="Draw with OpenVINO as well, a second reader.")
@click.option(
    "--attributes",
    is_flag=True,
    help="With --against, of a run on CelebA: have a classifier look for what was asked for. The "
    "first time trains it, which takes minutes.",
)
@click.option("--write", is_flag=True, help="Keep the numbers in the bundle's manifest.")
@click.option("--drop-signature", is_flag=True, help="With --write: remove the signature.")
@TRUST
def verify(  # noqa: PLR0913, PLR0917 (options arrive as arguments)
    bundle: Path,
    device: int,
    threads: int | None,
    output: Path | None,
    run: Path | None,
    data: Path | None,
    descriptions: Path | None,
    faces: int | None,
    key_files: tuple[Path, ...],
    *,
    as_json: bool,
    engines: tuple[EngineName, ...],
    openvino: bool,
    attributes: bool,
    write: bool,
    drop_signature: bool,
) -> None:
    """Check a bundle's files, and what it draws here.

    It must draw what the trained model drew. Every precision is drawn. What cannot be run here is
    listed with the reason. Fails if any file is not what it was, or any picture is outside the
    tolerance.

    \b
    Examples:
      t2f verify BUNDLE
      t2f verify BUNDLE --engine tensorrt
      t2f verify BUNDLE --against RUN --openvino -o parity.json
    """  # noqa: D301 (click's mark is the backspace)
    if run is None:
        _refuse(
            {
                "--data": data is not None,
                "--descriptions": descriptions is not None,
                "--faces": faces is not None,
                "--attributes": attributes,
            },
            "goes with --against RUN",
        )
    if engines:
        _refuse(
            {"--openvino": openvino, "--attributes": attributes, "--write": write},
            "is about more than one engine: leave --engine out",
        )
    check_device(engines, device)
    if output is not None:
        check_output_file(output)
    opened = Bundle.open(bundle, keep="float32", trusted=read_trusted(key_files))
    if not as_json:
        _tell_files(opened)
    request = ProofRequest(
        run=run,
        data=data,
        descriptions=descriptions,
        faces=faces or 32,
        takes_openvino=openvino,
        takes_attributes=attributes,
        is_written=write,
        drops_signature=drop_signature,
        device=device,
        threads=threads,
        engines=tuple(dict.fromkeys(engines)),
    )
    proof = prove(opened, request, lambda text: click.echo(text, err=True))
    content = msgspec.json.format(msgspec.json.encode(proof), indent=2)
    if output is not None:
        _write(output, content + b"\n")
    if as_json:
        click.echo(content)
    else:
        for line in describe_proof(proof):
            click.echo(printable(line))
    _check(proof, bundle)


def _tell_files(bundle: Bundle) -> None:
    if bundle.signer is not None:
        click.echo(f"ok: {MANIFEST} is signed by the trusted key {bundle.signer.fingerprint}")
    for name, entry in bundle.manifest.files.items():
        click.echo(printable(f"ok: {name} has its {entry.bytes} bytes and its SHA-256"))


def _refuse(options: dict[str, bool], why: str) -> None:
    """Refuses the first option that is given."""
    for option, is_given in options.items():
        if is_given:
            raise click.UsageError(f"{option} {why}.")


def describe_proof(proof: Proof) -> Iterator[str]:
    """Says, line by line, what was compared, what passed, and what was not run."""
    for report in proof.reports:
        yield f"{_verdict(is_passed=report.passes)}: {describe_parity(report)}"
    for attribute in proof.attributes:
        yield f"{_verdict(is_passed=attribute.passes)}: {_describe_attributes(attribute)}"
    for skipped in proof.not_run:
        yield f"not run: {skipped.what}: {skipped.reason}"


def _verdict(*, is_passed: bool) -> str:
    return "ok" if is_passed else "bad"


def _describe_attributes(report: AttributeReport) -> str:
    return (
        f"in {report.precision} with {report.engine} a classifier sees "
        f"{report.accuracy:.1%} of what descriptions ask for, {report.float32_accuracy:.1%} in "
        f"float32 (at most {report.tolerance * 100:g} points less)"
    )


def _check(proof: Proof, bundle: Path) -> None:
    """Raises `VerificationError` with the first thing that is outside its tolerance."""
    for report in proof.reports:
        check_report(report, str(bundle))
    for attribute in proof.attributes:
        if not attribute.passes:
            raise VerificationError(
                f"{bundle}: {_describe_attributes(attribute)}; draw in float32, or export again"
            )


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise click.ClickException(
            f"{path} cannot be written: {error.strerror or error}"
        ) from error
