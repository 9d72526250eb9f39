"""The options of commands that draw with one generator, and the loading that they ask for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Literal

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import Precision
from t2f_runtime.commands.options import DEVICE, ENGINE, PRECISION, THREADS, TRUST, read_trusted
from t2f_runtime.engines.names import AUTO
from t2f_runtime.generator import FaceGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How a command loads its bundle; see `FaceGenerator.load`.

    Args:
        engine: What runs the networks.
        precision: Which of the bundle's networks.
        device: Which GPU.
        threads: Threads a face, on a CPU.
        key_files: Public keys, of which one must have signed the bundle.
    """

    engine: str
    precision: Precision | Literal["auto"]
    device: int
    threads: int | None
    key_files: tuple[Path, ...]

    @contextmanager
    def opening(self, path: Path) -> Iterator[tuple[Bundle, Callable[[], FaceGenerator]]]:
        """Opens a bundle, and gives what loads it while it is verified; see `Bundle.opening`.

        Raises:
            T2FError: As `FaceGenerator.load`.
        """
        keep: Precision = "float32" if self.precision == AUTO else self.precision
        with Bundle.opening(path, keep=keep, trusted=read_trusted(self.key_files)) as bundle:
            yield (
                bundle,
                lambda: FaceGenerator.from_bundle(
                    bundle,
                    engine=self.engine,
                    precision=self.precision,
                    device=self.device,
                    threads=self.threads,
                ),
            )

    def load(self, path: Path) -> FaceGenerator:
        """Loads a bundle.

        Raises:
            T2FError: As `FaceGenerator.load`.
        """
        with self.opening(path) as (_, load):
            return load()


def loading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--engine`, `--precision`, `--device`, `--threads` and `--trust` to a command.

    Args:
        command: Takes them as `loading`, a `Loading`.
    """

    @wraps(command)
    def with_loading(
        *,
        engine: str,
        precision: Precision | Literal["auto"],
        device: int,
        threads: int | None,
        key_files: tuple[Path, ...],
        **others: Any,  # noqa: ANN401 (whatever the command takes)
    ) -> Any:  # noqa: ANN401 (likewise)
        loading = Loading(
            engine=engine,
            precision=precision,
            device=device,
            threads=threads,
            key_files=key_files,
        )
        return command(loading=loading, **others)

    return ENGINE(PRECISION(DEVICE(THREADS(TRUST(with_loading)))))
