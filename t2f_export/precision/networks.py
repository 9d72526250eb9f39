"""Makes the networks of further precisions from a bundle's float32 graphs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import onnx

from t2f_export.descriptions import Descriptions, descriptions_of_manifest
from t2f_export.errors import PrecisionError
from t2f_export.precision.drawing import NetworkPair, check_ranges
from t2f_export.precision.half import half_graph
from t2f_export.precision.sensitivity import QuantisedNetwork, quantise_within
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import (
    Calibration,
    Graph,
    Graphs,
    Precision,
    generator_graph,
    text_encoder_graph,
)
from t2f_runtime.generator import open_tokenizer
from t2f_runtime.pictures.arrays import Pictures

CALIBRATION_FACES: Final = 64
"""Faces that ranges are measured on."""
COMPARED_FACES: Final = 16
"""Other faces, which sensitivity is measured on."""
_FIRST_COMPARED_SEED: Final = 1_000_000

ENDINGS: Final[dict[Precision, str]] = {"float16": "fp16", "int8": "int8"}
"""How files of a precision end: `generator.fp16.onnx`."""

_RECURRENT: Final = frozenset({"GRU", "LSTM", "RNN"})

Tell = Callable[[str], None]
"""Is told, in words, what is being done."""


@dataclass(slots=True)
class NewNetworks:
    """The networks of further precisions, before they are written."""

    graphs: dict[Precision, Graphs] = field(default_factory=dict)
    """What the manifest is to say of them."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Their ONNX files, by name."""


def make_networks(
    bundle: Bundle, precisions: Sequence[Precision], descriptions: Descriptions | None, tell: Tell
) -> NewNetworks:
    """Makes networks of further precisions.

    Args:
        bundle: The bundle.
        precisions: `float16`, `int8` or both.
        descriptions: What float16's ranges are checked and INT8 is calibrated with; None takes the
            bundle's references.
        tell: Is told what is being done.

    Raises:
        ExportError: The model reads none of the descriptions.
        PrecisionError: A network cannot be had in a precision.
    """
    return _Maker(bundle, descriptions or descriptions_of_manifest(bundle.manifest), tell).make(
        precisions
    )


def file_of(network: str, precision: Precision) -> str:
    """Name of a network's file: `generator.fp16.onnx`."""
    return f"{network}.{ENDINGS[precision]}.onnx"


class _Maker:
    def __init__(self, bundle: Bundle, descriptions: Descriptions, tell: Tell) -> None:
        graphs = bundle.graphs("float32")
        self._manifest = bundle.manifest
        self._bundle = bundle
        self._tell = tell
        self._text_encoder = _load(bundle, graphs.text_encoder)
        self._generator = onnx.load_from_string(bundle.read(graphs.generator.file))
        self._float32 = NetworkPair(bundle, self._text_encoder, self._generator)
        both = CALIBRATION_FACES + COMPARED_FACES
        chosen = descriptions.chosen(open_tokenizer(bundle), both)
        # Every fifth description is compared, the others calibrate: where there are enough.
        few = len(chosen.texts) < 5
        compared = chosen.texts if few else chosen.texts[4::5]
        calibrating = chosen.texts if few else tuple(t for t in chosen.texts if t not in compared)
        self._descriptions = Descriptions(chosen.source, calibrating)
        self._calibrated = self._descriptions.faces(CALIBRATION_FACES, first_seed=0)
        self._compared = Descriptions(chosen.source, compared).faces(
            COMPARED_FACES, first_seed=_FIRST_COMPARED_SEED
        )
        self._tokens = self._float32.tokens(self._calibrated)
        self._latents = self._float32.latents(self._calibrated)
        self._new = NewNetworks()

    def make(self, precisions: Sequence[Precision]) -> NewNetworks:
        for precision in dict.fromkeys(precisions):
            match precision:
                case "float16":
                    self._make_float16()
                case "int8":
                    self._make_int8()
                case _:
                    raise PrecisionError(
                        f"networks of precision '{precision}' cannot be made; "
                        f"{', '.join(ENDINGS)} can"
                    )
        return self._new

    def _make_float16(self) -> None:
        self._tell(f"float16: checking the ranges of {len(self._latents)} faces")
        generator = half_graph(self._generator)
        check_ranges(self._generator, generator, self._latents)
        text_encoder = self._half_text_encoder()
        self._new.graphs["float16"] = Graphs(
            text_encoder=text_encoder, generator=self._add_generator("float16", generator)
        )

    def _make_int8(self) -> None:
        self._tell(f"int8: calibrating on {len(self._latents)} faces")
        compared = self._float32.latents(self._compared)

        def draw(generator: onnx.ModelProto) -> Pictures:
            return NetworkPair(self._bundle, self._text_encoder, generator).draw_latents(compared)

        generator = quantise_within("generator", self._generator, self._latents, draw)
        layers = generator.layers
        text_encoder = None
        if self._text_encoder is not None and _is_recurrent(self._text_encoder):
            # TensorRT reads no LSTM in INT8, nor does ONNX Runtime's Q/DQ quantiser write one. It
            # is small, too: float16 halves it and keeps the pictures.
            text_encoder = self._half_text_encoder()
        elif self._text_encoder is not None:
            quantised = self._quantised_text_encoder(self._text_encoder)
            layers = (*layers, *quantised.layers)
            text_encoder = self._add_text_encoder("int8", quantised.model)
        self._new.graphs["int8"] = Graphs(
            text_encoder=text_encoder,
            generator=self._add_generator("int8", generator.model),
            calibration=Calibration(
                source=self._descriptions.source,
                descriptions=len(self._descriptions.texts),
                descriptions_sha256=self._descriptions.sha256,
                faces=len(self._latents),
            ),
            layers=layers,
        )

    def _half_text_encoder(self) -> Graph | None:
        """The text encoder in float16, which precisions may share."""
        if self._text_encoder is None:
            return None
        name = file_of("text_encoder", "float16")
        if name not in self._new.files:
            half = half_graph(self._text_encoder)
            check_ranges(self._text_encoder, half, self._tokens)
            self._new.files[name] = half.SerializeToString(deterministic=True)
        return text_encoder_graph(name, self._manifest.condition_size)

    def _quantised_text_encoder(self, model: onnx.ModelProto) -> QuantisedNetwork:
        self._tell("int8: calibrating the text encoder")

        def draw(text_encoder: onnx.ModelProto) -> Pictures:
            return NetworkPair(self._bundle, text_encoder, self._generator).draw(self._compared)

        return quantise_within("text_encoder", model, self._tokens, draw)

    def _add_generator(self, precision: Precision, model: onnx.ModelProto) -> Graph:
        name = file_of("generator", precision)
        self._new.files[name] = model.SerializeToString(deterministic=True)
        return generator_graph(name, self._manifest.latent_size, self._manifest.image_size)

    def _add_text_encoder(self, precision: Precision, model: onnx.ModelProto) -> Graph:
        name = file_of("text_encoder", precision)
        self._new.files[name] = model.SerializeToString(deterministic=True)
        return text_encoder_graph(name, self._manifest.condition_size)


def _load(bundle: Bundle, graph: Graph | None) -> onnx.ModelProto | None:
    return None if graph is None else onnx.load_from_string(bundle.read(graph.file))


def _is_recurrent(model: onnx.ModelProto) -> bool:
    return any(node.op_type in _RECURRENT for node in model.graph.node)
