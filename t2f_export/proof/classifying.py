"""Whether a classifier sees in a bundle's pictures what it sees in those of float32."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch

from t2f_export.descriptions import is_readable
from t2f_export.errors import ExportError
from t2f_runtime.bundle.manifest import Precision
from t2f_runtime.cache_folder import cache_folder
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.latent import draw_latent
from t2f_runtime.pictures.arrays import Pictures
from t2f_runtime.proof import ENGINE, AttributeReport
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.tolerances import ATTRIBUTE_POINTS
from t2f_train.data.celeba_traits import ATTRIBUTES
from t2f_train.metrics.attribute_rows import Rows
from t2f_train.metrics.attributes import FEWEST_STATEMENTS, SETTINGS, train_classifier
from t2f_train.metrics.evaluation_data import Photographs, open_evaluation_data
from t2f_train.metrics.stated_attributes import STATEMENTS
from t2f_train.metrics.text_measures import draw_statements
from t2f_train.run_folder import RunRecord

ASKED_EACH: Final = 40
"""Descriptions that are drawn for each thing that descriptions say, at most, as `t2f evaluate`
draws them."""
_SEED: Final = 0


class BundleArtist:
    """Draws with a bundle what evaluation asks for; see `t2f_train.metrics.run_artist.Artist`.

    Args:
        generator: The bundle's.
    """

    def __init__(self, generator: FaceGenerator) -> None:
        self._generator = generator

    def draw(self, descriptions: Sequence[str], *, seed: int, indices: Sequence[int]) -> Pictures:
        """Draws one face a description; see `Artist.draw`."""
        noise_size = self._generator.manifest.noise_size
        latents = [
            draw_latent(
                *self._generator.condition(text), seed=seed, index=index, noise_size=noise_size
            )
            for text, index in zip(descriptions, indices, strict=True)
        ]
        return self._generator.draw(np.stack(latents))


def compare_attributes(
    generators: Mapping[Precision, FaceGenerator],
    tokenizer: Tokenizer | None,
    record: RunRecord,
    folder: Path,
    tell: Callable[[str], None],
) -> list[AttributeReport]:
    """Measures how often what descriptions ask for is seen, in each precision.

    The classifier is that of `t2f evaluate`, from the cache where it was trained before. All
    precisions draw the same held-out descriptions from the same seeds.

    Args:
        generators: By precision, `float32` among them.
        tokenizer: The bundle's; descriptions that it refuses are left out. None for a model without
            text.
        record: The run's.
        folder: Its data.
        tell: Is told what is being done.

    Returns:
        One report for each precision but float32.

    Raises:
        DataError: The data cannot be read, or is not the run's.
        ExportError: It has no attributes, or too few descriptions.
    """

    def progress(task: str, done: int, total: int) -> None:
        if done == 0:
            tell(f"{task} ({total:,})")

    cache = cache_folder()
    side = generators["float32"].image_size
    data = open_evaluation_data(
        record.config,
        folder,
        side=side,
        cache=cache,
        fingerprint=record.data_fingerprint,
        progress=progress,
    )
    if data.training.attributes is None or tokenizer is None:
        raise ExportError(
            "--attributes needs a model that reads descriptions, and data with CelebA's "
            f"attributes; this run read {record.config.data.reader}"
        )
    classifier = train_classifier(
        data.training.pictures,
        data.training.attributes,
        settings=SETTINGS,
        cache=cache,
        device=torch.device("cpu"),
        progress=progress,
    )
    held_out = _readable(data.held_out, tokenizer)
    seen: dict[Precision, Rows] = {}
    stated: list[dict[str, bool]] = []
    for precision, generator in generators.items():
        tell(f"drawing what descriptions ask for in {precision}")
        chosen, pictures = draw_statements(BundleArtist(generator), held_out, ASKED_EACH, _SEED)
        stated = [said for _, _, said in chosen]
        seen[precision] = classifier.sees(pictures)
    return _reports(stated, seen)


def _readable(photographs: Photographs, tokenizer: Tokenizer) -> Photographs:
    """The photographs without those descriptions that a bundle refuses, where training cut them."""
    faces = [
        replace(face, descriptions=tuple(t for t in face.descriptions if is_readable(tokenizer, t)))
        for face in photographs.faces
    ]
    return replace(photographs, faces=faces)


def accuracy(stated: Sequence[Mapping[str, bool]], seen: Rows) -> float | None:
    """How often statements are seen in pictures, averaged over what can be stated.

    Args:
        stated: What the description of each picture states.
        seen: What the classifier sees in it, shape `(pictures, 40)`.

    Returns:
        0 to 1; None if nothing is stated often enough to be measured.
    """
    shares = []
    for attribute, value in STATEMENTS:
        chosen = [n for n, said in enumerate(stated) if said.get(attribute) is value]
        if len(chosen) >= FEWEST_STATEMENTS:
            column = ATTRIBUTES.index(attribute)
            shares.append(float((seen[chosen, column] == value).mean()))
    return float(np.mean(shares)) if shares else None


def _reports(
    stated: Sequence[Mapping[str, bool]], seen: Mapping[Precision, Rows]
) -> list[AttributeReport]:
    full = accuracy(stated, seen["float32"])
    reports = []
    for precision, rows in seen.items():
        share = accuracy(stated, rows)
        if full is None or share is None:
            raise ExportError(
                f"the held-out descriptions state nothing {FEWEST_STATEMENTS} times, so that "
                "--attributes has nothing to measure; leave it out"
            )
        if precision != "float32":
            report = AttributeReport(
                precision=precision,
                engine=ENGINE,
                accuracy=share,
                float32_accuracy=full,
                tolerance=ATTRIBUTE_POINTS,
            )
            reports.append(report)
    return reports
