"""Archives for tests: as `t2f pack` lays them out, but with any content."""

import json
import zlib
from pathlib import Path

from t2f_runtime.bundle.manifest import MANIFEST
from t2f_runtime.bundle.zip_layout import Member, directory, local_header


def members_of(contents) -> list[Member]:
    """The members that pairs of name and content make."""
    members = []
    for name, content in contents:
        offset = members[-1].stop if members else 0
        members.append(Member(name, len(content), zlib.crc32(content), offset))
    return members


def archive_of(contents) -> bytes:
    """Lays out pairs of name and content, whatever they are."""
    contents = list(contents)
    members = members_of(contents)
    data = b"".join(
        local_header(member) + content
        for member, (_, content) in zip(members, contents, strict=True)
    )
    return data + directory(members)


def contents_of(folder: Path) -> dict[str, bytes]:
    """What `t2f pack` packs of a bundle without subfolders, in its order."""
    names = sorted(path.name for path in folder.iterdir())
    ordered = [MANIFEST, *(name for name in names if name != MANIFEST)]
    return {name: (folder / name).read_bytes() for name in ordered}


def changed_manifest(contents: dict[str, bytes], edit) -> dict[str, bytes]:
    """The same contents with another manifest."""
    fields = json.loads(contents[MANIFEST])
    edit(fields)
    return {**contents, MANIFEST: json.dumps(fields).encode()}
