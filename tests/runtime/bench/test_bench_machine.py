import os

import pytest

from t2f_runtime.bench.machine import look_at_machine, megahertz, processor_name

CPU_INFO = "processor\t: 0\nmodel name\t: Vortex 86\ncpu MHz\t\t: 1999.5\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_pc_tells_its_processor_clock_and_governor(tmp_path):
    write(tmp_path / "proc/cpuinfo", CPU_INFO)
    write(tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2400000\n")
    write(tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")
    facts = look_at_machine(tmp_path)
    assert facts.processor == "Vortex 86"
    assert facts.megahertz == (2400, 2400)
    assert facts.governor == "powersave"
    assert facts.power_mode is None


def test_a_virtual_machine_tells_its_clock_in_cpuinfo_alone(tmp_path):
    write(tmp_path / "proc/cpuinfo", CPU_INFO)
    assert megahertz(tmp_path) == pytest.approx(1999.5)


def test_a_jetson_tells_its_power_mode(tmp_path):
    write(tmp_path / "proc/device-tree/model", "NVIDIA Jetson Orin Nano\0")
    facts = look_at_machine(tmp_path, lambda command: f"NV Power Mode: 15W\n{command[0]}")
    assert (facts.processor, facts.power_mode) == ("NVIDIA Jetson Orin Nano", "15W")


def test_what_nobody_tells_is_none(tmp_path):
    facts = look_at_machine(tmp_path)
    assert (facts.megahertz, facts.governor, facts.power_mode) == (None, None, None)
    assert processor_name(tmp_path)


def test_the_load_is_that_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 2.5, 3.5), raising=False)
    assert look_at_machine(tmp_path).load == 1.5
