"""The one layout of a packed bundle: an uncompressed zip in which nothing is left to choice.

Source of the records: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local file header), 4.3.12
(central directory) and 4.3.16 (end of central directory). Names, sizes and checksums decide every
other byte, so that reading is a comparison with what would have been written: no overlap, gap,
prefix or second directory can hide. Other programs unpack it as any zip.
"""

import re
import stat
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from t2f_runtime.errors import BundleError

ALIGNMENT: Final = 4096
"""Each member's data begins at a multiple of this: a page of memory, so that it can be mapped."""
MAXIMUM_MEMBERS: Final = 1024
"""More files than any bundle has."""
MAXIMUM_BYTES: Final = 2**32 - 2
"""What zip's plain records can tell; a larger archive would be zip64."""

_MAXIMUM_DIRECTORY_BYTES: Final = 2**20
"""That of so many members with long names; what an archive says is not read into memory unseen."""

_LOCAL: Final = struct.Struct("<IHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<IHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<IHHHHIIH")
_LOCAL_MARK: Final = 0x04034B50
_CENTRAL_MARK: Final = 0x02014B50
_END_MARK: Final = 0x06054B50
_ZIP64_LOCATOR: Final = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES: Final = 20

_VERSION: Final = 10
"""Version 1.0 of zip unpacks it: nothing is compressed or encrypted."""
_MADE_ON_UNIX: Final = 3 << 8 | _VERSION
_DATE: Final = 0x21
"""1980-01-01, the first day that zip knows; the time is midnight."""
_ATTRIBUTES: Final = (stat.S_IFREG | 0o644) << 16
_ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000

_ALIGNMENT_FIELD: Final = 0xD935
"""Extra field that aligns data. Source: zipalign and apksig of Android, whose readers skip it."""
_ALIGNMENT_HEAD: Final = struct.Struct("<HHH")

_PART: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
"""Names that Windows keeps for its devices, whatever their suffix."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    """Its name in the bundle."""
    size: int
    """Its bytes."""
    crc32: int
    """CRC-32 of its data."""
    offset: int
    """Where its header lies."""

    @property
    def start(self) -> int:
        """Where its data lies: at a multiple of `ALIGNMENT`."""
        return self.offset + len(local_header(self))

    @property
    def stop(self) -> int:
        """Where its data ends, and the next header begins."""
        return self.start + self.size


def check_member_names(names: Collection[str], source: str) -> None:
    """Refuses names that some system would not unpack as they are, or not beside each other.

    Args:
        names: Names of the members.
        source: What errors call the archive, or the bundle that is to be packed.

    Raises:
        BundleError: A name is absolute or climbs out of its folder, has a drive letter, is no plain
            name, is there twice, or differs from another one only in its case.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not all(_PART.fullmatch(p) and not _DEVICE.fullmatch(p) for p in name.split("/")):
            raise BundleError(
                f"{source} has a file named {name!r}; a packed bundle's files have relative names "
                "of letters, digits, '.', '_', '+' and '-', with forward slashes"
            )
        other = seen.get(name.lower())
        if other == name:
            raise BundleError(f"{source} has {name!r} twice")
        if other is not None:
            raise BundleError(
                f"{source} has {other!r} and {name!r}, which some systems cannot tell apart"
            )
        seen[name.lower()] = name


def local_header(member: Member) -> bytes:
    """What comes before a member's data; its extra field aligns the data."""
    name = member.name.encode("ascii")
    unaligned = member.offset + _LOCAL.size + len(name) + _ALIGNMENT_HEAD.size
    padding = -unaligned % ALIGNMENT
    extra = _ALIGNMENT_HEAD.pack(_ALIGNMENT_FIELD, 2 + padding, ALIGNMENT) + bytes(padding)
    head = (_LOCAL_MARK, _VERSION, 0, 0, 0, _DATE, member.crc32, member.size, member.size)
    return _LOCAL.pack(*head, len(name), len(extra)) + name + extra


def directory(members: Sequence[Member]) -> bytes:
    """What comes after the data of all members: the central directory and its end."""
    entries = b"".join(_central_header(member) for member in members)
    start = members[-1].stop if members else 0
    count = len(members)
    return entries + _END.pack(_END_MARK, 0, 0, count, count, len(entries), start, 0)


def _central_header(member: Member) -> bytes:
    name = member.name.encode("ascii")
    head = (_CENTRAL_MARK, _MADE_ON_UNIX, _VERSION, 0, 0, 0, _DATE)
    sizes = (member.crc32, member.size, member.size, len(name))
    return _CENTRAL.pack(*head, *sizes, 0, 0, 0, 0, _ATTRIBUTES, member.offset) + name


class Archive(Protocol):
    """Bytes of which slices are read as they are asked for; `bytes` are such, too."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, place: slice, /) -> bytes | memoryview:
        """Reads a slice."""
        ...


def read_members(data: Archive, source: str) -> tuple[Member, ...]:
    """Reads an archive's directory and holds every byte outside its members against the layout.

    Args:
        data: The whole archive.
        source: What errors call it.

    Raises:
        BundleError: It is no zip, truncated, or has anything that `t2f pack` does not write.
        OSError: `data` cannot be read.
    """
    start, stop, count = _find_directory(data, source)
    members = _read_directory(data[start:stop], count, source)
    check_member_names([member.name for member in members], source)
    for member in members:
        if data[member.offset : member.start] != local_header(member):
            raise BundleError(_other_layout(source, f"the header of {member.name!r}"))
    if data[start:] != directory(members):
        raise BundleError(_other_layout(source, "the directory"))
    return members


def _find_directory(data: Archive, source: str) -> tuple[int, int, int]:
    """Where the central directory begins and ends, and how many members it says there are."""
    position = len(data) - _END.size
    end = bytes(data[max(position, 0) :])
    if len(end) < _END.size or end[:4] != _END_MARK.to_bytes(4, "little"):
        raise BundleError(_without_end(data, source))
    _, disk, first_disk, here, count, size, start, _ = _END.unpack(end)
    locator = bytes(data[max(position - _ZIP64_LOCATOR_BYTES, 0) :][:4])
    if locator == _ZIP64_LOCATOR or count == 2**16 - 1 or start == 2**32 - 1:
        raise BundleError(f"{source} is a zip64 archive; a packed bundle is never so large")
    if count > MAXIMUM_MEMBERS:
        raise BundleError(
            f"{source} says that it holds {count} files; a bundle has {MAXIMUM_MEMBERS} at most"
        )
    if start + size < position:
        before = position - start - size
        raise BundleError(f"{source} has {before} bytes before its beginning; copy it again")
    is_too_long = start + size > position or size > _MAXIMUM_DIRECTORY_BYTES
    if is_too_long or disk or first_disk or here != count:
        raise BundleError(_other_layout(source, "the end of the directory"))
    return start, position, count


def _without_end(data: Archive, source: str) -> str:
    tail = bytes(data[-(2**16 + _END.size) :])
    end = tail.rfind(_END_MARK.to_bytes(4, "little"))
    after = len(tail) - end - _END.size
    if end >= 0 and after > 0:
        return f"{source} has {after} bytes after its end; copy it again"
    if data[:4] == _LOCAL_MARK.to_bytes(4, "little"):
        return f"{source} is truncated: it ends without a directory; copy it again"
    return f"{source} is no packed bundle; make one with: t2f pack BUNDLE -o {source}"


def _read_directory(data: bytes | memoryview, count: int, source: str) -> tuple[Member, ...]:
    members = []
    position = offset = 0
    for _ in range(count):
        if position + _CENTRAL.size > len(data):
            raise BundleError(_other_layout(source, "the directory"))
        fields = _CENTRAL.unpack_from(data, position)
        flags, method, attributes = fields[3], fields[4], fields[15]
        crc32, packed, size, name_size, extra, comment = fields[7:13]
        position += _CENTRAL.size
        # Bytes that are no ASCII become a name that is refused.
        name = bytes(data[position : position + name_size]).decode("ascii", "backslashreplace")
        position += name_size + extra + comment
        if fields[0] != _CENTRAL_MARK:
            raise BundleError(_other_layout(source, "the directory"))
        _check_kind(source, name, flags=flags, method=method, attributes=attributes)
        if packed != size:
            raise BundleError(
                f"{source} says that {name!r} has {size} bytes, and {packed} where it is stored"
            )
        members.append(Member(name, size, crc32, offset))
        check_member_names([name], source)  # before its header is made of it
        offset = members[-1].stop
    return tuple(members)


def _check_kind(source: str, name: str, *, flags: int, method: int, attributes: int) -> None:
    """Refuses what is no plain file, with its reason rather than as another layout."""
    if flags & _ENCRYPTED:
        raise BundleError(f"{source} has {name!r} encrypted; a packed bundle is not")
    if method:
        raise BundleError(
            f"{source} has {name!r} compressed (method {method}); a packed bundle is not: make it "
            "with: t2f pack"
        )
    if stat.S_ISLNK(attributes >> 16):
        raise BundleError(f"{source} has {name!r} as a symbolic link; a packed bundle has none")


def _other_layout(source: str, part: str) -> str:
    return (
        f"{source} is not laid out as t2f pack does it: {part} is another than its files ask for; "
        "copy it again, or pack the bundle's folder again with: t2f pack"
    )
