"""The command `t2f generate`."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import click

from t2f_runtime.commands.face_files import Destination, FaceWriter, draw_faces
from t2f_runtime.commands.loading import Loading, loading_options
from t2f_runtime.commands.options import BUNDLE, MAXIMUM_LIST_BYTES, InputFile
from t2f_runtime.commands.wanted_descriptions import (
    Wanted,
    check_descriptions,
    told_with,
    wanted_arguments,
    wanted_lines,
)
from t2f_runtime.errors import DescriptionError
from t2f_runtime.generator import MAXIMUM_FACES, FaceGenerator
from t2f_runtime.latent import LARGEST_SEED
from t2f_runtime.pictures.files import check_picture_path

_NO_DESCRIPTION = 'Give a DESCRIPTION, such as "a bald man", or --from FILE.'


@click.command()
@BUNDLE
@click.argument("descriptions", nargs=-1, metavar="[DESCRIPTION]...")
@click.option(
    "--from",
    "description_file",
    type=InputFile(),
    help="Read more descriptions from FILE, one a line; - is standard input.",
    metavar="FILE",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The picture to write, .png, .jpg or .webp; one that is there is replaced.",
)
@click.option(
    "--each",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each face to a PNG of its own in FOLDER, which is made if missing.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON object a face: file, description, seed, index, SHA-256, milliseconds.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Equal seeds draw equal faces.",
)
@click.option(
    "--count",
    type=click.IntRange(1, MAXIMUM_FACES),
    default=1,
    show_default=True,
    help="Candidates a description, or faces without any.",
)
@click.option(
    "--scale",
    type=click.IntRange(1, 64),
    help="Enlarge each face this many times.  [default: 1, on a sheet enough to see them]",
)
@click.option("--sheet", is_flag=True, help="Draw a captioned sheet even of one face.")
@click.option(
    "--no-description",
    "hides_description",
    is_flag=True,
    help="Put no words into files, their names or sheets, only the SHA-256 of the words.",
)
@loading_options
def generate(  # noqa: PLR0913 (options arrive as arguments)
    bundle: Path,
    descriptions: tuple[str, ...],
    description_file: BinaryIO | None,
    output: Path | None,
    folder: Path | None,
    seed: int,
    count: int,
    *,
    loading: Loading,
    scale: int | None,
    as_json: bool,
    sheet: bool,
    hides_description: bool,
) -> None:
    """Draw faces from descriptions.

    A model without text draws them without any. One description draws one picture; several, or a
    --count, draw a captioned sheet, or with --each a file each, in which case none of them is kept
    in memory.

    Without -o, descriptions of --from are read, drawn and told line by line, however many: a line
    that cannot be read ends it with an error, and what came before stays. With -o, all of them are
    read before the first is drawn.

    Pictures say when they were written; with SOURCE_DATE_EPOCH in the environment they say that
    time, and equal commands write equal files.

    \b
    Examples:
      t2f generate BUNDLE "a bald man with a beard" -o face.png
      t2f generate BUNDLE "a girl" "an old man" --count 6 --seed 7 -o sheet.png
      t2f generate BUNDLE --from descriptions.txt -o sheet.png
      t2f generate BUNDLE_WITHOUT_TEXT --count 16 -o sheet.png
      t2f generate BUNDLE "a girl" --engine tensorrt --device 1 -o face.png
      t2f generate BUNDLE --from descriptions.txt --count 4 --each faces --json
    """  # noqa: D301 (click's mark is the backspace)
    if "-" in descriptions:
        raise click.UsageError("'-' is no description; for standard input, give --from -.")
    if output is not None:
        check_picture_path(output)
    with loading.opening(bundle) as (_, load):
        if output is None and folder is None and not as_json:  # a missing bundle is told first
            raise click.UsageError("Give -o PICTURE, --each FOLDER, or --json.")
        generator = load()
    if generator.takes_text and not descriptions and description_file is None:
        raise click.UsageError(_NO_DESCRIPTION)
    destination = Destination(
        output=output,
        folder=folder,
        scale=scale,
        as_json=as_json,
        is_sheet=sheet,
        tells_description=not hides_description,
    )
    is_stream = output is None
    wanted = _wanted(generator, descriptions, description_file, is_stream=is_stream)
    writer = FaceWriter(generator, destination)
    if not is_stream:
        wanted = list(wanted)
        check_descriptions(generator, wanted)
        writer.check_output([each.text for each in wanted if each.text is not None], count)
        writer.expects(len(wanted) * count)
    try:
        for each in wanted:
            with told_with(each):
                for face in draw_faces(generator, each.text, seed=seed, count=count):
                    writer.add(each.number, face)
    except BaseException:  # Ctrl-C as well
        writer.tell_what_is_there()
        raise
    if not writer.faces:
        raise click.UsageError(_NO_DESCRIPTION)
    writer.finish()


def _wanted(
    generator: FaceGenerator,
    descriptions: tuple[str, ...],
    file: BinaryIO | None,
    *,
    is_stream: bool,
) -> Iterable[Wanted]:
    """What is to be drawn; the command's arguments are checked here, lines where they are read."""
    if not generator.takes_text and (descriptions or file is not None):
        raise DescriptionError("this model draws without descriptions; leave it out")
    arguments = wanted_arguments(descriptions)
    check_descriptions(generator, arguments)
    if file is None:
        return arguments or [Wanted(1, None, None)]
    first = len(arguments) + 1
    most_bytes = None if is_stream else MAXIMUM_LIST_BYTES
    return chain(arguments, wanted_lines(file, first=first, most_bytes=most_bytes))
