"""Writes a bundle as a model repository of NVIDIA's Triton inference server, for a fleet.

Five models, named after one name:

- `NAME_text_encoder` and `NAME_generator`: the bundle's networks, byte for byte.
- `NAME_latent`: the step between them, a small graph of its own.
- `NAME_from_tokens`: an ensemble of the three, `tokens` and `noise` in, `image` out. It needs no
  Python in the server, and its client cuts the description and draws the noise with `t2f_runtime`,
  so that a seed means the same face as on a kiosk. Triton cannot cut text without Python.
- `NAME`: `text` and `seed` in, `image` out, for clients that have no T2F; `model.py` in
  Triton's Python backend.

A bundle without text has no text encoder; its ensemble is named `NAME_from_noise`.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from t2f_export.errors import ExportError
from t2f_export.triton.config import (
    Message,
    Serving,
    ensemble_config,
    graph_config,
    python_config,
    random_warmup,
    tensorrt_policy,
    to_text,
)
from t2f_export.triton.latent import NOISE, latent_graph, latent_step
from t2f_runtime.atomic_files import new_folder
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import BATCH, MANIFEST, Graph, Precision, Tensor, encode_manifest

CONFIG = "config.pbtxt"
VERSION = "1"
NETWORK = "model.onnx"
PROGRAM = "model.py"
"""The names under which Triton looks for configurations, networks and programs."""

GENERATOR_DELAY_US = 2000
"""How long a face waits for others to be drawn with it; nobody at a kiosk notices 2 ms."""
SHORT_DELAY_US = 100
"""The same of the two small models."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonSettings:
    """What an operator decides."""

    name: str = "faces"
    """What the models are named after."""
    precision: Precision = "float32"
    """Precision of the networks."""
    largest_batch: int = 16
    """Most faces of one run."""
    instances: int = 1
    """How many generators and text encoders run at once, on each GPU or on the CPU."""
    processes: int = 4
    """How many processes read descriptions at once; each waits while its face is drawn, so that
    no more than so many requests meet in a batch."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ExportError(
                f"{self.name!r:.80} cannot name models; use letters, digits, _ and -, 64 at most"
            )


def write_triton_repository(
    bundle: Path, out: Path, settings: TritonSettings | None = None
) -> tuple[str, ...]:
    """Writes a model repository.

    Args:
        bundle: The bundle's folder; all its files are held against their hashes.
        out: The repository: a new folder.
        settings: What an operator decides.

    Returns:
        The models' names.

    Raises:
        BundleError: The bundle is missing, altered, or lacks the precision.
        ExportError: If `out` exists or cannot be written.
    """
    settings = settings or TritonSettings()
    if out.exists():
        raise ExportError(f"{out} exists already; name a new folder, or remove it first")
    models = _Models(Bundle.open(bundle, keep=settings.precision), settings).all()
    try:
        with new_folder(out) as unfinished:
            for name, contents in models.items():
                # An ensemble has an empty folder for its version.
                (unfinished / name / VERSION).mkdir(parents=True)
                for path, content in contents.items():
                    (unfinished / name / path).write_bytes(content)
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error}") from error
    return tuple(models)


class _Models:
    """The models of a repository: their files, by path, by name."""

    def __init__(self, bundle: Bundle, settings: TritonSettings) -> None:
        self._bundle = bundle
        self._settings = settings
        manifest = bundle.manifest
        self._manifest = manifest
        graphs = manifest.graphs[settings.precision]
        self._text_encoder = graphs.text_encoder
        self._generator = graphs.generator
        sizes = {"condition_size": manifest.condition_size, "latent_size": manifest.latent_size}
        self._latent = latent_step(NETWORK, **sizes)

    def all(self) -> dict[str, dict[str, bytes]]:
        """All models, those that others need first."""
        network = f"{VERSION}/{NETWORK}"
        models = {}
        if self._text_encoder is not None:
            models[self._name("text_encoder")] = {
                CONFIG: self._config(self._graph("text_encoder", self._text_encoder)),
                network: self._bundle.read(self._text_encoder.file),
            }
        step = latent_graph(self._latent).SerializeToString(deterministic=True)
        models[self._name("latent")] = {CONFIG: self._config(self._latent_config()), network: step}
        models[self._name("generator")] = {
            CONFIG: self._generator_config(),
            network: self._bundle.read(self._generator.file),
        }
        models[self._name(self._ensemble)] = {CONFIG: self._config(self._ensemble_config())}
        models[self._settings.name] = self._program()
        return models

    @property
    def _ensemble(self) -> str:
        return "from_noise" if self._text_encoder is None else "from_tokens"

    def _name(self, part: str) -> str:
        return f"{self._settings.name}_{part}"

    def _serving(self, name: str, **more: str) -> Serving:
        facts = {
            "t2f_bundle": self._bundle.bundle_id,
            "t2f_bundle_name": self._manifest.name,
            "t2f_licence": self._manifest.licence or "not stated",
            "t2f_precision": self._settings.precision,
        }
        batch = self._settings.largest_batch
        return Serving(name=name, largest_batch=batch, facts={**facts, **more})

    def _graph(self, part: str, graph: Graph, delay_us: int = SHORT_DELAY_US) -> Message:
        return graph_config(
            self._serving(self._name(part)),
            graph,
            kind="KIND_AUTO",
            instances=self._settings.instances,
            delay_us=delay_us,
        )

    def _latent_config(self) -> Message:
        serving = self._serving(self._name("latent"))
        return graph_config(
            serving, self._latent, kind="KIND_CPU", instances=1, delay_us=SHORT_DELAY_US
        )

    def _generator_config(self) -> bytes:
        latent = self._generator.inputs[0]
        config = self._graph("generator", self._generator, GENERATOR_DELAY_US)
        text = to_text({**config, "model_warmup": [random_warmup(latent)]})
        policy = to_text({"optimization": tensorrt_policy(latent, self._settings.largest_batch)})
        noted = "".join(f"# {line}\n" for line in policy.splitlines())
        return (
            f"{text}\n# On NVIDIA GPUs, to draw faster: take the marks off the lines below, and\n"
            f"# compare the faces with those of the float32 network before anyone relies on them.\n"
            f"# TensorRT builds its engine at the first start, which takes minutes.\n{noted}"
        ).encode()

    def _ensemble_config(self) -> Message:
        steps = [("latent", self._latent), ("generator", self._generator)]
        inputs = [tensor for tensor in self._latent.inputs if tensor.name == NOISE]
        if self._text_encoder is not None:
            steps.insert(0, ("text_encoder", self._text_encoder))
            inputs.insert(0, self._text_encoder.inputs[0])
        return ensemble_config(
            self._serving(self._name(self._ensemble)),
            inputs=inputs,
            outputs=self._generator.outputs,
            steps=[(self._name(part), graph) for part, graph in steps],
        )

    def _program(self) -> dict[str, bytes]:
        """The model that takes text, with what it reads."""
        text = self._manifest.text
        names = {"t2f_generator": self._name("generator")}
        if text is not None:
            names["t2f_text_encoder"] = self._name("text_encoder")
        numbers = [
            Tensor(name=name, dtype="uint64", shape=(BATCH, 1)) for name in ("seed", "index")
        ]
        words = [Tensor(name="text", dtype="string", shape=(BATCH, 1))] if text else []
        config = python_config(
            self._serving(self._settings.name, **names),
            inputs=[*words, numbers[0]],
            optional=numbers[1:],
            outputs=self._generator.outputs,
            instances=self._settings.processes,
        )
        program = files("t2f_export.triton").joinpath("model.py").read_bytes()
        read = {text.tokenizer: self._bundle.read(text.tokenizer)} if text else {}
        beside = {PROGRAM: program, MANIFEST: encode_manifest(self._manifest), **read}
        return {
            CONFIG: self._config(config),
            **{f"{VERSION}/{name}": content for name, content in beside.items()},
        }

    @staticmethod
    def _config(config: Message) -> bytes:
        return to_text(config).encode()
