"""Reads WebDataset shards: tars of images and texts, from which images are read in place."""

import tarfile
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from t2f_train.data.captioned_face import (
    IMAGE_SUFFIXES,
    CaptionedFace,
    one_a_line,
    one_an_entry,
)
from t2f_train.data.image_files import visible_files
from t2f_train.data.image_source import PackedFile
from t2f_train.data.problems import Problems

_COMPRESSED = frozenset({".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".lz4"})
_CAPTION_FIELDS = ("captions", "caption", "text")
_CHUNK = 1 << 20

_Role = Literal["image", "txt", "json"]
_Sample = dict[_Role, PackedFile]
"""The files of a shard that share a key."""


def read_webdataset(folder: Path) -> list[CaptionedFace]:
    """Reads the shards of a WebDataset without unpacking them.

    As WebDataset has it, a file's key is its path up to the first dot of its name, and what
    follows is its ending, in any case. A key has one image (`jpg`, `jpeg`, `png` or `webp`). Its
    descriptions are the lines of its `txt`; where it has none, or a blank one, they are in its
    `json`, in the first of the fields `captions`, `caption` and `text` that is there and not
    blank: a text, or a list of texts. Other endings and hidden files are ignored. The same key may
    occur in several shards, for different images.

    Args:
        folder: Holds the shards (`*.tar`), in folders or not. They are not compressed: an image
            in a compressed tar has no place of its own that could be read alone.

    Returns:
        The faces: shards ordered by their path, in each the order in which keys first occur.

    Raises:
        DataError: If there are no shards, or one is truncated, damaged or compressed; if a key
            lacks its image or descriptions, or has two files of a kind.
    """
    problems = Problems(
        f"WebDataset folder {folder}",
        "it must hold uncompressed shards (.tar), in which each key has one image (KEY.jpg, .jpeg, "
        ".png or .webp) and its descriptions (KEY.txt, one a line; or KEY.json with a text or a "
        "list of texts as 'captions', 'caption' or 'text'); write the shards anew",
    )
    if not problems.has_folder(folder):
        problems.raise_if_any()
    shards = visible_files(folder, {".tar"})
    compressed = [
        path
        for path in visible_files(folder, _COMPRESSED)
        if path.suffix.lower().startswith(".t") or Path(path.stem).suffix.lower() == ".tar"
    ]
    for path in compressed:
        problems.add(path, "is compressed; unpack it to a .tar, since images are read in place")
    if not shards and not compressed:
        problems.add(folder, "holds no shards")
    faces = [face for shard in shards for face in _read_shard(shard, problems)]
    problems.raise_if_any()
    return faces


def _read_shard(shard: Path, problems: Problems) -> list[CaptionedFace]:
    """The faces of a shard; what is wrong is noted."""
    try:
        with shard.open("rb") as file:
            samples = _index(file, shard, problems)
            if not samples:
                problems.add(shard, "holds no images")
            return [
                CaptionedFace(sample["image"], _descriptions(sample, file, problems))
                for key, sample in samples.items()
                if _has_image(key, sample, problems)
            ]
    except (tarfile.TarError, OSError) as error:
        problems.add(shard, f"cannot be read as an uncompressed tar: {error}")
        return []


def _index(file: BinaryIO, shard: Path, problems: Problems) -> dict[str, _Sample]:
    """Finds the files of each key in an open shard.

    Raises:
        OSError: If the shard cannot be read.
        tarfile.TarError: If it is no tar, truncated or damaged.
    """
    samples: dict[str, _Sample] = {}
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            key, role = _key_and_role(member.name)
            if role is None or member.isdir():
                continue
            found = PackedFile(shard, member.name, member.offset_data, member.size)
            if not member.isreg() or member.issparse():
                problems.add(found, "is a link or has holes; pack the file itself")
                continue
            sample = samples.setdefault(key, {})
            if role in sample:
                problems.add(found, f"is a second {role} of the key '{key}', after {sample[role]}")
            sample[role] = found
        file.seek(tar.offset)
    # tarfile takes a damaged header for the end, and so it does with an end that is cut off.
    if not _is_end(file):
        raise tarfile.ReadError(
            f"it is truncated or damaged, for it does not end with zeros from byte {tar.offset} on"
        )
    return samples


def _is_end(file: BinaryIO) -> bool:
    """Whether two blocks of zeros or more, and nothing else, follow: the end of a tar (POSIX)."""
    length = 0
    while chunk := file.read(_CHUNK):
        if chunk.strip(b"\0"):
            return False
        length += len(chunk)
    return length >= 2 * tarfile.BLOCKSIZE


def _key_and_role(name: str) -> tuple[str, _Role | None]:
    """Splits a member's name, and says what its ending makes of it; None if nothing."""
    folder, slash, base = name.rpartition("/")
    stem, dot, ending = base.partition(".")
    suffix = dot + ending.lower()
    role: _Role | None = None
    if stem and suffix in IMAGE_SUFFIXES:
        role = "image"
    elif stem and suffix == ".txt":
        role = "txt"
    elif stem and suffix == ".json":
        role = "json"
    return folder + slash + stem, role


def _has_image(key: str, sample: _Sample, problems: Problems) -> bool:
    """Whether a key has an image; if not, that is noted."""
    if "image" in sample:
        return True
    problems.add(next(iter(sample.values())), f"has no image of the key '{key}' beside it")
    return False


def _descriptions(sample: _Sample, file: BinaryIO, problems: Problems) -> tuple[str, ...]:
    """The descriptions of a key, read from the open shard; if there are none, that is noted."""
    lines, fields = sample.get("txt"), sample.get("json")
    if lines is not None:
        text = problems.decode(lines, lines.read_from(file))
        if text is None or one_a_line(text):
            return () if text is None else one_a_line(text)
    if fields is not None:
        text = problems.decode(fields, fields.read_from(file))
        captions = None if text is None else _captions(fields, text, problems)
        if captions is None or captions:
            return captions or ()
    problems.add(sample["image"], "has no description in a .txt or .json of its key")
    return ()


def _captions(path: PackedFile, text: str, problems: Problems) -> tuple[str, ...] | None:
    """The descriptions of a JSON file; None if it is not as it must be, which is noted."""
    try:
        plain = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        problems.add(path, f"is not valid JSON: {error}")
        return None
    if not isinstance(plain, dict):
        problems.add(path, "must hold an object with a field 'captions', 'caption' or 'text'")
        return None
    for name in _CAPTION_FIELDS:
        value = plain.get(name)
        texts = [value] if isinstance(value, str) else value
        if texts is None:
            continue
        if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
            problems.add(path, f"the field '{name}' is neither a text nor a list of texts")
            return None
        descriptions = one_an_entry(texts)
        if descriptions:
            return descriptions
    return ()
