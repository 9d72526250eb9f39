"""Adds networks of further precisions to a bundle: proven first, written after."""

import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import onnx

from t2f_export.descriptions import Descriptions
from t2f_export.engines.files import EngineFolder
from t2f_export.errors import ExportError, PrecisionError
from t2f_export.manifest_file import file_entry, write_with_card
from t2f_export.precision.drawing import NetworkPair
from t2f_export.precision.networks import NewNetworks, Tell, make_networks
from t2f_runtime.atomic_files import new_folder, write_atomically
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import (
    MANIFEST,
    MODEL_CARD,
    REFERENCE,
    SIGNATURE,
    Graph,
    Graphs,
    Manifest,
    ParityReport,
    Precision,
    encode_manifest,
    files_to_run,
)
from t2f_runtime.proof import ENGINE
from t2f_runtime.verification import check_report, read_references, report_pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionWish:
    """What precisions a bundle is to have beside float32."""

    precisions: tuple[Precision, ...]
    """`float16`, `int8` or both."""
    descriptions: Descriptions | None = None
    """Real descriptions, to calibrate on; None takes the bundle's references."""
    is_forced: bool = False
    """Whether to make again what is there."""
    drops_signature: bool = False
    """Whether a signed bundle may lose its signature."""


def export_with_precisions(
    export: Callable[[Path], Manifest], out: Path, wish: PrecisionWish, tell: Tell
) -> Manifest:
    """Exports a bundle that has further precisions, or none at all.

    Args:
        export: Writes a bundle of float32 into a new folder.
        out: The bundle's folder, which must not exist yet.
        wish: What precisions it is to have.
        tell: Is told what is being done.

    Raises:
        ExportError: `out` exists or cannot be written.
        PrecisionError: A precision cannot be had, or draws pictures that are too far off; there is
            no bundle then.
        T2FError: As `export`.
    """
    if out.exists():
        raise ExportError(f"{out} exists already; name a new folder, or remove it first")
    try:
        with new_folder(out) as unfinished:
            folder = unfinished / "bundle"
            export(folder)
            manifest = add_precisions(folder, wish, tell, is_shared=False)
            for path in folder.iterdir():
                path.rename(unfinished / path.name)
            shutil.rmtree(folder)
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error}") from error
    return manifest


def add_precisions(
    path: Path, wish: PrecisionWish, tell: Tell, *, is_shared: bool = True
) -> Manifest:
    """Adds networks of further precisions to a bundle.

    They are made from its float32 graphs and drawn with before anything is written. Whatever
    interrupts the writing, the bundle is whole, with the new precisions or without.

    Args:
        path: The bundle's folder.
        wish: What precisions it is to have.
        tell: Is told what is being done.
        is_shared: Whether other processes know the folder, so that it must be locked.

    Returns:
        The manifest.

    Raises:
        BundleError: The bundle is missing, incomplete or altered.
        EngineBuildError: Another process changes the bundle now.
        ExportError: The bundle is packed or signed, or cannot be written.
        PrecisionError: A precision is there already, cannot be had, or draws pictures that are too
            far off.
    """
    if path.is_file():
        raise ExportError(
            f"{path} is a packed bundle, to which nothing can be added; unpack it with: "
            f"t2f unpack {path} -o FOLDER, add there, and pack it again with: t2f pack FOLDER"
        )
    with ExitStack() as stack:
        bundle = Bundle.open(path)
        if is_shared:
            stack.enter_context(EngineFolder(path).locked())
        _check_may_change(bundle, wish)
        new = make_networks(bundle, wish.precisions, wish.descriptions, tell)
        _check_shared_files(bundle.manifest, new)
        reports = [_prove(bundle, precision, new) for precision in new.graphs]
        return _write(path, bundle.manifest, new, reports)


def _check_may_change(bundle: Bundle, wish: PrecisionWish) -> None:
    for precision in wish.precisions:
        if precision in bundle.manifest.graphs and not wish.is_forced:
            raise PrecisionError(
                f"{bundle.path} has networks of precision '{precision}' already; give --force to "
                "make them again"
            )
    if bundle.read_signature_file() is not None and not wish.drops_signature:
        raise ExportError(
            f"{bundle.path} is signed, and its signature ({SIGNATURE}) does not cover new networks;"
            " give --drop-signature, which removes it, and sign the bundle again afterwards"
        )


def _check_shared_files(manifest: Manifest, new: NewNetworks) -> None:
    """Refuses to change a file that a precision uses which is not made again."""
    for precision in manifest.graphs.keys() - new.graphs.keys():
        for name in files_to_run(manifest, precision) & new.files.keys():
            if file_entry(new.files[name]) != manifest.files[name]:
                raise PrecisionError(
                    f"{name} changes, and precision '{precision}' uses it too; make both again: "
                    f"{','.join([*new.graphs, precision])}"
                )


def _prove(bundle: Bundle, precision: Precision, new: NewNetworks) -> ParityReport:
    """Draws the reference pictures with new networks, and refuses those that are too far off."""
    graphs = new.graphs[precision]
    pair = NetworkPair(
        bundle,
        None if graphs.text_encoder is None else _model(graphs.text_encoder, new),
        _model(graphs.generator, new),
    )
    references = bundle.manifest.references
    report = report_pictures(
        pair.draw(references),
        read_references(bundle),
        references,
        precision=precision,
        engine=ENGINE,
        against=REFERENCE,
    )
    check_report(report, str(bundle.path))
    return report


def _model(graph: Graph, new: NewNetworks) -> onnx.ModelProto:
    return onnx.load_from_string(new.files[graph.file])


def _write(
    path: Path, old: Manifest, new: NewNetworks, reports: Iterable[ParityReport]
) -> Manifest:
    """Writes the new files between two manifests, each of which describes what is there then."""
    kept = {precision: g for precision, g in old.graphs.items() if precision not in new.graphs}
    used = _files_of(old, kept)
    dropped = _files_of(old, old.graphs) - used
    untouched = {
        name: entry
        for name, entry in old.files.items()
        if name not in dropped and name != MODEL_CARD
    }
    parity = tuple(report for report in old.parity if report.precision in kept)
    before = msgspec.structs.replace(old, graphs=kept, files=untouched, parity=parity)
    files = {**untouched, **{name: file_entry(data) for name, data in new.files.items()}}
    after = msgspec.structs.replace(
        old, graphs={**kept, **new.graphs}, files=files, parity=(*parity, *reports)
    )
    try:
        (path / SIGNATURE).unlink(missing_ok=True)
        write_atomically(path / MANIFEST, encode_manifest(before))
        for name, data in new.files.items():
            write_atomically(path / name, data)
        complete = write_with_card(path, after)
        for name in dropped - new.files.keys():
            (path / name).unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error}") from error
    return complete


def _files_of(manifest: Manifest, graphs: dict[Precision, Graphs]) -> set[str]:
    return {name for precision in graphs for name in files_to_run(manifest, precision)}
