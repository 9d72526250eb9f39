"""Runs inside NVIDIA's Triton inference server: descriptions and seeds in, faces out.

`t2f triton` copies this file into a model repository as `model.py`; only Triton imports it. It
reads descriptions and draws noise as a kiosk does, with `t2f_runtime`, which must be installed for
Triton's Python; the networks are models of their own in the same server. Source of the interface:
the README of triton-inference-server/python_backend.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]
from numpy.typing import NDArray

from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.manifest import IMAGE, LATENT, MANIFEST, Manifest, decode_manifest
from t2f_runtime.errors import BundleError, DescriptionError, EngineError, T2FError
from t2f_runtime.latent import draw_latent
from t2f_runtime.text.tokenizer import Tokenizer

TEXT = "text"
SEED = "seed"
INDEX = "index"

_NO_CONDITION = np.empty(0, np.float32)


class ServedNetwork:
    """A network that is another model of the server.

    Args:
        model: Its name there.
        outputs: Names of what it gives.
    """

    def __init__(self, model: str, outputs: Sequence[str]) -> None:
        self._model = model
        self._outputs = list(outputs)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Maps input names to arrays, output names to arrays; see `t2f_runtime`'s `Session`.

        Raises:
            EngineError: The server could not run it.
        """
        request = pb_utils.InferenceRequest(
            model_name=self._model,
            requested_output_names=self._outputs,
            inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
            # Outputs stay on the GPU otherwise, where numpy cannot read them.
            preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
        )
        response = request.exec()
        if response.has_error():
            raise EngineError(f"{self._model}: {response.error().message()}")
        return {
            name: pb_utils.get_output_tensor_by_name(response, name).as_numpy()
            for name in self._outputs
        }


class TritonPythonModel:
    """What Triton calls; the name is Triton's."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Opens what lies beside this file; called once.

        Args:
            args: Triton's own: `model_config` is the configuration as JSON.

        Raises:
            BundleError: The manifest or the tokenizer is not what was written.
        """
        parameters = json.loads(args["model_config"])["parameters"]
        names = {key: entry["string_value"] for key, entry in parameters.items()}
        folder = Path(__file__).parent
        manifest = decode_manifest((folder / MANIFEST).read_bytes())
        graphs = manifest.graphs["float32"]  # whose tensors those of every precision equal
        encoder = graphs.text_encoder
        self._manifest = manifest
        self._generator = ServedNetwork(names["t2f_generator"], [IMAGE])
        self._faces = FaceGenerator(
            manifest,
            tokenizer=_open_tokenizer(folder, manifest),
            text_encoder=ServedNetwork(
                names["t2f_text_encoder"], [tensor.name for tensor in encoder.outputs]
            )
            if encoder
            else None,
            generator=self._generator,
        )

    def execute(self, requests: Sequence[object]) -> list[object]:
        """Answers requests, each with faces or with an error of its own."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: object) -> object:
        try:
            latents = self._latents(request)
            # One run for the rows of a request; the server joins those of several requests.
            pictures = self._generator.run({LATENT: latents})[IMAGE]
        except T2FError as error:
            is_callers = isinstance(error, DescriptionError)
            code = pb_utils.TritonError.INVALID_ARG if is_callers else pb_utils.TritonError.INTERNAL
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor(IMAGE, pictures)])

    def _latents(self, request: object) -> NDArray[np.float32]:
        """Latents of a request's rows: shape `(rows, latent)`."""
        seeds = pb_utils.get_input_tensor_by_name(request, SEED).as_numpy()[:, 0]
        given = pb_utils.get_input_tensor_by_name(request, INDEX)
        indices = np.zeros_like(seeds) if given is None else given.as_numpy()[:, 0]
        conditions = self._conditions(request, len(seeds))
        latents = [
            draw_latent(
                *condition,
                seed=int(seed),
                index=int(index),
                noise_size=self._manifest.noise_size,
            )
            for condition, seed, index in zip(conditions, seeds, indices, strict=True)
        ]
        return np.stack(latents)

    def _conditions(
        self, request: object, rows: int
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        if not self._faces.takes_text:
            return [(_NO_CONDITION, _NO_CONDITION)] * rows
        texts = pb_utils.get_input_tensor_by_name(request, TEXT).as_numpy()[:, 0]
        return [self._faces.condition(_decoded(text)) for text in texts]


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise DescriptionError(f"the description is not UTF-8 at byte {error.start}") from error


def _open_tokenizer(folder: Path, manifest: Manifest) -> Tokenizer | None:
    text = manifest.text
    if text is None:
        return None
    content = (folder / text.tokenizer).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest.files[text.tokenizer].sha256:
        raise BundleError(
            f"{folder / text.tokenizer} is altered; write the repository again with: t2f triton"
        )
    return Tokenizer(
        content,
        kind=text.kind,
        maximum_tokens=text.maximum_tokens,
        maximum_characters=text.maximum_characters,
    )
