"""The command `t2f serve`."""

from pathlib import Path

import click

from t2f_runtime.commands.loading import Loading, loading_options
from t2f_runtime.commands.options import BUNDLE


@click.command()
@BUNDLE
@click.option("--stdio", is_flag=True, help="Speak over standard input and output.")
@click.option(
    "--capacity",
    type=click.IntRange(1, 100_000),
    default=256,
    show_default=True,
    help="The most faces that may wait; a request beyond is refused.",
)
@loading_options
def serve(
    bundle: Path,
    capacity: int,
    *,
    loading: Loading,
    stdio: bool,
) -> None:
    """Draw for a program in any language.

    The program starts this, writes requests to standard input, one JSON object a line, and reads
    answers from standard output; nothing else is written there. docs/serve.schema.json is the
    schema of both. It ends with the request "shutdown", at the end of standard input, or on
    SIGTERM.

    \b
    Example:
      echo '{"id": 1, "method": "generate", "params": {"description": "a bald man"}}' \\
        | t2f serve BUNDLE --stdio
    """  # noqa: D301 (click's mark is the backspace)
    if not stdio:
        raise click.UsageError("Give --stdio: there is no other way to speak with it yet.")
    from t2f_runtime.service.serving import (  # noqa: PLC0415 (for a quick `t2f --help`)
        serve_stdio,
        take_output,
    )

    output = take_output()
    with loading.opening(bundle) as (opened, load):
        loaded = load()
    with loaded as generator:
        generator.warm_up()
        serve_stdio(opened, generator, output=output, capacity=capacity)
