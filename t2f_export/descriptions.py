"""Real descriptions, to calibrate and compare with: of a run, a file, or a bundle's references."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from t2f_export.errors import ExportError
from t2f_runtime.bundle.manifest import Manifest, Reference
from t2f_runtime.commands.options import read_descriptions
from t2f_runtime.errors import DescriptionError
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.data.held_out import split_faces
from t2f_train.data.readers import read_faces
from t2f_train.run_folder import RunFolder, RunRecord


@dataclass(frozen=True, slots=True)
class Descriptions:
    """Descriptions, and where they come from."""

    source: str
    """What people call it."""
    texts: tuple[str, ...]
    """The descriptions; none for a model without text."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the descriptions, one a line, in UTF-8."""
        return hashlib.sha256("\n".join(self.texts).encode()).hexdigest()

    def chosen(self, tokenizer: Tokenizer | None, count: int) -> "Descriptions":
        """Some of those that a model can read, spread evenly over all.

        Args:
            tokenizer: The model's; None for a model without text, which reads none.
            count: How many at most.

        Raises:
            ExportError: The model has text and reads none of them.
        """
        if tokenizer is None:
            return Descriptions("seeds alone", ())
        readable = [text for text in dict.fromkeys(self.texts) if is_readable(tokenizer, text)]
        if not readable:
            raise ExportError(
                f"the model reads none of the {len(self.texts)} descriptions of {self.source}; "
                "give others"
            )
        step = max(1.0, len(readable) / count)
        numbers = range(min(count, len(readable)))
        return Descriptions(self.source, tuple(readable[int(n * step)] for n in numbers))

    def faces(self, count: int, *, first_seed: int) -> tuple[Reference, ...]:
        """Faces to draw: the descriptions in turn, each time with the next seed.

        Args:
            count: How many.
            first_seed: Seed of the first.
        """
        texts = self.texts or (None,)
        return tuple(
            Reference(description=texts[n % len(texts)], seed=first_seed + n) for n in range(count)
        )


def descriptions_of_file(path: Path) -> Descriptions:
    """Reads descriptions, one a line.

    Raises:
        DescriptionError: The file has none, is too long, or not UTF-8.
        ExportError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            texts = read_descriptions(file)
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror or error}") from error
    if not texts:
        raise DescriptionError(f"{path} has no description; write one a line")
    return Descriptions(path.name, texts)


def descriptions_of_manifest(manifest: Manifest) -> Descriptions:
    """The descriptions of a bundle's reference pictures."""
    texts = (reference.description for reference in manifest.references)
    return Descriptions("the bundle's references", tuple(text for text in texts if text))


def descriptions_of_run(
    run: Path, data: Path | None, *, is_held_out: bool = False
) -> Descriptions | None:
    """Reads the descriptions of the data that a run was trained on.

    Args:
        run: The run folder.
        data: Folder of the data; None takes where it lay in training.
        is_held_out: Whether those are wanted that training has not seen, if it has held out any.

    Returns:
        The descriptions; None for a run without text, and where `data` is None and the data is no
        longer where it lay.

    Raises:
        DataError: The data cannot be read.
        ExportError: It is not the data of the run.
        RunError: `run` is no run.
    """
    record = RunFolder(run).read_record()
    folder = data or Path(record.data_folder)
    if not record.config.is_conditional or (data is None and not folder.is_dir()):
        return None
    settings = record.config.data
    trained, held_out = split_faces(read_faces(settings.reader, folder), settings.held_out)
    _check_is_of_run(record, folder, len(trained), sum(len(face.descriptions) for face in trained))
    faces = held_out if is_held_out and held_out else trained
    part = "held-out" if faces is held_out else "training"
    texts = tuple(text for face in faces for text in face.descriptions)
    return Descriptions(f"the {part} part of {settings.reader}", texts)


def _check_is_of_run(record: RunRecord, folder: Path, images: int, descriptions: int) -> None:
    """Counts; the fingerprint would need every image to be decoded."""
    if (images, descriptions) != (record.data_images, record.data_descriptions):
        raise ExportError(
            f"{folder} is not the data of the run: it has {images} images and {descriptions} "
            f"descriptions to train on, the run had {record.data_images} and "
            f"{record.data_descriptions}; give the folder of that data with --data"
        )


def is_readable(tokenizer: Tokenizer, text: str) -> bool:
    """Whether a bundle draws a description, rather than refusing it: a long one, for example."""
    try:
        tokenizer.tokens(text)
    except DescriptionError:
        return False
    return True
