"""Warm start: a run that begins from the weights of another, to fine-tune it on other data."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sentencepiece import sentencepiece_model_pb2
from torch import Tensor, nn

from t2f_train.checkpoint import latest_checkpoint, read_state, read_weights
from t2f_train.config import Config
from t2f_train.errors import ConfigError, RunError
from t2f_train.run_folder import Origin, RunFolder, RunRecord, TokenizerChoice
from t2f_train.tokenizer import train_tokenizer
from t2f_train.training_step import Networks

EMBEDDING = "text_encoder.embedding.weight"
"""The one weight that may be taller than it was: an extended tokeniser has further tokens."""


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Another run, read and checked as far as it can be without the new one's networks.

    Args:
        origin: What the new run records.
        record: What the other run is.
        checkpoint: The other run's newest checkpoint.
        tokenizer: Its SentencePiece model; None of a model without text.
        folder: The other run's folder.
    """

    origin: Origin
    record: RunRecord
    checkpoint: Path
    tokenizer: bytes | None
    folder: Path

    @classmethod
    def read(cls, run: Path, tokenizer: TokenizerChoice) -> "WarmStart":
        """Reads the run to start from.

        Raises:
            RunError: If it holds no run or no checkpoint, or is damaged.
        """
        folder = RunFolder(run)
        record = folder.read_record()
        checkpoint = latest_checkpoint(folder.checkpoints)
        if checkpoint is None:
            raise RunError(f"{run} has no checkpoint to start from; train it first")
        state = read_state(checkpoint)
        model = None if record.tokenizer_sha256 is None else folder.read_tokenizer(record)
        origin = Origin(
            run=str(run),
            weights_sha256=state.weights_sha256,
            images_seen=state.place.images_seen,
            tokenizer=tokenizer,
        )
        return cls(origin, record, checkpoint, model, run)

    def check_fits(self, config: Config) -> None:
        """Checks that the new run reads descriptions in the same way.

        Raises:
            ConfigError: If not.
        """
        old, new = self.record.config.text, config.text
        if old.encoder != new.encoder:
            raise ConfigError(
                f"text.encoder is {new.encoder!r}, but {self.origin.run} has {old.encoder!r}; "
                f"a warm start needs the same"
            )
        if new.encoder == "minilm" and self.origin.tokenizer == "extend":
            raise ConfigError(
                "the vocabulary of text.encoder 'minilm' is as fixed as its weights and cannot be "
                "extended; it knows common English words: keep it"
            )

    def make_tokenizer(self, descriptions: Iterable[str], vocabulary_size: int) -> bytes:
        """The new run's tokeniser.

        Args:
            descriptions: The new run's descriptions.
            vocabulary_size: Most tokens of a tokeniser of their own, when it is to be extended.

        Raises:
            ConfigError: As of `train_tokenizer`.
        """
        if self.tokenizer is None:
            raise ConfigError(f"{self.origin.run} has no tokeniser: its model has no text")
        if self.origin.tokenizer == "keep":
            return self.tokenizer
        return extend_tokenizer(self.tokenizer, train_tokenizer(descriptions, vocabulary_size))

    def put_into(self, networks: Networks) -> list[str]:
        """Puts the other run's weights wherever the new networks have the same layer.

        Layers of higher resolutions than the other run reached, tokens that it did not know, and
        a second head that it did not have keep their fresh weights.

        Returns:
            Names of the weights that stay fresh.

        Raises:
            ConfigError: If a layer has another size in the other run.
        """
        fresh: list[str] = []
        for part, module in (
            ("model", networks.model),
            ("averaged", networks.averaged),
            ("discriminator", networks.discriminator),
        ):
            old = read_weights(self.checkpoint, part)
            fresh += [f"{part}.{name}" for name in self._put_part(module, old, part)]
        return fresh

    def _put_part(self, module: nn.Module, old: dict[str, Tensor], part: str) -> list[str]:
        weights = module.state_dict()
        fresh = []
        for name, weight in weights.items():
            if name not in old:
                fresh.append(name)
                continue
            rows = len(old[name]) if name == EMBEDDING else len(weight)
            if weight[:rows].shape != old[name].shape:
                raise ConfigError(
                    f"{part}.{name} has the shape {tuple(weight.shape)} with this configuration, "
                    f"but {tuple(old[name].shape)} in {self.origin.run}; a warm start needs the "
                    f"same sizes in [text] and [model] and the same phases.channels"
                )
            weight[:rows].copy_(old[name])
        module.load_state_dict(weights)  # which compares what stands for pretrained weights
        return fresh


def extend_tokenizer(model: bytes, further: bytes) -> bytes:
    """Adds the tokens of another SentencePiece model behind those of a first.

    The first model's tokens keep their numbers, so that what was learnt about them holds. Scores
    are log-probabilities of two texts; the added ones are shifted so that the tokens which both
    models have agree on average.

    Args:
        model: The model to extend.
        further: The one whose tokens are added where the first lacks them.

    Returns:
        The extended model; equal for equal arguments.
    """
    extended = sentencepiece_model_pb2.ModelProto.FromString(model)
    other = sentencepiece_model_pb2.ModelProto.FromString(further)
    normal = sentencepiece_model_pb2.ModelProto.SentencePiece.NORMAL
    scores = {piece.piece: piece.score for piece in extended.pieces}
    added = [piece for piece in other.pieces if piece.type == normal]
    shifts = [scores[p.piece] - p.score for p in added if p.piece in scores]
    shift = sum(shifts) / len(shifts) if shifts else 0.0
    for piece in added:
        if piece.piece not in scores:
            extended.pieces.add(piece=piece.piece, score=piece.score + shift, type=normal)
    extended.trainer_spec.vocab_size = len(extended.pieces)
    extended_model: bytes = extended.SerializeToString(deterministic=True)
    return extended_model
