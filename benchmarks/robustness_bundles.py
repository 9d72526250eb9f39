"""The targets of fuzzing that are bundles, and the parts of bundles."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
from robustness_archives import spoil_archive
from robustness_cases import expect
from robustness_mutation import spoil_bytes
from robustness_target import TINY_BUNDLE, Target, spoil_json_or_bytes

from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.external_data import check_self_contained
from t2f_runtime.bundle.manifest import (
    GENERATOR,
    LATENT,
    MANIFEST,
    SIGNATURE,
    TEXT_ENCODER,
    TOKENIZER,
    TOKENS,
    decode_manifest,
    encode_manifest,
)
from t2f_runtime.bundle.packing import pack_bundle, unpack_bundle
from t2f_runtime.bundle.signing import new_keys, sign_bundle
from t2f_runtime.bundle.trust import PublicKey, check_signature, decode_signature
from t2f_runtime.sessions.onnx_session import OnnxSession
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.text.whole_words import encode_vocabulary

WORDS = ["a", "man", "woman", "bald", "##ing", "smil", "hair", "grey", "with"]
"""What small vocabularies hold."""
WORD_PIECES = "".join(f"{word}\n" for word in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS))
"""A vocabulary of word pieces, one a line."""


def manifest_target(_: Path) -> Target:
    """Manifests by themselves."""
    seeds = [(TINY_BUNDLE / MANIFEST).read_bytes(), _rich_manifest()]

    def check(data: bytes) -> None:
        manifest = decode_manifest(data)
        expect(decode_manifest(encode_manifest(manifest)) == manifest)

    return Target("manifest", lambda chance: spoil_json_or_bytes(chance, seeds), check, seeds)


def _rich_manifest() -> bytes:
    """A manifest with engines, reports and figures, which the tiny one has none of."""
    fields = json.loads((TINY_BUNDLE / MANIFEST).read_bytes())
    shapes = {"minimum": [1, 8], "optimum": [4, 8], "maximum": [16, 8]}
    key = {
        "network": "generator",
        "precision": "float32",
        "source_sha256": "0" * 64,
        "flavour": "rtx",
        "library_version": "1.7.1",
        "target": {"compute_capability": "sm_86"},
        "profile": {"latent": shapes},
        "options": {"builder_level": 3},
    }
    engine = {"file": "engines/a.engine", "bytes": 10, "sha256": "1" * 64, "key": key}
    report = {
        "precision": "float32",
        "engine": "onnxruntime",
        "against": "torch",
        "faces": 3,
        "maximum_levels": 1,
        "mean_levels": 0.01,
        "psnr_db": 61.5,
        "tolerance_levels": 1,
        "worst_description": "a bald man",
        "worst_seed": 7,
    }
    fields |= {"engines": [engine], "parity": [report]}
    fields["provenance"]["metrics"] = {"fid": 12.5}
    return json.dumps(fields).encode()


def bundle_target(folder: Path) -> Target:
    """Manifests in a bundle whose other files are right: whatever passes is loaded, and drawn."""
    shutil.copytree(TINY_BUNDLE, folder, dirs_exist_ok=True)
    seeds = [(TINY_BUNDLE / MANIFEST).read_bytes()]

    def check(data: bytes) -> None:
        (folder / MANIFEST).write_bytes(data)
        _draw_with(Bundle.open(folder, keep="float32"))

    def spoil(chance: random.Random) -> bytes:
        if chance.random() < 0.2:
            return _resized(chance, seeds[0])
        return spoil_json_or_bytes(chance, seeds)

    return Target("bundle", spoil, check, seeds)


def _resized(chance: random.Random, data: bytes) -> bytes:
    """A manifest whose sizes agree with each other, and with nothing else."""
    fields = json.loads(data)
    size = chance.choice((1, 4, 16, 2**12, 2**20, 2**31, 2**40, 2**62, 2**64, 2**100))
    generator = fields["graphs"]["float32"]["generator"]
    match chance.randrange(5):
        case 0:
            fields["image_size"] = size
            generator["outputs"][0]["shape"] = ["batch", size, size, 3]
        case 1:
            fields["noise_size"] = size
            fields["latent_size"] = size + fields["condition_size"]
            generator["inputs"][0]["shape"] = ["batch", fields["latent_size"]]
        case 2:
            fields["text"]["maximum_tokens"] = size
        case 3:
            fields["text"]["maximum_characters"] = size
        case 4:
            fields["references"] = [{"description": "x", "seed": size}] * min(size, 10_000)
    return json.dumps(fields).encode()


def _draw_with(bundle: Bundle) -> None:
    generator = FaceGenerator.from_bundle(bundle, engine="onnx-cpu", threads=1)
    generator.warm_up()
    text = "a bald man" if generator.takes_text else None
    size = generator.image_size
    expect(generator.generate(text, seed=1).shape == (size, size, 3))
    expect(len(bundle.bundle_id) == 64)


def archive_target(folder: Path) -> Target:
    """Packed bundles: opened, read, unpacked; what passes every check draws."""
    names = sorted(path.name for path in TINY_BUNDLE.iterdir() if path.name != MANIFEST)
    contents = [(name, (TINY_BUNDLE / name).read_bytes()) for name in (MANIFEST, *names)]
    pack_bundle(TINY_BUNDLE, folder / "valid.t2f")
    path, unpacked = folder / "x.t2f", folder / "unpacked"

    def check(data: bytes) -> None:
        # Another file each time: the one before may be open still.
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        bundle = Bundle.open(path)
        for name in bundle.manifest.files:
            bundle.read(name)
        shutil.rmtree(unpacked, ignore_errors=True)
        unpack_bundle(path, unpacked)
        _draw_with(Bundle.open(unpacked, keep="float32"))

    seeds = [(folder / "valid.t2f").read_bytes()]
    return Target("archive", lambda chance: spoil_archive(chance, list(contents)), check, seeds)


def network_target(_: Path) -> Target:
    """Networks' files, to the reader that looks for weights in other files."""
    seeds = [(TINY_BUNDLE / name).read_bytes() for name in (GENERATOR, TEXT_ENCODER)]

    def check(data: bytes) -> None:
        check_self_contained(data, "x.onnx")

    return Target(
        "network", lambda chance: spoil_bytes(chance, chance.choice(seeds), seeds), check, seeds
    )


def engine_target(_: Path) -> Target:
    """Networks' files, to the engine: whatever it loads is run."""
    files = (GENERATOR, TEXT_ENCODER)
    inputs = ({LATENT: np.zeros((1, 8), np.float32)}, {TOKENS: np.ones((1, 5), np.int64)})
    seeds = [(TINY_BUNDLE / name).read_bytes() for name in files]

    def check(data: bytes) -> None:
        model = data[1:]
        check_self_contained(model, "x.onnx")
        session = OnnxSession(model, threads=1)
        session.run(inputs[data[0] % 2])

    def spoil(chance: random.Random) -> bytes:
        which = chance.randrange(2)
        return bytes([which]) + spoil_bytes(chance, seeds[which], seeds)

    marked = [bytes([which]) + seed for which, seed in enumerate(seeds)]
    return Target("engine", spoil, check, marked)


def tokenizer_target(_: Path) -> Target:
    """Tokenizers' files of all three kinds."""
    model = (TINY_BUNDLE / TOKENIZER).read_bytes()
    seeds = [b"s" + model, b"p" + WORD_PIECES.encode(), b"w" + encode_vocabulary(WORDS[:4])]

    def check(data: bytes) -> None:
        kinds = {b"s": "sentencepiece", b"p": "wordpiece", b"w": "words"}
        kind = kinds.get(data[:1], "wordpiece")
        tokenizer = Tokenizer(data[1:], kind=kind, maximum_tokens=64)  # type: ignore[arg-type]
        tokenizer.tokens("a bald man with grey hair, and a 👧")

    def spoil(chance: random.Random) -> bytes:
        seed = chance.choice(seeds)
        return seed[:1] + spoil_bytes(chance, seed[1:], seeds)

    return Target("tokenizer", spoil, check, seeds)


def signature_target(folder: Path) -> Target:
    """Signatures of the tiny bundle."""
    key, bundle = folder / "signer", folder / "bundle"
    shutil.copytree(TINY_BUNDLE, bundle)
    trusted = [new_keys(key)]
    sign_bundle(bundle, key)
    manifest = (bundle / MANIFEST).read_bytes()
    seeds = [(bundle / SIGNATURE).read_bytes()]

    def check(data: bytes) -> None:
        signature = decode_signature(data, SIGNATURE)
        expect(check_signature(manifest, signature, trusted, "x") == trusted[0])

    return Target("signature", lambda chance: spoil_json_or_bytes(chance, seeds), check, seeds)


def key_target(folder: Path) -> Target:
    """Key files, public and private; a private one is used to sign."""
    bundle = folder / "bundle"
    shutil.copytree(TINY_BUNDLE, bundle)
    new_keys(folder / "key")
    seeds = [(folder / name).read_bytes() for name in ("key", "key.pub")]
    path = folder / "x"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        path.chmod(0o600)
        if b"PRIVATE" in data:
            sign_bundle(bundle, path, replaces=True)
        else:
            expect(len(PublicKey.read(path).fingerprint) == 32)

    return Target(
        "key", lambda chance: spoil_bytes(chance, chance.choice(seeds), seeds), check, seeds
    )
