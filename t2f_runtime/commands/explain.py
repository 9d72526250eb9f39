"""The command `t2f explain`: which words of a description moved the face."""

from pathlib import Path

import click
import msgspec

from t2f_runtime.commands.loading import Loading, loading_options
from t2f_runtime.commands.options import BUNDLE, printable
from t2f_runtime.latent import LARGEST_SEED
from t2f_runtime.pictures.facts import facts_of, writing_time
from t2f_runtime.pictures.files import check_picture_path, save_picture
from t2f_runtime.reading.description import UNKNOWN_WORDS


@click.command()
@BUNDLE
@click.argument("description")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A picture of where each word acts: .png, .jpg or .webp.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Which face of the description.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the words as JSON.")
@loading_options
def explain(
    bundle: Path,
    description: str,
    output: Path | None,
    seed: int,
    *,
    loading: Loading,
    as_json: bool,
) -> None:
    """Say which words of DESCRIPTION moved the face.

    Each of them is left out in turn.

    \b
    Examples:
      t2f explain BUNDLE "an old man with a scar" -o words.png
      t2f explain BUNDLE "an old man with a scar" --json
    """  # noqa: D301 (click's mark is the backspace)
    # Here, so that `t2f --help` and the other commands need none of it.
    from t2f_runtime.identikit.explain import explain_text  # noqa: PLC0415
    from t2f_runtime.identikit.explanation_sheet import explanation_sheet  # noqa: PLC0415

    if output is not None:
        check_picture_path(output)
    generator = loading.load(bundle)
    explanation = explain_text(generator, description, seed=seed)
    if output is not None:
        # The words stand on the sheet itself.
        facts = facts_of(
            generator,
            (description,),
            seed=seed,
            index=0,
            count=1,
            time=writing_time(),
            tells_description=True,
        )
        save_picture(explanation_sheet(explanation), output, notes=facts.notes())
    knows_words = generator.read(description).knows_words
    if as_json:
        told = {"knows_words": knows_words, "words": explanation.words}
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
        return
    for effect in explanation.words:
        click.echo(printable(str(effect)))
    if not knows_words:
        click.echo(UNKNOWN_WORDS)
    if output is not None:
        click.echo(printable(f"{output}: where each word acts"))
