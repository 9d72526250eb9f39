"""Proves a bundle with everything that this machine has: torch, ONNX Runtime, OpenVINO."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
import torch

from t2f_export.descriptions import (
    Descriptions,
    descriptions_of_file,
    descriptions_of_manifest,
    descriptions_of_run,
)
from t2f_export.errors import ExportError
from t2f_export.manifest_file import write_with_card
from t2f_export.parity import draw_references
from t2f_export.proof.classifying import compare_attributes
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import (
    REFERENCE,
    SIGNATURE,
    Manifest,
    ParityReport,
    Precision,
    Reference,
)
from t2f_runtime.generator import FaceGenerator, open_tokenizer
from t2f_runtime.pictures.arrays import Pictures
from t2f_runtime.proof import (
    ENGINE,
    AttributeReport,
    NotRun,
    Proof,
    ProofRequest,
    open_engines,
    this_machine,
)
from t2f_runtime.verification import (
    draw_faces,
    precisions_of,
    read_references,
    report_pictures,
)
from t2f_train.metrics.run_artist import TrainedRun, open_run

_FIRST_SEED = 2_000_000
"""Seeds of the faces that are drawn; calibration has others."""

OPENVINO: Final = "openvino"
"""The second reader of the graphs."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Faces:
    """What is drawn, and what it should look like."""

    faces: tuple[Reference, ...]
    expected: Pictures
    against: str
    source: str


def prove_bundle(bundle: Bundle, request: ProofRequest, tell: Tell) -> Proof:
    """Compares every precision in every engine that can be run here; a `Prover` of the runtime.

    Args:
        bundle: The bundle, open and so verified.
        request: What is wanted. With a run, torch draws the reference faces and further ones, of
            its data's held-out descriptions; without, the reference pictures are all.
        tell: Is told what is being done.

    Raises:
        DataError: The run's data cannot be read, or is not the run's.
        EngineError: An engine cannot run the bundle, or OpenVINO is wanted and not installed.
        ExportError: The run is not the bundle's, there are no descriptions to draw, or the manifest
            cannot be written.
        RunError: The run cannot be read.
        VerificationError: The bundle has no reference pictures.
    """
    if request.is_written:
        _check_may_write(bundle, request)
    run = None if request.run is None else _open_run(bundle, request.run)
    drawn = _faces(bundle, run, request, tell)
    engines = [] if request.engines else [ENGINE, *[OPENVINO] * request.takes_openvino]
    reports = [
        _report(_open(bundle, precision, engine, request.threads), precision, drawn, tell)
        for precision in precisions_of(bundle.manifest)
        for engine in engines
    ]
    skipped = list(not_run(request))
    for tried in open_engines(bundle, request):
        if isinstance(tried, NotRun):
            skipped.append(tried)
        else:
            reports.append(_report(tried.generator, tried.precision, drawn, tell))
    proof = Proof(
        bundle_id=bundle.bundle_id,
        machine=this_machine(),
        descriptions=drawn.source,
        reports=tuple(reports),
        attributes=tuple(_attributes(bundle, run, request, tell)),
        not_run=tuple(skipped),
    )
    if request.is_written and proof.passes:
        _write(bundle, proof.reports)
    return proof


def _report(
    generator: FaceGenerator, precision: Precision, drawn: _Faces, tell: Tell
) -> ParityReport:
    """Draws the faces, and reports how far they are from what was expected."""
    engine = generator.engine
    tell(f"drawing {len(drawn.faces)} faces in {precision} with {engine.name}")
    return report_pictures(
        draw_faces(generator, drawn.faces),
        drawn.expected,
        drawn.faces,
        precision=precision,
        engine=engine.name,
        against=drawn.against,
    )


def not_run(request: ProofRequest) -> Iterator[NotRun]:
    """Lists what could draw on a CPU, and was not asked for."""
    if not request.takes_openvino and not request.engines:
        installed = find_spec("openvino") is not None
        why = "give --openvino" if installed else "not installed: pip install 't2f[verify]'"
        yield NotRun(what=OPENVINO, reason=why)
    if request.run is None:
        yield NotRun(what="torch", reason="give --against RUN; the reference pictures are torch's")


def _open_run(bundle: Bundle, path: Path) -> TrainedRun:
    provenance = bundle.manifest.provenance
    if provenance.origin != "t2f":
        raise ExportError(
            f"{bundle.path} was imported from {provenance.origin}, not trained by a run; leave "
            "--against out: its reference pictures are what torch drew"
        )
    run = open_run(path, torch.device("cpu"))
    if run.weights_sha256 != provenance.checkpoint_sha256:
        raise ExportError(
            f"{bundle.path} was not made from the latest checkpoint of {path}: it has the weights "
            f"{provenance.checkpoint_sha256[:12]}, the run {run.weights_sha256[:12]}; export the "
            f"run again with: t2f export {path} -o BUNDLE"
        )
    return run


def _faces(bundle: Bundle, run: TrainedRun | None, request: ProofRequest, tell: Tell) -> _Faces:
    references = bundle.manifest.references
    if run is None:
        expected = read_references(bundle)
        return _Faces(references, expected, REFERENCE, "the bundle's references")
    tokenizer = open_tokenizer(bundle)
    chosen = _descriptions(bundle.manifest, request).chosen(tokenizer, request.faces)
    faces = (*references, *chosen.faces(request.faces, first_seed=_FIRST_SEED))
    against = f"torch {torch.__version__}"
    tell(f"drawing {len(faces)} faces with {against}")
    artist = run.artist
    expected = draw_references(artist.model, tokenizer, faces, run.moment.depth)
    return _Faces(faces, expected, against, chosen.source)


def _descriptions(manifest: Manifest, request: ProofRequest) -> Descriptions:
    if request.descriptions is not None:
        return descriptions_of_file(request.descriptions)
    if request.run is None or not manifest.takes_text:
        return descriptions_of_manifest(manifest)
    found = descriptions_of_run(request.run, request.data, is_held_out=True)
    if found is None:
        raise ExportError(
            f"the data of {request.run} is not where it lay in training; give its folder with "
            "--data, or descriptions with --descriptions FILE"
        )
    return found


def _open(bundle: Bundle, precision: Precision, engine: str, threads: int | None) -> FaceGenerator:
    return FaceGenerator.from_bundle(bundle, engine=engine, precision=precision, threads=threads)


def _attributes(
    bundle: Bundle, run: TrainedRun | None, request: ProofRequest, tell: Tell
) -> Iterator[AttributeReport]:
    if run is None or not request.takes_attributes:
        return
    generators = {
        precision: _open(bundle, precision, ENGINE, request.threads)
        for precision in precisions_of(bundle.manifest)
    }
    folder = request.data or Path(run.record.data_folder)
    yield from compare_attributes(generators, open_tokenizer(bundle), run.record, folder, tell)


def _check_may_write(bundle: Bundle, request: ProofRequest) -> None:
    if bundle.path.is_file():
        raise ExportError(f"{bundle.path} is a packed bundle; unpack it, or leave --write out")
    if bundle.read_signature_file() is not None and not request.drops_signature:
        raise ExportError(
            f"{bundle.path} is signed, and its signature ({SIGNATURE}) does not cover new numbers; "
            "give --drop-signature, which removes it, and sign the bundle again afterwards"
        )


def _write(bundle: Bundle, reports: tuple[ParityReport, ...]) -> None:
    """Keeps the numbers in the manifest and the card, in place of those that were there."""
    manifest = msgspec.structs.replace(bundle.manifest, parity=reports)
    try:
        (bundle.path / SIGNATURE).unlink(missing_ok=True)
        write_with_card(bundle.path, manifest)
    except OSError as error:
        raise ExportError(f"{bundle.path} cannot be written: {error}") from error
