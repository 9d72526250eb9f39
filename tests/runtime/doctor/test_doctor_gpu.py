"""What `t2f doctor` finds of drivers, of NVIDIA libraries and of boards."""

import os

import pytest
from doctor_findings import by_subject, nvidia, write, wrong

from t2f_runtime.doctor.jetson import board_model, examine_jetson
from t2f_runtime.doctor.nvidia import (
    driver_version,
    examine_library_path,
    examine_nvidia,
    find_library,
)
from t2f_runtime.engines.gpu import Device, NoDevice

GPU = Device(name="NVIDIA GeForce RTX 3060", compute_capability="sm_86", multiprocessors=28)


NO_GPU = NoDevice("no NVIDIA driver is installed")


CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023\n"


OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build  (x)\n"


@pytest.mark.parametrize(("text", "version"), [(CLOSED, "535.54.03"), (OPEN, "550.54.14")])
def test_the_version_of_the_driver_is_read(tmp_path, text, version):
    assert driver_version(tmp_path) is None
    write(tmp_path, {"proc/driver/nvidia/version": text})
    assert driver_version(tmp_path) == version


def test_a_machine_without_a_gpu_has_nothing_wrong(tmp_path):
    findings = nvidia(NO_GPU, tmp_path)
    assert list(findings) == ["GPU"]
    assert (findings["GPU"].verdict, findings["GPU"].text) == ("note", NO_GPU.reason)


def test_a_driver_that_shows_no_gpu_is_a_warning(tmp_path):
    write(tmp_path, {"proc/driver/nvidia/version": CLOSED})
    findings = nvidia(NO_GPU, tmp_path, CUDA_VISIBLE_DEVICES="")
    assert findings["GPU"].verdict == "warning"
    assert "nvidia-smi" in findings["GPU"].repair
    hidden = findings["CUDA_VISIBLE_DEVICES"]
    assert (hidden.text, hidden.repair) == (
        "is '', which hides every GPU",
        "unset CUDA_VISIBLE_DEVICES",
    )


def test_a_container_without_a_gpu_is_told_how_to_get_one(tmp_path):
    write(tmp_path, {".dockerenv": ""})
    assert "--gpus all" in nvidia(NO_GPU, tmp_path)["GPU"].repair


def test_a_gpu_is_named(tmp_path):
    findings = nvidia(GPU, tmp_path, CUDA_VISIBLE_DEVICES="1")
    assert findings["GPU"].text == "NVIDIA GeForce RTX 3060, sm_86"
    assert findings["CUDA_VISIBLE_DEVICES"].verdict == "note"


def test_libraries_are_found_where_the_loader_and_pip_put_them(tmp_path):
    write(
        tmp_path,
        {
            "usr/local/cuda/lib64/libcudart.so": "",
            "usr/local/cuda/lib64/libcudart.so.12": "",
            "usr/local/cuda/lib64/libcudart.so.12.6.77": "",
            "usr/lib/x86_64-linux-gnu/libcudnn_ops.so.9": "",
            "site-packages/nvidia/cudnn/lib/libcudnn.so.9": "",
            "own/libcudnn.so.8": "",
            "own/libcudnn.so.8.backup": "",
        },
    )
    own = str(tmp_path / "own")
    findings = by_subject(
        examine_nvidia(
            GPU,
            environment={"LD_LIBRARY_PATH": own},
            root=tmp_path,
            site_packages=[tmp_path / "site-packages"],
        )
    )
    assert findings["CUDA runtime"].text == f"12.6.77 in {tmp_path}/usr/local/cuda/lib64"
    assert findings["cuDNN"].verdict == "warning"
    assert findings["cuDNN"].text.startswith(
        f"there are several versions: 8 in {own}, 9 in {tmp_path}/site-packages/nvidia/cudnn/lib;"
    )
    assert "TensorRT" not in findings
    assert find_library("libcudnn.so", [tmp_path / "none"]) == []


def missing(root, working, device=GPU):
    findings = examine_nvidia(device, environment={}, root=root, working=working)
    return {
        one.subject: (one.verdict, one.text, one.repair)
        for one in findings
        if "is not found" in one.text
    }


def test_libraries_that_a_gpu_lacks_are_told_with_what_installs_them(tmp_path):
    write(tmp_path, {"usr/lib64/libcublas.so.12": ""})
    found = missing(tmp_path, {"onnx-cpu"})
    assert set(found) == {"CUDA runtime", "cuDNN", "TensorRT"}
    assert found["cuDNN"] == (
        "warning",
        "is not found, and onnx-cuda and onnx-tensorrt need it",
        "pip install 't2f[gpu]'",
    )
    assert found["TensorRT"][2].startswith("pip install 't2f[tensorrt]', or on a Jetson: apt")


def test_a_library_that_is_not_needed_is_a_note_and_one_that_was_loaded_is_not_missing(tmp_path):
    assert {name: one[0] for name, one in missing(tmp_path, {"tensorrt", "onnx-cpu"}).items()} == {
        "CUDA runtime": "note",
        "cuBLAS": "note",
        "cuDNN": "note",
    }
    assert set(missing(tmp_path, {"onnx-cuda"})) == {"TensorRT"}


def test_nothing_is_missing_without_a_gpu_or_where_nobody_can_look(tmp_path):
    assert missing(tmp_path, {"onnx-cpu"}, NO_GPU) == {}
    assert missing(tmp_path, None) == {}


def test_a_library_path_is_read_for_what_is_odd(tmp_path):
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    path = f"{tmp_path}::relative:{stubs}:{tmp_path}/gone"
    shown, empty, relative, stub, gone = examine_library_path(path)
    assert shown.text == f"is {path!r}"
    for finding, said in (
        (empty, "has an empty entry, which"),
        (relative, "has 'relative', which"),
    ):
        assert finding.verdict == "warning"
        assert finding.text.startswith(f"{said} means wherever the program was started from")
    assert stub.verdict == "warning"
    assert "its libcuda is for linking, and no driver" in stub.text
    assert (gone.verdict, gone.repair) == ("note", f"take {tmp_path}/gone out")
    assert list(examine_library_path("")) == []


JETSON = {
    "proc/device-tree/model": b"NVIDIA Jetson Orin Nano Developer Kit\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n",
}


@pytest.mark.parametrize(
    ("printed", "mode", "has_repair"),
    [
        ("NV Power Mode: 15W\n0\n", "15W", True),
        ("NV Power Mode: MAXN_SUPER\n2\n", "MAXN_SUPER", False),
        (None, "is not told", True),
    ],
)
def test_a_jetson_tells_its_board_system_and_power_mode(tmp_path, printed, mode, has_repair):
    asked = []
    write(tmp_path, JETSON)
    findings = by_subject(
        examine_jetson(tmp_path, lambda command: asked.append(command) or printed)
    )
    assert findings["board"].text == "NVIDIA Jetson Orin Nano Developer Kit"
    assert findings["Jetson Linux"].text == "36.4.3"
    assert findings["power mode"].text == mode
    assert (findings["power mode"].repair is not None) == has_repair
    assert asked == [["nvpmodel", "-q"]]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may open everything")
def test_a_jetson_whose_gpu_may_not_be_opened_is_a_warning(tmp_path):
    write(tmp_path, {**JETSON, "dev/nvmap": ""})
    (tmp_path / "dev/nvmap").chmod(0)
    (finding,) = wrong(examine_jetson(tmp_path, lambda command: None))
    assert "usermod -aG video,render" in finding.repair


@pytest.mark.parametrize("model", [None, b"Raspberry Pi 5 Model B Rev 1.0\0"])
def test_no_other_board_is_a_jetson(tmp_path, model):
    if model is not None:
        write(tmp_path, {"proc/device-tree/model": model})
    assert board_model(tmp_path) is None
    assert list(examine_jetson(tmp_path, pytest.fail)) == []
