"""Whether an engine may send its makers what it does."""

from collections.abc import Mapping

from t2f_runtime.doctor.finding import Finding, Verdict
from t2f_runtime.telemetry import ONNX_RUNTIME_VARIABLE


def examine_telemetry(environment: Mapping[str, str]) -> Finding:
    """Looks at what the process's variables say of it.

    Args:
        environment: The variables, as they are after T2F was imported.
    """
    value = environment.get(ONNX_RUNTIME_VARIABLE, "")
    if value == "1":
        return _finding("ok", "engines are kept from sending anything")
    return _finding(
        "warning",
        f"{ONNX_RUNTIME_VARIABLE} is {value!r:.40}: ONNX Runtime may number this machine, and send "
        "Microsoft what it does",
        f"unset {ONNX_RUNTIME_VARIABLE}, and T2F sets it to 1",
    )


def _finding(verdict: Verdict, text: str, repair: str | None = None) -> Finding:
    return Finding(topic="engines", subject="telemetry", verdict=verdict, text=text, repair=repair)
