"""Packed bundles that lie: about sizes, places, names, counts, and what they hold."""

import hashlib
import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence

from robustness_mutation import spoil_bytes, spoil_json

from t2f_runtime.bundle.manifest import MANIFEST
from t2f_runtime.bundle.zip_layout import Member, directory, local_header

Contents = list[tuple[str, bytes]]
"""Names and contents, in the order in which they are packed."""

_CENTRAL_MARK = b"PK\x01\x02"
_END_BYTES = 22
_END_FIELDS = ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))
"""Place and width of each number after the end's mark: APPNOTE.TXT, section 4.3.16."""
_CENTRAL_FIELDS = (
    *((place, 2) for place in (4, 6, 8, 10, 12, 14)),
    *((place, 4) for place in (16, 20, 24)),
    *((place, 2) for place in (28, 30, 32, 34, 36)),
    *((place, 4) for place in (38, 42)),
)
"""Likewise of a member in the central directory: section 4.3.12."""
_LOCAL_FIELDS = (
    *((place, 2) for place in (4, 6, 8, 10, 12)),
    *((place, 4) for place in (14, 18, 22)),
    *((place, 2) for place in (26, 28)),
)
"""Likewise of the header before its data: section 4.3.7."""
_NAMES = (
    "../up",
    "/etc/passwd",
    "C:/x",
    "con.txt",
    "a//b",
    "",
    ".",
    "x" * 300,
    "MANIFEST.json",
    MANIFEST,
    "signature.json",
    "a\\b",
    "a b",
    "a\0b",
)
_ZIP64 = b"PK\x06\x07" + bytes(16)


def lay_out(contents: Contents) -> bytes:
    """Packs names and contents as `t2f pack` would, whatever they are."""
    members: list[Member] = []
    parts: list[bytes] = []
    for name, content in contents:
        offset = members[-1].stop if members else 0
        members.append(Member(name, len(content), zlib.crc32(content), offset))
        parts += [local_header(members[-1]), content]
    return b"".join(parts) + directory(members)


def spoil_archive(random: random.Random, contents: Contents) -> bytes:
    """A packed bundle with something wrong, in its records or in what it holds."""
    if random.random() < 0.4:
        return lay_out(random.choice(_CONTENT_CHANGES)(random, list(contents)))
    data = lay_out(contents)
    for _ in range(random.choice((1, 1, 2))):
        data = random.choice(_RECORD_CHANGES)(random, data)
    return data


def _spoil_manifest(random: random.Random, contents: Contents) -> Contents:
    """The rest is as it was, so that the manifest is read to its end."""
    return [(n, spoil_json(random, c) if n == MANIFEST else c) for n, c in contents]


def _spoil_file(random: random.Random, contents: Contents) -> Contents:
    """Spoils a file and gives the manifest its new hash, as somebody who means harm would."""
    place = random.randrange(1, len(contents))
    name, content = contents[place]
    spoilt = spoil_bytes(random, content)
    contents[place] = name, spoilt
    if random.random() < 0.9:
        fields = json.loads(contents[0][1])
        entry = {"bytes": len(spoilt), "sha256": hashlib.sha256(spoilt).hexdigest()}
        fields["files"][name] = entry
        contents[0] = MANIFEST, json.dumps(fields).encode()
    return contents


def _shuffle(random: random.Random, contents: Contents) -> Contents:
    random.shuffle(contents)
    return contents


def _double(random: random.Random, contents: Contents) -> Contents:
    if random.random() < 0.2:
        return [*contents, *[(f"x{number}", b"") for number in range(1100)]]
    return [*contents, *random.choices(contents, k=random.choice((1, 2)))]


def _drop(random: random.Random, contents: Contents) -> Contents:
    return random.sample(contents, random.randrange(len(contents)))


def _rename(random: random.Random, contents: Contents) -> Contents:
    place = random.randrange(len(contents))
    contents[place] = random.choice(_NAMES), contents[place][1]
    return contents


_CONTENT_CHANGES: tuple[Callable[[random.Random, Contents], Contents], ...] = (
    _spoil_manifest,
    _spoil_manifest,
    _spoil_file,
    _spoil_file,
    _shuffle,
    _double,
    _drop,
    _rename,
)


def _anywhere(random: random.Random, data: bytes) -> bytes:
    return spoil_bytes(random, data)


def _at_the_end(random: random.Random, data: bytes) -> bytes:
    """The directory is less than a hundredth of an archive; chance alone rarely meets it."""
    start = max(0, len(data) - random.choice((_END_BYTES, 200, 600)))
    return data[:start] + spoil_bytes(random, data[start:], [data[start:]])


def _end_field(random: random.Random, data: bytes) -> bytes:
    return _with_field(random, data, len(data) - _END_BYTES, _END_FIELDS)


def _central_field(random: random.Random, data: bytes) -> bytes:
    return _with_field(random, data, _pick(random, data, _CENTRAL_MARK), _CENTRAL_FIELDS)


def _local_field(random: random.Random, data: bytes) -> bytes:
    return _with_field(random, data, _pick(random, data, b"PK\x03\x04"), _LOCAL_FIELDS)


def _pick(random: random.Random, data: bytes, mark: bytes) -> int:
    places = []
    place = data.find(mark)
    while place >= 0 and len(places) < 2000:
        places.append(place)
        place = data.find(mark, place + 1)
    return random.choice(places) if places else 0


def _with_field(
    random: random.Random, data: bytes, start: int, fields: Sequence[tuple[int, int]]
) -> bytes:
    place, width = random.choice(fields)
    place += start
    if start < 0 or place + width > len(data):
        return data[:-1]
    old = int.from_bytes(data[place : place + width], "little")
    number = random.choice((0, 1, old + 1, old - 1, old * 2, 2 ** (8 * width) - 1, len(data)))
    changed = (number % 2 ** (8 * width)).to_bytes(width, "little")
    return data[:place] + changed + data[place + width :]


def _surround(random: random.Random, data: bytes) -> bytes:
    more = random.randbytes(random.choice((1, 22, 4096)))
    comment = struct.pack("<H", len(more)) + more
    choices = (
        more + data,
        data + more,
        data[:-2] + comment,
        data + data,
        data + data[-_END_BYTES:],
    )
    return random.choice(choices)


def _zip64(_: random.Random, data: bytes) -> bytes:
    return data[:-_END_BYTES] + _ZIP64 + data[-_END_BYTES:]


_RECORD_CHANGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _anywhere,
    _at_the_end,
    _end_field,
    _central_field,
    _central_field,
    _local_field,
    _surround,
    _zip64,
)
