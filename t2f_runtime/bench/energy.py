"""Energy, where the board tells it: a Jetson's rails, an Intel or AMD processor, an NVIDIA GPU."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

from t2f_runtime.bench.stages import Clock

_SECONDS_APART: Final = 0.02
"""Between two looks at the rails of a Jetson, whose sensors average for longer."""


class Meter(Protocol):
    """Measures energy."""

    name: str
    """What it sees."""

    def measure(self, work: Callable[[], object]) -> float | None:
        """Does the work, and gives the joules that were spent meanwhile.

        None where they could not be read: a sensor that falls silent costs a number, no benchmark.
        """
        ...


class CounterMeter:
    """Reads a counter of energy before and after.

    Args:
        name: What it sees.
        read: Gives joules since some moment.
        wraps_at: Joules at which the counter begins anew; None if it never does.
    """

    def __init__(
        self, name: str, read: Callable[[], float], *, wraps_at: float | None = None
    ) -> None:
        self.name = name
        self._read = read
        self._wraps_at = wraps_at

    def measure(self, work: Callable[[], object]) -> float | None:
        """Does the work, and gives the joules that were spent meanwhile; see `Meter.measure`.

        The counter must not go round more than once: at 200 W, Intel's takes twenty minutes.
        """
        before = _read_number(self._read)
        work()
        after = _read_number(self._read)
        if before is None or after is None:
            return None
        spent = after - before
        if spent < 0 and self._wraps_at is not None:
            spent += self._wraps_at
        return spent


class PowerMeter:
    """Looks at power again and again while work is done, and sums it up by trapezoids.

    Args:
        name: What it sees.
        read: Gives watts now.
        clock: What the seconds are taken from.
    """

    def __init__(
        self, name: str, read: Callable[[], float], *, clock: Clock = time.perf_counter
    ) -> None:
        self.name = name
        self._read = read
        self._clock = clock

    def measure(self, work: Callable[[], object]) -> float | None:
        """Does the work, and gives the joules that were spent meanwhile; see `Meter.measure`."""
        looks = [self._look()]
        with self._looking(looks):
            work()
        looks.append(self._look())
        joules = 0.0
        for (sooner, first), (later, second) in pairwise(looks):
            if first is None or second is None:
                return None
            joules += (later - sooner) * (first + second) / 2
        return joules

    def _look(self) -> tuple[float, float | None]:
        return self._clock(), _read_number(self._read)

    @contextmanager
    def _looking(self, looks: list[tuple[float, float | None]]) -> Iterator[None]:
        is_over = threading.Event()

        def look() -> None:
            while not is_over.wait(_SECONDS_APART):
                looks.append(self._look())

        looker = threading.Thread(target=look, name="t2f-power", daemon=True)
        looker.start()
        try:
            yield
        finally:
            is_over.set()
            looker.join()


def find_meter(*, is_gpu: bool, root: Path = Path("/")) -> Meter | None:
    """Finds what measures energy here; None where nothing does, or this user may not look.

    A Jetson's rails are of the whole board, and so come first. A GPU's counter is of the GPU alone,
    and a processor's of the processor alone: each is taken for what it runs.

    Args:
        is_gpu: Whether a GPU draws.
        root: Where `sys` lies.
    """
    board = jetson_meter(root)
    if board is not None:
        return board
    return gpu_meter() if is_gpu else processor_meter(root)


def jetson_meter(root: Path) -> Meter | None:
    """The power of a Jetson's whole board: what tegrastats prints as VDD_IN.

    Source: Jetson Linux Developer Guide, "Jetson Orin ... Power and Performance", "Software-Based
    Power Consumption Modeling": `inN_label`, `inN_input` in mV and `currN_input` in mA of an
    ina3221.

    Args:
        root: Where `sys` lies.
    """
    places = sorted((root / "sys/bus/i2c/drivers/ina3221").glob("*/hwmon/hwmon*/in*_label"))
    for label in places:
        if _read_text(label) != "VDD_IN":
            continue
        number = label.name.removeprefix("in").removesuffix("_label")
        volts, amperes = (
            label.with_name(f"in{number}_input"),
            label.with_name(f"curr{number}_input"),
        )

        def watts(files: Sequence[Path] = (volts, amperes)) -> float:
            millivolts, milliamperes = (int(path.read_text()) for path in files)
            return millivolts * milliamperes / 1e6

        return PowerMeter("VDD_IN, the whole board", watts) if _works(watts) else None
    return None


def processor_meter(root: Path) -> Meter | None:
    """The energy of the first processor's package.

    Source: Linux, Documentation/power/powercap/powercap.rst, "energy_uj", "max_energy_range_uj".

    Args:
        root: Where `sys` lies.
    """
    folder = root / "sys/class/powercap/intel-rapl:0"

    def joules(name: str = "energy_uj") -> float:
        return int((folder / name).read_text()) / 1e6

    if not (_works(joules) and _works(lambda: joules("max_energy_range_uj"))):
        return None
    most = joules("max_energy_range_uj")
    return CounterMeter("the processor's package (RAPL)", joules, wraps_at=most)


def gpu_meter(import_nvml: Callable[[], Any] | None = None) -> Meter | None:
    """The energy of the only NVIDIA GPU; None where `open_nvml` finds none, or it does not count.

    Source: NVIDIA, NVML API Reference, nvmlDeviceGetTotalEnergyConsumption: millijoules since the
    driver was loaded, from Volta on.

    Args:
        import_nvml: Gives the module `pynvml`.
    """
    opened = open_nvml(import_nvml)
    if opened is None:
        return None
    nvml, handle = opened

    def joules() -> float:
        try:
            return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000)
        except nvml.NVMLError as error:
            raise OSError(str(error)) from error

    return CounterMeter("the GPU (NVML)", joules) if _works(joules) else None


def open_nvml(import_nvml: Callable[[], Any] | None = None) -> tuple[Any, Any] | None:
    """NVML and the only NVIDIA GPU; None without the package `nvidia-ml-py`, or without a driver.

    Of several GPUs there is none either: NVML and CUDA may count them in another order.

    Args:
        import_nvml: Gives the module `pynvml`.
    """
    try:
        nvml = (import_nvml or _import_nvml)()
    except ModuleNotFoundError:
        return None
    try:
        nvml.nvmlInit()
        if nvml.nvmlDeviceGetCount() != 1:
            return None
        return nvml, nvml.nvmlDeviceGetHandleByIndex(0)
    except nvml.NVMLError:
        return None


def _import_nvml() -> Any:  # noqa: ANN401 (a module without types)
    import pynvml  # noqa: PLC0415 (an optional package)

    return pynvml


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def _read_number(read: Callable[[], float]) -> float | None:
    try:
        return read()
    except (OSError, ValueError):
        return None


def _works(read: Callable[[], float]) -> bool:
    """Whether something can be read: what is missing, or only root may read, is no meter."""
    return _read_number(read) is not None
