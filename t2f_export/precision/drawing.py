"""Draws with networks that are in memory, and looks at what goes through them."""

from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from t2f_export.errors import PrecisionError
from t2f_export.precision.half import LARGEST, half_tensors
from t2f_export.precision.quantise import Feed
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import LATENT, TOKENS, Reference
from t2f_runtime.generator import FaceGenerator, open_tokenizer
from t2f_runtime.latent import draw_latent
from t2f_runtime.pictures.arrays import Pictures
from t2f_runtime.sessions.onnx_session import OnnxSession
from t2f_runtime.verification import draw_faces


class NetworkPair:
    """A bundle's tokeniser and manifest with networks of any precision, in ONNX Runtime.

    Args:
        bundle: The bundle.
        text_encoder: Its text encoder, in any precision; None for a model without text.
        generator: Its generator, in any precision.
    """

    def __init__(
        self, bundle: Bundle, text_encoder: onnx.ModelProto | None, generator: onnx.ModelProto
    ) -> None:
        self._noise_size = bundle.manifest.noise_size
        self._tokenizer = open_tokenizer(bundle)
        self._faces = FaceGenerator(
            bundle.manifest,
            tokenizer=self._tokenizer,
            text_encoder=None if text_encoder is None else _session(text_encoder),
            generator=_session(generator),
        )

    def draw(self, faces: Sequence[Reference]) -> Pictures:
        """Draws faces: shape `(faces, side, side, 3)`, uint8, RGB."""
        return draw_faces(self._faces, faces)

    def draw_latents(self, feeds: Iterable[Feed]) -> Pictures:
        """Draws what `latents` gave: shape `(faces, side, side, 3)`, uint8, RGB."""
        return np.concatenate([self._faces.draw(feed[LATENT]) for feed in feeds])

    def tokens(self, faces: Sequence[Reference]) -> list[Feed]:
        """What the text encoder gets for each face; none for a model without text."""
        tokenizer = self._tokenizer
        if tokenizer is None:
            return []
        texts = [face.description for face in faces if face.description is not None]
        return [{TOKENS: tokenizer.tokens(text)[np.newaxis]} for text in texts]

    def latents(self, faces: Sequence[Reference]) -> list[Feed]:
        """What the generator gets for each face: the runtime's own noise, and its condition."""
        return [{LATENT: self._latent(face)[np.newaxis]} for face in faces]

    def _latent(self, face: Reference) -> NDArray[np.float32]:
        nothing = np.empty(0, np.float32)
        text = face.description
        mean, log_variance = (nothing, nothing) if text is None else self._faces.condition(text)
        return draw_latent(mean, log_variance, seed=face.seed, index=0, noise_size=self._noise_size)


def check_ranges(model: onnx.ModelProto, half: onnx.ModelProto, feeds: Sequence[Feed]) -> None:
    """Refuses a graph whose values leave float16's range: they would become infinite in silence.

    Args:
        model: The graph in float32, which shows values as they are.
        half: The same in float16, which tells what is to become float16.
        feeds: Real inputs.

    Raises:
        PrecisionError: A value is too large; the message names the layer.
    """
    names = _in_half(model, half)
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    have = {output.name for output in watched.graph.output}
    for name in names:
        if name not in have:
            value = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            watched.graph.output.append(value)
    session = _session(watched)
    for feed in feeds:
        outputs = session.run(feed)
        for name in names:
            largest = float(np.abs(outputs[name]).max())
            if not largest <= LARGEST:
                raise PrecisionError(
                    f"layer {name!r} cannot be float16: it gives {largest:.4g} for a real "
                    f"description, and float16 ends at {np.finfo(np.float16).max:.0f} (with room, "
                    f"{LARGEST:.0f}); leave float16 out, or train with a lower learning rate"
                )


def _in_half(model: onnx.ModelProto, half: onnx.ModelProto) -> list[str]:
    """Values of a float32 graph that are float16 in another, whether there or on their way."""
    made = {name for node in model.graph.node for name in node.output}
    found = half_tensors(half)
    suffixes = ("", "_half", "_as_half")
    return sorted(name for name in made if any(f"{name}{end}" in found for end in suffixes))


def _session(model: onnx.ModelProto) -> OnnxSession:
    return OnnxSession(model.SerializeToString(), threads=None)
