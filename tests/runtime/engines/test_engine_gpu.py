from types import SimpleNamespace

import pytest

from t2f_runtime.engines.gpu import Device, NoDevice, find_device, this_platform


def driver(*, count=1, name=b"Orin", errors=None, attributes=None):
    """A driver library that answers as CUDA's does: a status, and values by reference."""
    values = {16: 8, 75: 8, 76: 7, **(attributes or {})}

    def answer(question):
        def call(*arguments):
            status = (errors or {}).get(question, 0)
            if status == 0:
                fill(question, arguments)
            return status

        return call

    def fill(question, arguments):
        if question == "cuDeviceGetCount":
            arguments[0]._obj.value = count
        elif question == "cuDeviceGet":
            assert arguments[1] < count
            arguments[0]._obj.value = 4
        elif question == "cuDeviceGetName":
            buffer, size, device = arguments
            assert (len(buffer), device.value) == (size, 4)
            buffer.value = name
        elif question == "cuDeviceGetAttribute":
            target, attribute, device = arguments
            assert device.value == 4
            target._obj.value = values[attribute]

    questions = ("cuInit", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName")
    return SimpleNamespace(
        **{question: answer(question) for question in (*questions, "cuDeviceGetAttribute")}
    )


def test_the_first_gpu_is_described_as_cuda_does():
    assert find_device(load=driver) == Device(
        name="Orin", compute_capability="sm_87", multiprocessors=8
    )
    blackwell = {75: 12, 76: 0, 16: 170}
    found = find_device(load=lambda: driver(name=b"NVIDIA GeForce RTX 5090", attributes=blackwell))
    assert found.compute_capability == "sm_120"


def test_without_a_driver_nothing_is_loaded():
    def missing():
        raise OSError("libcuda.so.1: cannot open shared object file")

    assert find_device(load=missing) == NoDevice("no NVIDIA driver is installed")


def test_a_driver_without_a_gpu_is_no_device():
    assert find_device(load=lambda: driver(errors={"cuInit": 100})) == NoDevice(
        "the NVIDIA driver answers cuInit with error 100"
    )
    assert find_device(load=lambda: driver(count=0)) == NoDevice(
        "the NVIDIA driver shows no GPU to this process"
    )


def test_a_gpu_is_found_by_its_number():
    assert find_device(1, lambda: driver(count=2)).name == "Orin"
    assert find_device(1, lambda: driver(count=1)) == NoDevice(
        "the NVIDIA driver shows 1 GPU to this process, counted from 0: there is no 1"
    )
    assert find_device(5, lambda: driver(count=3)) == NoDevice(
        "the NVIDIA driver shows 3 GPUs to this process, counted from 0: there is no 5"
    )


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("Linux", "x86_64", "linux-x86_64"),
        ("Linux", "aarch64", "linux-aarch64"),
        ("Windows", "AMD64", "windows-x86_64"),
    ],
)
def test_platforms_are_spelt_alike_everywhere(monkeypatch, system, machine, expected):
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert this_platform() == expected
