"""The files of engines: whole or absent, entered in the manifest last, and timing caches."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from filelock import FileLock, Timeout

from t2f_export.errors import EngineBuildError
from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.bundle.engine_index import ENGINES_FOLDER, EngineEntry, EngineKey
from t2f_runtime.bundle.manifest import (
    MANIFEST,
    SIGNATURE,
    Manifest,
    decode_manifest,
    encode_manifest,
)

SUFFIX: Final = ".engine"

_LOCK = ".lock"
_DIGEST_BYTES = 32


def replaces(new: EngineKey, old: EngineKey) -> bool:
    """Tells whether an engine takes the place of another.

    It does if it runs the same network on the same GPU with the same version: only the newest ONNX
    file and the options last asked for are kept.
    """
    return (
        new.network == old.network
        and new.precision == old.precision
        and new.flavour == old.flavour
        and new.library_version == old.library_version
        and new.target == old.target
    )


class EngineFolder:
    """Where a bundle's engines lie; changes only while it is locked.

    Args:
        bundle: The bundle's folder.
    """

    def __init__(self, bundle: Path) -> None:
        self.bundle = bundle
        self.folder = bundle / ENGINES_FOLDER

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from building into this bundle, and removes what they left behind.

        Raises:
            EngineBuildError: Another one builds now, or the bundle cannot be written.
        """
        lock = FileLock(self.folder / _LOCK, blocking=False)
        try:
            self.folder.mkdir(exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise EngineBuildError(
                f"another process builds engines of {self.bundle} now; wait for it, or stop it"
            ) from error
        except OSError as error:
            raise EngineBuildError(f"{self.folder} cannot be written: {error}") from error
        try:
            self._remove_unlisted()
            yield
        finally:
            lock.release()

    def add(self, plan: bytes, key: EngineKey) -> EngineEntry:
        """Writes an engine and enters it in the manifest, in this order.

        A process that is killed in between leaves the index as it was. What the engine replaces,
        and whatever was built from ONNX files that are no longer there, is removed last.

        Raises:
            EngineBuildError: The bundle cannot be written; the index is as it was.
        """
        sha256 = hashlib.sha256(plan).hexdigest()
        file = f"{ENGINES_FOLDER}/{_stem(key)}-{sha256[:8]}{SUFFIX}"
        entry = EngineEntry(file=file, bytes=len(plan), sha256=sha256, key=key)
        try:
            write_atomically(self.bundle / file, plan)
            manifest = self._read_manifest()
            before = manifest.engines
            sources = {file.sha256 for file in manifest.files.values()}
            kept = [
                old
                for old in before
                if old.key.source_sha256 in sources and not replaces(key, old.key)
            ]
            self._write_index([*kept, entry])
            for old in before:
                if old not in kept and old.file != file:
                    (self.bundle / old.file).unlink(missing_ok=True)
        except OSError as error:
            raise EngineBuildError(f"{self.bundle} cannot be written: {error}") from error
        return entry

    def drop_signature(self) -> None:
        """Removes the bundle's signature; before the first change, so that none is ever wrong."""
        (self.bundle / SIGNATURE).unlink(missing_ok=True)

    def _read_manifest(self) -> Manifest:
        # Read anew each time: another command may have changed another part of it meanwhile.
        path = self.bundle / MANIFEST
        return decode_manifest(path.read_bytes(), source=str(path))

    def _write_index(self, engines: list[EngineEntry]) -> None:
        ordered = tuple(sorted(engines, key=lambda entry: entry.file))
        changed = msgspec.structs.replace(self._read_manifest(), engines=ordered)
        write_atomically(self.bundle / MANIFEST, encode_manifest(changed))

    def _remove_unlisted(self) -> None:
        listed = {entry.file for entry in self._read_manifest().engines}
        for path in self.folder.iterdir():
            is_ours = path.suffix == SUFFIX or path.name.endswith(f"{SUFFIX}.partial")
            if is_ours and f"{ENGINES_FOLDER}/{path.name}" not in listed:
                path.unlink(missing_ok=True)


class TimingCache:
    """What TensorRT has measured on one GPU, so that the next build measures only what is new.

    The file begins with its own SHA-256: a damaged one is never handed to the library.

    Args:
        folder: The cache folder.
        library_version: Version of TensorRT.
        gpu: The GPU's name.
        multiprocessors: How many the GPU has.
    """

    def __init__(
        self, folder: Path, *, library_version: str, gpu: str, multiprocessors: int
    ) -> None:
        name = f"tensorrt-{library_version}-{plain(gpu)}-{multiprocessors}"
        self.path = folder / "timing" / f"{name}.cache"

    def read(self) -> bytes:
        """What earlier builds measured; nothing where none did, or the file is damaged."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        digest, measured = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        return measured if hashlib.sha256(measured).digest() == digest else b""

    def write(self, measured: bytes) -> None:
        """Keeps what a build measured.

        Raises:
            EngineBuildError: The cache folder cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path, hashlib.sha256(measured).digest() + measured)
        except OSError as error:
            raise EngineBuildError(
                f"{self.path} cannot be written: {error}; set T2F_CACHE to another folder"
            ) from error


def plain(text: str) -> str:
    """Writes any name as part of a file's name: `NVIDIA RTX 4070` as `nvidia-rtx-4070`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _stem(key: EngineKey) -> str:
    target = key.target
    where = target.compute_capability if target.gpu is None else plain(target.gpu)
    return f"{key.network}-{key.precision}-{key.flavour}-{key.library_version}-{where}"
