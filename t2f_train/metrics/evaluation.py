"""Evaluates a run: draws faces, measures them beside real photographs, writes a report."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import torch

from t2f_train.config import Config
from t2f_train.errors import ConfigError, RunError
from t2f_train.metrics.attributes import StatementAccuracy
from t2f_train.metrics.drawings import FACES_A_ROW, draw, references
from t2f_train.metrics.evaluation_data import EvaluationData, open_evaluation_data
from t2f_train.metrics.image_network import Progress
from t2f_train.metrics.picture_measures import ClosestPairs, Measure, measure_pictures
from t2f_train.metrics.pictures import Pictures
from t2f_train.metrics.ready_pictures import AskedPicture, ReadyPictures, Recorder
from t2f_train.metrics.run_artist import Artist, TrainedRun, open_run
from t2f_train.metrics.text_measures import (
    AskedFaces,
    LearnedSettings,
    draw_statements,
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


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of another program's pictures, drawn from the same descriptions."""

    name: str
    """Of whoever drew them."""
    sha256: str
    """SHA-256 of the file that they came in."""
    measures: list[Measure]
    statements: list[StatementAccuracy]


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
    beside: Beside | None = None
    """The same of another program."""


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
    beside: tuple[Pictures, list[Pictures]] | None = None
    """Of another program, as `drawn` and `rows`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """How an evaluation is made."""

    faces: int
    seed: int
    is_quick: bool
    inception: Path | None
    cache: Path
    device: torch.device
    beside: Path | None = None
    """Pictures of another program, to be measured too; see `ReadyPictures.open`."""

    @property
    def asked_each(self) -> int:
        """Descriptions that are drawn for each thing that descriptions say, at most."""
        return QUICK_ASKED_EACH if self.is_quick else ASKED_EACH


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
        DataError: If the data cannot be read or is not the run's, or the pictures beside it are
            not all that are asked for.
        ConfigError: If the run draws too small pictures as yet.
    """
    watch = _Stopwatch()
    run = open_run(run_folder, settings.device)
    _check_side(run)
    with watch.timed("data"):
        opened = _open_data(run, data, settings, progress)
    ready = None
    if settings.beside is not None:
        ready = ReadyPictures.open(settings.beside, side=run.side)
        ready.check(_asked(run, opened, settings))
    own = _measure(run.artist, run, opened, settings, watch, progress)
    beside = None
    if ready is not None:
        with watch.timed("beside"):
            beside = _measure(ready, run, opened, settings, _Stopwatch(), progress)
    evaluation = _evaluation(run_folder, run, opened, settings, own.findings, watch.seconds)
    shown = FACES_A_ROW * 4
    pictures = ReportPictures(
        drawn=own.asked.pictures[:shown],
        real=opened.held_out.pictures[own.asked.owners[:shown]],
        rows=own.rows,
        closest=own.closest,
    )
    if ready is None or beside is None:
        return evaluation, pictures
    numbers = Beside(
        name=ready.name,
        sha256=ready.sha256,
        measures=beside.findings.measures,
        statements=beside.findings.statements,
    )
    others = (beside.asked.pictures[:shown], [row for _, row in beside.rows])
    return (
        msgspec.structs.replace(evaluation, beside=numbers),
        replace(pictures, beside=others),
    )


def asked_pictures(
    run_folder: Path, data: Path | None, settings: EvaluationSettings, progress: Progress
) -> list[AskedPicture]:
    """Everything that the evaluation of a run has drawn, for another program to draw too.

    Arguments and errors as for `evaluate_run`.
    """
    run = open_run(run_folder, settings.device)
    return _asked(run, _open_data(run, data, settings, progress), settings)


def _asked(
    run: TrainedRun, data: EvaluationData, settings: EvaluationSettings
) -> list[AskedPicture]:
    recorder = Recorder()

    def ignore(_task: str, _done: int, _total: int) -> None:
        pass

    is_conditional = run.record.config.is_conditional
    draw(recorder, data, settings.faces, settings.seed, ignore, is_conditional=is_conditional)
    if is_conditional and data.held_out.attributes is not None:
        draw_statements(recorder, data.held_out, settings.asked_each, settings.seed)
    return recorder.asked


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """All that was found about one artist."""

    findings: _Findings
    asked: AskedFaces
    rows: list[tuple[str, Pictures]]
    closest: ClosestPairs


def _measure(
    artist: Artist,
    run: TrainedRun,
    data: EvaluationData,
    settings: EvaluationSettings,
    watch: _Stopwatch,
    progress: Progress,
) -> _Measured:
    with watch.timed("drawing"):
        is_conditional = run.record.config.is_conditional
        asked, rows = draw(
            artist, data, settings.faces, settings.seed, progress, is_conditional=is_conditional
        )
    findings = _Findings()
    with watch.timed("pictures"):
        findings.measures, closest = measure_pictures(
            asked.pictures,
            references(data, asked),
            data,
            seed=settings.seed,
            inception=settings.inception,
            device=settings.device,
            progress=progress,
        )
    if settings.inception is None:
        findings.absent["fid, kid"] = "they need the weights of Inception: --inception FILE"
    _measure_text(artist, run.record.config, asked, data, settings, findings, watch, progress)
    return _Measured(findings=findings, asked=asked, rows=rows, closest=closest)


def _open_data(
    run: TrainedRun, data: Path | None, settings: EvaluationSettings, progress: Progress
) -> EvaluationData:
    return open_evaluation_data(
        run.record.config,
        _data_folder(run, data),
        side=run.side,
        cache=settings.cache,
        fingerprint=run.record.data_fingerprint,
        progress=progress,
    )


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


def _measure_text(
    artist: Artist,
    config: Config,
    asked: AskedFaces,
    data: EvaluationData,
    settings: EvaluationSettings,
    findings: _Findings,
    watch: _Stopwatch,
    progress: Progress,
) -> None:
    """Adds what asks whether pictures show what their descriptions say."""
    if not config.is_conditional:
        reason = "the model draws without descriptions"
        findings.absent |= {"attribute accuracy": reason, "r-precision": reason}
        return
    learned = LearnedSettings(
        seed=settings.seed,
        cache=settings.cache,
        device=settings.device,
        is_quick=settings.is_quick,
        asked_each=settings.asked_each,
    )
    rows = (data.training.attributes, data.held_out.attributes)
    if rows[0] is None or rows[1] is None:
        reader = config.data.reader
        findings.absent["attribute accuracy"] = (
            f"data read by '{reader}' has no attributes of CelebA to teach a classifier"
        )
    else:
        with watch.timed("attributes"):
            found = measure_attributes(asked, artist, data, (rows[0], rows[1]), learned, progress)
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
