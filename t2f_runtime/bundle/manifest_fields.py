"""The smallest parts of a manifest, which its other parts are made of."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from msgspec import Meta

MANIFEST: Final = "manifest.json"

Precision = Literal["float32", "float16", "int8", "fp8"]
Network = Literal["text_encoder", "generator"]
Size = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


def check_file_name(name: str) -> None:
    """Refuses a name that is not a plain relative POSIX path inside the bundle's folder.

    Raises:
        ValueError: The name is absolute, climbs out with "..", holds a backslash, a colon (drive
            letters), NUL or another control character, or has empty parts.
    """
    parts = name.split("/")
    if (
        any(part in {"", ".", ".."} for part in parts)
        or re.search(r"[\\:\x00-\x1f\x7f]", name)
        or PurePosixPath(name).is_absolute()
    ):
        raise ValueError(
            f"files names {name!r}; a file of a bundle has a relative path inside its folder, "
            "with forward slashes"
        )
    if name == MANIFEST:
        raise ValueError(f"files names {MANIFEST!r}, which cannot hold its own hash")
