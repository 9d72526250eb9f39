"""The model card: what a manifest tells of a model, written for people, with its limits."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from t2f_runtime.bundle.bundle import identify
from t2f_runtime.bundle.manifest import Manifest, Provenance
from t2f_runtime.verification import describe_tolerance

UNKNOWN: Final = "unknown"
NOT_STATED: Final = "not stated"

_SPECIAL: Final = re.compile(
    r"[\\`*\[\]<>&|~$]|(?<![^\W_])_|_(?![^\W_])|(?<=www)\.|:(?=//)", re.IGNORECASE
)
"""What Markdown, its tables, and GitHub's mathematics and links would make something of."""

_USE: Final = """## Use

```
t2f generate BUNDLE {arguments} -o face.png
```

```python
from t2f_runtime import FaceGenerator

generator = FaceGenerator.load("BUNDLE")
face = generator.generate({call}seed=7)  # uint8 ({size}, {size}, 3), RGB
```

Equal seeds draw equal pictures. `t2f verify BUNDLE` draws the reference pictures again on the
machine at hand, and compares them with those of the trained model."""

_LIMITS: Final = """## Limits

- The pictures are synthetic, and the faces in them nobody's. A picture shows what somebody may
  look like, and is no evidence: do not use it by itself to identify, accuse or rule out anybody.
- The model has the biases of its data. People of whom the data has few pictures are drawn worse,
  and what the data shows together (sex and hair, age and glasses) is drawn together, asked for or
  not.
- It may come close to pictures of its training data, the more so the fewer they are. Nothing in
  this card rules that out.
- It draws {size}x{size} pixels: no detail smaller than that is meant.
- The licence of the data may limit what the networks and their pictures may be used for."""

_LIMITS_OF_TEXT: Final = """
- It reads descriptions of the kind and in the language that its data had. Words that were rare
  there, or never seen, change little, or something else.
- What a description leaves out, the seed decides: draw several candidates before you judge one.
- Nothing here says how often a picture fits its description, unless a number above measures it."""


def model_card(manifest: Manifest) -> str:
    """Writes the model card of a bundle.

    Args:
        manifest: The bundle's manifest, with the parity reports; whether it lists the card itself
            changes nothing.

    Returns:
        Markdown that ends with a newline. Whatever comes from the configuration or the data shows
        as it is: it makes no markup.
    """
    parts = [
        _head(manifest),
        _use(manifest),
        _data(manifest.provenance),
        _measured(manifest),
        _limits(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Makes Markdown show a text as it is, on one line.

    Source: CommonMark 0.31, "Backslash escapes"; GitHub Flavored Markdown, "Tables" and
    "Autolinks".

    Args:
        text: Any text, except for the first of a line: what begins lists and headings is not
            escaped.
    """
    line = " ".join(text.split())
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", shown)


def _head(manifest: Manifest) -> str:
    provenance = manifest.provenance
    drawn = f"of {manifest.image_size}x{manifest.image_size} pixels"
    if manifest.takes_text:
        what = f"faces {drawn} from written descriptions"
    else:
        what = f"pictures {drawn} from seeds alone, without text"
    origin = provenance.origin
    run = provenance.run_name if origin == "t2f" else f"{provenance.run_name}, imported: {origin}"
    table = _table(
        ("", ""),
        {
            "bundle": identify(manifest.files)[:12],
            "made by": f"T2F {manifest.t2f_version}, commit {provenance.commit or UNKNOWN}",
            "run": run,
            "checkpoint": f"SHA-256 {provenance.checkpoint_sha256}",
            "licence of the networks": manifest.licence or NOT_STATED,
            "precisions": ", ".join(manifest.graphs),
        }.items(),
    )
    return (
        f"# Model card: {escape(manifest.name)}\n\n"
        f"Draws synthetic {what}.\nWritten by T2F from the bundle's manifest, of which "
        f"`t2f info --json` shows all.\n\n{table}"
    )


def _use(manifest: Manifest) -> str:
    description = '"a smiling woman with grey hair"'
    use = _USE.format(
        arguments=description if manifest.takes_text else "--seed 7",
        call=f"{description}, " if manifest.takes_text else "",
        size=manifest.image_size,
    )
    if manifest.text is None:
        return use
    text = manifest.text
    return (
        f"{use}\n\nA description has {text.maximum_tokens} tokens at most; "
        f"the model knows {text.vocabulary_size:,} different ones."
    )


def _data(provenance: Provenance) -> str:
    table = _table(
        ("", ""),
        {
            "read as": provenance.data_reader or UNKNOWN,
            "images": _count(provenance.data_images),
            "descriptions": _count(provenance.data_descriptions),
            "licence": provenance.data_licence or NOT_STATED,
            "fingerprint": provenance.data_fingerprint or UNKNOWN,
            "images seen in training": _count(provenance.images_seen),
        }.items(),
    )
    note = "" if provenance.data_reader else "\n\nThe files of the model do not tell its data."
    return f"## Data\n\n{table}{note}"


def _measured(manifest: Manifest) -> str:
    metrics = _numbers(manifest.provenance.metrics)
    reports = [
        (
            report.precision,
            f"{report.engine} against {report.against}",
            str(report.faces),
            f"{report.maximum_levels} ({describe_tolerance(report)})",
            f"{report.mean_levels:.5f}",
            "identical" if report.psnr_db is None else f"{report.psnr_db:.1f} dB",
        )
        for report in manifest.parity
    ]
    heads = ("precision", "engine", "faces", "largest difference", "mean", "PSNR")
    parity = _table(heads, reports) if reports else "Nothing was compared."
    return (
        f"## Measured\n\nThe last numbers of the run, as it logged them:\n\n{metrics}\n\n"
        "The exported networks beside the trained model when the bundle was made, in levels of 0 "
        f"to 255:\n\n{parity}\n\n"
        "The second table tells that the bundle draws what was trained, not how good that is."
    )


def _limits(manifest: Manifest) -> str:
    limits = _LIMITS.format(size=manifest.image_size)
    return f"{limits}{_LIMITS_OF_TEXT}" if manifest.takes_text else limits


def _numbers(metrics: Mapping[str, float]) -> str:
    if not metrics:
        return "It logged none."
    return _table(("", ""), ((name, f"{value:.4g}") for name, value in sorted(metrics.items())))


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown; the cells are escaped."""
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *((escape(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"
