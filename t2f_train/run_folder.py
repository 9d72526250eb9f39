"""The run folder: what a run is, its log and where its files lie.

RUN/
  run.json          the configuration, the data's fingerprint, versions
  tokenizer.model   SentencePiece, trained on the run's descriptions, or the vocabulary of a
                    pretrained text encoder; none without text
  words.json        the words of the run's descriptions, counted; none without text
  metrics.jsonl     one line of losses every `output.log_every` images
  samples/          sheets of the same descriptions and latents as training goes on; latest.png
  frames/           small pictures of them, for the time-lapse
  tensorboard/      the log once more, for TensorBoard
  README.md         what all this is, and what to do with it
  checkpoints/      the latest states to continue or export from
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock, Timeout

from t2f_runtime.atomic_files import write_atomically
from t2f_train.config import Config
from t2f_train.errors import RunError

TokenizerChoice = Literal["keep", "extend"]
"""What a warm start does with the other run's tokeniser: keeps it as it is, or extends it by the
words of the new data."""

LOCK = ".lock"
"""Held by the process that trains the run."""


class _LogPlace(msgspec.Struct):
    """The one field of the log that is read again."""

    images_seen: int


class Origin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the first weights of a warm-started run come from."""

    run: str
    """Folder of the other run; for people, not checked."""
    weights_sha256: str
    """SHA-256 of its weights."""
    images_seen: int
    """Real images that they had seen."""
    tokenizer: TokenizerChoice
    """What became of its tokeniser."""


class Lengthening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a finished run was made longer, and what trained it from there on."""

    images_seen: int
    """Real images that it had seen."""
    commit: str | None
    """As `RunRecord.commit`."""
    versions: dict[str, str]
    """As `RunRecord.versions`."""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run is: written at its start, checked whenever it goes on."""

    config: Config
    """The whole configuration."""
    data_folder: str
    """Where the data lay; for people, not checked."""
    data_fingerprint: str
    """SHA-256 of all pixels and descriptions."""
    data_images: int
    """Number of images."""
    data_descriptions: int
    """Number of descriptions."""
    tokenizer_sha256: str | None
    """SHA-256 of tokenizer.model; None of a model without text."""
    commit: str | None
    """Commit of T2F's own source, where it runs from a checkout."""
    versions: dict[str, str]
    """Versions of Python, T2F, torch, numpy and sentencepiece."""
    origin: Origin | None = None
    """The run that it was warm-started from; None for one that began from chance."""
    lengthened: tuple[Lengthening, ...] = ()
    """Where it was finished and made longer, in order."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of a run, and the reading and writing of its small files."""

    path: Path

    @property
    def record_path(self) -> Path:
        """`run.json`."""
        return self.path / "run.json"

    @property
    def tokenizer_path(self) -> Path:
        """`tokenizer.model`."""
        return self.path / "tokenizer.model"

    @property
    def words_path(self) -> Path:
        """`words.json`."""
        return self.path / "words.json"

    @property
    def metrics_path(self) -> Path:
        """`metrics.jsonl`."""
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        """Folder of the sample sheets."""
        return self.path / "samples"

    @property
    def readme(self) -> Path:
        """`README.md`."""
        return self.path / "README.md"

    @property
    def frames(self) -> Path:
        """Folder of the time-lapse's frames."""
        return self.path / "frames"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps every other process from training this run.

        Raises:
            RunError: If another process trains it now, or the folder holds something else.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # A folder with our lock and no record is a run that was killed at its very start.
            is_ours = self.record_path.exists() or (self.path / LOCK).exists()
            if not is_ours and any(self.path.iterdir()):
                raise RunError(
                    f"{self.path} is not empty and holds no run.json; name a new folder with --out"
                )
        except OSError as error:
            raise RunError(f"{self.path} cannot be a run folder: {error}") from error
        lock = FileLock(self.path / LOCK, blocking=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another process trains {self.path} now; stop it first, or name a new folder "
                f"with --out"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def check_same(self, wanted: RunRecord) -> None:
        """Checks that an existing run has this configuration and data.

        Raises:
            RunError: If not; the message names the first thing that differs.
        """
        found = self.read_record()
        differing = _first_difference(found.config.to_dict(), wanted.config.to_dict())
        if differing is not None:
            name, old, new = differing
            raise RunError(
                f"{self.path} was started with {name} = {old!r}, the configuration now says "
                f"{new!r}; continue with the old one or name a new folder with --out"
            )
        if found.data_fingerprint != wanted.data_fingerprint:
            raise RunError(
                f"{self.path} was trained on other data ({found.data_images} images and "
                f"{found.data_descriptions} descriptions from {found.data_folder}); give the same "
                f"--data or name a new folder with --out"
            )
        # Without --from a run goes on as it is, from its checkpoint.
        if wanted.origin is not None and found.origin != wanted.origin:
            began = found.origin.run if found.origin else "chance"
            raise RunError(
                f"{self.path} was started from {began}, not from the checkpoint of "
                f"{wanted.origin.run} as it is now; leave out --from to continue it, or name a "
                f"new folder with --out"
            )

    def start(self, record: RunRecord, tokenizer: bytes | None) -> None:
        """Writes the first files of a new run; the record last, since it makes the run one."""
        self.samples.mkdir(exist_ok=True)
        self.checkpoints.mkdir(exist_ok=True)
        if tokenizer is not None:
            write_atomically(self.tokenizer_path, tokenizer)
        self.write_record(record)

    def write_record(self, record: RunRecord) -> None:
        """Writes `run.json`."""
        content = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
        write_atomically(self.record_path, content)

    def read_record(self) -> RunRecord:
        """Reads `run.json`.

        Raises:
            RunError: If it is missing or damaged.
        """
        try:
            return msgspec.json.decode(self.record_path.read_bytes(), type=RunRecord)
        except FileNotFoundError as error:
            raise RunError(
                f"{self.path} holds no run.json; make a run with: "
                f"t2f train CONFIG --out {self.path}"
            ) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RunError(f"{self.record_path} is damaged: {error}") from error
        except OSError as error:
            raise RunError(f"{self.record_path} cannot be read: {error}") from error

    def read_tokenizer(self, record: RunRecord) -> bytes:
        """Reads `tokenizer.model`.

        Raises:
            RunError: If it is missing, or not the one of the run's record.
        """
        try:
            model = self.tokenizer_path.read_bytes()
        except OSError as error:
            raise RunError(f"{self.tokenizer_path} cannot be read: {error}") from error
        if hashlib.sha256(model).hexdigest() != record.tokenizer_sha256:
            raise RunError(
                f"{self.tokenizer_path} is not the one that the run trained with (its SHA-256 is "
                f"not that of {self.record_path}); bring back the original file"
            )
        return model

    def cut_metrics(self, images_seen: int) -> None:
        """Drops the log's lines from after a checkpoint, which will be trained and logged again."""
        if not self.metrics_path.exists():
            return
        kept = bytearray()
        lines = self.metrics_path.read_bytes().splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            # A killed process may leave half a line at the end.
            if not line.endswith(b"\n"):
                break
            try:
                seen = msgspec.json.decode(line, type=_LogPlace).images_seen
            except msgspec.MsgspecError as error:
                raise RunError(
                    f"{self.metrics_path} is damaged in line {number}: {error}; remove that line"
                ) from error
            if seen <= images_seen:
                kept += line
        write_atomically(self.metrics_path, bytes(kept))

    def log_metrics(self, line: dict[str, Any]) -> None:
        """Appends one line to the log."""
        with self.metrics_path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def _first_difference(
    old: object, new: object, name: str = ""
) -> tuple[str, object, object] | None:
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(f"{name}.{k}".lstrip("."), old.get(k), new.get(k)) for k in {**old, **new}]
    elif isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
        pairs = [(f"{name}[{i}]", *pair) for i, pair in enumerate(zip(old, new, strict=True))]
    else:
        return None if old == new else (name, old, new)
    found = (_first_difference(before, after, path) for path, before, after in pairs)
    return next((difference for difference in found if difference is not None), None)
