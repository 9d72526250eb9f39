"""What `t2f engine` does: it reads its options, shows what is built, and says what comes next."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast, get_args

import click
import msgspec

from t2f_export.engines.builder import build_engines
from t2f_export.engines.jobs import EngineWish, describe
from t2f_export.engines.libraries import Host
from t2f_export.engines.progress import EngineBar
from t2f_export.engines.targets import parse_targets
from t2f_runtime.bundle.engine_index import EngineEntry, EngineOptions, Flavour
from t2f_runtime.bundle.manifest import Precision
from t2f_runtime.bundle.manifest_fields import Network
from t2f_runtime.cache_folder import cache_folder

Name = TypeVar("Name", bound=str)

INTERRUPTED: Final = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as shells expect it."""


def read_wish(
    *,
    flavour: str,
    targets: str | None,
    precisions: str,
    networks: str,
    options: Mapping[str, Any],
    is_forced: bool,
    drops_signature: bool,
) -> EngineWish:
    """Reads what the command line gave.

    Args:
        flavour: `auto`, or one of `Flavour`.
        targets: Compute capabilities, parted by commas; None where none were given.
        precisions: `all`, or precisions parted by commas.
        networks: `all`, or networks parted by commas.
        options: The fields of `EngineOptions`.
        is_forced: As in `EngineWish`.
        drops_signature: As in `EngineWish`.

    Raises:
        EngineBuildError: A compute capability is not served.
        click.UsageError: A list names something that does not exist.
    """
    return EngineWish(
        flavour=None if flavour == "auto" else cast("Flavour", flavour),
        targets=() if targets is None else parse_targets(targets),
        precisions=_read_list("--precision", precisions, get_args(Precision)),
        networks=_read_list("--network", networks, get_args(Network)),
        options=msgspec.convert(options, EngineOptions),
        is_forced=is_forced,
        drops_signature=drops_signature,
    )


def build_and_tell(bundle: Path, wish: EngineWish, host: Host | None = None) -> None:
    """Builds engines, with a bar on a terminal and a line for each.

    Args:
        bundle: The bundle's folder.
        wish: What engines are wanted.
        host: This machine; None asks it.

    Raises:
        SystemExit: It was interrupted, with `INTERRUPTED`.
        T2FError: As `build_engines`.
    """
    teller = _Teller()
    with teller:
        try:
            entries = build_engines(bundle, wish, teller, cache=cache_folder(), host=host)
        except KeyboardInterrupt:
            teller.end()
            click.echo("stopped: the engine that was being built is not kept, those before it are")
            raise SystemExit(INTERRUPTED) from None
    count = "1 engine" if len(entries) == 1 else f"{len(entries)} engines"
    size = sum(entry.bytes for entry in entries)
    click.echo(f"bundle   {bundle}: {count} as wanted, {size / 2**20:.1f} MiB")


class _Teller(EngineBar):
    """A bar for the engine that is being built, and a line for each that is there."""

    def kept(self, entry: EngineEntry) -> None:
        """Tells of an engine that is there already."""
        click.echo(f"kept     {describe(entry.key)}: as it is, {entry.file}")

    def built(self, entry: EngineEntry, seconds: float, warnings: Sequence[str]) -> None:
        """Tells of a new engine."""
        self.end()
        click.echo(
            f"built    {describe(entry.key)}: {entry.bytes / 2**20:.1f} MiB in {seconds:.1f} s, "
            f"{entry.file}"
        )
        for warning in warnings:
            click.echo(f"warning  {' '.join(warning.split())}")


def _read_list(option: str, text: str, known: tuple[Name, ...]) -> tuple[Name, ...]:
    if text == "all":
        return ()
    by_name: dict[str, Name] = {str(name): name for name in known}
    names = [part.strip() for part in text.split(",")]
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise click.UsageError(
            f"{option} {text}: {unknown[0]!r} is none of {', '.join(known)}; or give all"
        )
    return tuple(by_name[name] for name in dict.fromkeys(names))
