import os

import pytest

from t2f_runtime.processors import cpu_quotas, usable_cpus

VERSION_2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
VERSION_1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
)


@pytest.fixture
def system(tmp_path):
    """Writes a `proc` and a `sys` of a system, and gives their folder."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("cpu_max", "quotas"),
    [
        ("150000 100000\n", [1.5]),
        ("50000 100000\n", [0.5]),
        ("max 100000\n", []),
        ("", []),
        ("junk\n", []),
        ("100000 0\n", []),
    ],
)
def test_a_container_of_cgroups_2_has_the_quota_of_its_root(system, cpu_max, quotas):
    root = system(
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": VERSION_2,
            "sys/fs/cgroup/cpu.max": cpu_max,
        }
    )
    assert list(cpu_quotas(root)) == quotas


def test_every_ancestor_of_a_cgroup_may_have_a_quota(system):
    root = system(
        {
            "proc/self/cgroup": "0::/kiosk.slice/t2f.service\n",
            "proc/self/mountinfo": VERSION_2,
            "sys/fs/cgroup/kiosk.slice/t2f.service/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/kiosk.slice/cpu.max": "250000 100000\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
        }
    )
    assert list(cpu_quotas(root)) == [4.0, 2.5]


@pytest.mark.parametrize(
    ("group", "mount", "folder"),
    [
        ("/docker/abc", VERSION_1, "docker/abc"),
        # In a container the mount shows its own cgroup, under the host's name or its own.
        ("/docker/abc", VERSION_1.replace("0:29 / ", "0:29 /docker/abc "), ""),
        ("/", VERSION_1.replace("0:29 / ", "0:29 /docker/abc "), ""),
    ],
)
def test_a_quota_of_cgroups_1_is_found_wherever_it_is_mounted(system, group, mount, folder):
    place = "/".join(filter(None, ("sys/fs/cgroup/cpu,cpuacct", folder)))
    root = system(
        {
            "proc/self/cgroup": f"5:cpuset:{group}\n4:cpu,cpuacct:{group}\n1:name=systemd:/\n",
            "proc/self/mountinfo": mount,
            f"{place}/cpu.cfs_quota_us": "300000\n",
            f"{place}/cpu.cfs_period_us": "100000\n",
        }
    )
    assert list(cpu_quotas(root)) == [3.0]


def test_a_quota_of_minus_one_is_none(system):
    root = system(
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/\n0::/\n",
            "proc/self/mountinfo": VERSION_1,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        }
    )
    assert list(cpu_quotas(root)) == []


def test_a_system_without_cgroups_has_no_quota(tmp_path):
    assert list(cpu_quotas(tmp_path)) == []
    assert usable_cpus(tmp_path) >= 1


@pytest.mark.parametrize(("quota", "cpus"), [(0.2, 1), (1.0, 1), (1.9, 1), (2.0, 2), (64, 3)])
def test_a_quota_is_rounded_down_to_no_less_than_one(system, monkeypatch, quota, cpus):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    root = system(
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": VERSION_2,
            "sys/fs/cgroup/cpu.max": f"{int(quota * 100_000)} 100000\n",
        }
    )
    assert usable_cpus(root) == cpus


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_only_cpus_that_the_process_may_use_are_counted(tmp_path):
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cpus(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert usable_cpus(tmp_path) == len(allowed)
