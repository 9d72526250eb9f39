"""The commands of exporting. Heavy imports wait until a command runs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from t2f_export.list_option import list_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2f_runtime.bundle.manifest import Manifest, Precision


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="The bundle: a new folder."
)
@click.option(
    "--from",
    "origin",
    type=click.Choice(["pro-gan-pytorch", "t2f-original"]),
    help="RUN is no run, but what another program saved: one file of pro_gan_pytorch 3, or the "
    "folders and files of the original T2F.",
)
@click.option(
    "--pixels",
    type=click.IntRange(4, 1024),
    help="With --from: side of the pictures.  [default: the largest that was trained]",
)
@click.option(
    "--caption-length",
    type=click.IntRange(1, 1024),
    help="With --from t2f-original: captions_length of its configuration.  [default: 100]",
)
@click.option("--licence", help="With --from: licence of the networks.  [default: not stated]")
@click.option("--name", help="What people call the model.  [default: the run's name]")
@list_option(
    "--precision",
    "precisions",
    default="float32",
    help="Precisions of the networks, such as float32,float16,int8; float32 is always there.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of the run's data, whose descriptions calibrate int8.  [default: where it lay]",
)
@click.option(
    "--descriptions",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Descriptions to calibrate on, one a line, in place of the data's.",
)
def export(
    sources: tuple[Path, ...],
    out: Path,
    origin: str | None,
    pixels: int | None,
    caption_length: int | None,
    licence: str | None,
    name: str | None,
    precisions: str,
    data: Path | None,
    descriptions: Path | None,
) -> None:
    """Freeze a finished RUN into a bundle.

    The bundle is there only once it is proven to draw what the run draws.

    \b
    Examples:
      t2f export runs/first -o bundles/first
      t2f export runs/first -o bundles/first --precision float32,float16,int8
      t2f export --from pro-gan-pytorch models/depth_6_epoch_40.bin -o bundles/faces
      t2f export --from t2f-original saved_models processed_text.pkl -o bundles/original
    """  # noqa: D301 (click's mark is the backspace)
    from t2f_export.bundle_writer import export_run
    from t2f_export.precision.command import export_and_tell, read_precisions, tell_precisions

    wanted = read_precisions("--precision", precisions)
    if origin != "t2f-original" and len(sources) > 1:
        raise click.UsageError(f"Give one RUN, not {len(sources)}.")
    if origin != "t2f-original" and caption_length is not None:
        raise click.UsageError("--caption-length goes with --from t2f-original.")
    write: Callable[[Path], Manifest]
    if origin is None:
        if pixels is not None or licence is not None:
            raise click.UsageError("--pixels and --licence go with --from.")
        write = partial(export_run, sources[0], name=name)
    else:
        from t2f_export.imported.importing import import_pro_gan_pytorch, import_t2f_original

        if name is not None or data is not None:
            raise click.UsageError("--name and --data do not go with --from.")
        if origin == "pro-gan-pytorch":
            write = partial(import_pro_gan_pytorch, sources[0], pixels=pixels, licence=licence)
        else:
            write = partial(
                import_t2f_original,
                sources,
                caption_length=caption_length or 100,
                pixels=pixels,
                licence=licence,
            )
    run = sources[0] if origin is None else None
    written = export_and_tell(write, out, wanted, run=run, data=data, file=descriptions)
    size = sum(entry.bytes for entry in written.files.values())
    click.echo(f"bundle   {out} ({size / 2**20:.1f} MiB)")
    tell_precisions(written)
    what = '"a smiling woman" -o face.png' if written.takes_text else "--count 16 -o faces.png"
    click.echo(f"next     t2f generate {out} {what}")


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@list_option(
    "--add",
    "precisions",
    required=True,
    help="What to add: float16, int8, or float16,int8.",
)
@click.option(
    "--descriptions",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Descriptions to calibrate int8 on, one a line.  [default: the bundle's references]",
)
@click.option("--force", is_flag=True, help="Make again what is there.")
@click.option("--drop-signature", is_flag=True, help="Remove the signature of a signed bundle.")
def precision(
    bundle: Path,
    precisions: str,
    descriptions: Path | None,
    *,
    force: bool,
    drop_signature: bool,
) -> None:
    """Add networks of further precisions to BUNDLE.

    They are made from its float32 ones, and proven.

    \b
    Example:
      t2f precision BUNDLE --add float16,int8 --descriptions captions.txt
    """  # noqa: D301 (click's mark is the backspace)
    from t2f_export.precision.command import add_and_tell, read_precisions

    wanted = read_precisions("--add", precisions)
    if not wanted:
        raise click.UsageError("--add float32: every bundle has it; add float16 or int8.")
    add_and_tell(bundle, wanted, descriptions, is_forced=force, drops_signature=drop_signature)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--flavour",
    type=click.Choice(["auto", "rtx", "tensorrt"]),
    default="auto",
    show_default=True,
    help="TensorRT for RTX, which builds ahead of time for GPUs that are elsewhere, or TensorRT, "
    "which builds on the GPU that will run the engine.",
)
@list_option(
    "--for",
    "targets",
    help="GPUs to build for, by compute capability, such as sm_86,sm_120; left out, the one here.",
)
@list_option(
    "--precision",
    "precisions",
    default="all",
    help="Precisions, such as float16,int8.",
)
@list_option(
    "--network",
    "networks",
    default="all",
    help="text_encoder, generator, or both.",
)
@click.option(
    "--workspace",
    "workspace_mib",
    type=click.IntRange(min=1),
    metavar="MIB",
    help="Memory that one layer may borrow while it runs.  [default: all]",
)
@click.option(
    "--level",
    "builder_level",
    type=click.IntRange(0, 5),
    help="How long to look for faster kernels.  [default: the library's, 3]",
)
@click.option(
    "--version-compatible", is_flag=True, help="Let newer TensorRT run it; may be slower."
)
@click.option(
    "--hardware-compatible",
    type=click.Choice(["ampere_plus", "same_compute_capability"]),
    help="Let other GPUs run it; may be slower.",
)
@click.option(
    "--strip", is_flag=True, help="Leave the weights out: loading takes them from the ONNX file."
)
@click.option("--drop-signature", is_flag=True, help="Remove the signature of a signed bundle.")
@click.option("--force", is_flag=True, help="Build again what is there and intact.")
def engine(
    bundle: Path,
    flavour: str,
    targets: str | None,
    precisions: str,
    networks: str,
    workspace_mib: int | None,
    builder_level: int | None,
    hardware_compatible: str | None,
    *,
    version_compatible: bool,
    strip: bool,
    drop_signature: bool,
    force: bool,
) -> None:
    """Build engines of NVIDIA's libraries into BUNDLE.

    They are for the GPUs that will draw with it. An engine that is there and intact is kept. Ctrl-C
    stops; what is complete stays.

    \b
    Examples:
      t2f engine BUNDLE --for sm_86,sm_89,sm_120
      t2f engine BUNDLE --flavour tensorrt --precision float16
    """  # noqa: D301 (click's mark is the backspace)
    from t2f_export.engines.command import build_and_tell, read_wish

    wish = read_wish(
        flavour=flavour,
        targets=targets,
        precisions=precisions,
        networks=networks,
        options={
            "workspace_mib": workspace_mib,
            "builder_level": builder_level,
            "hardware_compatibility": hardware_compatible,
            "is_version_compatible": version_compatible,
            "is_stripped": strip,
        },
        is_forced=force,
        drops_signature=drop_signature,
    )
    build_and_tell(bundle, wish)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The model repository: a new folder.",
)
@click.option("--name", default="faces", show_default=True, help="What the models are named after.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "int8", "fp8"]),
    default="float32",
    show_default=True,
    help="Precision of the networks; the bundle must have it.",
)
@click.option(
    "--max-batch",
    type=click.IntRange(1, 1024),
    default=16,
    show_default=True,
    help="Most faces of one run.",
)
@click.option(
    "--instances",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Networks of a kind that run at once, on each GPU or on the CPU.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=4,
    show_default=True,
    help="Processes that read descriptions.",
)
def triton(
    bundle: Path,
    out: Path,
    name: str,
    precision: str,
    max_batch: int,
    instances: int,
    processes: int,
) -> None:
    """Write BUNDLE as a repository for NVIDIA's Triton server.

    \b
    Example:
      t2f triton BUNDLE -o models
    """  # noqa: D301 (click's mark is the backspace)
    from t2f_export.triton.repository import TritonSettings, write_triton_repository

    settings = TritonSettings(
        name=name,
        precision=cast("Precision", precision),
        largest_batch=max_batch,
        instances=instances,
        processes=processes,
    )
    models = write_triton_repository(bundle, out, settings)
    click.echo(f"models   {', '.join(models)}")
    click.echo(f"next     tritonserver --model-repository={out}")
