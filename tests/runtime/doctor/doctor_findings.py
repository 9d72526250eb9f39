"""Machines for the tests of `t2f doctor`, and what it finds on them."""

from t2f_runtime.doctor.installed import (
    Requirement,
    examine_installed,
)
from t2f_runtime.doctor.nvidia import (
    examine_nvidia,
)


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


def nvidia(device, root, **environment):
    return by_subject(examine_nvidia(device, environment=environment, root=root))
