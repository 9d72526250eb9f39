"""The original T2F's text encoder and condition augmentor: run with torch, or written in ONNX.

Sources, in akanimax/T2F: `networks/TextEncoder.py` (`Encoder`), `networks/ConditionAugmentation.py`
(`ConditionAugmentor`), and `Face2TextDataset` in `data_processing/DataLoader.py`, which pads every
description to one length. Three things are other than in T2F's own text encoder:

- The LSTM reads on through the padding, so that its last state has seen it. The padding's embedding
  is 0. The graph appends as many zeros as there were, whatever the length of its input.
- The LSTM has several layers.
- The augmentor predicts a deviation, by ReLU and with 1e-12 added. A bundle has the logarithm of
  the variance, which is twice that of the deviation; the runtime's `exp(log_variance / 2)` gives
  the deviation back, 1e-12 where ReLU gave 0.

A bundle's runtime puts every latent on the hypersphere, which the original does not. So its
condition has one more value, in front: a 1 without deviation, which the generator divides by
(`FrozenGenerator.has_scale`).
"""

from dataclasses import dataclass

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper
from torch import Tensor, nn

from t2f_export.errors import ForeignModelError
from t2f_export.frozen_model import Array
from t2f_export.imported.weights_file import NamedTensors
from t2f_export.onnx_graph import GraphBuilder, onnx_gates
from t2f_runtime.bundle.manifest import (
    BATCH,
    CONDITION_LOG_VARIANCE,
    CONDITION_MEAN,
    LENGTH,
    TOKENS,
)

LEAST_DEVIATION = 1e-12
"""What the augmentor adds to every deviation."""

CONDITION_NAMES = (CONDITION_MEAN, CONDITION_LOG_VARIANCE)


@dataclass(frozen=True, slots=True)
class OriginalTextEncoder:
    """From tokens to the Gaussian of the condition."""

    embedding: Tensor
    """Shape `(vocabulary, embedding)`; zeros in the row of padding."""
    lstm: nn.LSTM
    """All its layers; the rows of a batch come first."""
    weight: Tensor
    """The augmentor's, with its scale, shape `(2 condition, sentence)`: means, then deviations."""
    bias: Tensor
    """Shape `(2 condition,)`."""
    caption_length: int
    """Tokens of a description with its padding."""

    @property
    def condition_size(self) -> int:
        """Length of the original's condition, without the value that a bundle adds."""
        return len(self.bias) // 2

    @torch.no_grad()
    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Reads descriptions as the original does.

        Args:
            tokens: Shape `(batch, length)`, int64, at most `caption_length` long, padded with 0.

        Returns:
            Mean and deviation of the condition, shape `(batch, condition)` each.
        """
        padded = F.pad(tokens, (0, self.caption_length - tokens.shape[1]))
        states, _ = self.lstm(F.embedding(padded, self.embedding))
        mean, deviation = F.linear(states[:, -1], self.weight, self.bias).chunk(2, dim=1)
        return mean, deviation.relu() + LEAST_DEVIATION

    def graph(self) -> onnx.ModelProto:
        """The graph from tokens to the mean and log-variance of the bundle's condition."""
        build = GraphBuilder()
        sentence = _read(build, self)
        for name, first, weight, bias in zip(
            ("mean", "deviation"),
            (1.0, 0.0),  # of the value that is added in front
            self.weight.chunk(2),
            self.bias.chunk(2),
            strict=True,
        ):
            inputs = [
                sentence,
                build.weight(f"{name}_weight", _array(F.pad(weight, (0, 0, 1, 0)))),
                build.weight(f"{name}_bias", _array(F.pad(bias, (1, 0), value=first))),
            ]
            output = CONDITION_MEAN if name == "mean" else "deviation_sum"
            build.node("Gemm", inputs, output, transB=1)
        _to_log_variance(build, "deviation_sum")
        return build.model(
            "text_encoder",
            [helper.make_tensor_value_info(TOKENS, TensorProto.INT64, [BATCH, LENGTH])],
            [
                helper.make_tensor_value_info(
                    name, TensorProto.FLOAT, [BATCH, self.condition_size + 1]
                )
                for name in CONDITION_NAMES
            ],
        )


def read_text_encoder(
    encoder: NamedTensors, augmentor: NamedTensors, *, caption_length: int
) -> OriginalTextEncoder:
    """Puts the tensors of both files together; all sizes are told by the tensors.

    Args:
        encoder: Of `Encoder_N.pth`.
        augmentor: Of `Condition_Augmentor_N.pth`.
        caption_length: `captions_length` of the original's configuration.

    Raises:
        ForeignModelError: If tensors are missing, too many, or do not fit each other.
    """
    vocabulary_size, embedding_size = encoder.sizes("network.0.weight", 2)
    sentence_size = encoder.sizes("network.1.weight_hh_l0", 2)[1]
    layers = encoder.count("network.1.weight_ih_l{}")
    embedding = encoder.take("network.0.weight", vocabulary_size, embedding_size)
    if embedding[0].any():
        raise ForeignModelError(
            "the text encoder's embedding of padding is not 0, which the original's Encoder keeps "
            "it at; another program made the file"
        )
    lstm = nn.LSTM(embedding_size, sentence_size, layers, batch_first=True)
    lstm.load_state_dict(
        {
            name: encoder.take(f"network.1.{name}", *parameter.shape)
            for name, parameter in lstm.named_parameters()
        }
    )
    encoder.check_all_taken()
    weight, bias, scale = take_linear(augmentor, "transformer", sentence_size)
    augmentor.check_all_taken()
    return OriginalTextEncoder(
        embedding=embedding,
        lstm=lstm.eval(),
        weight=weight * scale,
        bias=bias,
        caption_length=caption_length,
    )


def take_linear(tensors: NamedTensors, name: str, inputs: int) -> tuple[Tensor, Tensor, float]:
    """Takes a fully connected layer, with or without an equalised learning rate.

    Args:
        tensors: Where it is.
        name: Its name.
        inputs: Length of what it takes.

    Returns:
        Weight of shape `(outputs, inputs)`, bias, and the factor of the weight.

    Raises:
        ForeignModelError: If there is none, or it takes something else.
    """
    inner = f"{name}.linear"
    has_scale = f"{inner}.weight" in tensors
    weight_name = f"{inner}.weight" if has_scale else f"{name}.weight"
    outputs, found = tensors.sizes(weight_name, 2)
    if found != inputs:
        raise ForeignModelError(
            f"the condition augmentor reads sentences of {found} numbers, but the text encoder "
            f"makes {inputs}; take both from the same training run, one with an LSTM of its own "
            f"(use_pretrained_encoder: False)"
        )
    weight = tensors.take(weight_name, outputs, inputs)
    bias = tensors.take(f"{name}.bias", outputs)
    if f"{inner}.bias" in tensors:
        bias = bias + tensors.take(f"{inner}.bias", outputs)
    return weight, bias, inputs**-0.5 if has_scale else 1.0


def _read(build: GraphBuilder, encoder: OriginalTextEncoder) -> str:
    """Embeds, pads with zeros to the caption length, and reads with the LSTM."""
    length = encoder.caption_length
    table = build.weight("embedding", _array(encoder.embedding))
    embedded = build.node("Gather", [table, TOKENS], "embedded")
    ends = build.weight("padding", np.array([0, 0, 0, 0, length, 0], np.int64))
    padded = build.node("Pad", [embedded, ends], "padded")
    bounds = [
        build.weight(f"caption_{name}", np.array([value], np.int64))
        for name, value in (("start", 0), ("end", length), ("axis", 1))
    ]
    caption = build.node("Slice", [padded, *bounds], "caption")
    features = build.node("Transpose", [caption], "caption_by_length", perm=[1, 0, 2])
    return _run_lstm(build, features, encoder.lstm)


def _run_lstm(build: GraphBuilder, features: str, lstm: nn.LSTM) -> str:
    """Reads `(length, batch, embedding)`; returns the last layer's last state."""
    direction = build.weight("direction_axis", np.array([1], np.int64))
    for layer in range(lstm.num_layers):
        states, last = f"lstm_{layer}_states", f"lstm_{layer}_last"
        is_last = layer == lstm.num_layers - 1
        build.nodes.append(
            helper.make_node(
                "LSTM",
                [features, *_lstm_weights(build, lstm, layer)],
                ["", last] if is_last else [states],
                name=f"lstm_{layer}",
                hidden_size=lstm.hidden_size,
            )
        )
        if not is_last:
            features = build.node("Squeeze", [states, direction], f"lstm_{layer}_features")
    first = build.weight("layer_axis", np.array([0], np.int64))
    return build.node("Squeeze", [last, first], "sentence")


def _lstm_weights(build: GraphBuilder, lstm: nn.LSTM, layer: int) -> list[str]:
    """The weights, recurrent weights and biases of a layer, as ONNX orders them."""
    weights = {
        name: onnx_gates(_array(lstm.get_parameter(f"{name}_l{layer}")))
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    bias = np.concatenate([weights["bias_ih"], weights["bias_hh"]])
    return [
        build.weight(f"lstm_{layer}_input_weight", weights["weight_ih"][None]),
        build.weight(f"lstm_{layer}_state_weight", weights["weight_hh"][None]),
        build.weight(f"lstm_{layer}_bias", bias[None]),
    ]


def _to_log_variance(build: GraphBuilder, deviation: str) -> str:
    positive = build.node("Relu", [deviation], "deviation_positive")
    least = build.weight("least_deviation", np.array(LEAST_DEVIATION, np.float32))
    floored = build.node("Add", [positive, least], "deviation")
    logarithm = build.node("Log", [floored], "deviation_logarithm")
    two = build.weight("two", np.array(2.0, np.float32))
    return build.node("Mul", [logarithm, two], CONDITION_LOG_VARIANCE)


def _array(tensor: Tensor) -> Array:
    return tensor.detach().contiguous().numpy()
