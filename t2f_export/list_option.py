"""An option of several names, parted by commas or given one by one."""

from collections.abc import Callable
from typing import Any

import click


def list_option(
    *names: str,
    help: str,  # noqa: A002 (click's word)
    default: str | None = None,
    required: bool = False,
) -> Callable[[Any], Any]:
    """`click.option` of a text, in which every use of the option is joined to the last by a comma.

    Args:
        names: As of `click.option`.
        help: Likewise.
        default: Likewise; None where the command is to be given None.
        required: Likewise.
    """
    return click.option(
        *names,
        metavar="LIST",
        multiple=True,
        default=None if default is None else (default,),
        show_default=default is not None,
        required=required,
        callback=_join,
        help=f"{help} May be given again.",
    )


def _join(_: click.Context, __: click.Parameter, parts: tuple[str, ...]) -> str | None:
    return ",".join(parts) if parts else None
