"""The kernels that TensorRT for RTX compiled for an engine on this GPU, kept between starts.

TensorRT for RTX compiles when an engine is loaded and first run, which takes seconds, and can hand
out what it compiled. Source: NVIDIA, TensorRT for RTX documentation, "Working with Runtime Cache".

What lies on the disk can always be made again: nothing that goes wrong with it is an error. What
was altered, or is of another engine, GPU, driver or version, is thrown away.
"""

import hashlib
import json
import logging
import os
import stat
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.engines.tensorrt_api import RtxRuntimeCache, RtxRuntimeConfig

FOLDER: Final = "tensorrt-rtx"
"""Where the files lie, in T2F's cache."""
MOST_BYTES: Final = 256 * 2**20
"""What the folder may take; the files that were not used for longest go first."""

_MAGIC: Final = b"T2F kernels 1\n"
_HASH_BYTES: Final = 32
_ENDING: Final = ".kernels"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelKey:
    """What kernels were compiled for, and by what: under another key they are not looked at."""

    engine_sha256: str
    """SHA-256 of the engine's bytes."""
    gpu: str
    """The GPU's name."""
    compute_capability: str
    """Of the GPU: `sm_89`."""
    multiprocessors: int
    """How many the GPU has."""
    driver: int
    """The newest CUDA that the driver serves: 13020 for 13.2."""
    library_version: str
    """Of TensorRT for RTX, to the last number."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of all of it."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).digest()


class KernelFile:
    """The file that keeps the kernels of one engine.

    It has a checksum of its own, so that damage is found before the library reads a byte of it.

    Args:
        cache: T2F's cache folder; it need not exist, and need not be writable.
        key: What the kernels are for.
        most_bytes: What all files together may take.
    """

    def __init__(self, cache: Path, key: KernelKey, *, most_bytes: int = MOST_BYTES) -> None:
        self.path: Final = cache / FOLDER / f"{key.digest.hex()}{_ENDING}"
        self._key = key.digest
        self._most_bytes = most_bytes

    def read(self) -> bytes | None:
        """Gives the kernels; None where there are none that can be used."""
        try:
            with self.path.open("rb") as file:
                content = file.read(self._most_bytes + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            _logger.info("%s cannot be read, and is done without: %s", self.path, error)
            return None
        start = len(_MAGIC) + 2 * _HASH_BYTES
        kernels = content[start:]
        if len(content) > self._most_bytes or content[:start] != self._header(kernels):
            self.discard("it is not what was kept")
            return None
        with suppress(OSError):
            os.utime(self.path)  # what was used last is thrown away last
        return kernels

    def write(self, kernels: bytes) -> bool:
        """Keeps kernels in place of what was kept before, and makes room; whether it could."""
        content = self._header(kernels) + kernels
        if len(content) > self._most_bytes:
            _logger.info("%s would take %d bytes, and is not kept", self.path, len(content))
            return False
        try:
            write_atomically(self.path, content)
            self._make_room()
        except OSError as error:
            _logger.info("%s cannot be kept, so the next start compiles: %s", self.path, error)
            return False
        return True

    def discard(self, reason: str) -> None:
        """Throws away what is kept."""
        _logger.warning("%s is thrown away and made again: %s", self.path, reason)
        with suppress(OSError):  # read-only: it is found wanting again at the next start
            self.path.unlink()

    def _header(self, kernels: bytes) -> bytes:
        return _MAGIC + self._key + hashlib.sha256(kernels).digest()

    def _make_room(self) -> None:
        """Removes the files that were not used for longest, until the rest are small enough."""
        found = []
        for path in self.path.parent.glob(f"*{_ENDING}"):
            with suppress(OSError):  # another process may have removed it
                state = path.lstat()
                if stat.S_ISREG(state.st_mode):
                    found.append((state.st_mtime_ns, state.st_size, path))
        taken = 0
        for _, size, path in sorted(found, reverse=True):
            taken += size
            if taken > self._most_bytes and path != self.path:
                with suppress(OSError):
                    path.unlink()


class KeptKernels:
    """What the library compiles for one engine, and the file that keeps it.

    Args:
        config: How the engine is going to run; it is given what was kept. CUDA has to be in use by
            the calling thread, since the library compares what was kept with the GPU.
        file: Where it is kept.
    """

    def __init__(self, config: RtxRuntimeConfig, file: KernelFile) -> None:
        self._cache: RtxRuntimeCache = config.create_runtime_cache()
        self._file: KernelFile | None = file
        kept = file.read()
        if kept is not None and not self._cache.deserialize(kept):
            file.discard("TensorRT for RTX does not take it here")
            kept = None
        self._kept = b"" if kept is None else hashlib.sha256(kept).digest()
        config.set_runtime_cache(self._cache)

    def keep(self) -> None:
        """Writes down what was compiled since; after a failure no more is tried."""
        memory = None if self._file is None else self._cache.serialize()
        if self._file is None or memory is None:
            return
        kernels = bytes(memory)
        found = hashlib.sha256(kernels).digest()
        if found == self._kept:
            return
        self._kept = found
        if not self._file.write(kernels):
            self._file = None
