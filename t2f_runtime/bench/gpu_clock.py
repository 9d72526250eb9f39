"""The clock of the only NVIDIA GPU while it draws, and what else its speed depends on."""

from collections.abc import Callable
from typing import Any

from t2f_runtime.bench.energy import open_nvml
from t2f_runtime.bench.report import GpuFacts


class GpuClock:
    """Looks at the GPU's clock again and again.

    Source: NVIDIA, NVML API Reference: nvmlDeviceGetClockInfo (in MHz),
    nvmlDeviceGetPowerManagementLimit (in milliwatts), nvmlSystemGetDriverVersion.

    Args:
        nvml: The module `pynvml`, initialised.
        handle: The GPU.
    """

    def __init__(self, nvml: Any, handle: Any) -> None:  # noqa: ANN401 (a module without types)
        self._nvml = nvml
        self._handle = handle
        self._seen: list[float] = []

    def look(self) -> None:
        """Notes the clock: right after a turn, since an idle GPU soon lowers it."""
        megahertz = self._ask(self._nvml.nvmlDeviceGetClockInfo, self._nvml.NVML_CLOCK_SM)
        if megahertz is not None:
            self._seen.append(float(megahertz))

    def facts(self) -> GpuFacts:
        """What was seen."""
        limit = self._ask(self._nvml.nvmlDeviceGetPowerManagementLimit)
        return GpuFacts(
            driver=self._driver(),
            megahertz=(min(self._seen), max(self._seen)) if self._seen else None,
            power_limit=None if limit is None else limit / 1000,
        )

    def _ask(self, question: Callable[..., Any], *more: object) -> float | None:
        try:
            answer: float = question(self._handle, *more)
        except self._nvml.NVMLError:  # a Jetson's does not tell everything
            return None
        return answer

    def _driver(self) -> str | None:
        try:
            return str(self._nvml.nvmlSystemGetDriverVersion())
        except self._nvml.NVMLError:
            return None


def find_gpu_clock(import_nvml: Callable[[], Any] | None = None) -> GpuClock | None:
    """The clock of the only GPU; None where `t2f_runtime.bench.energy.open_nvml` finds none.

    Args:
        import_nvml: Gives the module `pynvml`.
    """
    opened = open_nvml(import_nvml)
    return None if opened is None else GpuClock(*opened)
