"""Writes a bundle from a run: frozen, checked against torch, and there only if the check passed."""

import hashlib
import io
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import onnx

from t2f_export.errors import ExportError
from t2f_export.frozen_model import (
    FrozenGenerator,
    freeze_conditioning,
    freeze_generator,
    freeze_text_encoder,
)
from t2f_export.minilm_graph import minilm_graph
from t2f_export.model_card import model_card
from t2f_export.onnx_graph import generator_graph, text_encoder_graph
from t2f_export.parity import draw_references, prove_parity, readable_references
from t2f_export.processor_graph import is_quicker, processor_graph
from t2f_runtime import __version__
from t2f_runtime.atomic_files import new_folder
from t2f_runtime.bundle import manifest
from t2f_runtime.bundle.external_data import check_self_contained
from t2f_runtime.bundle.manifest import FileEntry, Graphs, Manifest, ParityReport, Provenance
from t2f_runtime.reading.word_list import WordList, encode_words
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.verification import join_pictures
from t2f_train.checkpoint import CheckpointState, latest_checkpoint, load_weights, read_state
from t2f_train.config import Config
from t2f_train.errors import RunError
from t2f_train.minilm import MiniLMEncoder
from t2f_train.model import FaceModel
from t2f_train.provenance import library_versions, source_commit
from t2f_train.run_folder import RunFolder, RunRecord
from t2f_train.run_words import read_words
from t2f_train.schedule import Schedule
from t2f_train.tokenizer import open_tokenizer


def export_run(run: Path, out: Path, *, name: str | None = None) -> Manifest:
    """Freezes the latest checkpoint of a finished run into a bundle.

    The same run gives the same bytes, wherever the bundle lies.

    Args:
        run: The run folder.
        out: The bundle's folder, which must not exist yet.
        name: What people call the model; None takes the run's name.

    Returns:
        The manifest, with the parity report.

    Raises:
        RunError: If there is no run, or its files are damaged.
        ExportError: If `out` exists or cannot be written, or the run is not finished.
        ParityError: If the bundle does not draw what torch draws; there is no bundle then.
    """
    check_is_new(out)
    folder = RunFolder(run)
    record = folder.read_record()
    checkpoint = latest_checkpoint(folder.checkpoints)
    if checkpoint is None:
        raise RunError(f"{run} has no checkpoint yet; train it first with: t2f train")
    state = read_state(checkpoint)
    _check_finished(run, record, state)
    vocabulary = _read_vocabulary(folder, record)
    tokenizer = vocabulary.tokenizer if vocabulary else None
    model = FaceModel(record.config, tokenizer.vocabulary_size if tokenizer else 0)
    load_weights(model, checkpoint, "averaged")
    marks = graph_marks(record.config.data.licence, state.weights_sha256)
    files = _bundle_files(model, vocabulary, state.place.depth, marks)
    run_name = run.resolve().name
    names = {"name": name or run_name, "run_name": run_name}
    return write_bundle(out, _manifest(record, state, model, tokenizer, files, **names), files)


def check_is_new(out: Path) -> None:
    """Refuses a place that is taken, before any work is done; raises `ExportError`."""
    if out.exists():
        raise ExportError(f"{out} exists already; name a new folder, or remove it first")


def write_bundle(out: Path, unproven: Manifest, files: dict[str, bytes]) -> Manifest:
    """Writes a bundle, proves that it draws its reference pictures, and adds its model card.

    Args:
        out: The bundle's folder, which must not exist yet.
        unproven: Its manifest, without a parity report.
        files: All its other files, by name.

    Returns:
        The manifest, with the parity report and the card.

    Raises:
        BundleError: If a network keeps weights in another file.
        ExportError: If `out` cannot be written.
        ParityError: If the pictures differ; there is no bundle then.
    """
    for name, content in files.items():
        if name.endswith(".onnx"):
            check_self_contained(content, name)
    try:
        with new_folder(out) as unfinished:
            for name, content in files.items():
                (unfinished / name).write_bytes(content)
            manifest_path = unfinished / manifest.MANIFEST
            parity = _prove(unfinished, unproven)
            proven = msgspec.structs.replace(unproven, parity=(parity,))
            # The card tells what was proven, so it joins the bundle after that.
            card = model_card(proven).encode()
            (unfinished / manifest.MODEL_CARD).write_bytes(card)
            listed = {**proven.files, **file_entries({manifest.MODEL_CARD: card})}
            complete = msgspec.structs.replace(proven, files=listed)
            manifest_path.write_bytes(manifest.encode_manifest(complete))
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error}") from error
    return complete


def _prove(folder: Path, unproven: Manifest) -> ParityReport:
    """Proves the generator in each of its forms; reports the one that is further off."""
    forms = [unproven.files]
    if manifest.PROCESSOR_GENERATOR in unproven.files:
        # A processor draws with `GENERATOR` where a bundle has nothing else.
        left = {n: e for n, e in unproven.files.items() if n != manifest.PROCESSOR_GENERATOR}
        forms.insert(0, left)
    reports = []
    for listed in forms:
        shown = msgspec.structs.replace(unproven, files=listed)
        (folder / manifest.MANIFEST).write_bytes(manifest.encode_manifest(shown))
        reports.append(prove_parity(folder))
    return max(reports, key=lambda report: (report.maximum_levels, report.mean_levels))


def _check_finished(run: Path, record: RunRecord, state: CheckpointState) -> None:
    schedule = Schedule(record.config.phases)
    if state.place.step < schedule.total_steps:
        raise ExportError(
            f"{run} is not finished: it has seen {state.place.images_seen:,} of "
            f"{schedule.total_images:,} images; finish it with the t2f train command that began it"
        )


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """A run's tokenizer, as it lies in the run and ready to cut, and the words of its data."""

    content: bytes
    tokenizer: Tokenizer
    words: WordList | None


def _read_vocabulary(folder: RunFolder, record: RunRecord) -> _Vocabulary | None:
    if not record.config.is_conditional:
        return None
    content = folder.read_tokenizer(record)
    tokenizer = open_tokenizer(content, record.config.text)
    return _Vocabulary(content, tokenizer, read_words(folder))


def graph_marks(licence: str | None, weights_sha256: str) -> dict[str, str]:
    """What both graphs say of themselves, for whoever finds one outside its bundle.

    Args:
        licence: Licence of the networks; None where nobody stated one.
        weights_sha256: SHA-256 of the file of weights that was frozen, as in the manifest's
            provenance. The bundle's id cannot be here: it is made from the graphs.
    """
    return {
        "t2f_version": __version__,
        "licence": licence or "not stated",
        "weights_sha256": weights_sha256,
    }


def graph_bytes(graph: onnx.ModelProto, marks: dict[str, str]) -> bytes:
    """A graph as it lies in a bundle; equal graphs and marks give equal bytes."""
    onnx.helper.set_model_props(graph, marks)
    serialised: bytes = graph.SerializeToString(deterministic=True)
    return serialised


def generator_files(generator: FrozenGenerator, marks: dict[str, str]) -> dict[str, bytes]:
    """A generator's graphs by their names: the one of every bundle, and its form for processors.

    Args:
        generator: The generator.
        marks: As in `graph_bytes`.
    """
    files = {manifest.GENERATOR: graph_bytes(generator_graph(generator), marks)}
    if is_quicker(generator):
        files[manifest.PROCESSOR_GENERATOR] = graph_bytes(processor_graph(generator), marks)
    return files


def _bundle_files(
    model: FaceModel, vocabulary: _Vocabulary | None, depth: int, marks: dict[str, str]
) -> dict[str, bytes]:
    tokenizer = vocabulary.tokenizer if vocabulary else None
    reference = io.BytesIO()
    pictures = draw_references(model, tokenizer, readable_references(tokenizer), depth)
    join_pictures(pictures).save(reference, "PNG")
    files = {
        **generator_files(freeze_generator(model.generator, depth), marks),
        manifest.REFERENCE: reference.getvalue(),
    }
    if vocabulary is None:
        return files
    known = {} if vocabulary.words is None else {manifest.WORDS: encode_words(vocabulary.words)}
    return {
        tokenizer_file(vocabulary.tokenizer): vocabulary.content,
        manifest.TEXT_ENCODER: graph_bytes(_text_encoder(model), marks),
        **files,
        **known,
    }


def tokenizer_file(tokenizer: Tokenizer) -> str:
    """Name of the file in which a bundle has its tokenizer."""
    return manifest.TOKENIZER if tokenizer.kind == "sentencepiece" else manifest.VOCABULARY


def _text_encoder(model: FaceModel) -> onnx.ModelProto:
    if isinstance(model.text_encoder, MiniLMEncoder):
        return minilm_graph(model.text_encoder, *freeze_conditioning(model))
    return text_encoder_graph(freeze_text_encoder(model))


def _manifest(
    record: RunRecord,
    state: CheckpointState,
    model: FaceModel,
    tokenizer: Tokenizer | None,
    files: dict[str, bytes],
    *,
    name: str,
    run_name: str,
) -> Manifest:
    config = record.config
    return Manifest(
        schema_version=manifest.SCHEMA_VERSION,
        t2f_version=__version__,
        name=name,
        licence=config.data.licence,
        image_size=config.resolution,
        latent_size=model.generator.latent_size,
        condition_size=config.condition_size,
        noise_size=config.model.noise_size,
        text=None if tokenizer is None else text_settings(tokenizer),
        graphs={"float32": _graphs(config, model.generator.latent_size)},
        files=file_entries(files),
        references=readable_references(tokenizer),
        provenance=Provenance(
            run_name=run_name,
            configuration=config.to_dict(),
            checkpoint_sha256=state.weights_sha256,
            commit=source_commit(),
            data_reader=config.data.reader,
            data_fingerprint=record.data_fingerprint,
            data_images=record.data_images,
            data_descriptions=record.data_descriptions,
            data_licence=config.data.licence,
            images_seen=state.place.images_seen,
            metrics=state.place.metrics,
            versions=_versions(record),
        ),
        parity=(),
    )


def _graphs(config: Config, latent_size: int) -> Graphs:
    text_encoder = manifest.text_encoder_graph(manifest.TEXT_ENCODER, config.condition_size)
    return Graphs(
        text_encoder=text_encoder if config.is_conditional else None,
        generator=manifest.generator_graph(manifest.GENERATOR, latent_size, config.resolution),
    )


def text_settings(tokenizer: Tokenizer) -> manifest.TextSettings:
    """What a manifest says of a tokenizer."""
    return manifest.TextSettings(
        tokenizer=tokenizer_file(tokenizer),
        kind=tokenizer.kind,
        vocabulary_size=tokenizer.vocabulary_size,
        maximum_tokens=tokenizer.maximum_tokens,
    )


def _versions(record: RunRecord) -> dict[str, str]:
    """Versions of what trained the model and of what exported it, by role and name."""
    trained = {f"trained with {name}": number for name, number in record.versions.items()}
    commit = {"trained with commit": record.commit} if record.commit else {}
    return {**trained, **commit, **exporting_versions()}


def exporting_versions() -> dict[str, str]:
    """Versions of what exports a model, by role and name."""
    exporting = {
        **library_versions(),
        "onnx": onnx.__version__,
        "onnxruntime": version("onnxruntime"),
    }
    return {f"exported with {name}": number for name, number in exporting.items()}


def file_entries(files: dict[str, bytes]) -> dict[str, FileEntry]:
    """What a manifest says of a bundle's files."""
    return {
        name: FileEntry(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    }
