"""The commands that every installation of T2F has: generate and info."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import click
import msgspec
from PIL import Image

from t2f_runtime import __version__
from t2f_runtime.bundle import Bundle
from t2f_runtime.engines.names import AUTO, EngineName
from t2f_runtime.errors import DescriptionError, KeyFileError
from t2f_runtime.generator import MAXIMUM_FACES, FaceGenerator
from t2f_runtime.latent import LARGEST_SEED
from t2f_runtime.manifest import Manifest, ParityReport, Precision, Provenance, TextSettings
from t2f_runtime.picture_files import check_picture_path, save_picture
from t2f_runtime.sheet import contact_sheet, enlarge
from t2f_runtime.trust import PublicKey
from t2f_runtime.verification import describe_tolerance

MAXIMUM_LIST_BYTES = 16 * 2**20
"""The longest file of descriptions."""

TRUST_VARIABLE = "T2F_TRUST"
"""Key files that all commands trust, parted as in PATH."""

_SHEET_FACE_PIXELS = 128
"""Faces on a sheet are enlarged to at least this side, for people to see them."""

_NOTE_CHARACTERS = 2**16
"""Readers of PNG refuse text much longer than this."""

BUNDLE = click.argument("bundle", type=click.Path(path_type=Path))
TRUST = click.option(
    "--trust",
    "key_files",
    metavar="KEYFILE",
    multiple=True,
    type=click.Path(path_type=Path),
    envvar=TRUST_VARIABLE,
    show_envvar=True,
    help="Open only what this public key has signed; may be given several times.",
)


@click.command()
@BUNDLE
@click.argument("descriptions", nargs=-1, metavar="[DESCRIPTION]...")
@click.option(
    "--from",
    "description_file",
    type=click.File("rb"),
    help="Read more descriptions from FILE, one a line; - is standard input.",
    metavar="FILE",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The picture to write: .png, .jpg or .webp.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Equal seeds draw equal faces.",
)
@click.option(
    "--count",
    type=click.IntRange(1, MAXIMUM_FACES),
    default=1,
    show_default=True,
    help="Candidates a description, or faces without any.",
)
@click.option(
    "--scale",
    type=click.IntRange(1, 64),
    help="Enlarge each face this many times.  [default: 1, on a sheet enough to see them]",
)
@click.option("--sheet", is_flag=True, help="Draw a captioned sheet even of one face.")
@click.option(
    "--precision",
    type=click.Choice((AUTO, *get_args(Precision))),
    default=AUTO,
    show_default=True,
    help="Which of the bundle's networks draw; auto is float32 on a CPU.",
)
@click.option(
    "--engine",
    type=click.Choice((AUTO, *get_args(EngineName))),
    default=AUTO,
    show_default=True,
    help="What runs the networks; auto takes the best that works here.",
)
@click.option(
    "--device",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which GPU, of those that CUDA shows.",
)
@TRUST
def generate(  # noqa: PLR0913 (options arrive as arguments)
    bundle: Path,
    descriptions: tuple[str, ...],
    description_file: BinaryIO | None,
    output: Path,
    seed: int,
    count: int,
    scale: int | None,
    key_files: tuple[Path, ...],
    *,
    precision: Precision | Literal["auto"],
    engine: str,
    device: int,
    sheet: bool,
) -> None:
    """Draw faces from descriptions, or without any where the model has no text.

    One description draws one picture; several, or a --count, draw a captioned sheet.

    \b
    Examples:
      t2f generate BUNDLE "a bald man with a beard" -o face.png
      t2f generate BUNDLE "a girl" "an old man" --count 6 --seed 7 -o sheet.png
      t2f generate BUNDLE --from descriptions.txt -o sheet.png
      t2f generate BUNDLE_WITHOUT_TEXT --count 16 -o sheet.png
      t2f generate BUNDLE "a girl" --engine tensorrt --device 1 -o face.png
    """  # noqa: D301 (click's mark is the backspace)
    check_picture_path(output)
    if description_file is not None:
        descriptions += read_descriptions(description_file)
    keep: Precision = "float32" if precision == AUTO else precision
    opened = Bundle.open(bundle, keep=keep, trusted=read_trusted(key_files))
    generator = FaceGenerator.from_bundle(opened, engine=engine, precision=precision, device=device)
    if generator.takes_text and not descriptions:
        raise click.UsageError('Give a DESCRIPTION, such as "a bald man", or --from FILE.')
    _check_all(generator, descriptions)
    texts = descriptions or (None,)
    rows = [(text or "", generator.generate(text, seed=seed, count=count)) for text in texts]
    if sheet or len(rows) > 1 or count > 1:
        enough = max(1, _SHEET_FACE_PIXELS // generator.image_size)
        image = contact_sheet(rows, scale=scale or enough)
    else:
        image = enlarge(rows[0][1][0], scale or 1)
    save_picture(image, output, notes=_notes(opened, descriptions, seed, count))
    _report(output, image, faces=len(rows) * count)


@click.command()
@BUNDLE
@click.option("--json", "as_json", is_flag=True, help="Print the manifest and the ids as JSON.")
@TRUST
def info(bundle: Path, key_files: tuple[Path, ...], *, as_json: bool) -> None:
    """Say what a bundle is: files, where it comes from, who signed it, how it agrees with torch.

    \b
    Examples:
      t2f info BUNDLE
      t2f info BUNDLE --json
    """  # noqa: D301 (click's mark is the backspace)
    opened = Bundle.open(bundle, trusted=read_trusted(key_files))
    if as_json:
        facts = {
            "bundle_id": opened.bundle_id,
            "signed_by": _signer(opened),
            "is_trusted": opened.signer is not None,
            "manifest": opened.manifest,
        }
        click.echo(msgspec.json.format(msgspec.json.encode(facts), indent=2))
        return
    for line in _describe(opened):
        click.echo(line)


def read_descriptions(file: BinaryIO) -> tuple[str, ...]:
    """Reads descriptions, one a line, in UTF-8; empty lines are skipped.

    Raises:
        DescriptionError: The file is too long, or not UTF-8.
    """
    data = file.read(MAXIMUM_LIST_BYTES + 1)
    if len(data) > MAXIMUM_LIST_BYTES:
        raise DescriptionError(
            f"the file of descriptions is longer than {MAXIMUM_LIST_BYTES} bytes: split it"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DescriptionError(
            f"the file of descriptions is not UTF-8 at byte {error.start}: save it as UTF-8"
        ) from error
    # Not splitlines, which also breaks lines at characters that a description may hold.
    return tuple(line.removesuffix("\r") for line in text.split("\n") if line.strip())


def read_trusted(key_files: Sequence[Path]) -> list[PublicKey] | None:
    """Reads the keys that a command was told to trust; None where it was told nothing.

    Raises:
        KeyFileError: A file is no public key, or the environment names no file at all.
        MissingPackageError: The package `cryptography` is not installed.
    """
    if not key_files and TRUST_VARIABLE in os.environ:
        # Whoever set it meant to check something.
        raise KeyFileError(f"{TRUST_VARIABLE} is set but names no file; name one, or unset it")
    return [PublicKey.read(path) for path in key_files] or None


def describe_parity(report: ParityReport) -> str:
    """Says in one line how two engines' pictures compare."""
    ratio = "identical" if report.psnr_db is None else f"PSNR {report.psnr_db:.1f} dB"
    return (
        f"{report.faces} faces in {report.precision} with {report.engine} are "
        f"{report.maximum_levels} levels at most from {report.against} "
        f"({describe_tolerance(report)}), {report.mean_levels:.4f} on average, {ratio}"
    )


def _check_all(generator: FaceGenerator, descriptions: Sequence[str]) -> None:
    """Reads every description before the first is drawn, which may take minutes for many."""
    number = 0
    try:
        for number, description in enumerate(descriptions, start=1):  # noqa: B007 (for the error)
            generator.condition(description)
    except DescriptionError as error:
        if len(descriptions) == 1 or not generator.takes_text:
            raise
        raise DescriptionError(f"description {number}: {error}") from error


def _notes(bundle: Bundle, descriptions: Sequence[str], seed: int, count: int) -> dict[str, str]:
    """What every written picture says about itself."""
    is_alone = len(descriptions) <= 1 and count == 1
    written = {"Description": "\n".join(descriptions)[:_NOTE_CHARACTERS]} if descriptions else {}
    return {
        "Title": "synthetic face" if is_alone else "synthetic faces",
        "Software": f"T2F {__version__}",
        **written,
        "Seed": str(seed),
        "Count": str(count),
        "Bundle": bundle.bundle_id,
    }


def _report(output: Path, image: Image.Image, *, faces: int) -> None:
    noun = "face" if faces == 1 else "faces"
    click.echo(f"{output}: {faces} {noun}, {image.width}x{image.height} pixels")


def _describe(bundle: Bundle) -> list[str]:
    manifest = bundle.manifest
    provenance = manifest.provenance
    facts: dict[str, Any] = {
        "name": manifest.name,
        "bundle id": bundle.short_id,
        "signed": _describe_signature(bundle),
        "made by": f"t2f {manifest.t2f_version}, commit {provenance.commit or 'unknown'}",
        "licence": manifest.licence or "not stated",
        "pictures": f"{manifest.image_size}x{manifest.image_size} pixels",
        "latent": f"{manifest.latent_size} = condition {manifest.condition_size} "
        f"+ noise {manifest.noise_size}",
        "text": _describe_text(manifest.text),
        "precisions": ", ".join(manifest.graphs),
        "run": _describe_run(provenance),
        "data": f"{_describe_data(provenance)}, licence {provenance.data_licence or 'not stated'}",
        "metrics": ", ".join(f"{key} {value:.4g}" for key, value in provenance.metrics.items())
        or "none",
        "references": f"{len(manifest.references)} pictures",
    }
    lines = [f"{key + ':':<12} {value}" for key, value in facts.items()]
    lines += [f"{'parity:':<12} {describe_parity(report)}" for report in manifest.parity]
    lines += _describe_files(manifest)
    return [printable(line) for line in lines]


def _signer(bundle: Bundle) -> str | None:
    """Fingerprint of the key that a bundle says it is signed by."""
    signature = bundle.read_signature()
    return None if signature is None else signature.key.fingerprint


def _describe_signature(bundle: Bundle) -> str:
    signer = _signer(bundle)
    if signer is None:
        return "no"
    if bundle.signer is None:
        return f"by the key {signer}; not checked: give --trust KEYFILE"
    return f"by the trusted key {signer}"


def _describe_files(manifest: Manifest) -> list[str]:
    """The size report: files and engines, largest first, each with its share of all."""
    listed = [("file:", name, e.bytes, e.sha256) for name, e in manifest.files.items()]
    listed += [("engine:", e.file, e.bytes, e.sha256) for e in manifest.engines]
    listed.sort(key=lambda file: -file[2])
    total = sum(size for _, _, size, _ in listed)
    return [
        f"{'size:':<12} {total / 2**20:.1f} MiB in {len(listed)} files",
        *(
            f"{kind:<12} {name}, {size} bytes ({size / (total or 1):.1%}), SHA-256 {sha256}"
            for kind, name, size, sha256 in listed
        ),
    ]


def _describe_run(provenance: Provenance) -> str:
    seen = "unknown" if provenance.images_seen is None else provenance.images_seen
    imported = "" if provenance.origin == "t2f" else f"imported from {provenance.origin}, "
    return f"{provenance.run_name}, {imported}{seen} images seen"


def _describe_data(provenance: Provenance) -> str:
    if provenance.data_reader is None:
        return "unknown"
    return (
        f"{provenance.data_reader}: {provenance.data_images} images, "
        f"{provenance.data_descriptions} descriptions"
    )


def _describe_text(text: TextSettings | None) -> str:
    if text is None:
        return "none: faces are drawn from seeds alone"
    return f"{text.vocabulary_size} tokens known ({text.kind}), {text.maximum_tokens} a description"


def printable(text: str) -> str:
    """Escapes what a terminal would obey rather than show; a bundle may come from anyone."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )
