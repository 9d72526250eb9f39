"""The schema of a bundle's manifest: what a bundle holds, and what its networks take and give."""

import math
import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from t2f_runtime.errors import BundleError
from t2f_runtime.text import TokenizerKind

SCHEMA_VERSION: Final = 2
"""The one version of the schema that this T2F reads and writes."""

MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.model"
VOCABULARY = "vocabulary.txt"
"""What a bundle has in the place of `TOKENIZER` where the text encoder reads word pieces."""
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
    """The networks of one precision."""

    text_encoder: Graph | None
    """Tokens to the mean and log-variance of the condition; None where the model has no text."""
    generator: Graph
    """Latents to pictures."""


class TextSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How descriptions become tokens."""

    tokenizer: str
    """Name of the SentencePiece model or the WordPiece vocabulary in the bundle."""
    kind: TokenizerKind
    """Which of them it is."""
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

    description: str | None
    """The description that is drawn; None where the model has no text."""
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
    worst_description: str | None
    """The description whose picture differs most; None where the model has no text."""
    worst_seed: Annotated[int, Meta(ge=0)]
    """The seed of that picture."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a bundle says about itself."""

    schema_version: Literal[2]
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
    condition_size: Count
    """Length of the condition: what the description decides; 0 where the model has no text."""
    noise_size: Size
    """Length of the noise: what the seed alone decides."""
    text: TextSettings | None
    """How descriptions are read; None where the model draws from seeds alone."""
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
        _check_text(self)
        _check_graphs(self)
        _check_files(self)

    @property
    def takes_text(self) -> bool:
        """Whether faces are drawn from descriptions, rather than from seeds alone."""
        return self.text is not None


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


def files_to_run(manifest: Manifest, precision: Precision) -> set[str]:
    """Names of the files that drawing with the networks of one precision needs."""
    graphs = manifest.graphs[precision]
    names = {graphs.generator.file}
    if graphs.text_encoder is not None:
        names.add(graphs.text_encoder.file)
    if manifest.text is not None:
        names.add(manifest.text.tokenizer)
    return names


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


def _check_text(manifest: Manifest) -> None:
    parts: dict[str, int | str | None] = {"condition_size": manifest.condition_size}
    for precision, graphs in manifest.graphs.items():
        encoder = graphs.text_encoder
        parts[f"graphs['{precision}'].text_encoder"] = None if encoder is None else encoder.file
    for position, reference in enumerate(manifest.references):
        parts[f"references[{position}].description"] = reference.description
    for part, value in parts.items():
        if (value is None or value == 0) is manifest.takes_text:
            raise ValueError(
                f"text is {'given' if manifest.takes_text else 'null'}, but {part} is "
                f"{msgspec.json.encode(value).decode()}; a model has all that text needs, or none"
            )


def _check_graphs(manifest: Manifest) -> None:
    for precision, graphs in manifest.graphs.items():
        generator = graphs.generator
        expected = generator_graph(generator.file, manifest.latent_size, manifest.image_size)
        _check_tensors(f"graphs['{precision}'].generator", generator, expected)
        if graphs.text_encoder is not None:
            text_encoder = graphs.text_encoder
            expected = text_encoder_graph(text_encoder.file, manifest.condition_size)
            _check_tensors(f"graphs['{precision}'].text_encoder", text_encoder, expected)


def _check_tensors(part: str, found: Graph, expected: Graph) -> None:
    if found != expected:
        raise ValueError(
            f"{part} has the tensors {_tensors(found)}; "
            f"the manifest's sizes ask for {_tensors(expected)}"
        )


def _tensors(graph: Graph) -> str:
    def listed(tensors: tuple[Tensor, ...]) -> str:
        return ", ".join(f"{tensor.name} {tensor.dtype} {tensor.shape}" for tensor in tensors)

    return f"{listed(graph.inputs)} -> {listed(graph.outputs)}"


def _check_files(manifest: Manifest) -> None:
    for name in manifest.files:
        check_file_name(name)
    named = {name for precision in manifest.graphs for name in files_to_run(manifest, precision)}
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
