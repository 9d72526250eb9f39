"""Writing pictures: whole or not at all, and marked as what they are."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.errors import PictureError
from t2f_runtime.pictures.facts import PIXELS, XMP_KEYWORD, picture_hash, xmp_packet

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}

# Source: CIPA DC-008 (Exif 2.32), tables 4 and 7, and section 4.6.5 on character codes.
_IMAGE_DESCRIPTION = 0x010E
_EXIF_FOLDER = 0x8769
_USER_COMMENT = 0x9286
_UTF_16 = b"UNICODE\0"

_COMMENT_BYTES = 60_000
"""JPEG holds 64 KiB of EXIF data, this text among it."""

_LARGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}
"""Source: JPEG_MAX_DIMENSION of libjpeg; WEBP_MAX_DIMENSION of libwebp."""


def check_picture_path(path: Path) -> None:
    """Refuses a path that no picture can be written to, before anything is drawn for it.

    Raises:
        PictureError: Its suffix is unknown, its folder is missing, or it is a folder itself.
    """
    if path.suffix.lower() not in FORMATS:
        raise PictureError(
            f"{path} has no suffix of a picture that T2F writes: {', '.join(FORMATS)}"
        )
    try:
        has_folder, is_folder = path.parent.is_dir(), path.is_dir()
    except OSError as error:  # a name that is too long
        raise PictureError(f"{path} cannot be written: {error.strerror or error}") from error
    if not has_folder:
        raise PictureError(
            f"the folder {path.parent} does not exist; make it with: mkdir -p {path.parent}"
        )
    if is_folder:
        raise PictureError(f"{path} is a folder; name the picture inside it")


def check_picture_size(path: Path, size: tuple[int, int]) -> None:
    """Refuses a size that a format does not hold, before anything is drawn for it.

    Args:
        path: Its suffix, which must be known, decides the format.
        size: Width and height, in pixels.

    Raises:
        PictureError: It is so.
    """
    kind = FORMATS[path.suffix.lower()]
    largest = _LARGEST_SIDE.get(kind)
    if largest is not None and max(size) > largest:
        raise PictureError(
            f"{path} cannot be written: {size[0]}x{size[1]} pixels are too many for {kind}, whose "
            f"sides have {largest} at most; write a .png, or take a smaller scale"
        )


def save_picture(image: Image.Image, path: Path, *, notes: Mapping[str, str]) -> None:
    """Writes a picture; what lay at `path` is replaced only when the new one is complete.

    Args:
        image: An RGB image.
        path: Its suffix decides the format.
        notes: What the picture is and where it comes from; see `PictureFacts.notes`. PNG holds them
            as text chunks, with a hash of its pixels, JPEG and WebP as lines of the EXIF user
            comment in UTF-16, since EXIF's image description is for ASCII and has the title alone.
            All hold the mark of machine-made media as XMP, with the description in UTF-8.

    Raises:
        PictureError: The picture cannot be written there.
    """
    check_picture_path(path)
    check_picture_size(path, image.size)
    try:
        write_atomically(path, encode_picture(image, FORMATS[path.suffix.lower()], notes))
    except (OSError, ValueError) as error:  # encoders raise either where a picture is too large
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{path} cannot be written: {reason}") from error


def encode_picture(image: Image.Image, kind: str, notes: Mapping[str, str]) -> bytes:
    """Gives the bytes of a picture's file.

    Args:
        image: An RGB image.
        kind: One of the values of `FORMATS`.
        notes: As in `save_picture`.

    Raises:
        OSError: The picture is too large for the format.
        ValueError: Likewise.
    """
    buffer = io.BytesIO()
    if kind == "PNG":
        chunks = PngInfo()
        chunks.add_itxt(XMP_KEYWORD, xmp_packet(notes))
        for key, value in {**notes, PIXELS: picture_hash(np.asarray(image))}.items():
            chunks.add_text(key, value)
        image.save(buffer, kind, pnginfo=chunks)
    else:
        xmp = xmp_packet(notes).encode()
        image.save(buffer, kind, exif=_exif(notes), xmp=xmp, quality=95)
    return buffer.getvalue()


def _exif(notes: Mapping[str, str]) -> Image.Exif:
    exif = Image.Exif()
    lines = "\n".join(f"{key}: {value}" for key, value in notes.items())
    # In the byte order of the file, which Pillow begins with "II": little-endian.
    text = lines.encode("utf-16-le", errors="replace")[:_COMMENT_BYTES]
    whole = text.decode("utf-16-le", errors="ignore").encode("utf-16-le")
    exif[_IMAGE_DESCRIPTION] = notes.get("Title", "synthetic face")
    exif.get_ifd(_EXIF_FOLDER)[_USER_COMMENT] = _UTF_16 + whole
    return exif
