"""From the files of another program to a bundle."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from t2f_export.bundle_writer import check_is_new
from t2f_export.imported.imported_model import ImportedModel, ImportedText, write_imported
from t2f_export.imported.original_model import read_original_model
from t2f_export.imported.pro_gan_pytorch import read_pro_gan_pytorch
from t2f_export.parity import readable_references
from t2f_runtime.bundle.manifest import Manifest, Reference
from t2f_runtime.latent import draw_noise

PRO_GAN_PYTORCH = "pro-gan-pytorch"
T2F_ORIGINAL = "t2f-original"


def import_pro_gan_pytorch(
    weights: Path, out: Path, *, pixels: int | None = None, licence: str | None = None
) -> Manifest:
    """Makes a bundle without text of a generator that pro_gan_pytorch 3 trained.

    Args:
        weights: The file that its training wrote, such as `models/depth_6_epoch_40.bin`.
        out: The bundle's folder, which must not exist yet.
        pixels: Side of the images; None takes the largest that the generator has.
        licence: Licence of the networks; None where nobody stated one.

    Returns:
        The manifest, with the parity report.

    Raises:
        ForeignModelError: If the file cannot be read safely, or holds another model.
        ExportError: If `out` exists or cannot be written.
        ParityError: If the bundle does not draw what torch draws; there is no bundle then.
    """
    check_is_new(out)
    growing, told = read_pro_gan_pytorch(weights)
    generator = growing.at(pixels, str(weights))

    def draw(reference: Reference) -> Tensor:
        noise = draw_noise(reference.seed, 0, generator.latent_size)
        return generator.draw(torch.from_numpy(noise)[None])

    sizes = {"latent_size": generator.latent_size, "channels": generator.channels}
    model = ImportedModel(
        origin=PRO_GAN_PYTORCH,
        weights=weights,
        text=None,
        generator=generator.freeze(),
        references=readable_references(None),
        draw=draw,
        facts={**told, **sizes},
    )
    return write_imported(model, out, licence=licence)


def import_t2f_original(
    sources: Sequence[Path],
    out: Path,
    *,
    caption_length: int = 100,
    pixels: int | None = None,
    licence: str | None = None,
) -> Manifest:
    """Makes a bundle of a model that the original T2F trained with a text encoder of its own.

    Args:
        sources: Its files and folders; see `find_original_files`.
        out: The bundle's folder, which must not exist yet.
        caption_length: `captions_length` of the configuration that it was trained with.
        pixels: Side of the images; None takes what the name of the generator's file tells, or the
            largest that it has.
        licence: Licence of the networks; None where nobody stated one.

    Returns:
        The manifest, with the parity report.

    Raises:
        ForeignModelError: If a file is missing, cannot be read safely, or does not fit the others.
        ExportError: If `out` exists or cannot be written.
        ParityError: If the bundle does not draw what torch draws; there is no bundle then.
    """
    check_is_new(out)
    original = read_original_model(sources, caption_length=caption_length, pixels=pixels)
    model = ImportedModel(
        origin=T2F_ORIGINAL,
        weights=original.files.generator,
        text=ImportedText(
            tokenizer=original.tokenizer,
            vocabulary=original.vocabulary,
            graph=original.encoder.graph(),
            condition_size=original.encoder.condition_size + 1,
        ),
        generator=original.generator.freeze(),
        references=original.references(),
        draw=original.draw,
        facts=original.facts(),
    )
    return write_imported(model, out, licence=licence)
