"""A stand-in for NVIDIA's Triton: the server, and the module that it gives to Python models."""

import importlib.util
import sys
import types

import numpy as np
import onnxruntime
from google.protobuf import json_format, text_format
from triton_schema import ENUMS, model_config

ModelConfig = model_config()
NUMPY = {"TYPE_FP32": np.float32, "TYPE_INT64": np.int64, "TYPE_UINT8": np.uint8}


def read_config(repository, name):
    """Parses strictly: an unknown field, or a value of another type, is an error."""
    return text_format.Parse((repository / name / "config.pbtxt").read_text(), ModelConfig())


def type_name(tensor):
    numbers = {number: name for name, number in ENUMS["DataType"].items()}
    return numbers[tensor.data_type]


class Server:
    """What Triton does with a repository, as far as its documentation tells: no Triton is here."""

    def __init__(self, repository):
        self.repository = repository
        self.runs = []

    def run(self, name, inputs):
        config = read_config(self.repository, name)
        for tensor in config.input:
            array = inputs[tensor.name]
            assert array.dtype == NUMPY[type_name(tensor)], tensor.name
            assert 1 <= len(array) <= config.max_batch_size
            for found, wanted in zip(array.shape[1:], tensor.dims, strict=True):
                assert wanted in {-1, found}, tensor.name
        self.runs.append((name, len(array)))
        if config.platform == "ensemble":
            return self._run_steps(config, inputs)
        path = self.repository / name / "1" / "model.onnx"
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [tensor.name for tensor in config.output]
        return dict(zip(names, session.run(names, inputs), strict=True))

    def _run_steps(self, config, inputs):
        known = dict(inputs)
        for step in config.ensemble_scheduling.step:
            given = {theirs: known[ours] for theirs, ours in step.input_map.items()}
            outputs = self.run(step.model_name, given)
            known |= {ours: outputs[theirs] for theirs, ours in step.output_map.items()}
        return {tensor.name: known[tensor.name] for tensor in config.output}


class Tensor:
    def __init__(self, name, array):
        self.name, self.array = name, array

    def as_numpy(self):
        return self.array


class Answer:
    """A response, of a model or of the server: outputs or an error."""

    def __init__(self, output_tensors=(), error=None):
        self.output_tensors, self._error = output_tensors, error

    def has_error(self):
        return self._error is not None

    def error(self):
        return self._error


class TritonError:
    INTERNAL, INVALID_ARG = "internal", "invalid argument"

    def __init__(self, text, code):
        self.text, self.code = text, code

    def message(self):
        return self.text


def fake_backend(server):
    """The module that Triton gives to Python models, before the server of the tests."""
    fake = types.ModuleType("triton_python_backend_utils")

    class InferenceRequest:
        def __init__(self, *, model_name, requested_output_names, inputs, preferred_memory):
            assert preferred_memory == ("CPU", 0)
            self.name, self.wanted, self.inputs = model_name, requested_output_names, inputs

        def exec(self):
            if server.repository is None:
                return Answer(error=TritonError("no such model", TritonError.INTERNAL))
            given = {tensor.name: tensor.array for tensor in self.inputs}
            outputs = server.run(self.name, given)
            return Answer([Tensor(name, outputs[name]) for name in self.wanted])

    def named(tensors, name):
        return next((tensor for tensor in tensors if tensor.name == name), None)

    fake.InferenceRequest = InferenceRequest
    fake.InferenceResponse = Answer
    fake.Tensor = Tensor
    fake.TritonError = TritonError
    fake.TRITONSERVER_MEMORY_CPU = "CPU"
    fake.PreferredMemory = lambda kind, device: (kind, device)
    fake.get_output_tensor_by_name = lambda answer, name: named(answer.output_tensors, name)
    fake.get_input_tensor_by_name = named
    return fake


def start_program(repository, name, server, monkeypatch):
    """Imports a repository's model.py and initialises it, as Triton's Python backend does."""
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", fake_backend(server))
    path = repository / name / "1" / "model.py"
    spec = importlib.util.spec_from_file_location("served_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = read_config(repository, name)
    as_json = json_format.MessageToJson(config, preserving_proto_field_name=True)
    model = module.TritonPythonModel()
    model.initialize({"model_config": as_json})
    return model
