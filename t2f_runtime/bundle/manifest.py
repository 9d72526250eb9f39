"""The schema of a bundle's manifest: what a bundle holds, and what its networks take and give."""

import math
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from t2f_runtime.bundle.engine_index import EngineEntry, check_engines
from t2f_runtime.bundle.manifest_fields import MANIFEST as MANIFEST  # noqa: PLC0414 (taken from here)
from t2f_runtime.bundle.manifest_fields import Count, Sha256, Size, check_file_name
from t2f_runtime.bundle.manifest_fields import Precision as Precision  # noqa: PLC0414 (as above)
from t2f_runtime.bundle.manifest_measures import Calibration as Calibration  # noqa: PLC0414 (as above)
from t2f_runtime.bundle.manifest_measures import LayerError as LayerError  # noqa: PLC0414 (as above)
from t2f_runtime.bundle.manifest_measures import ParityReport as ParityReport  # noqa: PLC0414 (as above)
from t2f_runtime.errors import BundleError
from t2f_runtime.text.tokenizer import TokenizerKind

SCHEMA_VERSION: Final = 3
"""The one version of the schema that this T2F reads and writes."""

# More than any bundle has: whoever loads one gives the memory and the time that it asks for.
MAXIMUM_IMAGE_SIZE: Final = 4096
MAXIMUM_LATENT_PART: Final = 2**14
MAXIMUM_TOKENS: Final = 4096
MAXIMUM_CHARACTERS: Final = 2**16
MAXIMUM_REFERENCES: Final = 1000

TOKENIZER = "tokenizer.model"
VOCABULARY = "vocabulary.txt"
"""What a bundle has in the place of `TOKENIZER` where the text encoder reads word pieces or whole
words."""
WORDS = "words.json"
"""The words of the training data; see `t2f_runtime.reading.word_list`. Listed in `files` alone, as
the model card is, so that every T2F of this schema reads bundles with and without it."""
TEXT_ENCODER = "text_encoder.onnx"
GENERATOR = "generator.onnx"
PROCESSOR_GENERATOR = "generator.cpu.onnx"
"""The float32 generator in the form that is quickest on a processor, where that is another than
`GENERATOR`'s. Listed in `files` alone, as `WORDS` is."""
REFERENCE = "reference.png"
"""The manifest's `references`, as torch drew them: the pictures side by side."""
MODEL_CARD = "MODEL_CARD.md"
"""What the manifest tells, written for people."""
SIGNATURE = "signature.json"
"""Signs the manifest, and so cannot be listed in it."""

TOKENS = "tokens"
CONDITION_MEAN = "condition_mean"
CONDITION_LOG_VARIANCE = "condition_log_variance"
LATENT = "latent"
IMAGE = "image"

BATCH = "batch"
LENGTH = "length"


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


class Graphs(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The networks of one precision."""

    text_encoder: Graph | None
    """Tokens to the mean and log-variance of the condition; None where the model has no text."""
    generator: Graph
    """Latents to pictures."""
    calibration: Calibration | None = None
    """What they were calibrated on; None where nothing is quantised."""
    layers: tuple[LayerError, ...] = ()
    """The sensitivity of each layer that can be quantised, in the order of the graphs."""


class TextSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How descriptions become tokens."""

    tokenizer: str
    """Name of the SentencePiece model or the vocabulary in the bundle."""
    kind: TokenizerKind
    """Which of them it is."""
    vocabulary_size: Size
    """Number of different tokens, padding among them."""
    maximum_tokens: Annotated[int, Meta(ge=1, le=MAXIMUM_TOKENS)]
    """The longest description, in tokens; longer ones are refused, never cut."""
    padding_token: Count = 0
    """Fills up the shorter rows of a batch; no description holds it."""
    maximum_characters: Annotated[int, Meta(ge=1, le=MAXIMUM_CHARACTERS)] = 4096
    """The longest description, in characters: the bound on the work before tokens are counted."""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file of the bundle must be."""

    bytes: Count
    """Its size."""
    sha256: Sha256
    """SHA-256 of its bytes, in lower-case hexadecimal."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a bundle comes from."""

    origin: str = "t2f"
    """What trained the networks: `t2f`, or the program whose files were imported."""
    run_name: str
    """Name of the training run, or of the imported file."""
    configuration: dict[str, Any]
    """The run's whole configuration; of an imported model, all that its files tell."""
    checkpoint_sha256: Sha256
    """SHA-256 of the checkpoint, or of the imported file, that was frozen."""
    commit: str | None
    """Commit of the T2F that exported; None outside a repository."""
    data_reader: str | None
    """What read the training data: `face2text`, `celeba`, …; None where nobody knows the data, as
    of an imported model."""
    data_fingerprint: str | None
    """Tells one set of training data from another; None likewise."""
    data_images: Count | None
    """Number of training images; None likewise."""
    data_descriptions: Count | None
    """Number of descriptions of them; None likewise."""
    data_licence: str | None
    """Licence of the training data; None where nobody stated one."""
    images_seen: Count | None
    """Real images that the discriminator saw in training; None where nobody counted them."""
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


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a bundle says about itself."""

    schema_version: Literal[3]
    """`SCHEMA_VERSION`; read before everything else."""
    t2f_version: str
    """Version of the T2F that made the bundle."""
    name: str
    """What people call it."""
    licence: str | None
    """Licence of the networks; None where nobody stated one."""
    image_size: Annotated[int, Meta(ge=1, le=MAXIMUM_IMAGE_SIZE)]
    """Height and width of the pictures, in pixels."""
    latent_size: Size
    """Length of the generator's input: condition and noise."""
    condition_size: Annotated[int, Meta(ge=0, le=MAXIMUM_LATENT_PART)]
    """Length of the condition: what the description decides; 0 where the model has no text."""
    noise_size: Annotated[int, Meta(ge=1, le=MAXIMUM_LATENT_PART)]
    """Length of the noise: what the seed alone decides."""
    text: TextSettings | None
    """How descriptions are read; None where the model draws from seeds alone."""
    graphs: dict[Precision, Graphs]
    """The networks, by precision; `float32` is always there."""
    files: dict[str, FileEntry]
    """Every file of the bundle but the manifest, its signature and engines, by its name."""
    references: Annotated[tuple[Reference, ...], Meta(max_length=MAXIMUM_REFERENCES)]
    """The pictures in `REFERENCE`, from left to right."""
    provenance: Provenance
    """Where the bundle comes from."""
    parity: tuple[ParityReport, ...]
    """How its pictures compared with torch's when it was made."""
    engines: tuple[EngineEntry, ...] = ()
    """The engines built from its networks; they come and go, and are not among `files`."""

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
        check_engines(self.engines, self.files)

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


def processor_generator(manifest: Manifest, precision: Precision) -> str:
    """Name of the generator's file that engines on a processor run."""
    if precision == "float32" and PROCESSOR_GENERATOR in manifest.files:
        return PROCESSOR_GENERATOR
    return manifest.graphs[precision].generator.file


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
    ratios = [("parity", report.psnr_db) for report in manifest.parity]
    for precision, graphs in manifest.graphs.items():
        ratios += [(f"graphs['{precision}'].layers", layer.psnr_db) for layer in graphs.layers]
    for part, ratio in ratios:
        if ratio is not None and not math.isfinite(ratio):
            raise ValueError(f"{part}.psnr_db must be finite, or null for identical pictures")


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
        if name == SIGNATURE:
            raise ValueError(f"files names {SIGNATURE!r}, which signs the manifest itself")
    named = {name for precision in manifest.graphs for name in files_to_run(manifest, precision)}
    if manifest.references:
        named.add(REFERENCE)
    missing = sorted(named - manifest.files.keys())
    if missing:
        raise ValueError(f"files lacks {missing[0]!r}, which the manifest names")
