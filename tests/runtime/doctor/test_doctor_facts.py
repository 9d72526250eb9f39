import os
import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from t2f_runtime.doctor.installed import (
    Requirement,
    examine_installed,
    installed_packages,
    requirements,
)
from t2f_runtime.doctor.jetson import board_model, examine_jetson, run_command
from t2f_runtime.doctor.machine import (
    examine_folder,
    examine_machine,
    memory_available,
    memory_limit,
)
from t2f_runtime.doctor.nvidia import (
    driver_version,
    examine_library_path,
    examine_nvidia,
    find_library,
)
from t2f_runtime.doctor.trying import examine_engines, try_engines, try_in_child
from t2f_runtime.engines.gpu import Device, NoDevice
from t2f_runtime.engines.probe import EngineState

GPU = Device(name="NVIDIA GeForce RTX 3060", compute_capability="sm_86", multiprocessors=28)
NO_GPU = NoDevice("no NVIDIA driver is installed")
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023\n"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build  (x)\n"


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def by_subject(findings):
    return {finding.subject: finding for finding in findings}


def wrong(findings):
    return [finding for finding in findings if finding.verdict in {"warning", "broken"}]


def installed(packages, python=(3, 11, 7)):
    return list(examine_installed(packages, NEEDED, python, "/venv/bin/python"))


NEEDED = [
    Requirement("numpy", ">=2.0", None),
    Requirement("pillow", "", None),
    Requirement("onnxruntime", ">=1.20", "cpu"),
    Requirement("tensorrt", ">=10.3,<12", "tensorrt"),
]


def test_the_packages_that_drawing_needs_are_those_of_the_distribution():
    needed = {each.name: each for each in requirements() if each.extra is None}
    assert set(needed) == {"click", "msgspec", "numpy", "pillow", "sentencepiece"}
    assert needed["numpy"] == Requirement("numpy", ">=2.0", None)
    packages = installed_packages()
    assert re.fullmatch(r"\d+(\.\d+)+.*", packages["numpy"])
    assert all(each.serves(packages[name]) for name, each in needed.items())


def test_what_extras_need_is_read_from_the_distribution_too():
    extras = {each.name: each for each in requirements() if each.extra is not None}
    assert extras["onnxruntime"] == Requirement("onnxruntime", ">=1.20", "cpu")
    assert extras["onnxruntime-gpu"] == Requirement("onnxruntime-gpu", ">=1.21", "gpu")
    assert not extras["tensorrt"].serves("12.0")
    assert "t2f" not in extras
    assert "pytest" not in extras


@pytest.mark.parametrize(
    ("limits", "version", "serves"),
    [
        (">=2.0", "1.26.4", False),
        (">=2.0", "2", True),
        (">=2.0", "10.1", True),
        (">=10.3,<12", "10.2.9", False),
        (">=10.3,<12", "11.99.post1", True),
        (">=10.3,<12", "12", False),
        ("", "0.1", True),
        (">=1.20", "1.32.0+cu12", True),
    ],
)
def test_a_version_serves_within_its_limits(limits, version, serves):
    assert Requirement("x", limits, None).serves(version) is serves


@pytest.mark.parametrize(
    ("packages", "name", "text", "repair"),
    [
        ({"numpy": "1.20"}, "numpy", "1.20; T2F is made for >=2.0", "pip install 'numpy>=2.0'"),
        (
            {"onnxruntime": "1.5"},
            "onnxruntime",
            "1.5; T2F's extra 'cpu' is made for >=1.20",
            "pip install 'onnxruntime>=1.20'",
        ),
        (
            {"tensorrt": "12.1"},
            "tensorrt",
            "12.1; T2F's extra 'tensorrt' is made for >=10.3,<12",
            "pip install 'tensorrt>=10.3,<12'",
        ),
    ],
)
def test_a_version_that_t2f_is_not_made_for_is_a_warning(packages, name, text, repair):
    (finding,) = wrong(installed({**CORE, **packages}))
    assert (finding.subject, finding.text, finding.repair) == (name, text, repair)


def test_without_metadata_the_versions_are_not_compared_and_that_is_told(monkeypatch):
    def requires(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.requires", requires)
    assert requirements() is None
    findings = list(examine_installed({"onnxruntime": "1.5"}, None, (3, 11, 0), "python"))
    (finding,) = wrong(findings)
    assert finding.subject == "metadata"
    assert "vendored or frozen" in finding.text
    assert "--copy-metadata t2f" in finding.repair
    assert by_subject(findings)["onnxruntime"].text == "1.5"


def test_what_is_installed_is_told_and_what_is_missing_is_broken():
    findings = by_subject(installed({"numpy": "2.1.0", "onnxruntime": "1.32.0", "rich": "14"}))
    assert findings["Python"].text == "3.11.7, /venv/bin/python"
    assert (findings["numpy"].verdict, findings["numpy"].text) == ("ok", "2.1.0")
    assert findings["onnxruntime"].text == "1.32.0"
    assert (findings["pillow"].verdict, findings["pillow"].repair) == (
        "broken",
        "pip install 'pillow'",
    )
    assert "rich" not in findings


@pytest.mark.parametrize(
    ("python", "verdict"),
    [((3, 9, 1), "warning"), ((3, 10, 0), "ok"), ((3, 13, 9), "ok"), ((3, 14, 0), "warning")],
)
def test_a_python_that_is_not_served_is_a_warning(python, verdict):
    assert by_subject(installed({}, python))["Python"].verdict == verdict


CORE = {"numpy": "2.1.0", "pillow": "11.0"}


@pytest.mark.parametrize(
    ("packages", "subject", "text", "repair"),
    [
        (
            ["onnxruntime", "onnxruntime-gpu"],
            "onnxruntime and onnxruntime-gpu",
            "over each other's files",
            "pip uninstall -y onnxruntime onnxruntime-gpu && pip install 't2f[cpu]'",
        ),
        (
            ["tensorrt-cu12", "tensorrt-cu13-bindings"],
            "tensorrt-cu12 and tensorrt-cu13",
            "all install the module 'tensorrt'",
            "pip uninstall -y tensorrt-cu12 tensorrt-cu13",
        ),
        (
            ["tensorrt-rtx-cu12-libs", "tensorrt-rtx-cu13"],
            "tensorrt-rtx-cu12 and tensorrt-rtx-cu13",
            "all install the module 'tensorrt_rtx'",
            "keep the one of your driver's CUDA",
        ),
        (
            ["nvidia-cudnn-cu12", "nvidia-cudnn-cu13"],
            "nvidia-cudnn-cu12 and nvidia-cudnn-cu13",
            "all install the folder 'nvidia/cudnn'",
            "pip uninstall -y nvidia-cudnn-cu12 nvidia-cudnn-cu13",
        ),
    ],
)
def test_packages_that_overwrite_each_other_are_a_warning(packages, subject, text, repair):
    (finding,) = wrong(installed({**CORE, **dict.fromkeys(packages, "11.0")}))
    assert (finding.subject, finding.verdict) == (subject, "warning")
    assert text in finding.text
    assert repair in finding.repair


def test_packages_that_go_together_are_no_warning():
    together = ["onnxruntime", "tensorrt-cu12", "tensorrt-cu12-libs", "tensorrt-rtx-cu13"]
    together += ["nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-cublas-cu12"]
    assert wrong(installed({**CORE, **dict.fromkeys(together, "2.0")})) == []


@pytest.mark.parametrize(("text", "version"), [(CLOSED, "535.54.03"), (OPEN, "550.54.14")])
def test_the_version_of_the_driver_is_read(tmp_path, text, version):
    assert driver_version(tmp_path) is None
    write(tmp_path, {"proc/driver/nvidia/version": text})
    assert driver_version(tmp_path) == version


def nvidia(device, root, **environment):
    return by_subject(examine_nvidia(device, environment=environment, root=root))


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


def test_a_command_that_is_not_there_prints_nothing():
    assert run_command(["a-command-that-nobody-has"]) is None


def test_memory_is_what_is_available_and_what_a_cgroup_allows(tmp_path):
    write(
        tmp_path,
        {
            "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable:     204800 kB\n",
            "proc/self/cgroup": "0::/kiosk/t2f\n",
            "sys/fs/cgroup/kiosk/t2f/memory.max": "max\n",
            "sys/fs/cgroup/kiosk/memory.max": "134217728\n",
        },
    )
    assert memory_available(tmp_path) == 200 * 2**20
    assert memory_limit(tmp_path) == 128 * 2**20
    findings = by_subject(examine_machine(cpus=4, root=tmp_path, cache="no cache"))
    assert (findings["memory"].verdict, findings["memory"].text) == (
        "warning",
        "200 MiB are available",
    )
    assert (findings["memory limit"].verdict, findings["memory limit"].text) == (
        "warning",
        "a cgroup allows 128 MiB",
    )
    assert (findings["cache"].verdict, findings["cache"].text) == ("note", "no cache")


def test_a_machine_that_tells_nothing_has_no_limits(tmp_path):
    assert memory_available(tmp_path) is None
    assert memory_limit(tmp_path) is None
    findings = list(examine_machine(cpus=None, root=tmp_path, cache="no cache"))
    assert [finding.subject for finding in findings] == ["CPUs", "cache"]
    assert wrong(findings) == []


def test_of_a_cache_that_nothing_needs_nothing_is_said(tmp_path):
    findings = examine_machine(cpus=None, root=tmp_path, cache=None)
    assert [finding.subject for finding in findings] == ["CPUs"]


def test_a_container_that_shows_its_own_cgroup_has_its_limit_at_the_top(tmp_path):
    files = {"proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/memory.max": "536870912\n"}
    assert memory_limit(write(tmp_path, files)) == 512 * 2**20


@pytest.mark.parametrize("group", ["5:memory:/kiosk/t2f", "5:cpuset,memory,pids:/kiosk/t2f"])
def test_a_limit_of_the_first_version_of_cgroups_is_read(tmp_path, group):
    top = "sys/fs/cgroup/memory"
    files = {
        "proc/self/cgroup": f"6:cpu:/\n{group}\n0::/\n",
        f"{top}/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert memory_limit(write(tmp_path, files)) is None
    write(tmp_path, {f"{top}/kiosk/memory.limit_in_bytes": "104857600\n"})
    assert memory_limit(tmp_path) == 100 * 2**20
    write(tmp_path, {f"{top}/kiosk/t2f/memory.limit_in_bytes": "52428800\n"})
    assert memory_limit(tmp_path) == 50 * 2**20
    findings = by_subject(examine_machine(cpus=4, root=tmp_path, cache="no cache"))
    assert findings["memory limit"].verdict == "warning"


def test_a_quota_of_part_of_a_cpu_is_a_warning(tmp_path):
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": "1 0 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
            "sys/fs/cgroup/cpu.max": "50000 100000\n",
        },
    )
    finding = by_subject(examine_machine(cpus=8, root=tmp_path, cache=tmp_path))["CPUs"]
    assert finding.verdict == "warning"
    assert finding.text == (
        "1 of 8 CPUs may be used; a cgroup allows 0.5, so that a face takes 2.0 times as long or "
        "more"
    )
    assert "CPUQuota=" in finding.repair


def test_a_folder_tells_its_disk_even_before_it_is_made(tmp_path, monkeypatch):
    folder = tmp_path / "not" / "yet"
    finding = examine_folder("cache", folder, is_written=True)
    assert re.fullmatch(rf"{re.escape(str(folder))}, \d+ MiB free", finding.text)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10 * 2**30))
    finding = examine_folder("cache", folder, is_written=True)
    assert (finding.verdict, finding.text) == ("ok", f"{folder}, 10240 MiB free")
    assert not folder.exists()
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10 * 2**20))
    full = examine_folder("cache", folder, is_written=True)
    assert (full.verdict, full.text) == ("warning", f"{folder}, 10 MiB free")
    assert "T2F_CACHE" in full.repair
    assert examine_folder("disk", folder, is_written=False).verdict == "ok"
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    finding = examine_folder("cache", folder, is_written=True)
    assert finding.text.endswith("it cannot be written")


def state(name, **fields):
    works = "reason" not in fields
    return EngineState(
        name=name,
        works=works,
        version=fields.get("version", "1.0"),
        device="cpu" if works else None,
        reason=fields.get("reason"),
        repair=None if works else "do this",
    )


def test_engines_are_told_with_reasons_repairs_and_what_auto_takes():
    states = [
        state("tensorrt", reason="no driver", version=None),
        state("onnx-cuda", reason="no driver"),
        state("onnx-cpu"),
    ]
    findings = by_subject(examine_engines(states, has_gpu=False))
    assert findings["tensorrt"].text == "does not work: no driver"
    assert findings["onnx-cuda"].text == "does not work: 1.0: no driver"
    assert findings["onnx-cuda"].repair == "do this"
    assert findings["onnx-cpu"].text == "1.0 works on cpu"
    assert findings["auto"].text == "takes onnx-cpu, if the bundle has what it runs"
    assert wrong(findings.values()) == []


def test_a_gpu_that_no_engine_uses_is_a_warning():
    states = [
        state("onnx-cuda", reason="no cuDNN"),
        state("onnx-cpu"),
        state("openvino", reason="x"),
    ]
    assert [one.subject for one in wrong(examine_engines(states, has_gpu=True))] == ["onnx-cuda"]


def test_no_engine_at_all_is_broken():
    findings = by_subject(examine_engines([state("onnx-cpu", reason="gone")], has_gpu=False))
    assert findings["auto"].verdict == "broken"
    assert findings["auto"].repair == "pip install 't2f[cpu]'"


def test_an_engine_that_ends_its_process_is_found_and_the_others_told():
    def attempt(names):
        if "tensorrt" in names:
            return "it ended the process with SIGSEGV: "
        return [state(name) for name in names]

    states = {one.name: one for one in try_engines(attempt)}
    assert len(states) == 6
    assert [name for name, one in states.items() if not one.works] == ["tensorrt"]
    assert states["tensorrt"].reason == "it ended the process with SIGSEGV: "


def test_engines_are_tried_in_a_process_of_their_own(tmp_path, monkeypatch):
    (cpu,) = try_in_child(["onnx-cpu"])
    assert (cpu.name, cpu.works, cpu.device) == ("onnx-cpu", True, "cpu")
    (tmp_path / "onnxruntime.py").write_text(
        "print('noise', flush=True)\nimport os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    if os.name == "posix":
        assert try_in_child(["onnx-cpu"]) == "it ended the process with SIGKILL: noise"
