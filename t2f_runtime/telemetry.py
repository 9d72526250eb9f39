"""Engines are kept from sending their makers what they do, and on which machine."""

import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Final

ONNX_RUNTIME_VARIABLE: Final = "ORT_DISABLE_TELEMETRY"
"""ONNX Runtime reads it once, when it is imported (its Privacy.md, "Disabling Telemetry")."""

_OPENVINO_PACKAGE: Final = "openvino_telemetry"


def silence_onnx_runtime(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keeps ONNX Runtime from numbering this machine, noting what it does, and sending that away.

    Its wheels of 1.32.0 for Linux do so, those of 1.23.2 do not: they keep a number of the machine,
    and events with its processor and memory, in the user's cache folder, and send them to a server
    of Microsoft's. To be called before it is imported.

    Args:
        environment: The process's variables. A value that is there already is somebody's choice,
            and stays.
    """
    if not environment.get(ONNX_RUNTIME_VARIABLE):  # ONNX Runtime takes an empty one for none
        environment[ONNX_RUNTIME_VARIABLE] = "1"


def silence_imported(onnxruntime: ModuleType, environment: Mapping[str, str] = os.environ) -> None:
    """Keeps ONNX Runtime, now that it is imported, from telling the system what it does.

    Builds for Windows that report through the system (ETW) heed no variable, but this (Privacy.md,
    "Disabling Telemetry").

    Args:
        onnxruntime: The module.
        environment: The process's variables; where somebody has chosen to tell, it may.
    """
    silence = getattr(onnxruntime, "disable_telemetry_events", None)
    if silence is not None and environment.get(ONNX_RUNTIME_VARIABLE) == "1":
        silence()


@contextmanager
def silenced_openvino() -> Iterator[None]:
    """Keeps OpenVINO, which is imported in the block, from telling Google Analytics of it.

    It does so through a package that it also does without, where that is not installed. There is no
    variable to ask for that, and the file that declines it is the user's.
    """
    loaded = sys.modules.get(_OPENVINO_PACKAGE)
    sys.modules[_OPENVINO_PACKAGE] = None  # type: ignore[assignment]  # Python's way to have none
    try:
        yield
    finally:
        del sys.modules[_OPENVINO_PACKAGE]
        if loaded is not None:
            sys.modules[_OPENVINO_PACKAGE] = loaded
