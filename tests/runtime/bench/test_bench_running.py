import sys
from contextlib import nullcontext

import msgspec
import pytest

from t2f_runtime import Bundle
from t2f_runtime.bench.energy import CounterMeter
from t2f_runtime.bench.errors import BenchError
from t2f_runtime.bench.messages import Answer, Greeting, Request, SideOptions
from t2f_runtime.bench.pinning import choose_cpus
from t2f_runtime.bench.report import GpuFacts
from t2f_runtime.bench.running import Bench, BenchPlan
from t2f_runtime.bench.side_process import SideProcess
from t2f_runtime.bench.stages import STAGES
from t2f_runtime.engines.probe import EngineState

QUICK = BenchPlan(engines=("onnx-cpu",), batches=(1, 2), rounds=3, seconds=0.0, starts=2)


def works(name, device):
    return EngineState(
        name=name, works=True, version="1", device="cpu", reason=None, repair=None
    )  # fmt: skip


def options(bundle, **changes):
    first = SideOptions(
        bundle=str(bundle),
        key_files=(),
        engine="onnx-cpu",
        precision="float32",
        device=0,
        threads=1,
        cpus=choose_cpus(1),
    )
    return msgspec.structs.replace(first, **changes)


@pytest.fixture(scope="module")
def report(tiny_bundle):
    told = []
    meter = CounterMeter("a counter", iter(range(0, 10_000, 8)).__next__)
    bench = Bench(
        tiny_bundle, Bundle.open(tiny_bundle), QUICK, tell=told.append, find=lambda is_gpu: meter
    )
    found = bench.run()
    assert told[0] == "starting onnx-cpu in float32"
    assert told[-1] == "round 3 of 3"
    return found


def test_every_batch_is_timed_in_every_round(report, tiny_bundle):
    assert [(case.engine, case.precision, case.batch) for case in report.cases] == [
        ("onnx-cpu", "float32", 1),
        ("onnx-cpu", "float32", 2),
    ]
    assert report.bundle_id == Bundle.open(tiny_bundle).bundle_id
    for case in report.cases:
        assert case.gpu is None
        assert len(case.rounds) == 3
        assert set(case.stages) == set(STAGES)
        assert case.stages["whole"].count == 3
        assert case.stages["whole"].p50 == pytest.approx(sorted(case.rounds)[1])
        assert 0 < case.stages["draw"].p50 < case.stages["whole"].p50
        assert case.warm_up_runs >= 20


def test_throughput_counts_faces_not_runs(report):
    single, double = report.cases
    assert single.faces_per_second == pytest.approx(3 / sum(single.rounds))
    assert double.faces_per_second == pytest.approx(6 / sum(double.rounds))


def test_energy_is_that_of_all_turns_over_all_faces(report):
    # Every turn adds 8 J; three turns of one run draw 3 faces, or 6.
    assert [case.joules_per_face for case in report.cases] == [8, 4]
    assert report.meter == "a counter"


def test_an_engine_is_started_as_often_as_asked_and_tells_its_memory(report):
    [engine] = report.engines
    assert len(engine.cold_start) == 2
    assert all(seconds > 0 for seconds in engine.cold_start)
    assert engine.device_bytes is None
    if sys.platform == "linux":
        assert engine.peak_bytes > 20 * 2**20
        assert engine.pinned_to == list(choose_cpus(report.threads))


def test_a_model_without_text_is_timed(textless_bundle):
    plan = msgspec.structs.replace(QUICK, batches=(1,), starts=1)
    report = Bench(textless_bundle, Bundle.open(textless_bundle), plan).run()
    assert report.cases[0].stages["encode"].p50 == 0


def test_engines_that_do_not_work_are_told_with_their_repair(tiny_bundle):
    def probe(name, device):
        if name == "onnx-cpu":
            return works(name, device)
        return EngineState(
            name=name, works=False, version=None, device=None, reason="no GPU", repair="buy one"
        )

    plan = msgspec.structs.replace(QUICK, engines=(), batches=(1,), starts=1)
    report = Bench(tiny_bundle, Bundle.open(tiny_bundle), plan, probe=probe).run()
    assert [case.engine for case in report.cases] == ["onnx-cpu"]
    reasons = {entry.engine: entry.reason for entry in report.not_run}
    assert reasons.pop("onnx-tensorrt").endswith("ask for it: --engine onnx-tensorrt")
    assert set(reasons) == {"tensorrt", "tensorrt-rtx", "onnx-cuda", "openvino"}
    assert set(reasons.values()) == {"no GPU; buy one"}


class Side:
    """A process of an engine that fails at some batch, when it is warmed up or timed."""

    def __init__(self, *, fails_at=1000, in_turns=False, waited=0.0):
        self._waited = waited
        self.asked = []
        self.greeting = Greeting(version="1", device="cpu", pinned_to=None)
        self.cold_start = 0.1
        self._fails_at, self._in_turns = fails_at, in_turns

    def __call__(self, options):
        return nullcontext(self)

    def ask(self, request):
        if request.batch >= self._fails_at and request.warm_up != self._in_turns:
            raise BenchError("out of memory")
        seconds = dict.fromkeys(STAGES, 0.001)
        self.asked.append(request)
        return Answer(
            samples=[] if request.warm_up else [seconds],
            gpu_seconds=[],
            yardstick=0.002 if request.yardstick else None,
            waited=[] if request.warm_up else [self._waited],
            runs=20,
            is_steady=True,
            peak_bytes=1,
            device_bytes=None,
        )


def test_a_batch_that_fails_leaves_those_that_do_not(tiny_bundle, monkeypatch):
    monkeypatch.setattr("t2f_runtime.bench.running.SideProcess", Side(fails_at=4))
    plan = msgspec.structs.replace(QUICK, batches=(16, 1, 4))
    report = Bench(tiny_bundle, Bundle.open(tiny_bundle), plan).run()
    assert [case.batch for case in report.cases] == [1]
    assert [entry.reason for entry in report.not_run] == ["from batch 4 on: out of memory"]
    assert len(report.engines) == 1


class GrowingSide(Side):
    """A process that sees a GPU whose memory others fill, too, as soon as turns begin."""

    def ask(self, request):
        answer = super().ask(request)
        size = request.batch * 2**20
        return msgspec.structs.replace(
            answer, peak_bytes=size, device_bytes=size if request.warm_up else 2**40
        )


def test_memory_is_told_of_each_batch_and_the_gpus_before_other_engines_load(
    tiny_bundle, monkeypatch
):
    monkeypatch.setattr("t2f_runtime.bench.running.SideProcess", GrowingSide())
    report = Bench(tiny_bundle, Bundle.open(tiny_bundle), QUICK).run()
    assert [case.peak_bytes for case in report.cases] == [2**20, 2 * 2**20]
    assert [case.device_bytes for case in report.cases] == [2**20, 2 * 2**20]
    assert report.engines[0].device_bytes == 2 * 2**20


def test_what_threads_waited_is_told_and_taken_off_the_least(tiny_bundle, monkeypatch):
    monkeypatch.setattr("t2f_runtime.bench.running.SideProcess", Side(waited=0.00025))
    first, _ = Bench(tiny_bundle, Bundle.open(tiny_bundle), QUICK).run().cases
    assert first.rounds == [0.001] * 3
    assert first.least_rounds == pytest.approx([0.00075] * 3)
    assert first.waited_share == pytest.approx(0.25)


def test_the_yardstick_is_taken_before_every_turn_and_costs_no_energy(tiny_bundle, monkeypatch):
    side = Side()
    monkeypatch.setattr("t2f_runtime.bench.running.SideProcess", side)
    seen = []

    class Meter:
        name = "a meter"

        def measure(self, work):
            work()
            seen.append(side.asked[-1])
            return 8.0

    plan = msgspec.structs.replace(QUICK, batches=(1,))
    bench = Bench(tiny_bundle, Bundle.open(tiny_bundle), plan, find=lambda is_gpu: Meter())
    assert bench.run().cases[0].yardstick == 0.002
    turns = [request for request in side.asked if not request.warm_up]
    assert [request.yardstick for request in turns] == [True, False] * 3
    assert seen == turns[1::2]


class Clock:
    """A GPU's clock that counts how often it is looked at."""

    def __init__(self):
        self.looks = 0

    def look(self):
        self.looks += 1

    def facts(self):
        return GpuFacts(driver=str(self.looks), megahertz=None, power_limit=None)


@pytest.mark.parametrize(("engine", "looks"), [("onnx-cuda", "6"), ("onnx-cpu", None)])
def test_a_gpus_clock_is_looked_at_after_its_turns_alone(tiny_bundle, monkeypatch, engine, looks):
    monkeypatch.setattr("t2f_runtime.bench.running.SideProcess", Side())
    plan = msgspec.structs.replace(QUICK, engines=(engine,))
    bench = Bench(tiny_bundle, Bundle.open(tiny_bundle), plan, probe=works, find_clock=Clock)
    gpu = bench.run().gpu
    assert (None if gpu is None else gpu.driver) == looks


def test_energy_that_was_missed_once_is_not_told(tiny_bundle, monkeypatch):
    monkeypatch.setattr("t2f_runtime.bench.running.SideProcess", Side())
    plan = msgspec.structs.replace(QUICK, batches=(1,))
    spent = iter([8.0, None, 8.0])

    class Meter:
        name = "a meter"

        def measure(self, work):
            work()
            return next(spent)

    bench = Bench(tiny_bundle, Bundle.open(tiny_bundle), plan, find=lambda is_gpu: Meter())
    [case] = bench.run().cases
    assert case.joules_per_face is None
    assert len(case.rounds) == 3


def test_several_threads_may_wait_for_longer_than_a_run_takes(tiny_bundle, monkeypatch):
    monkeypatch.setattr("t2f_runtime.bench.running.SideProcess", Side(waited=0.003))
    assert (
        Bench(tiny_bundle, Bundle.open(tiny_bundle), QUICK).run().cases[0].least_rounds == [0] * 3
    )


def test_engines_that_all_fail_while_they_are_timed_are_an_error(tiny_bundle, monkeypatch):
    monkeypatch.setattr("t2f_runtime.bench.running.SideProcess", Side(fails_at=1, in_turns=True))
    with pytest.raises(BenchError, match="nothing that was asked for runs here: onnx-cpu: out of"):
        Bench(tiny_bundle, Bundle.open(tiny_bundle), QUICK).run()


def test_where_nothing_runs_the_reasons_are_the_error(tiny_bundle):
    plan = msgspec.structs.replace(QUICK, precisions=("int8",))
    with pytest.raises(BenchError, match=r"nothing that was asked for runs here: onnx-cpu: .*int8"):
        Bench(tiny_bundle, Bundle.open(tiny_bundle), plan).run()


def test_of_the_reasons_those_of_the_bundle_come_first_and_each_has_a_line(tiny_bundle):
    def probe(name, device):
        works = name in {"onnx-cpu", "openvino"}
        return EngineState(
            name=name,
            works=works,
            version="1",
            device="cpu" if works else None,
            reason=None if works else "there is no GPU",
            repair=None if works else "buy one",
        )

    plan = msgspec.structs.replace(QUICK, engines=(), precisions=("int8",))
    with pytest.raises(BenchError) as caught:
        Bench(tiny_bundle, Bundle.open(tiny_bundle), plan, probe=probe).run()
    first, *others = str(caught.value).splitlines()
    assert "nothing that was asked for runs here: onnx-cpu, openvino: " in first
    assert "int8" in first
    assert others == [
        "tensorrt, tensorrt-rtx, onnx-cuda: there is no GPU; buy one",
        "onnx-tensorrt: it builds when it loads; ask for it: --engine onnx-tensorrt",
    ]


def test_a_process_says_why_it_cannot_draw(tiny_bundle, tmp_path):
    with pytest.raises(BenchError, match="no networks of precision 'fp8'"):
        SideProcess(options(tiny_bundle, precision="fp8"))
    with pytest.raises(BenchError, match="gone"):
        SideProcess(options(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os._exit(7)", "its process ended with status 7"),
        ("print('Segmentation fault')", "answered what nobody asked: 'Segmentation fault"),
    ],
)
def test_a_process_that_breaks_down_is_an_error(tiny_bundle, program, message):
    with pytest.raises(BenchError, match=message):
        SideProcess(options(tiny_bundle), command=(sys.executable, "-c", program))


def test_a_process_that_ends_between_two_requests_is_an_error(tiny_bundle):
    with SideProcess(options(tiny_bundle)) as side:
        assert side.ask(Request(batch=1, seconds=0)).runs == 1
        side._process.kill()
        side._process.wait()
        with pytest.raises(BenchError, match="its process ended with status"):
            side.ask(Request(batch=1, seconds=0))


def test_nothing_in_the_working_folder_is_run(tiny_bundle, tmp_path, monkeypatch):
    (tmp_path / "secrets.py").write_text("raise SystemExit(3)")
    (tmp_path / "t2f_runtime.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with SideProcess(options(tiny_bundle.resolve())) as side:
        assert side.greeting.error is None


def test_no_process_is_left_behind(tiny_bundle):
    with SideProcess(options(tiny_bundle)) as side:
        process = side._process
    assert process.returncode is not None


def test_as_many_cpus_are_held_as_there_are_threads(monkeypatch, tmp_path):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {7, 3, 5}, raising=False)
    assert choose_cpus(2, tmp_path) == (3, 5)
    assert choose_cpus(4, tmp_path) == ()


def test_one_cpu_of_each_core_is_held_before_a_second_one(monkeypatch, tmp_path):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(6)), raising=False)
    for cpu, siblings in enumerate(("0-1", "0-1", "2-3", "2-3", "4-5", "4-5")):
        path = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        path.parent.mkdir(parents=True)
        path.write_text(f"{siblings}\n")
    assert choose_cpus(2, tmp_path) == (0, 2)
    assert choose_cpus(4, tmp_path) == (0, 1, 2, 4)
    assert choose_cpus(6, tmp_path) == (0, 1, 2, 3, 4, 5)
