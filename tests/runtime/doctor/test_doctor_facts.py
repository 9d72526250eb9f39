"""What `t2f doctor` finds of memory, disks, quotas and engines."""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from doctor_findings import by_subject, write, wrong

from t2f_runtime.doctor.jetson import run_command
from t2f_runtime.doctor.machine import (
    examine_folder,
    examine_machine,
    memory_available,
    memory_limit,
)
from t2f_runtime.doctor.sending import examine_telemetry
from t2f_runtime.doctor.trying import examine_engines, try_engines, try_in_child
from t2f_runtime.engines.probe import EngineState
from t2f_runtime.telemetry import silence_onnx_runtime


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


@pytest.mark.parametrize("value", ["0", "", "yes"])
def test_an_engine_that_may_send_what_it_does_is_a_warning(value):
    finding = examine_telemetry({"ORT_DISABLE_TELEMETRY": value})
    assert finding.verdict == "warning"
    assert f"ORT_DISABLE_TELEMETRY is '{value}'" in finding.text
    assert finding.repair == "unset ORT_DISABLE_TELEMETRY, and T2F sets it to 1"


def test_what_t2f_has_silenced_is_as_it_should_be():
    environment = {}
    silence_onnx_runtime(environment)
    assert examine_telemetry(environment).verdict == "ok"
