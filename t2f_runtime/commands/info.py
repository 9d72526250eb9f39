"""The command `t2f info`."""

from pathlib import Path
from typing import Any

import click
import msgspec

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import Manifest, ParityReport, Provenance, TextSettings
from t2f_runtime.commands.options import BUNDLE, TRUST, printable, read_trusted
from t2f_runtime.verification import describe_levels, describe_tolerance


@click.command()
@BUNDLE
@click.option("--json", "as_json", is_flag=True, help="Print the manifest and the ids as JSON.")
@TRUST
def info(bundle: Path, key_files: tuple[Path, ...], *, as_json: bool) -> None:
    """Say what a bundle is, and where it comes from.

    Tells its files, who signed it, and how it agrees with torch.

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


def describe_parity(report: ParityReport) -> str:
    """Says in one line how two engines' pictures compare."""
    ratio = "identical" if report.psnr_db is None else f"PSNR {report.psnr_db:.1f} dB"
    return (
        f"{report.faces} faces in {report.precision} with {report.engine} differ from "
        f"{report.against} by at most {describe_levels(report)} "
        f"({describe_tolerance(report)}), {report.mean_levels:.4f} on average, {ratio}"
    )


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
