"""Makes the smallest bundles there can be: random networks that draw 8x8 pixels.

`tiny_bundle/` draws from descriptions, `tiny_bundle_without_text/` from seeds alone.

Needs the extra `export`; the tests that use the bundle do not. Run it again only where the format
changes, and commit what it wrote:

    python tests/runtime/make_tiny_bundle.py
"""

import hashlib
import io
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sentencepiece import SentencePieceTrainer

from t2f_runtime import FaceGenerator, __version__
from t2f_runtime.bundle import manifest as schema
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.verification import join_pictures

FOLDER = Path(__file__).parent / "tiny_bundle"
FOLDER_WITHOUT_TEXT = Path(__file__).parent / "tiny_bundle_without_text"

IMAGE_SIZE, CONDITION_SIZE, NOISE_SIZE = 8, 4, 4
EMBEDDING_SIZE, STATE_SIZE, CHANNELS = 6, 8, 12
MAXIMUM_TOKENS = 64

DESCRIPTIONS = [
    "a bald man with a grey beard and glasses",
    "a smiling woman with long brown hair",
    "an old man who wears a black hat",
    "a young girl with red curly hair and freckles",
    "a woman with short blond hair, blue eyes and earrings",
    "the man has a moustache, thick eyebrows and a round face",
    "she smiles and her hair is tied back",
    "he looks tired; his nose is long and his mouth is open",
]
REFERENCES = [("a bald man", 0), ("a smiling woman with grey hair", 7), ("Une fille 👧", 2**64 - 1)]
REFERENCES_WITHOUT_TEXT = [(None, 0), (None, 7), (None, 2**64 - 1)]


def train_tokenizer() -> bytes:
    """Trains the tokenizer with the settings that every bundle has."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(DESCRIPTIONS),
        model_writer=model,
        vocab_size=380,
        byte_fallback=True,
        normalization_rule_name="nmt_nfkc_cf",
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


def constants(**arrays: np.ndarray) -> list[TensorProto]:
    """The weights of a network."""
    return [numpy_helper.from_array(array, name) for name, array in arrays.items()]


def normal(random: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Random weights."""
    return (random.standard_normal(shape) * scale).astype(np.float32)


def make_model(nodes, weights, graph: schema.Graph) -> bytes:
    """Puts a network together, with the inputs and outputs that the manifest states."""
    kinds = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}

    def infos(tensors):
        return [helper.make_tensor_value_info(t.name, kinds[t.dtype], t.shape) for t in tensors]

    body = helper.make_graph(nodes, graph.file, infos(graph.inputs), infos(graph.outputs), weights)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(body, opset_imports=[opset], ir_version=8, producer_name="tiny")
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def make_text_encoder(random: np.random.Generator, vocabulary: int, graph: schema.Graph) -> bytes:
    """An embedding, an LSTM that stops at the padding, and two linear layers."""
    node = helper.make_node
    nodes = [
        node("Equal", [schema.TOKENS, "padding"], ["is_padding"]),
        node("Not", ["is_padding"], ["is_real"]),
        node("Cast", ["is_real"], ["real"], to=TensorProto.INT32),
        node("ReduceSum", ["real", "last_axis"], ["lengths"], keepdims=0),
        node("Gather", ["embedding", schema.TOKENS], ["embedded"]),
        node("Transpose", ["embedded"], ["steps"], perm=[1, 0, 2]),
        node(
            "LSTM",
            ["steps", "input_weight", "state_weight", "bias", "lengths"],
            ["", "states"],
            hidden_size=STATE_SIZE,
        ),
        node("Squeeze", ["states", "first_axis"], ["sentence"]),
        node("Gemm", ["sentence", "mean_weight"], [schema.CONDITION_MEAN]),
        node("Gemm", ["sentence", "variance_weight"], [schema.CONDITION_LOG_VARIANCE]),
    ]
    weights = constants(
        padding=np.array(0, dtype=np.int64),
        last_axis=np.array([1], dtype=np.int64),
        first_axis=np.array([0], dtype=np.int64),
        embedding=normal(random, vocabulary, EMBEDDING_SIZE),
        input_weight=normal(random, 1, 4 * STATE_SIZE, EMBEDDING_SIZE),
        state_weight=normal(random, 1, 4 * STATE_SIZE, STATE_SIZE, scale=0.5),
        bias=normal(random, 1, 8 * STATE_SIZE, scale=0.1),
        mean_weight=normal(random, STATE_SIZE, CONDITION_SIZE),
        variance_weight=normal(random, STATE_SIZE, CONDITION_SIZE),
    )
    return make_model(nodes, weights, graph)


def make_generator(random: np.random.Generator, latent_size: int, graph: schema.Graph) -> bytes:
    """A linear layer to 4x4 pixels, a transposed convolution to 8x8, and bytes."""
    node = helper.make_node
    nodes = [
        node("Gemm", [schema.LATENT, "dense"], ["flat"]),
        node("Reshape", ["flat", "shape"], ["square"]),
        node("LeakyRelu", ["square"], ["features"], alpha=0.2),
        node("ConvTranspose", ["features", "kernel"], ["rgb"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Mul", ["rgb", "contrast"], ["scaled"]),
        node("Add", ["scaled", "middle"], ["levels"]),
        node("Clip", ["levels", "black", "white"], ["clipped"]),
        # TensorRT takes bytes at a network's end alone, so the cast is its last node.
        node("Transpose", ["clipped"], ["rows"], perm=[0, 2, 3, 1]),
        node("Cast", ["rows"], [schema.IMAGE], to=TensorProto.UINT8),
    ]
    weights = constants(
        dense=normal(random, latent_size, CHANNELS * 16, scale=0.4),
        shape=np.array([-1, CHANNELS, 4, 4], dtype=np.int64),
        kernel=normal(random, CHANNELS, 3, 4, 4, scale=0.2),
        contrast=np.array(80, dtype=np.float32),
        middle=np.array(128, dtype=np.float32),
        black=np.array(0, dtype=np.float32),
        white=np.array(255, dtype=np.float32),
    )
    return make_model(nodes, weights, graph)


class ReferenceSession:
    """Runs a network in ONNX's own slow reference, as torch does for a real bundle."""

    def __init__(self, model: bytes) -> None:
        self._evaluator = ReferenceEvaluator(model)

    def run(self, inputs):
        """See `t2f_runtime.sessions.Session.run`."""
        outputs = self._evaluator.run(None, dict(inputs))
        return dict(zip(self._evaluator.output_names, outputs, strict=True))


def make_manifest(
    graphs: schema.Graphs, tokenizer: Tokenizer | None, contents: dict[str, bytes]
) -> schema.Manifest:
    """Says what a tiny bundle is."""
    condition_size = CONDITION_SIZE if tokenizer else 0
    references = REFERENCES if tokenizer else REFERENCES_WITHOUT_TEXT
    provenance = schema.Provenance(
        run_name="tiny",
        configuration={"seed": 0},
        checkpoint_sha256="0" * 64,
        commit=None,
        data_reader="made up",
        data_fingerprint="none",
        data_images=0,
        data_descriptions=len(DESCRIPTIONS) if tokenizer else 0,
        data_licence=None,
        images_seen=0,
        metrics={},
        versions={"numpy": "2"},
    )
    return schema.Manifest(
        schema_version=schema.SCHEMA_VERSION,
        t2f_version=__version__,
        name="tiny",
        licence="MIT",
        image_size=IMAGE_SIZE,
        latent_size=condition_size + NOISE_SIZE,
        condition_size=condition_size,
        noise_size=NOISE_SIZE,
        text=tokenizer
        and schema.TextSettings(
            tokenizer=schema.TOKENIZER,
            kind=tokenizer.kind,
            vocabulary_size=tokenizer.vocabulary_size,
            maximum_tokens=MAXIMUM_TOKENS,
        ),
        graphs={"float32": graphs},
        files={
            name: schema.FileEntry(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
            for name, data in contents.items()
        },
        references=tuple(schema.Reference(description=d, seed=s) for d, s in references),
        provenance=provenance,
        parity=(),
    )


def draw_references(
    manifest: schema.Manifest, tokenizer: Tokenizer | None, contents: dict[str, bytes]
) -> bytes:
    """Draws the reference pictures as a PNG."""
    generator = FaceGenerator(
        manifest,
        tokenizer=tokenizer,
        text_encoder=tokenizer and ReferenceSession(contents[schema.TEXT_ENCODER]),
        generator=ReferenceSession(contents[schema.GENERATOR]),
    )
    drawn = [generator.generate(r.description, seed=r.seed) for r in manifest.references]
    picture = io.BytesIO()
    join_pictures(np.stack(drawn)).save(picture, "PNG")
    return picture.getvalue()


def write_bundle(
    folder: Path,
    graphs: schema.Graphs,
    contents: dict[str, bytes],
    tokenizer: Tokenizer | None = None,
) -> None:
    """Writes a bundle with its reference pictures."""
    unseen = make_manifest(graphs, tokenizer, {**contents, schema.REFERENCE: b""})
    contents[schema.REFERENCE] = draw_references(unseen, tokenizer, contents)
    folder.mkdir(exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    manifest = make_manifest(graphs, tokenizer, contents)
    (folder / schema.MANIFEST).write_bytes(schema.encode_manifest(manifest))


def main() -> None:
    """Writes both folders."""
    random = np.random.default_rng(0)
    model = train_tokenizer()
    tokenizer = Tokenizer(model, maximum_tokens=MAXIMUM_TOKENS)
    latent_size = CONDITION_SIZE + NOISE_SIZE
    text_encoder = schema.text_encoder_graph(schema.TEXT_ENCODER, CONDITION_SIZE)
    generator = schema.generator_graph(schema.GENERATOR, latent_size, IMAGE_SIZE)
    contents = {
        schema.TOKENIZER: model,
        schema.TEXT_ENCODER: make_text_encoder(random, tokenizer.vocabulary_size, text_encoder),
        schema.GENERATOR: make_generator(random, latent_size, generator),
    }
    graphs = schema.Graphs(text_encoder=text_encoder, generator=generator)
    write_bundle(FOLDER, graphs, contents, tokenizer)
    generator = schema.generator_graph(schema.GENERATOR, NOISE_SIZE, IMAGE_SIZE)
    graphs = schema.Graphs(text_encoder=None, generator=generator)
    contents = {schema.GENERATOR: make_generator(random, NOISE_SIZE, generator)}
    write_bundle(FOLDER_WITHOUT_TEXT, graphs, contents)


if __name__ == "__main__":
    main()
