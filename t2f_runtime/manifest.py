"""The schema of a bundle's manifest: what a bundle holds, and what its networks take and give."""

import math
import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from t2f_runtime.errors import BundleError

SCHEMA_VERSION: Final = 1
"""The one version of the schema that this T2F reads and writes."""

MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.model"
TEXT_ENCODER = "text_encoder.onnx"
GENERATOR = "generator.onnx"
REFERENCE = "reference.png"
"""The manifest's `references`, as torch drew them: the pictures side by side."""

TOKENS = "tokens"
CONDITION_MEAN = "condition_mean"
CONDITION_LOG_VARIANCE = "condition_log_variance"
LATENT = "latent"
IMAGE = "image"

BATCH = "batch"
LENGTH = "length"

Precision = Literal["float32", "float16", "int8", "fp8"]
Size = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Tensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input or output of a network."""

    name: str
    """What engines know it by."""
    dtype: str
    """As numpy spells it: `float32`, `int64`, `uint8`."""
    shape: tuple[int | str, ...]
    """A number where the size is fixed, a name (`BATCH`, `LENGTH`) where the caller decides."""


class Graph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network in the bundle."""

    file: str
    """Its name in the bundle."""
    inputs: tuple[Tensor, ...]
    """What it takes, in order."""
    outputs: tuple[Tensor, ...]
    """What it gives, in order."""


class Graphs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The two networks of one precision."""

    text_encoder: Graph
    """Tokens to the mean and log-variance of the condition."""
    generator: Graph
    """Latents to pictures."""


class TextSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How descriptions become tokens."""

    tokenizer: str
    """Name of the SentencePiece model in the bundle."""
    vocabulary_size: Size
    """Number of different tokens, padding among them."""
    maximum_tokens: Size
    """The longest description, in tokens; longer ones are refused, never cut."""
    padding_token: Count = 0
    """Fills up the shorter rows of a batch; no description holds it."""
    maximum_characters: Size = 4096
    """The longest description, in characters: the bound on the work before tokens are counted."""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file of the bundle must be."""

    bytes: Count
    """Its size."""
    sha256: Sha256
    """SHA-256 of its bytes, in lower-case hexadecimal."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a bundle comes from."""

    run_name: str
    """Name of the training run."""
    configuration: dict[str, Any]
    """The run's whole configuration."""
    checkpoint_sha256: Sha256
    """SHA-256 of the checkpoint that was frozen."""
    commit: str | None
    """Commit of the T2F that exported; None outside a repository."""
    data_reader: str
    """What read the training data: `face2text`, `celeba`, …"""
    data_fingerprint: str
    """Tells one set of training data from another."""
    data_images: Count
    """Number of training images."""
    data_descriptions: Count
    """Number of descriptions of them."""
    data_licence: str | None
    """Licence of the training data; None where nobody stated one."""
    images_seen: Count
    """Real images that the discriminator saw in training."""
    metrics: dict[str, float]
    """The last value of each metric of the run."""
    versions: dict[str, str]
    """Version of each library that trained and exported."""


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One picture that every engine must reproduce."""

    description: str
    """The description that is drawn."""
    seed: Annotated[int, Meta(ge=0)]
    """The seed that it is drawn with."""


class ParityReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the pictures of one engine are from those of another."""

    precision: Precision
    """Precision of the networks under test."""
    engine: str
    """The engine under test."""
    against: str
    """What it was held against: `torch`, or the file of reference pictures."""
    faces: Size
    """Number of pictures compared."""
    maximum_levels: Annotated[int, Meta(ge=0, le=255)]
    """The largest difference of any value, in levels of 0 to 255."""
    mean_levels: Annotated[float, Meta(ge=0, le=255)]
    """The mean absolute difference, in levels."""
    psnr_db: float | None
    """Peak signal-to-noise ratio in decibels; None where the pictures are identical."""
    tolerance_levels: Annotated[int, Meta(ge=0, le=255)]
    """The largest `maximum_levels` that passes."""
    worst_description: str
    """The description whose picture differs most."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a bundle says about itself."""

    schema_version: Literal[1]
    """`SCHEMA_VERSION`; read before everything else."""
    t2f_version: str
    """Version of the T2F that made the bundle."""
    name: str
    """What people call it."""
    licence: str | None
    """Licence of the networks; None where nobody stated one."""
    image_size: Size
    """Height and width of the pictures, in pixels."""
    latent_size: Size
    """Length of the generator's input: condition and noise."""
    condition_size: Size
    """Length of the condition: what the description decides."""
    noise_size: Size
    """Length of the noise: what the seed alone decides."""
    text: TextSettings
    """How descriptions are read."""
    graphs: dict[Precision, Graphs]
    """The networks, by precision; `float32` is always there."""
    files: dict[str, FileEntry]
    """Every file of the bundle but the manifest, by its name in the folder."""
    references: tuple[Reference, ...]
    """The pictures in `REFERENCE`, from left to right."""
    provenance: Provenance
    """Where the bundle comes from."""
    parity: tuple[ParityReport, ...]
    """How its pictures compared with torch's when it was made."""

    def __post_init__(self) -> None:
        if self.image_size < 4 or self.image_size & (self.image_size - 1):
            raise ValueError(
                f"image_size is {self.image_size}; it must be a power of two, 4 or more"
            )
        if self.condition_size + self.noise_size != self.latent_size:
            raise ValueError(
                f"condition_size {self.condition_size} and noise_size {self.noise_size} do not "
                f"add up to latent_size {self.latent_size}"
            )
        if "float32" not in self.graphs:
            raise ValueError("graphs lacks the precision 'float32', which every bundle has")
        _check_numbers(self)
        _check_graphs(self)
        _check_files(self)


def text_encoder_graph(file: str, condition_size: int) -> Graph:
    """What the text encoder in `file` takes and gives in every bundle, whatever its precision."""
    condition = (BATCH, condition_size)
    return Graph(
        file=file,
        inputs=(Tensor(name=TOKENS, dtype="int64", shape=(BATCH, LENGTH)),),
        outputs=(
            Tensor(name=CONDITION_MEAN, dtype="float32", shape=condition),
            Tensor(name=CONDITION_LOG_VARIANCE, dtype="float32", shape=condition),
        ),
    )


def generator_graph(file: str, latent_size: int, image_size: int) -> Graph:
    """What the generator in `file` takes and gives in every bundle, whatever its precision."""
    image = (BATCH, image_size, image_size, 3)
    return Graph(
        file=file,
        inputs=(Tensor(name=LATENT, dtype="float32", shape=(BATCH, latent_size)),),
        outputs=(Tensor(name=IMAGE, dtype="uint8", shape=image),),
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """Writes a manifest as indented JSON that ends with a newline; equal manifests, equal bytes."""
    encoded = msgspec.json.encode(manifest, order="deterministic")
    return msgspec.json.format(encoded, indent=2) + b"\n"


def decode_manifest(data: bytes, *, source: str = MANIFEST) -> Manifest:
    """Reads and checks a manifest.

    Args:
        data: What `encode_manifest` wrote.
        source: What errors call it, such as its path.

    Raises:
        BundleError: It is no JSON, of another schema version, or breaks the schema; the message
            gives the path of the bad field.
    """
    try:
        head = msgspec.json.decode(data, type=_Head)
        # Before the fields: those of another version would only be told as wrong ones.
        if head.schema_version != SCHEMA_VERSION:
            raise BundleError(_other_version(head, source))
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            f"{source} is no manifest that this T2F reads: {error}; "
            "export the run again with: t2f export RUN -o BUNDLE"
        ) from error


class _Head(msgspec.Struct):
    """The fields that every version of the schema has."""

    schema_version: int
    t2f_version: Any = None


def _other_version(head: _Head, source: str) -> str:
    maker = f" (t2f {head.t2f_version})" if isinstance(head.t2f_version, str) else ""
    return (
        f"{source} has schema version {head.schema_version}; this T2F reads version "
        f"{SCHEMA_VERSION}; export the run again or install the T2F that made it{maker}"
    )


def _check_numbers(manifest: Manifest) -> None:
    """JSON has no infinity and no NaN: they would be written as null and then not be readable."""
    for name, value in manifest.provenance.metrics.items():
        if not math.isfinite(value):
            raise ValueError(f"provenance.metrics['{name}'] is {value}; it must be finite")
    for report in manifest.parity:
        if report.psnr_db is not None and not math.isfinite(report.psnr_db):
            raise ValueError("parity.psnr_db must be finite, or null for identical pictures")


def _check_graphs(manifest: Manifest) -> None:
    for precision, graphs in manifest.graphs.items():
        text_encoder = text_encoder_graph(graphs.text_encoder.file, manifest.condition_size)
        generator = generator_graph(
            graphs.generator.file, manifest.latent_size, manifest.image_size
        )
        for part, found, expected in (
            ("text_encoder", graphs.text_encoder, text_encoder),
            ("generator", graphs.generator, generator),
        ):
            if found != expected:
                raise ValueError(
                    f"graphs['{precision}'].{part} has the tensors {_tensors(found)}; "
                    f"the manifest's sizes ask for {_tensors(expected)}"
                )


def _tensors(graph: Graph) -> str:
    def listed(tensors: tuple[Tensor, ...]) -> str:
        return ", ".join(f"{tensor.name} {tensor.dtype} {tensor.shape}" for tensor in tensors)

    return f"{listed(graph.inputs)} -> {listed(graph.outputs)}"


def _check_files(manifest: Manifest) -> None:
    for name in manifest.files:
        check_file_name(name)
    named = {manifest.text.tokenizer}
    for graphs in manifest.graphs.values():
        named |= {graphs.text_encoder.file, graphs.generator.file}
    if manifest.references:
        named.add(REFERENCE)
    missing = sorted(named - manifest.files.keys())
    if missing:
        raise ValueError(f"files lacks {missing[0]!r}, which the manifest names")


def check_file_name(name: str) -> None:
    """Refuses a name that is not a plain relative POSIX path inside the bundle's folder.

    Raises:
        ValueError: The name is absolute, climbs out with "..", holds a backslash, a colon (drive
            letters), NUL or another control character, or has empty parts.
    """
    parts = name.split("/")
    if (
        any(part in {"", ".", ".."} for part in parts)
        or re.search(r"[\\:\x00-\x1f\x7f]", name)
        or PurePosixPath(name).is_absolute()
    ):
        raise ValueError(
            f"files names {name!r}; a file of a bundle has a relative path inside its folder, "
            "with forward slashes"
        )
    if name == MANIFEST:
        raise ValueError(f"files names {MANIFEST!r}, which cannot hold its own hash")
