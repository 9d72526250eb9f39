"""Configurations of NVIDIA's Triton inference server: what they say, and their text format.

Source of every field and value: `protobuf/model_config.proto` in triton-inference-server/common,
whose message `ModelConfig` each `config.pbtxt` is; the text is that of protobuf's text format.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from t2f_runtime.bundle.manifest import Graph, Tensor

_TYPES = {
    "float32": "TYPE_FP32",
    "int64": "TYPE_INT64",
    "uint8": "TYPE_UINT8",
    "uint64": "TYPE_UINT64",
    "string": "TYPE_STRING",
}
"""Triton's names of types, by ours."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A value of an enumeration, which protobuf writes without quotes."""

    name: str
    """Its name in the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How a model is served."""

    name: str
    """Its name, which is that of its folder too."""
    largest_batch: int
    """Most rows of one run."""
    facts: Mapping[str, str]
    """What operators can read of it: parameters without a meaning to Triton."""


Message = Mapping[str, Any]
"""Fields by name: numbers, texts, symbols, messages, and lists of those, which repeat the field."""


def graph_config(
    serving: Serving, graph: Graph, *, kind: str, instances: int, delay_us: int
) -> Message:
    """An ONNX file that ONNX Runtime runs.

    Args:
        serving: How it is served.
        graph: What it takes and gives.
        kind: Where it runs: `KIND_AUTO` (on every GPU, or on the CPU where there is none) or
            `KIND_CPU`.
        instances: How many of it run at once, on each GPU or on the CPU.
        delay_us: How long a request waits for others to share its run, in microseconds.
    """
    return {
        **_head(serving, backend="onnxruntime"),
        **_tensors(graph.inputs, graph.outputs),
        "instance_group": [{"count": instances, "kind": Symbol(kind)}],
        "dynamic_batching": {"max_queue_delay_microseconds": delay_us},
        "version_policy": {"latest": {"num_versions": 1}},
        "parameters": _facts(serving.facts),
    }


def ensemble_config(
    serving: Serving,
    *,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    steps: Sequence[tuple[str, Graph]],
) -> Message:
    """Models one after another; a tensor that one gives and another takes has one name.

    Args:
        serving: How it is served.
        inputs: What the first ones take.
        outputs: What comes out at the end.
        steps: The models' names, and what they take and give.
    """
    return {
        **_head(serving, platform="ensemble"),
        **_tensors(inputs, outputs),
        "ensemble_scheduling": {
            "step": [
                {
                    "model_name": model,
                    "model_version": -1,
                    "input_map": _entries({tensor.name: tensor.name for tensor in graph.inputs}),
                    "output_map": _entries({tensor.name: tensor.name for tensor in graph.outputs}),
                }
                for model, graph in steps
            ]
        },
        "version_policy": {"latest": {"num_versions": 1}},
        "parameters": _facts(serving.facts),
    }


def python_config(
    serving: Serving,
    *,
    inputs: Sequence[Tensor],
    optional: Sequence[Tensor],
    outputs: Sequence[Tensor],
    instances: int,
) -> Message:
    """A model in Python, each instance of which is a process.

    Args:
        serving: How it is served.
        inputs: What it takes.
        optional: What it takes, too, if it is given.
        outputs: What it gives.
        instances: How many processes.
    """
    config = {
        **_head(serving, backend="python"),
        **_tensors(inputs, outputs),
        "instance_group": [{"count": instances, "kind": Symbol("KIND_CPU")}],
        "version_policy": {"latest": {"num_versions": 1}},
        "parameters": _facts(serving.facts),
    }
    config["input"] += [{**_tensor(tensor), "optional": True} for tensor in optional]
    return config


def random_warmup(tensor: Tensor) -> Message:
    """A run with random numbers before the first request, which would be slow otherwise."""
    values = {**_tensor(tensor), "random_data": True}
    del values["name"]
    return {
        "name": "random",
        "batch_size": 1,
        "inputs": [{"key": tensor.name, "value": values}],
    }


def tensorrt_policy(tensor: Tensor, largest_batch: int) -> Message:
    """Lets ONNX Runtime hand a network to TensorRT, in float16, for all sizes of batches.

    Source of the keys: the README of triton-inference-server/onnxruntime_backend.

    Args:
        tensor: The network's one input.
        largest_batch: Most rows of one run.
    """
    sizes = "x".join(str(size) for size in tensor.shape[1:])
    options = {
        "precision_mode": "FP16",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": "/opt/t2f/engines",
        "trt_profile_min_shapes": f"{tensor.name}:1x{sizes}",
        "trt_profile_opt_shapes": f"{tensor.name}:1x{sizes}",
        "trt_profile_max_shapes": f"{tensor.name}:{largest_batch}x{sizes}",
    }
    accelerator = {"name": "tensorrt", "parameters": _entries(options)}
    return {"execution_accelerators": {"gpu_execution_accelerator": [accelerator]}}


def to_text(message: Message, indent: str = "") -> str:
    """Writes a message in protobuf's text format, one field a line."""
    return "".join(_field(name, value, indent) for name, value in message.items())


def _field(name: str, value: object, indent: str) -> str:
    if isinstance(value, list):
        return "".join(_field(name, each, indent) for each in value)
    if isinstance(value, Mapping):
        return f"{indent}{name} {{\n{to_text(value, indent + '  ')}{indent}}}\n"
    return f"{indent}{name}: {_scalar(value)}\n"


def _scalar(value: object) -> str:
    match value:
        case Symbol():
            return value.name
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return f'"{_escaped(value)}"'
        case _:
            raise TypeError(f"a field cannot be {value!r}")


def _escaped(text: str) -> str:
    """A text between quotes: what is no plain ASCII as octal escapes of its UTF-8."""
    plain = {*range(0x20, 0x7F)} - {ord('"'), ord("\\")}
    return "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode())


def _head(serving: Serving, **runs: str) -> dict[str, Any]:
    return {"name": serving.name, **runs, "max_batch_size": serving.largest_batch}


def _tensors(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> dict[str, Any]:
    return {
        "input": [_tensor(tensor) for tensor in inputs],
        "output": [_tensor(tensor) for tensor in outputs],
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    """A tensor without its first dimension, the batch, which Triton adds itself."""
    dims = [size if isinstance(size, int) else -1 for size in tensor.shape[1:]]
    return {"name": tensor.name, "data_type": Symbol(_TYPES[tensor.dtype]), "dims": dims}


def _entries(mapping: Mapping[str, str]) -> list[Message]:
    return [{"key": key, "value": value} for key, value in mapping.items()]


def _facts(facts: Mapping[str, str]) -> list[Message]:
    return [{"key": key, "value": {"string_value": value}} for key, value in facts.items()]
