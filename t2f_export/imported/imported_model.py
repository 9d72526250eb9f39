"""A model of another program, ready to be written as a bundle."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from t2f_export.bundle_writer import (
    check_is_new,
    exporting_versions,
    file_entries,
    generator_files,
    graph_bytes,
    graph_marks,
    text_settings,
    tokenizer_file,
    write_bundle,
)
from t2f_export.frozen_model import FrozenGenerator
from t2f_export.imported.weights_file import read_bytes
from t2f_runtime import __version__
from t2f_runtime.bundle import manifest
from t2f_runtime.bundle.manifest import Graphs, Manifest, Provenance, Reference
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.verification import join_pictures
from t2f_train.model import to_pixels
from t2f_train.provenance import source_commit


@dataclass(frozen=True, slots=True)
class ImportedText:
    """How an imported model reads descriptions."""

    tokenizer: Tokenizer
    """Cuts them."""
    vocabulary: bytes
    """The tokenizer's file."""
    graph: onnx.ModelProto
    """From tokens to the condition's mean and log-variance."""
    condition_size: int
    """Length of the condition."""


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """All that a bundle of an imported model is made from."""

    origin: str
    """What trained it, as the manifest has it."""
    weights: Path
    """The file of its generator."""
    text: ImportedText | None
    """How it reads descriptions; None of a model without text."""
    generator: FrozenGenerator
    """Its generator, frozen."""
    references: tuple[Reference, ...]
    """What is drawn to compare."""
    draw: Callable[[Reference], torch.Tensor]
    """Draws one with torch, step by step as the other program does: `(1, 3, side, side)`, nominally
    -1 to 1."""
    facts: dict[str, Any]
    """All that its files tell of it."""


def write_imported(model: ImportedModel, out: Path, *, licence: str | None) -> Manifest:
    """Writes the bundle of an imported model, if it draws what its own network draws.

    Args:
        model: The model.
        out: The bundle's folder, which must not exist yet.
        licence: Licence of the networks; None where nobody stated one.

    Returns:
        The manifest, with the parity report.

    Raises:
        ExportError: If `out` exists or cannot be written.
        ParityError: If the bundle draws other pictures; there is no bundle then.
    """
    check_is_new(out)
    files = _files(model, graph_marks(licence, _weights_sha256(model)))
    return write_bundle(
        out, _manifest(model, files, name=model.weights.stem, licence=licence), files
    )


def draw_pictures(model: ImportedModel, references: Sequence[Reference]) -> NDArray[np.uint8]:
    """Draws references with torch, one by one: shape `(faces, side, side, 3)`, uint8, RGB."""
    drawn = [to_pixels(model.draw(reference)).numpy() for reference in references]
    return np.concatenate(drawn)


def _files(model: ImportedModel, marks: dict[str, str]) -> dict[str, bytes]:
    picture = io.BytesIO()
    join_pictures(draw_pictures(model, model.references)).save(picture, "PNG")
    files = {
        **generator_files(model.generator, marks),
        manifest.REFERENCE: picture.getvalue(),
    }
    if model.text is None:
        return files
    return {
        tokenizer_file(model.text.tokenizer): model.text.vocabulary,
        manifest.TEXT_ENCODER: graph_bytes(model.text.graph, marks),
        **files,
    }


def _weights_sha256(model: ImportedModel) -> str:
    return hashlib.sha256(read_bytes(model.weights)).hexdigest()


def _manifest(
    model: ImportedModel, files: dict[str, bytes], *, name: str, licence: str | None
) -> Manifest:
    latent_size = model.generator.dense.weight.shape[1]
    condition_size = model.text.condition_size if model.text else 0
    image_size = model.generator.image_size
    encoder = manifest.text_encoder_graph(manifest.TEXT_ENCODER, condition_size)
    graphs = Graphs(
        text_encoder=encoder if model.text else None,
        generator=manifest.generator_graph(manifest.GENERATOR, latent_size, image_size),
    )
    return Manifest(
        schema_version=manifest.SCHEMA_VERSION,
        t2f_version=__version__,
        name=name,
        licence=licence,
        image_size=image_size,
        latent_size=latent_size,
        condition_size=condition_size,
        noise_size=latent_size - condition_size,
        text=text_settings(model.text.tokenizer) if model.text else None,
        graphs={"float32": graphs},
        files=file_entries(files),
        references=model.references,
        provenance=_provenance(model),
        parity=(),
    )


def _provenance(model: ImportedModel) -> Provenance:
    return Provenance(
        origin=model.origin,
        run_name=model.weights.name,
        configuration=model.facts,
        checkpoint_sha256=_weights_sha256(model),
        commit=source_commit(),
        data_reader=None,
        data_fingerprint=None,
        data_images=None,
        data_descriptions=None,
        data_licence=None,
        images_seen=None,
        metrics={},
        versions=exporting_versions(),
    )
