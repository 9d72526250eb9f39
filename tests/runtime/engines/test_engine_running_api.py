"""The calls of TensorRT that running makes, held against the names of three versions."""

import inspect

import pytest
from fake_tensorrt_names import VERSIONS, names_of

from t2f_runtime.engines import tensorrt_api as api

CLASSES = {
    api.DataTypes: "DataType",
    api.ICudaEngine: "ICudaEngine",
    api.IExecutionContext: "IExecutionContext",
    api.IParserRefitter: "OnnxParserRefitter",
    api.IRefitter: "Refitter",
    api.IRuntime: "Runtime",
    api.RunningLibrary: "__module__",
    api.Severities: "ILogger",
    api.TensorIOModes: "TensorIOMode",
}
RTX_CLASSES = {
    api.RtxCudaGraphStrategies: "CudaGraphStrategy",
    api.RtxEngine: "ICudaEngine",
    api.RtxRunningLibrary: "__module__",
    api.RtxRuntimeCache: "IRuntimeCache",
    api.RtxRuntimeConfig: "IRuntimeConfig",
    api.RtxSpecializations: "DynamicShapesKernelSpecializationStrategy",
}


def calls_of(protocol):
    names = {*vars(protocol), *vars(protocol).get("__annotations__", {})}
    return {name for name in names if not name.startswith("_")}


def test_every_protocol_is_compared():
    protocols = {
        value
        for _, value in inspect.getmembers(api, inspect.isclass)
        if value.__module__ == api.__name__
    }
    assert protocols == {*CLASSES, *RTX_CLASSES}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("protocol", CLASSES, ids=lambda protocol: protocol.__name__)
def test_what_we_call_is_in_every_version(protocol, version):
    assert calls_of(protocol)
    assert calls_of(protocol) <= names_of(version, CLASSES[protocol])


@pytest.mark.parametrize("protocol", RTX_CLASSES, ids=lambda protocol: protocol.__name__)
def test_what_tensorrt_for_rtx_adds_is_there_and_not_in_10_3(protocol):
    calls = calls_of(protocol) - {"create_execution_context"}
    assert calls <= names_of("tensorrt_rtx 1.7", RTX_CLASSES[protocol])
    assert not calls & names_of("tensorrt 10.3", RTX_CLASSES[protocol])
