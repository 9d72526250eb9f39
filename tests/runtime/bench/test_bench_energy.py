import itertools
import threading
import types

import pytest

from t2f_runtime.bench.energy import (
    CounterMeter,
    PowerMeter,
    find_meter,
    gpu_meter,
    jetson_meter,
    processor_meter,
)
from t2f_runtime.bench.gpu_clock import find_gpu_clock
from t2f_runtime.bench.report import GpuFacts


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def jetson(root, *, label="VDD_IN"):
    sensor = root / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    for number, name in ((1, label), (2, "VDD_CPU_GPU_CV")):
        write(sensor / f"in{number}_label", name)
        write(sensor / f"in{number}_input", 5000 * number)
        write(sensor / f"curr{number}_input", 1200)


def processor(root, *, energy=7_000_000, most=10_000_000):
    folder = root / "sys/class/powercap/intel-rapl:0"
    write(folder / "energy_uj", energy)
    write(folder / "max_energy_range_uj", most)
    return folder / "energy_uj"


def test_a_counter_gives_what_was_added_while_the_work_was_done(tmp_path):
    counter = processor(tmp_path)
    meter = processor_meter(tmp_path)
    assert meter.measure(lambda: write(counter, 9_500_000)) == pytest.approx(2.5)


def test_a_counter_that_began_anew_goes_on(tmp_path):
    counter = processor(tmp_path)
    meter = processor_meter(tmp_path)
    assert meter.measure(lambda: write(counter, 1_000_000)) == pytest.approx(4)


def test_power_is_looked_at_while_the_work_is_done_and_summed_over_time():
    ticks, enough = [], threading.Event()

    def clock():
        ticks.append(float(len(ticks) ** 2))
        return ticks[-1]

    def watts():
        if len(ticks) >= 4:
            enough.set()
        return 10 + 2 * ticks[-1]

    meter = PowerMeter("board", watts, clock=clock)
    joules = meter.measure(lambda: enough.wait(30))
    assert len(ticks) >= 5
    # Trapezoids are exact where power grows with time: the integral of 10 + 2 t.
    assert joules == pytest.approx(10 * ticks[-1] + ticks[-1] ** 2)


@pytest.mark.parametrize("failure", [OSError("I/O error"), ValueError("nonsense")])
@pytest.mark.parametrize("kind", [CounterMeter, PowerMeter])
@pytest.mark.parametrize("good", [0, 1])
def test_a_sensor_that_falls_silent_costs_the_energy_alone(kind, good, failure):
    looks = itertools.count()
    done = []

    def read():
        if next(looks) < good:
            return 1.0
        raise failure

    assert kind("a sensor", read).measure(lambda: done.append(1)) is None
    assert done == [1]


def test_a_look_that_fails_in_between_costs_the_energy_alone():
    failed = threading.Event()

    def watts():
        if threading.current_thread().name != "t2f-power":
            return 1.0
        failed.set()
        raise OSError("I/O error")

    assert PowerMeter("a sensor", watts).measure(lambda: failed.wait(10)) is None


def test_a_jetson_tells_the_power_of_the_whole_board(tmp_path):
    jetson(tmp_path)
    meter = jetson_meter(tmp_path)
    assert meter.name == "VDD_IN, the whole board"
    assert meter._read() == pytest.approx(5.0 * 1.2)


def test_a_board_without_that_rail_has_no_meter(tmp_path):
    jetson(tmp_path, label="VDD_5V")
    assert jetson_meter(tmp_path) is None


def test_a_board_comes_before_a_processor_and_a_gpu_before_neither(tmp_path):
    processor(tmp_path)
    assert find_meter(is_gpu=False, root=tmp_path).name == "the processor's package (RAPL)"
    jetson(tmp_path)
    assert find_meter(is_gpu=False, root=tmp_path).name.startswith("VDD_IN")
    assert find_meter(is_gpu=True, root=tmp_path).name.startswith("VDD_IN")


def test_a_counter_that_does_not_tell_where_it_begins_anew_is_no_meter(tmp_path):
    processor(tmp_path)
    (tmp_path / "sys/class/powercap/intel-rapl:0/max_energy_range_uj").unlink()
    assert processor_meter(tmp_path) is None


def test_where_nothing_tells_there_is_no_meter(tmp_path):
    assert find_meter(is_gpu=False, root=tmp_path) is None
    write(tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj", "garbage")
    assert processor_meter(tmp_path) is None


class NvmlError(Exception):
    pass


def nvml(*, gpus=1, error=None):
    """The names of NVML that are used, with a counter in millijoules."""
    counter = itertools.count(4_000, 1_500)

    clocks = iter([{1: 1800}, {1: 1410}, {1: 1980}])

    def energy(handle):
        assert handle == "handle 0"
        if error is not None:
            raise error
        return next(counter)

    return types.SimpleNamespace(
        NVMLError=NvmlError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: gpus,
        nvmlDeviceGetHandleByIndex=lambda index: f"handle {index}",
        nvmlDeviceGetTotalEnergyConsumption=energy,
        nvmlDeviceGetClockInfo=lambda handle, kind: next(clocks)[kind],
        nvmlDeviceGetPowerManagementLimit=lambda handle: 350_000,
        nvmlSystemGetDriverVersion=lambda: "570.86.15",
        NVML_CLOCK_SM=1,
    )


def test_the_only_gpu_tells_its_energy():
    meter = gpu_meter(nvml)
    assert isinstance(meter, CounterMeter)
    assert meter.measure(lambda: None) == pytest.approx(1.5)


def test_of_several_gpus_none_is_guessed():
    assert gpu_meter(lambda: nvml(gpus=2)) is None


def test_a_gpu_that_does_not_count_has_no_meter():
    assert gpu_meter(lambda: nvml(error=NvmlError("Not Supported"))) is None


def test_without_its_package_no_gpu_is_asked():
    def missing():
        raise ModuleNotFoundError("pynvml")

    assert gpu_meter(missing) is None


def test_a_gpu_that_falls_silent_costs_the_energy_alone():
    module = nvml()
    meter = gpu_meter(lambda: module)

    def fail(handle):
        raise module.NVMLError("GPU is lost")

    module.nvmlDeviceGetTotalEnergyConsumption = fail
    assert meter.measure(lambda: None) is None


def test_the_only_gpu_tells_its_clock_limit_and_driver():
    clock = find_gpu_clock(nvml)
    for _ in range(3):
        clock.look()
    assert clock.facts() == GpuFacts(
        driver="570.86.15", megahertz=(1410.0, 1980.0), power_limit=350.0
    )


def test_what_a_gpu_does_not_tell_is_none():
    module = nvml()

    def refuse(*_arguments):
        raise module.NVMLError("Not Supported")

    module.nvmlDeviceGetClockInfo = module.nvmlDeviceGetPowerManagementLimit = refuse
    module.nvmlSystemGetDriverVersion = refuse
    clock = find_gpu_clock(lambda: module)
    clock.look()
    assert clock.facts() == GpuFacts(driver=None, megahertz=None, power_limit=None)
    assert find_gpu_clock(lambda: nvml(gpus=2)) is None
