"""Evaluates a run: draws faces, measures them beside real photographs, writes a report."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import torch

from t2f_train.errors import ConfigError, DataError, RunError
from t2f_train.metrics.attributes import StatementAccuracy
from t2f_train.metrics.evaluation_data import EvaluationData, open_evaluation_data
from t2f_train.metrics.image_network import Progress
from t2f_train.metrics.picture_measures import ClosestPairs, Measure, measure_pictures
from t2f_train.metrics.pictures import Pictures
from t2f_train.metrics.run_artist import Artist, TrainedRun, open_run
from t2f_train.metrics.text_measures import (
    AskedFaces,
    LearnedSettings,
    choose_descriptions,
    measure_attributes,
    measure_matching,
    why_not_matched,
)
from t2f_train.provenance import library_versions, source_commit

FACES = 500
QUICK_FACES = 100
ASKED_EACH = 40
"""Descriptions that are drawn for each thing that descriptions say."""
QUICK_ASKED_EACH = 15
FACES_A_ROW = 8
_ROWS = 8

PROBES = (
    "A young woman with blond hair, smiling.",
    "A young woman with black hair.",
    "A young man with black hair, smiling.",
    "A young man with blond hair.",
    "An older man with grey hair.",
    "A bald man with a beard.",
    "A man wearing glasses.",
    "A woman wearing a hat.",
)
"""Descriptions of the report's rows where the data has CelebA's attributes: in the words of its
grammar, and of what descriptions ought to steer first."""


class DataSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The photographs that were compared with."""

    folder: str
    """Name of the data folder."""
    reader: str
    """Its layout."""
    fingerprint: str
    """SHA-256 of the pixels and descriptions that the run was trained on."""
    training: int
    """Images that the networks of the metrics learned from."""
    held_out: int
    """Images that they have not seen."""
    is_unseen: bool
    """Whether the generator has not seen the held-out images either."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured, and on what: the file evaluation.json."""

    format: int = 1
    """Raised when fields change their meaning."""
    run: str
    """Name of the run folder."""
    images_seen: int
    """Real images that the weights have seen."""
    resolution: int
    """Side of the pictures, in pixels."""
    fade: float
    """Weight of the newest layers when they were drawn."""
    weights_sha256: str
    """SHA-256 of the checkpoint's weights."""
    data: DataSummary
    faces: int
    """Pictures that were drawn from descriptions as they come."""
    seed: int
    is_quick: bool
    """Whether it was a quick look, whose numbers do not compare with others."""
    measures: list[Measure]
    statements: list[StatementAccuracy]
    """Attribute accuracy, statement by statement."""
    classifier: dict[str, float]
    """The attribute classifier's balanced accuracy on held-out photographs."""
    absent: dict[str, str]
    """What was not measured, and why."""
    seconds: dict[str, float]
    """How long each part took."""
    commit: str | None
    """Commit of T2F's own source, where it runs from a checkout."""
    versions: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPictures:
    """What the page shows."""

    drawn: Pictures
    """Pictures of descriptions as they come."""
    real: Pictures
    """The photographs that those descriptions belong to."""
    rows: list[tuple[str, Pictures]]
    """Descriptions, each with pictures from the same latents; one blank row without text."""
    closest: ClosestPairs


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """How an evaluation is made."""

    faces: int
    seed: int
    is_quick: bool
    inception: Path | None
    cache: Path
    device: torch.device


@dataclass(slots=True)
class _Stopwatch:
    """Seconds by the name of what was done."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)


@dataclass(slots=True)
class _Findings:
    """What has been measured so far."""

    measures: list[Measure] = field(default_factory=list)
    statements: list[StatementAccuracy] = field(default_factory=list)
    classifier: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def evaluate_run(
    run_folder: Path, data: Path | None, settings: EvaluationSettings, progress: Progress
) -> tuple[Evaluation, ReportPictures]:
    """Evaluates the averaged weights of a run's latest checkpoint.

    Args:
        run_folder: The run.
        data: Folder of the data that it was trained on; None takes the one in its record.
        settings: How much to draw, where, and with which seed.
        progress: Is told how far it is.

    Returns:
        The numbers, and the pictures for the page.

    Raises:
        RunError: If the run is missing, damaged, or its data is not where it was.
        DataError: If the data cannot be read or is not the run's.
        ConfigError: If the run draws too small pictures as yet.
    """
    watch = _Stopwatch()
    run = open_run(run_folder, settings.device)
    _check_side(run)
    with watch.timed("data"):
        opened = open_evaluation_data(
            run.record.config,
            _data_folder(run, data),
            side=run.side,
            cache=settings.cache,
            fingerprint=run.record.data_fingerprint,
            progress=progress,
        )
    is_conditional = run.record.config.is_conditional
    with watch.timed("drawing"):
        asked = _draw(run.artist, opened, settings, progress, is_conditional=is_conditional)
        rows = _rows(run.artist, asked, opened, settings.seed, is_conditional=is_conditional)
    findings = _Findings()
    with watch.timed("pictures"):
        findings.measures, closest = measure_pictures(
            asked.pictures,
            _references(opened, asked, len(asked.pictures)),
            opened,
            seed=settings.seed,
            inception=settings.inception,
            device=settings.device,
            progress=progress,
        )
    if settings.inception is None:
        findings.absent["fid, kid"] = "they need the weights of Inception: --inception FILE"
    _measure_text(run, asked, opened, settings, findings, watch, progress)
    evaluation = _evaluation(run_folder, run, opened, settings, findings, watch.seconds)
    shown = FACES_A_ROW * 4
    pictures = ReportPictures(
        drawn=asked.pictures[:shown],
        real=opened.held_out.pictures[asked.owners[:shown]],
        rows=rows,
        closest=closest,
    )
    return evaluation, pictures


def _check_side(run: TrainedRun) -> None:
    if run.side < 8:
        raise ConfigError(
            f"the run draws pictures of {run.side} pixels as yet, in which there is nothing to "
            f"measure; train it to 8 pixels or more"
        )


def _data_folder(run: TrainedRun, data: Path | None) -> Path:
    if data is not None:
        return data
    folder = Path(run.record.data_folder)
    if not folder.is_dir():
        raise RunError(
            f"the run was trained on {folder}, which is not there now; give its data with --data"
        )
    return folder


def _draw(
    artist: Artist,
    data: EvaluationData,
    settings: EvaluationSettings,
    progress: Progress,
    *,
    is_conditional: bool,
) -> AskedFaces:
    """Draws faces of held-out descriptions, or as many from noise alone."""
    held_out = data.held_out
    if is_conditional and not len(held_out.captioned()):
        raise DataError(
            "no held-out image has a description to draw from; raise data.held_out or write "
            "descriptions"
        )
    if is_conditional:
        chosen = choose_descriptions(held_out, settings.faces, settings.seed)
    else:
        order = np.random.default_rng(settings.seed).permutation(len(held_out.faces))
        chosen = [(int(order[n % len(order)]), "") for n in range(settings.faces)]
    texts = [text for _, text in chosen]
    progress("drawing faces", 0, len(texts))
    pictures = artist.draw(texts, seed=settings.seed, indices=range(len(texts)))
    progress("drawing faces", len(texts), len(texts))
    return AskedFaces(
        descriptions=texts, owners=np.array([face for face, _ in chosen]), pictures=pictures
    )


def _rows(
    artist: Artist, asked: AskedFaces, data: EvaluationData, seed: int, *, is_conditional: bool
) -> list[tuple[str, Pictures]]:
    """Rows of pictures from the same latents, a description each."""
    indices = list(range(FACES_A_ROW))
    if not is_conditional:
        return []
    has_attributes = data.held_out.attributes is not None
    texts = PROBES if has_attributes else list(dict.fromkeys(asked.descriptions))[:_ROWS]
    return [(text, artist.draw([text] * FACES_A_ROW, seed=seed, indices=indices)) for text in texts]


def _references(data: EvaluationData, asked: AskedFaces, count: int) -> Pictures:
    """Held-out photographs to compare with: those of the descriptions first, each once."""
    order = dict.fromkeys([*asked.owners.tolist(), *range(len(data.held_out.faces))])
    return data.held_out.pictures[list(order)[:count]]


def _measure_text(
    run: TrainedRun,
    asked: AskedFaces,
    data: EvaluationData,
    settings: EvaluationSettings,
    findings: _Findings,
    watch: _Stopwatch,
    progress: Progress,
) -> None:
    """Adds what asks whether pictures show what their descriptions say."""
    if not run.record.config.is_conditional:
        reason = "the model draws without descriptions"
        findings.absent |= {"attribute accuracy": reason, "r-precision": reason}
        return
    learned = LearnedSettings(
        seed=settings.seed,
        cache=settings.cache,
        device=settings.device,
        is_quick=settings.is_quick,
        asked_each=QUICK_ASKED_EACH if settings.is_quick else ASKED_EACH,
    )
    rows = (data.training.attributes, data.held_out.attributes)
    if rows[0] is None or rows[1] is None:
        reader = run.record.config.data.reader
        findings.absent["attribute accuracy"] = (
            f"data read by '{reader}' has no attributes of CelebA to teach a classifier"
        )
    else:
        with watch.timed("attributes"):
            found = measure_attributes(
                asked, run.artist, data, (rows[0], rows[1]), learned, progress
            )
        findings.measures += found[0]
        findings.statements, findings.classifier = found[1], found[2]
    reason_not = why_not_matched(data)
    if reason_not is not None:
        findings.absent["r-precision"] = reason_not
    else:
        with watch.timed("r-precision"):
            findings.measures.append(measure_matching(asked, data, learned, progress))


def _evaluation(
    run_folder: Path,
    run: TrainedRun,
    data: EvaluationData,
    settings: EvaluationSettings,
    findings: _Findings,
    seconds: dict[str, float],
) -> Evaluation:
    record = run.record
    return Evaluation(
        run=run_folder.resolve().name,
        images_seen=run.images_seen,
        resolution=run.side,
        fade=run.moment.fade,
        weights_sha256=run.weights_sha256,
        data=DataSummary(
            folder=Path(record.data_folder).name,
            reader=record.config.data.reader,
            fingerprint=record.data_fingerprint,
            training=len(data.training.faces),
            held_out=len(data.held_out.faces),
            is_unseen=data.is_unseen,
        ),
        faces=settings.faces,
        seed=settings.seed,
        is_quick=settings.is_quick,
        measures=findings.measures,
        statements=findings.statements,
        classifier=findings.classifier,
        absent=findings.absent,
        seconds=seconds,
        commit=source_commit(),
        versions=library_versions(),
    )
