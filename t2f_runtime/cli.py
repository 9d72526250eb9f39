"""The command `t2f`: its own commands, and those of the packages above the runtime."""

import errno
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import click

from t2f_runtime import __version__
from t2f_runtime.commands import bundles
from t2f_runtime.commands.bench import bench
from t2f_runtime.commands.doctor import doctor
from t2f_runtime.commands.explain import explain
from t2f_runtime.commands.generate import generate
from t2f_runtime.commands.identikit import identikit
from t2f_runtime.commands.info import info
from t2f_runtime.commands.options import printable
from t2f_runtime.commands.read import read
from t2f_runtime.commands.serve import serve
from t2f_runtime.commands.verify import verify
from t2f_runtime.errors import MissingPackageError, T2FError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

COMMANDS_GROUP = "t2f.commands"
"""Entry points of this group are commands of `t2f`; each is loaded when it is called."""

_EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "engine": ("rtx", "tensorrt"),
    "evaluate": ("evaluate",),
    "timelapse": ("evaluate",),
}
"""What installs the packages of a command where that is not the extra named after its package:
`export` would put onnxruntime beside the onnxruntime-gpu of a machine that builds engines."""


_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""A full disk or quota, a limit of the shell's, and a terminal that has been closed."""


class CommandGroup(click.Group):
    """Finds commands of other packages, and shows T2F's own errors without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands; imports none of them."""
        return sorted({*super().list_commands(ctx), *_entry_points()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Loads a command; one that cannot be loaded says why when it is called."""
        built_in = super().get_command(ctx, cmd_name)
        if built_in is not None:
            return built_in
        entry_point = _entry_points().get(cmd_name)
        if entry_point is None:
            return None
        try:
            command: click.Command = entry_point.load()
        except Exception as error:  # noqa: BLE001 (`t2f --help` must show the other commands)
            return _UnavailableCommand(cmd_name, error)
        return command

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (as click has it)
        """Runs the command line; an output that cannot be written shows no traceback either."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            # Whatever writes files wraps these; without a name, it is what was printed.
            if error.errno not in _FULL or error.filename is not None:
                raise
            with suppress(OSError):  # where errors are shown may be full, too
                click.echo(f"Error: the output cannot be written: {error.strerror}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> object:
        """Runs a command; errors that T2F raises on purpose show no traceback and exit with 1."""
        try:
            return self._invoke(ctx)
        except T2FError as error:
            # Errors of whole data sets list their files, one a line.
            lines = [printable(line.rstrip()) for line in str(error).splitlines()]
            raise click.ClickException("\n".join(lines)) from error

    def _invoke(self, ctx: click.Context) -> object:
        try:
            result: object = super().invoke(ctx)
            return result
        except ModuleNotFoundError as error:
            entry_point = _entry_points().get(ctx.invoked_subcommand or "")
            package = (error.name or "").partition(".")[0]
            # A missing module of our own is a bug, and keeps its traceback.
            if entry_point is None or not package or package.startswith("t2f_"):
                raise
            raise MissingPackageError(
                f"the command '{entry_point.name}' needs the package '{package}'; "
                f"install it with: {_install_command(entry_point)}"
            ) from error


class _UnavailableCommand(click.Command):
    """Stands in for a command whose module fails to import, whatever its arguments are."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(
            name,
            callback=self._fail,
            short_help=f"Not available: {error}",
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
            add_help_option=False,
        )
        self._error = error

    def _fail(self) -> None:
        raise self._error


def _install_command(entry_point: "EntryPoint") -> str:
    its_package = entry_point.module.partition(".")[0].removeprefix("t2f_")
    extras = _EXTRAS.get(entry_point.name, (its_package,))
    return " or ".join(f"pip install 't2f[{extra}]'" for extra in extras)


def _entry_points() -> "dict[str, EntryPoint]":
    # Here, not above: it takes 20 ms to import, and the runtime's own commands need none of it.
    from importlib.metadata import entry_points

    return {entry_point.name: entry_point for entry_point in entry_points(group=COMMANDS_GROUP)}


@click.group(cls=CommandGroup)
@click.version_option(__version__, prog_name="t2f")
def main() -> None:
    """Draw faces from written descriptions.

    \b
    Example:
      t2f generate BUNDLE "a smiling woman with grey hair" -o face.png
    """  # noqa: D301 (click's mark is the backspace)


main.add_command(generate)
main.add_command(info)
main.add_command(identikit)
main.add_command(explain)
main.add_command(read)
main.add_command(verify)
main.add_command(bundles.pack)
main.add_command(bundles.unpack)
main.add_command(bundles.sign)
main.add_command(bundles.keys)
main.add_command(bench)
main.add_command(serve)
main.add_command(doctor)
