"""The networks that are measured: random weights, every size, as a bundle and as torch's weights.

    python benchmarks/networks.py FOLDER [--resolution 64] [--width 256]

Speed does not depend on what a network has learnt, so nothing is trained. FOLDER gets `bundle/`,
exported and proven against torch as any bundle is, and `weights.pt` and `sizes.json`, from which
torch draws the same pictures.
"""

import argparse
import hashlib
import io
import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from network_files import BUNDLE, DESCRIPTION, SIZES, WEIGHTS
from network_model import Sizes, make_config, make_model

from t2f_export.bundle_writer import (
    exporting_versions,
    file_entries,
    generator_files,
    graph_bytes,
    graph_marks,
    text_settings,
    write_bundle,
)
from t2f_export.frozen_model import freeze_generator, freeze_text_encoder
from t2f_export.onnx_graph import text_encoder_graph
from t2f_export.parity import draw_references, readable_references
from t2f_runtime import __version__
from t2f_runtime.bundle import manifest
from t2f_runtime.bundle.manifest import Graphs, Manifest, Provenance
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.verification import join_pictures
from t2f_train.data.drawn_attributes import sample_attributes
from t2f_train.data.drawn_descriptions import describe
from t2f_train.tokenizer import train_tokenizer


@lru_cache
def make_tokenizer_file() -> bytes:
    """A tokeniser of descriptions, trained on made-up ones."""
    random = np.random.default_rng(0)
    texts = [describe(sample_attributes(random), random) for _ in range(400)]
    return train_tokenizer([DESCRIPTION, *texts], 600)


def write_network(folder: Path, sizes: Sizes) -> Path:
    """Writes a network's bundle and its weights, unless they are there, and returns the folder."""
    if (folder / SIZES).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = make_tokenizer_file()
    tokenizer = Tokenizer(vocabulary, maximum_tokens=sizes.maximum_tokens)
    model = make_model(sizes, tokenizer.vocabulary_size)
    torch.save(model.state_dict(), folder / WEIGHTS)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    marks = graph_marks(None, digest)
    reference = io.BytesIO()
    references = readable_references(tokenizer)
    pictures = draw_references(model, tokenizer, references, sizes.depth)
    join_pictures(pictures).save(reference, "PNG")
    files = {
        manifest.TOKENIZER: vocabulary,
        manifest.TEXT_ENCODER: graph_bytes(text_encoder_graph(freeze_text_encoder(model)), marks),
        **generator_files(freeze_generator(model.generator, sizes.depth), marks),
        manifest.REFERENCE: reference.getvalue(),
    }
    write_bundle(folder / BUNDLE, _manifest(sizes, tokenizer, files, digest), files)
    (folder / SIZES).write_text(json.dumps(asdict(sizes)), encoding="utf-8")
    return folder


def _manifest(
    sizes: Sizes, tokenizer: Tokenizer, files: dict[str, bytes], weights_sha256: str
) -> Manifest:
    config = make_config(sizes)
    latent_size = config.condition_size + config.model.noise_size
    graphs = Graphs(
        text_encoder=manifest.text_encoder_graph(manifest.TEXT_ENCODER, config.condition_size),
        generator=manifest.generator_graph(manifest.GENERATOR, latent_size, sizes.resolution),
    )
    return Manifest(
        schema_version=manifest.SCHEMA_VERSION,
        t2f_version=__version__,
        name=f"random weights, {sizes.width} wide, {sizes.resolution} pixels",
        licence=None,
        image_size=sizes.resolution,
        latent_size=latent_size,
        condition_size=config.condition_size,
        noise_size=config.model.noise_size,
        text=text_settings(tokenizer),
        graphs={"float32": graphs},
        files=file_entries(files),
        references=readable_references(tokenizer),
        provenance=Provenance(
            run_name="benchmark",
            configuration=config.to_dict(),
            checkpoint_sha256=weights_sha256,
            commit=None,
            data_reader=None,
            data_fingerprint=None,
            data_images=None,
            data_descriptions=None,
            data_licence=None,
            images_seen=None,
            metrics={},
            versions=exporting_versions(),
        ),
        parity=(),
    )


def main() -> None:
    """Writes one network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--resolution", type=int, default=Sizes().resolution)
    parser.add_argument("--width", type=int, default=Sizes().width)
    options = parser.parse_args()
    sizes = Sizes(resolution=options.resolution, width=options.width)
    print(write_network(options.folder, sizes))


if __name__ == "__main__":
    main()
