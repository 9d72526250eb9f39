import inspect
import sys

import pytest
from fake_cuda import FakeCuda, Status

from t2f_runtime import EngineError
from t2f_runtime.engines.cuda import Cuda, CudaRuntime, import_cuda
from t2f_runtime.engines.unavailable import UnavailableEngineError


def calls_of(protocol):
    names = {*vars(protocol), *vars(protocol).get("__annotations__", {})}
    return {name for name in names if not name.startswith("_")}


def test_what_we_call_is_in_the_installed_cuda_bindings_with_as_many_arguments():
    runtime = pytest.importorskip(
        "cuda.bindings.runtime", reason="needs cuda-bindings: pip install 'cuda-bindings<14'"
    )
    for name in calls_of(CudaRuntime):
        assert hasattr(runtime, name), name
    for name, call in inspect.getmembers(CudaRuntime, inspect.isfunction):
        if name.startswith("cuda"):
            expected = len(inspect.signature(call).parameters) - 1
            first = getattr(runtime, name).__doc__.strip().splitlines()[0]
            arguments = first.partition("(")[2].rpartition(")")[0]
            assert len([a for a in arguments.split(",") if a.strip()]) == expected, first
    for kind in ("cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost"):
        assert hasattr(runtime.cudaMemcpyKind, kind)
    assert hasattr(runtime.cudaStreamCaptureMode, "cudaStreamCaptureModeThreadLocal")


def test_memory_that_is_free_is_that_of_the_gpu_which_was_asked_for():
    fake = FakeCuda(memory=1000)
    cuda = Cuda(fake, 0)
    assert cuda.free_bytes() == 1000
    cuda.allocate(300)
    assert cuda.free_bytes() == 700


def test_the_stand_in_has_every_call():
    assert all(hasattr(FakeCuda(), name) for name in calls_of(CudaRuntime))


def test_the_installed_cuda_bindings_say_why_there_is_no_gpu(find_no_gpu):
    pytest.importorskip("cuda.bindings", reason="needs cuda-bindings")
    with pytest.raises(UnavailableEngineError, match=r"cudaError\w+ \(.+\)"):
        Cuda(import_cuda(), 0)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(UnavailableEngineError) as raised:
        import_cuda()
    assert raised.value.reason == "the package 'cuda-bindings' is not installed"
    assert "pip install 'cuda-bindings>=12.6,<14'" in raised.value.repair


@pytest.mark.parametrize(
    ("fake", "device", "message"),
    [
        (
            FakeCuda(errors={"cudaGetDeviceCount": Status.cudaErrorInsufficientDriver}),
            0,
            "driver is older than 'cuda-bindings': cudaErrorInsufficientDriver .*; upgrade the",
        ),
        (
            FakeCuda(errors={"cudaGetDeviceCount": Status.cudaErrorNoDevice}),
            0,
            "answers cudaGetDeviceCount with cudaErrorNoDevice .*; look whether nvidia-smi",
        ),
        (FakeCuda(devices=2), 2, "CUDA shows 2 GPUs, counted from 0: there is no 2; name another"),
    ],
)
def test_a_gpu_that_cuda_does_not_show_is_an_error_with_the_repair(fake, device, message):
    with pytest.raises(UnavailableEngineError, match=message):
        Cuda(fake, device)


def test_memory_that_the_gpu_lacks_is_told_by_name():
    gpu = Cuda(FakeCuda(memory=100), 0)
    gpu.use()
    address = gpu.allocate(60)
    with pytest.raises(EngineError, match=r"CUDA answers cudaMalloc on GPU 0 with cudaErrorMemory"):
        gpu.allocate(60)
    gpu.free(address)
    gpu.free(gpu.allocate(100))


def test_a_record_that_cannot_be_made_ready_is_dropped():
    fake = FakeCuda()
    gpu = Cuda(fake, 0)
    gpu.use()
    stream = gpu.open_stream()
    fake.errors["cudaGraphInstantiate"] = Status.cudaErrorMemoryAllocation
    gpu.begin_record(stream)
    with pytest.raises(EngineError, match="cudaGraphInstantiate"):
        gpu.end_record(stream)
    gpu.drop_record(stream)
    gpu.close_stream(stream)
    assert fake.held == (0, 0, 0, 0)
