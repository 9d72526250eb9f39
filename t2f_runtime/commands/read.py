"""The command `t2f read`: what a model understands of a description."""

from pathlib import Path

import click
import msgspec

from t2f_runtime.commands.loading import Loading, loading_options
from t2f_runtime.commands.options import BUNDLE, printable


@click.command()
@BUNDLE
@click.argument("text")
@click.option("--json", "as_json", is_flag=True, help="Print all that was found as JSON.")
@loading_options
def read(
    bundle: Path,
    text: str,
    *,
    loading: Loading,
    as_json: bool,
) -> None:
    """Say what is understood of TEXT, before anything is drawn.

    The exit status is 1 if it is refused. Tells the tokens, the words that were never seen in
    training, with those that they may be typing errors of, what is too much, and negations that
    this model does not obey.

    \b
    Examples:
      t2f read BUNDLE "a man without galsses"
      t2f read BUNDLE "a man without galsses" --json
    """  # noqa: D301 (click's mark is the backspace)
    generator = loading.load(bundle)
    reading = generator.read(text)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(reading), indent=2))
    else:
        for line in str(reading).split("\n"):
            click.echo(printable(line))
    if not reading.is_accepted:
        raise click.exceptions.Exit(1)
