"""What the terminal writes for others to have: pictures, pages, explanations, credentials."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from t2f_runtime.errors import ArgumentError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.identikit.case_log import Clock
from t2f_runtime.identikit.command_words import file_and_scale, file_and_telling, usage
from t2f_runtime.identikit.content_credentials import sign_picture
from t2f_runtime.identikit.explain import explain
from t2f_runtime.identikit.explanation_sheet import explanation_notes, explanation_sheet
from t2f_runtime.identikit.named_face import chosen_face
from t2f_runtime.identikit.pdf_page import export_page
from t2f_runtime.identikit.picture_export import (
    check_export,
    export_picture,
    export_sheet,
    write_export,
)
from t2f_runtime.identikit.session import Session
from t2f_runtime.pictures.facts import read_picture
from t2f_runtime.pictures.files import encode_picture


class Exports:
    """Carries out the commands that write files beside the case, and says what was written.

    None replaces a file that an operator named.

    Args:
        generator: Draws.
        fonts: For PDF pages; see `export_page`.
        clock: Tells the time that is written into them.
    """

    def __init__(
        self, generator: FaceGenerator, *, fonts: Sequence[str | Path], clock: Clock
    ) -> None:
        self._generator = generator
        self._fonts = tuple(fonts)
        self._clock = clock

    def picture(self, session: Session, rest: str) -> Iterator[str]:
        """Writes the face as PNG.

        Raises:
            ArgumentError: No file is named, the scale is out of range, or no face is chosen.
            PictureError: It cannot be written there.
        """
        file, tells = file_and_telling(rest, "picture")
        path, scale = file_and_scale(file)
        face = chosen_face(session)
        export_picture(
            path,
            self._generator,
            face,
            time=self._clock(),
            scale=scale,
            tells_description=tells,
        )
        side = self._generator.image_size * scale
        yield f"{path}: face {face.name}, {side}x{side} pixels"

    def sheet(self, session: Session, rest: str) -> Iterator[str]:
        """Writes the screen as PNG.

        Raises:
            ArgumentError: No file is named.
            PictureError: It cannot be written there.
        """
        path, tells = file_and_telling(rest, "sheet")
        faces = session.screen
        export_sheet(path, self._generator, faces, time=self._clock(), tells_description=tells)
        yield f"{path}: {_count(len(faces))}"

    def page(self, session: Session, rest: str) -> Iterator[str]:
        """Writes the chosen faces, or the screen, as PDF.

        Raises:
            ArgumentError: No file is named, or there are too many faces.
            MissingPackageError: The extra `pdf` is not installed.
            PictureError: It cannot be written there, or no font has a letter.
        """
        path, tells = file_and_telling(rest, "page")
        faces = session.chosen or session.screen
        export_page(
            path,
            self._generator,
            faces,
            time=self._clock(),
            tells_description=tells,
            fonts=self._fonts,
        )
        yield f"{path}: {_count(len(faces))}"

    def explain(self, session: Session, rest: str, default: Path) -> Iterator[str]:
        """Says which words moved the face, and draws where each of them acts.

        The picture tells the words, so it is for its owner alone.

        Args:
            session: Its face is explained.
            rest: The file; empty takes the default, and replaces it.
            default: The file that is taken otherwise.

        Raises:
            ArgumentError: No face is chosen, or it was mixed of several descriptions.
            DescriptionError: There are no words, or too few or too many.
            PictureError: It cannot be written there.
        """
        face = chosen_face(session)
        path = check_export(rest or default, ".png", replaces=not rest)
        explanation = explain(self._generator, face)
        notes = explanation_notes(self._generator, face, explanation, time=self._clock())
        content = encode_picture(explanation_sheet(explanation), "PNG", notes)
        check_export(path, ".png", replaces=not rest)  # again: drawing took its time
        write_export(path, content, is_private=True)
        yield from map(str, explanation.words)
        yield f"{path}: where each word acts on face {face.name}"

    def facts(self, rest: str) -> Iterator[str]:
        """Reads an exported picture, checks its pixels, and says what it says of itself.

        Raises:
            ArgumentError: No file is named.
            PictureError: It cannot be read, is none of T2F's, or was altered.
        """
        if not rest:
            raise ArgumentError(f"name the file: {usage('facts')}")
        facts, pixels = read_picture(rest)
        yield f"{rest}: {pixels.shape[1]}x{pixels.shape[0]} pixels, as they were written"
        yield from (f"{name}: {value}" for name, value in facts.notes().items())

    def sign(self, rest: str) -> Iterator[str]:
        """Puts content credentials into an exported picture.

        Raises:
            ArgumentError: It does not take three files, parted by spaces.
            KeyFileError: The certificate or the key cannot be read.
            MissingPackageError: The extra `c2pa` is not installed.
            PictureError: The picture is none of T2F's, was altered, or cannot be signed.
        """
        files = rest.split()
        if len(files) != 3:
            raise ArgumentError(f"this command is: {usage('sign')}; names have no spaces here")
        path, certificate, private_key = files
        sign_picture(path, certificate=certificate, private_key=private_key)
        yield f"{path}: signed with {certificate}"


def _count(faces: int) -> str:
    return "1 face" if faces == 1 else f"{faces} faces"
