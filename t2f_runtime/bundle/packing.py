"""Bundles as one file: packed and unpacked whole, verified, and the same bytes each time."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from t2f_runtime.atomic_files import new_file, new_folder
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import MANIFEST, SIGNATURE
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.bundle.zip_layout import (
    MAXIMUM_BYTES,
    MAXIMUM_MEMBERS,
    Member,
    check_member_names,
    directory,
    local_header,
)
from t2f_runtime.errors import PackError


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed or unpacked."""

    bundle: Bundle
    """Where it came from."""
    files: int
    """How many files, manifest and signature among them."""
    size: int
    """Bytes of the archive that was made, or of the files that were unpacked."""
    left_out: tuple[str, ...] = ()
    """Files of the folder that its manifest does not list, in order."""


def pack_bundle(path: Path, out: Path, *, trusted: Sequence[PublicKey] | None = None) -> Packed:
    """Packs a bundle into one file, in which each file can be read where it lies.

    Equal bundles give equal bytes: names are sorted, after the manifest, and times are fixed.

    Args:
        path: The bundle's folder, or a bundle that is packed already.
        out: The file, which must not exist yet.
        trusted: As in `Bundle.open`.

    Raises:
        BundleError: The bundle is missing, incomplete or altered, or not signed by a trusted key.
        PackError: `out` exists or cannot be written, or the bundle does not fit into one file.
    """
    _check_is_new(out, "file")
    bundle = Bundle.open(path, trusted=trusted)
    names = write_archive(bundle, out, signature=_signature(bundle))
    try:
        size = out.stat().st_size
        left_out = tuple(_left_out(bundle.path, names))
    except OSError as error:
        raise PackError(
            f"{out} is written, but cannot be looked at: {error.strerror or error}"
        ) from error
    return Packed(bundle, len(names), size, left_out)


def unpack_bundle(path: Path, out: Path, *, trusted: Sequence[PublicKey] | None = None) -> Packed:
    """Unpacks a bundle into a folder; packed again, it gives the same file.

    Args:
        path: The packed bundle.
        out: The folder, which must not exist yet.
        trusted: As in `Bundle.open`.

    Raises:
        BundleError: The bundle is missing, incomplete or altered, holds what no bundle holds, or is
            not signed by a trusted key.
        PackError: `out` exists or cannot be written, or `path` is a folder.
    """
    _check_is_new(out, "folder")
    if path.is_dir():
        raise PackError(f"{path} is a folder: there is nothing to unpack")
    bundle = Bundle.open(path, trusted=trusted)
    contents = _contents(bundle, _signature(bundle))
    size = 0
    try:
        with new_folder(out) as unfinished:
            for name, read in contents.items():
                with new_file(unfinished / name) as file:
                    size += file.write(read())
    except OSError as error:
        raise PackError(f"{out} cannot be written: {error.strerror or error}") from error
    return Packed(bundle, len(contents), size)


def write_archive(bundle: Bundle, out: Path, *, signature: bytes | None) -> tuple[str, ...]:
    """Writes a packed bundle; what lies at `out` is replaced once all is written.

    Args:
        bundle: The bundle; each file is verified again as it is read.
        out: The file.
        signature: What signs the manifest; None writes an archive that is not signed.

    Returns:
        The names of its files.

    Raises:
        BundleError: A file has changed since the bundle was opened, or has a name that not every
            system can unpack.
        PackError: It cannot be written, or does not fit into one file.
    """
    contents = _contents(bundle, signature)
    check_member_names(contents, str(bundle.path))
    if len(contents) > MAXIMUM_MEMBERS:
        raise PackError(
            f"{bundle.path} has {len(contents)} files; "
            f"a packed bundle has {MAXIMUM_MEMBERS} at most"
        )
    try:
        with new_file(out, is_lasting=True) as file:
            _write_members(file, contents, str(bundle.path))
    except OSError as error:
        raise PackError(f"{out} cannot be written: {error.strerror or error}") from error
    return tuple(contents)


def _contents(bundle: Bundle, signature: bytes | None) -> dict[str, Callable[[], bytes]]:
    """All files of a bundle in the order in which they are packed, and what reads each."""
    manifest = bundle.manifest
    contents: dict[str, Callable[[], bytes]] = {
        **{name: partial(bundle.read, name) for name in manifest.files},
        **{entry.file: partial(bundle.read_engine, entry) for entry in manifest.engines},
    }
    if signature is not None:
        contents[SIGNATURE] = lambda: signature
    return {MANIFEST: lambda: bundle.manifest_bytes, **dict(sorted(contents.items()))}


def _write_members(
    file: BinaryIO, contents: Mapping[str, Callable[[], bytes]], source: str
) -> None:
    members: list[Member] = []
    for name, read in contents.items():
        content = read()
        offset = members[-1].stop if members else 0
        member = Member(name, len(content), zlib.crc32(content), offset)
        if member.stop > MAXIMUM_BYTES:
            raise PackError(
                f"{source} does not fit into one file: a packed bundle has less than 4 GiB"
            )
        file.write(local_header(member))
        file.write(content)
        members.append(member)
    file.write(directory(members))


def _signature(bundle: Bundle) -> bytes | None:
    """The bundle's signature as it lies there, if it is one."""
    bundle.read_signature()
    return bundle.read_signature_file()


def _left_out(path: Path, names: Sequence[str]) -> Iterator[str]:
    if path.is_dir():
        for found in sorted(path.rglob("*")):
            name = found.relative_to(path).as_posix()
            if name not in names and not found.is_dir():
                yield name


def _check_is_new(out: Path, kind: str) -> None:
    try:
        out.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # a name that is too long, or no name at all
        reason = getattr(error, "strerror", None) or error
        raise PackError(f"{out} cannot be written: {reason}") from error
    raise PackError(f"{out} exists already; name a new {kind}, or remove it first")
