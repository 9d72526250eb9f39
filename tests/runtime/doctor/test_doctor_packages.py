"""What `t2f doctor` finds of packages and of Python."""

import re
from importlib.metadata import PackageNotFoundError

import pytest
from doctor_findings import by_subject, installed, wrong

from t2f_runtime.doctor.installed import (
    Requirement,
    examine_installed,
    installed_packages,
    requirements,
)


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
