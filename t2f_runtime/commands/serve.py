"""The command `t2f serve`."""

from pathlib import Path
from typing import Literal

import click

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import Precision
from t2f_runtime.commands.options import (
    BUNDLE,
    DEVICE,
    ENGINE,
    PRECISION,
    THREADS,
    TRUST,
    read_trusted,
)
from t2f_runtime.engines.names import AUTO
from t2f_runtime.generator import FaceGenerator


@click.command()
@BUNDLE
@click.option("--stdio", is_flag=True, help="Speak over standard input and output.")
@ENGINE
@PRECISION
@DEVICE
@THREADS
@click.option(
    "--capacity",
    type=click.IntRange(1, 100_000),
    default=256,
    show_default=True,
    help="The most faces that may wait; a request beyond is refused.",
)
@TRUST
def serve(
    bundle: Path,
    engine: str,
    precision: Precision | Literal["auto"],
    device: int,
    threads: int | None,
    capacity: int,
    key_files: tuple[Path, ...],
    *,
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
    keep: Precision = "float32" if precision == AUTO else precision
    with Bundle.opening(bundle, keep=keep, trusted=read_trusted(key_files)) as opened:
        loaded = FaceGenerator.from_bundle(
            opened, engine=engine, precision=precision, device=device, threads=threads
        )
    with loaded as generator:
        generator.warm_up()
        serve_stdio(opened, generator, output=output, capacity=capacity)
