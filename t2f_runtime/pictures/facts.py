"""What every picture that T2F writes says about itself: that it is synthetic, and where it is from.

One place, whoever writes the picture: `facts_of` gives the `PictureFacts` of what a generator drew.
They are kept as text notes in the file, the mark of machine-made media as XMP, and `read_picture`
gives both back.
"""

import hashlib
import html
import io
import os
import re
import struct
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Final, Protocol

import msgspec
import numpy as np
from msgspec import Meta
from PIL.PngImagePlugin import PngImageFile

from t2f_runtime import __version__
from t2f_runtime.bundle.bundle import identify
from t2f_runtime.bundle.manifest import Manifest
from t2f_runtime.bundle.manifest_fields import Sha256
from t2f_runtime.engines.running import RunningEngine
from t2f_runtime.errors import ArgumentError, PictureError
from t2f_runtime.latent import LARGEST_SEED
from t2f_runtime.paths import check_path, refuse_device
from t2f_runtime.pictures.arrays import Pictures
from t2f_runtime.pictures.sheet import MAXIMUM_PIXELS

DIGITAL_SOURCE_TYPE: Final = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
)
"""IPTC's word for media made by a trained model; laws on synthetic media and platforms go by it.

Source: IPTC, Digital Source Type NewsCodes; IPTC Photo Metadata Standard, "Digital Source Type"."""

XMP_KEYWORD: Final = "XML:com.adobe.xmp"
"""The iTXt chunk that holds XMP in a PNG (XMP Specification Part 3, section 1.1.5)."""

PIXELS: Final = "Pixels SHA-256"
"""The note that a PNG's pixels are checked against."""

MAXIMUM_FILE_BYTES: Final = 2**29

_NOTE_CHARACTERS: Final = 2**16
"""Readers of PNG refuse text much longer than this."""

_XMP_CHARACTERS: Final = 8_000
"""Of a description: XMP in a JPEG has 64 KiB, and a character takes up to 6 bytes there."""

TIME_VARIABLE: Final = "SOURCE_DATE_EPOCH"
"""Seconds since 1970 that stand for the time in files that are to be the same bytes each time.

Source: Reproducible Builds, "SOURCE_DATE_EPOCH specification", version 1.1."""

_TITLES: Final = {False: "synthetic face", True: "synthetic faces"}

EXPLAINED_TITLE: Final = "synthetic face, and what its description changed"
"""What the sheet of an explanation is called."""
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"

Seed = Annotated[int, Meta(ge=0)]


class PictureFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture is.

    Example:
        >>> from t2f_runtime.pictures.facts import PictureFacts
        >>> facts = PictureFacts(bundle_id="0" * 64, seed=7, index=0)
        >>> facts.notes()["Title"], facts.notes()["Seed"]
        ('synthetic face', '7')
    """

    bundle_id: Sha256
    """The bundle that drew it; see `Bundle.bundle_id`."""
    software: str = f"T2F {__version__}"
    """What wrote it."""
    seed: Annotated[int, Meta(ge=0)] | None = None
    """The seed; see `FaceGenerator.generate`."""
    index: Annotated[int, Meta(ge=0)] | None = None
    """Which candidate of the seed; None for several faces, and for one that was bred or mixed."""
    count: Annotated[int, Meta(ge=1)] = 1
    """How many faces it shows."""
    names: str | None = None
    """Names of the faces in an identikit session, parted by spaces."""
    engine: str | None = None
    """What drew it, as `FaceGenerator.engine` writes itself."""
    time: str | None = None
    """When it was written, in UTC: `2026-11-24T09:30:00Z`."""
    description: str | None = None
    """The words that it was drawn from, one description a line; left out unless asked for, since
    they may be a witness's."""
    description_sha256: Sha256 | None = None
    """SHA-256 of the description in UTF-8: shows later that a description is the one, but does not
    hide it from whoever can guess it."""
    faces_sha256: str | None = None
    """SHA-256 of each face's pixels as they were drawn, before enlarging, parted by spaces."""

    def notes(self) -> dict[str, str]:
        """What is written into the file, by the names of PNG text chunks."""
        notes = {"Title": _TITLES[self.count > 1]}
        for name, field in _FIELDS.items():
            value = getattr(self, field)
            if value is not None:
                notes[name] = str(value)[:_NOTE_CHARACTERS]
        return notes


_FIELDS: Final = {
    "Software": "software",
    "Creation Time": "time",
    "Description": "description",
    "Description SHA-256": "description_sha256",
    "Seed": "seed",
    "Index": "index",
    "Count": "count",
    "Faces": "names",
    "Bundle": "bundle_id",
    "Engine": "engine",
    "Faces SHA-256": "faces_sha256",
}


class Drawer(Protocol):
    """What facts are taken from: a `FaceGenerator`, or what draws through one."""

    @property
    def manifest(self) -> Manifest:
        """What the bundle says about itself."""

    @property
    def engine(self) -> RunningEngine:
        """What runs the networks."""


def facts_of(
    drawer: Drawer,
    descriptions: Sequence[str],
    *,
    seed: int | None,
    index: int | None,
    count: int,
    time: datetime,
    tells_description: bool,
) -> PictureFacts:
    """Gives the facts of a picture: what drew it, of which words and seed, and when.

    Example:
        >>> from datetime import datetime, timezone
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.pictures.facts import facts_of
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle", engine="onnx-cpu")
        >>> now = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
        >>> chosen = {"seed": 7, "index": 0, "count": 1, "tells_description": False}
        >>> facts = facts_of(generator, ["a bald man"], time=now, **chosen)
        >>> facts.time, facts.description, facts.description_sha256[:8]
        ('2026-11-24T09:30:00Z', None, '4cef59d6')

    Args:
        drawer: What drew the faces.
        descriptions: The words that they were drawn from; none of a model without text.
        seed: The seed; None for faces of several.
        index: Which candidate of the seed; None for several faces, bred or mixed ones.
        count: How many faces the picture shows.
        time: Now, with its time zone.
        tells_description: Whether the words are told, or only their SHA-256.

    Raises:
        ArgumentError: The time has no time zone.
    """
    return PictureFacts(
        bundle_id=identify(drawer.manifest.files),
        seed=seed,
        index=index,
        count=count,
        engine=str(drawer.engine),
        time=utc_text(time),
        description="\n".join(descriptions) if tells_description and descriptions else None,
        description_sha256=description_hash(descriptions),
    )


def writing_time(environment: Mapping[str, str] = os.environ) -> datetime:
    """The time that commands write into pictures: now, or what SOURCE_DATE_EPOCH says.

    With it, equal pictures have equal bytes whenever they are written.

    Args:
        environment: The environment's variables.

    Raises:
        ArgumentError: The variable is no whole number of seconds, or beyond the calendar.
    """
    seconds = environment.get(TIME_VARIABLE)
    if seconds is None:
        return datetime.now(timezone.utc)
    try:
        if not (seconds.isascii() and seconds.isdecimal()):
            raise ValueError(seconds)
        return datetime.fromtimestamp(int(seconds), timezone.utc)
    except (ValueError, OverflowError, OSError) as error:
        raise ArgumentError(
            f"{TIME_VARIABLE} is {seconds!r:.40}; give the seconds since 1970 as a whole number, "
            "or unset it"
        ) from error


def description_hash(descriptions: Sequence[str]) -> str | None:
    """SHA-256 of descriptions in UTF-8, one a line; None where there are none."""
    if not descriptions:
        return None
    return hashlib.sha256("\n".join(descriptions).encode()).hexdigest()


def utc_text(time: datetime) -> str:
    """Writes a time in UTC, to the second.

    Raises:
        ArgumentError: It is no time, or does not tell its time zone.
    """
    if not isinstance(time, datetime):
        raise ArgumentError(
            f"the time must be a datetime, not {time!r:.50}; give datetime.now(timezone.utc)"
        )
    if time.tzinfo is None:
        raise ArgumentError("the time has no time zone; give datetime.now(timezone.utc)")
    return time.astimezone(timezone.utc).strftime(_TIME)


def picture_hash(picture: Pictures) -> str:
    """SHA-256 of pixels, row by row, in lower-case hexadecimal.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, picture_hash
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> session = Session.start("a bald man", generator, seed=7)
        >>> drawn = generator.generate("a bald man", seed=7)
        >>> picture_hash(drawn) == session.case.shown("0.00").picture
        True

    Args:
        picture: Shape `(height, width, 3)`, uint8, RGB.
    """
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()


def xmp_packet(notes: Mapping[str, str]) -> str:
    """`xmp_mark` as pictures hold it.

    Source: XMP Specification Part 1, section 7.3 (packet wrapper).
    """
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'{xmp_mark(notes)}\n<?xpacket end="r"?>'
    )


def xmp_mark(notes: Mapping[str, str]) -> str:
    """The mark of machine-made media, for programs that know nothing of T2F.

    Source: IPTC Photo Metadata Standard, XMP property `Iptc4xmpExt:DigitalSourceType`.

    Args:
        notes: The picture's; title, description, software and time are in the mark too.
    """
    time = notes.get("Creation Time")
    created = "" if time is None else f"\n   <xmp:CreateDate>{html.escape(time)}</xmp:CreateDate>"
    words = notes.get("Description")
    described = "" if words is None else _alternatives("dc:description", _shortened(words))
    title = _alternatives("dc:title", notes.get("Title", _TITLES[False]))
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '  <rdf:Description rdf:about=""\n'
        '    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"\n'
        '    xmlns:dc="http://purl.org/dc/elements/1.1/"\n'
        '    xmlns:xmp="http://ns.adobe.com/xap/1.0/">\n'
        f"   <Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}"
        "</Iptc4xmpExt:DigitalSourceType>\n"
        f"{title}{described}"
        f"   <xmp:CreatorTool>{_xml(notes.get('Software', 'T2F'))}</xmp:CreatorTool>{created}\n"
        "  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>"
    )


def _alternatives(name: str, text: str) -> str:
    """A property that may have a text for every language, and has one for all."""
    told = f'<rdf:li xml:lang="x-default">{_xml(text)}</rdf:li>'
    return f"   <{name}><rdf:Alt>{told}</rdf:Alt></{name}>\n"


def _shortened(text: str) -> str:
    return text if len(text) <= _XMP_CHARACTERS else f"{text[: _XMP_CHARACTERS - 1]}…"


def _xml(text: str) -> str:
    """Text for XML 1.0, which has no place for control characters (section 2.2)."""
    return html.escape(
        re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    )


def read_picture(path: str | Path) -> tuple[PictureFacts, Pictures]:
    """Reads a PNG that T2F wrote, and checks that its pixels are those that were written.

    The check finds damage, and pictures that were edited or saved anew by programs that keep the
    notes. It is no proof against somebody who writes other notes: content credentials are signed.

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
        ...     written = export_picture(Path(folder) / "face.png", generator, face, time=now)
        ...     facts, pixels = read_picture(Path(folder) / "face.png")
        >>> facts == written, bool((pixels == generator.generate("a bald man", seed=7)).all())
        (True, True)

    Args:
        path: The picture.

    Returns:
        What it says about itself, and its pixels, shape `(height, width, 3)`, uint8, RGB.

    Raises:
        PictureError: It cannot be read, is no PNG with T2F's facts, or its pixels are others.
    """
    path = check_path("the picture", path)
    image = _open_png(path)
    notes = image.text
    facts = _facts(notes, path)
    if PIXELS not in notes:
        raise PictureError(f"{path} does not tell its pixels' SHA-256: it was not written by T2F")
    pixels = np.asarray(image)
    found = picture_hash(pixels)
    if found != notes[PIXELS]:
        raise PictureError(
            f"{path} was altered: the SHA-256 of its pixels is {found}, and the picture that T2F "
            f"wrote has {notes[PIXELS]:.64}"
        )
    return facts, pixels


def _open_png(path: Path) -> PngImageFile:
    try:
        refuse_device(path)
        with path.open("rb") as file:
            data = file.read(MAXIMUM_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{path} cannot be read: {reason}") from error
    if len(data) > MAXIMUM_FILE_BYTES:
        raise PictureError(f"{path} has more than {MAXIMUM_FILE_BYTES} bytes, as no picture has")
    try:
        # Not Image.open, which would try other formats, and warns of large pictures.
        image = PngImageFile(io.BytesIO(data))
        if image.width * image.height > MAXIMUM_PIXELS or image.mode != "RGB":
            raise PictureError(
                f"{path} has {image.width}x{image.height} pixels of the kind {image.mode}; T2F "
                f"writes RGB, {MAXIMUM_PIXELS} pixels at most"
            )
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise PictureError(f"{path} is no PNG, or is damaged: {error}") from error
    return image


def _facts(notes: Mapping[str, str], path: Path) -> PictureFacts:
    if notes.get("Title") not in {*_TITLES.values(), EXPLAINED_TITLE} or "Bundle" not in notes:
        raise PictureError(
            f"{path} does not say that it is a synthetic face of T2F; it was written by something "
            "else, or its notes were removed"
        )
    fields = {field: notes[name] for name, field in _FIELDS.items() if name in notes}
    try:
        facts = msgspec.convert(fields, PictureFacts, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise PictureError(f"{path} has notes that T2F does not write: {error}") from error
    if facts.seed is not None and facts.seed > LARGEST_SEED:
        raise PictureError(f"{path} has notes that T2F does not write: the seed {facts.seed}")
    return facts
