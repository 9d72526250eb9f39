"""Pictures to pass on: of one face or of several, with all that a picture should say about itself.

What a picture says is `t2f_runtime.pictures.facts.PictureFacts`; `read_picture` there reads it back
and checks the pixels.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace
from PIL import Image

from t2f_runtime.atomic_files import new_file
from t2f_runtime.errors import ArgumentError, PictureError
from t2f_runtime.generator import MAXIMUM_FACES, Pictures
from t2f_runtime.identikit.face import Face
from t2f_runtime.identikit.numbered_sheet import numbered_sheet
from t2f_runtime.identikit.studio import Drawing, Studio
from t2f_runtime.latent import check_whole_number
from t2f_runtime.paths import check_path
from t2f_runtime.pictures.facts import PictureFacts, facts_of, picture_hash
from t2f_runtime.pictures.files import encode_picture
from t2f_runtime.pictures.sheet import enlarge

MAXIMUM_SCALE = 64


def export_picture(
    path: str | Path,
    generator: Drawing,
    face: Face,
    *,
    time: datetime,
    scale: int = 1,
    tells_description: bool = False,
    replaces: bool = False,
) -> PictureFacts:
    """Draws a face into a PNG that says what it is: synthetic, and where it comes from.

    The file is there whole or not at all. With the description in it, which is a witness's words,
    it is for its owner alone to read and write (mode 0600; on Windows, as its folder is).

    Example:
        >>> import tempfile
        >>> from datetime import datetime, timezone
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, export_picture, read_picture
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> face = Session.start("a bald man", generator, seed=7).face
        >>> now = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "face.png"
        ...     _ = export_picture(path, generator, face, time=now, scale=4)
        ...     facts, pixels = read_picture(path)
        >>> facts.seed, facts.index, facts.time, facts.description, pixels.shape
        (7, 0, '2026-11-24T09:30:00Z', None, (32, 32, 3))

    Args:
        path: The file, which ends in .png: no other format keeps every pixel.
        generator: What draws.
        face: The face.
        time: Now, with its time zone.
        scale: How many times the picture is enlarged, 1 to 64, with Lanczos' filter.
        tells_description: Whether the words are in the file, or only their SHA-256.
        replaces: Whether a file that is there may be replaced.

    Returns:
        What the picture says about itself.

    Raises:
        ArgumentError: The scale is out of range, the time has no time zone, or the face is of
            another bundle.
        PictureError: There is a file already, or it cannot be written.
    """
    scale = check_whole_number("scale", scale, largest=MAXIMUM_SCALE, least=1)
    path = check_export(path, ".png", replaces=replaces)
    pictures = Studio(generator).draw([face])
    facts = faces_facts(generator, [face], pictures, time=time, tells_description=tells_description)
    _save(path, enlarge(pictures[0], scale), facts, replaces=replaces)
    return facts


def export_sheet(
    path: str | Path,
    generator: Drawing,
    faces: Sequence[Face],
    *,
    time: datetime,
    tells_description: bool = False,
    replaces: bool = False,
) -> PictureFacts:
    """Draws faces into one PNG, each with its number and its name below it.

    Example:
        >>> import tempfile
        >>> from datetime import datetime, timezone
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, export_sheet
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> faces = Session.start("a bald man", generator, seed=7).candidates(3).screen
        >>> now = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     facts = export_sheet(Path(folder) / "faces.png", generator, faces, time=now)
        >>> facts.count, facts.names
        (3, '1.00 1.01 1.02')

    Args:
        path: As in `export_picture`.
        generator: What draws.
        faces: The faces.
        time: Now, with its time zone.
        tells_description: As in `export_picture`.
        replaces: Likewise.

    Raises:
        ArgumentError: There are no faces or too many, one is of another bundle, or the time has no
            time zone.
        PictureError: As in `export_picture`.
    """
    check_is_list(faces)
    if not 1 <= len(faces) <= MAXIMUM_FACES:
        raise ArgumentError(f"there are {len(faces)} faces; a sheet has 1 to {MAXIMUM_FACES}")
    path = check_export(path, ".png", replaces=replaces)
    pictures = Studio(generator).draw(faces)
    facts = faces_facts(generator, faces, pictures, time=time, tells_description=tells_description)
    labels = [f"{place}  {face.name}".rstrip() for place, face in enumerate(faces)]
    _save(path, numbered_sheet(pictures, labels=labels), facts, replaces=replaces)
    return facts


def faces_facts(
    generator: Drawing,
    faces: Sequence[Face],
    pictures: Pictures,
    *,
    time: datetime,
    tells_description: bool,
) -> PictureFacts:
    """What a picture of faces says about itself.

    Args:
        generator: What drew them.
        faces: The faces, one or more.
        pictures: As they were drawn, shape `(faces, height, width, 3)`, uint8, RGB.
        time: Now, with its time zone.
        tells_description: Whether it tells the words, or only their SHA-256.

    Raises:
        ArgumentError: The time has no time zone.
    """
    descriptions = tuple(dict.fromkeys(text for face in faces for text in face.descriptions))
    seeds = {face.seed for face in faces}
    facts = facts_of(
        generator,
        descriptions,
        seed=seeds.pop() if len(seeds) == 1 else None,
        index=faces[0].index if len(faces) == 1 else None,
        count=len(faces),
        time=time,
        tells_description=tells_description,
    )
    return replace(
        facts,
        names=" ".join(face.name for face in faces if face.name) or None,
        faces_sha256=" ".join(picture_hash(picture) for picture in pictures),
    )


def check_is_list(faces: object) -> None:
    """Refuses what is no list of faces, such as one face; raises `ArgumentError`."""
    if not isinstance(faces, Sequence):
        raise ArgumentError(f"faces must be a list of faces, not {type(faces).__name__}")


def check_export(path: str | Path, suffix: str, *, replaces: bool) -> Path:
    """Refuses a path that nothing can be exported to, before anything is drawn for it.

    Raises:
        PictureError: It ends otherwise, there is a file already, or there is no folder for it.
    """
    path = check_path("the file", path)
    if path.suffix.lower() != suffix:
        raise PictureError(f"{path} must end in {suffix}")
    try:
        is_there, is_folder = os.path.lexists(path), path.is_dir()
        has_parent = path.parent.is_dir()
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error
    if not has_parent:
        raise PictureError(
            f"the folder {path.parent} does not exist; make it with: mkdir -p {path.parent}"
        )
    if is_folder:
        raise PictureError(f"{path} is a folder; name the file inside it")
    if is_there and not replaces:
        raise PictureError(f"{path} is there already; name another file, or allow to replace it")
    return path


def write_export(path: Path, content: bytes, *, is_private: bool) -> None:
    """Writes a file whole or not at all.

    Args:
        path: The file.
        content: All of it.
        is_private: Whether it is for its owner alone; if not, whoever the process's umask lets.

    Raises:
        PictureError: It cannot be written; nothing is left behind then.
    """
    try:
        with new_file(path, is_lasting=True) as file:
            if is_private:  # before anything is in it
                Path(file.name).chmod(0o600)
            file.write(content)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def _save(path: Path, image: Image.Image, facts: PictureFacts, *, replaces: bool) -> None:
    content = encode_picture(image, "PNG", facts.notes())
    check_export(path, ".png", replaces=replaces)  # again: drawing took its time
    write_export(path, content, is_private=facts.description is not None)


def _cannot_write(path: Path, error: Exception) -> PictureError:
    return PictureError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}")
