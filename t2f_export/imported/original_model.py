"""A model of the original T2F, put together from its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2f_export.errors import ForeignModelError
from t2f_export.imported.grown_generator import GrownGenerator
from t2f_export.imported.original_files import OriginalFiles, find_original_files
from t2f_export.imported.original_generator import read_original_generator
from t2f_export.imported.original_text_encoder import OriginalTextEncoder, read_text_encoder
from t2f_export.imported.original_vocabulary import read_original_vocabulary
from t2f_export.imported.weights_file import NamedTensors, read_bytes, read_weights_file
from t2f_export.parity import readable_references
from t2f_runtime.bundle.manifest import Reference
from t2f_runtime.errors import DescriptionError
from t2f_runtime.latent import draw_noise
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.provenance import sha256_of


@dataclass(frozen=True, slots=True)
class OriginalModel:
    """Text encoder, condition augmentor and generator, as the original draws with them."""

    files: OriginalFiles
    """Where they were read."""
    vocabulary: bytes
    """The words, as a bundle has them."""
    tokenizer: Tokenizer
    """Cuts descriptions into them."""
    encoder: OriginalTextEncoder
    """From tokens to the Gaussian of the condition."""
    generator: GrownGenerator
    """From latents to images."""

    def draw(self, reference: Reference) -> Tensor:
        """Draws a picture as the original does, with the noise of a bundle's runtime.

        Source: `train_networks` in `train_network.py` of akanimax/T2F: the condition and noise are
        joined and go into the generator as they are.

        Args:
            reference: What to draw.

        Returns:
            Shape `(1, 3, side, side)`, RGB, nominally -1 to 1.
        """
        size = self.generator.latent_size
        # The first value belongs to the one that a bundle adds to the condition.
        noise = torch.from_numpy(draw_noise(reference.seed, 0, 1 + size)[1:])[None]
        tokens = torch.from_numpy(self.tokenizer.tokens(reference.description or ""))[None]
        mean, deviation = self.encoder.read(tokens)
        condition = mean + deviation * noise[:, : mean.shape[1]]
        return self.generator.draw(torch.cat([condition, noise[:, mean.shape[1] :]], dim=1))

    def references(self) -> tuple[Reference, ...]:
        """What to draw to compare: what the vocabulary can read; its first word if nothing."""
        readable = []
        for reference in readable_references(self.tokenizer):
            try:
                self.tokenizer.tokens(reference.description or "")
            except DescriptionError:
                continue
            readable.append(reference)
        word = self.vocabulary.decode().split("\n")[2]
        return tuple(readable) or (Reference(description=word, seed=0),)

    def facts(self) -> dict[str, Any]:
        """All that the files tell, for the manifest."""
        files = self.files
        parts = (files.encoder, files.augmentor, files.generator, files.vocabulary)
        return {
            "files": {path.name: sha256_of(read_bytes(path)) for path in parts},
            "captions_length": self.encoder.caption_length,
            "embedding_size": self.encoder.embedding.shape[1],
            "hidden_size": self.encoder.lstm.hidden_size,
            "num_layers": self.encoder.lstm.num_layers,
            "ca_out_size": self.encoder.condition_size,
            "latent_size": self.generator.latent_size,
            "channels": self.generator.channels,
        }


def read_original_model(
    sources: Sequence[Path], *, caption_length: int, pixels: int | None
) -> OriginalModel:
    """Reads a model of the original T2F.

    Args:
        sources: Its files and folders; see `find_original_files`.
        caption_length: `captions_length` of the configuration that it was trained with.
        pixels: Side of the images; None takes what the name of the generator's file tells, or the
            largest that it has.

    Raises:
        ForeignModelError: If a file is missing, cannot be read safely, or does not fit the others.
    """
    files = find_original_files(sources)
    vocabulary = read_original_vocabulary(files.vocabulary)
    encoder = read_text_encoder(
        _tensors(files.encoder), _tensors(files.augmentor), caption_length=caption_length
    )
    if pixels is None and files.depth is not None:
        pixels = 4 << files.depth
    growing = read_original_generator(_tensors(files.generator))
    model = OriginalModel(
        files=files,
        vocabulary=vocabulary,
        tokenizer=Tokenizer(vocabulary, kind="words", maximum_tokens=caption_length),
        encoder=encoder,
        generator=growing.at(pixels, str(files.generator)),
    )
    _check_fit(model)
    return model


def _tensors(path: Path) -> NamedTensors:
    return NamedTensors(read_weights_file(path), str(path))


def _check_fit(model: OriginalModel) -> None:
    words, rows = model.tokenizer.vocabulary_size, len(model.encoder.embedding)
    if words != rows:
        raise ForeignModelError(
            f"{model.files.vocabulary} has {words} words, but {model.files.encoder} knows {rows}; "
            f"give the vocabulary that the model was trained with"
        )
    condition, latent = model.encoder.condition_size, model.generator.latent_size
    if condition >= latent:
        raise ForeignModelError(
            f"{model.files.augmentor} gives conditions of {condition} numbers, but the latent of "
            f"{model.files.generator} has {latent}, noise included; take both from the same "
            f"training run"
        )
