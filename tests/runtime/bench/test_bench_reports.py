import msgspec
import pytest

from t2f_runtime.bench.comparison import compare_reports
from t2f_runtime.bench.errors import BenchError
from t2f_runtime.bench.report import (
    BenchReport,
    CaseResult,
    EngineResult,
    GpuFacts,
    MachineFacts,
    NotRun,
)
from t2f_runtime.bench.samples import spread
from t2f_runtime.bench.stages import STAGES
from t2f_runtime.bench.table import aligned, describe, describe_comparison

MACHINE = MachineFacts(
    platform="Linux-6.8-x86_64",
    processor="Vortex 86",
    usable_cpus=2,
    python="3.11.7",
    numpy="2.4.6",
    governor="powersave",
    megahertz=(2400.0, 2300.0),
    power_mode=None,
    load=0.25,
)


def case(*, batch=1, scale=1.0, joules=None, is_steady=True, gpu=None, device_bytes=None):
    rounds = [scale * (2e-3 + 1e-6 * number) for number in range(20)]
    return CaseResult(
        engine="onnx-cpu",
        version="1.32.0",
        device="cpu",
        precision="float32",
        batch=batch,
        stages=dict.fromkeys(STAGES, spread(rounds)),
        gpu=None if gpu is None else spread(gpu),
        rounds=rounds,
        faces_per_second=batch / 2e-3,
        warm_up_runs=20,
        is_steady=is_steady,
        joules_per_face=joules,
        peak_bytes=90 * 2**20,
        device_bytes=device_bytes,
    )


def report(*cases, **changes):
    first = BenchReport(
        schema_version=1,
        t2f_version="0.1.0",
        bundle_id="b" * 64,
        image_size=64,
        started="2026-11-24T08:00:00+00:00",
        machine=MACHINE,
        meter=None,
        threads=2,
        cases=list(cases),
        engines=[
            EngineResult(
                engine="onnx-cpu",
                precision="float32",
                cold_start=[0.3, 0.4, 0.35],
                peak_bytes=90 * 2**20,
                device_bytes=None,
                pinned_to=[0, 1],
            )
        ],
        not_run=[
            NotRun(engine=name, precision=None, reason="no GPU; buy one")
            for name in ("tensorrt", "onnx-cuda")
        ],
    )
    return msgspec.structs.replace(first, **changes)


def test_a_report_is_read_as_it_was_written(tmp_path):
    written = report(case(joules=0.5))
    written.write(tmp_path / "report.json")
    assert BenchReport.read(tmp_path / "report.json") == written


def test_what_json_prints_with_a_comparison_is_read_too(tmp_path):
    both = {"report": report(case()), "comparison": {"cases": []}}
    (tmp_path / "both.json").write_bytes(msgspec.json.encode(both))
    assert BenchReport.read(tmp_path / "both.json") == report(case())


@pytest.mark.parametrize("rounds", [[], [0.0], [-1.0]])
def test_rounds_that_cannot_be_compared_are_refused(tmp_path, rounds):
    spoilt = msgspec.structs.replace(case(), rounds=rounds)
    report(spoilt).write(tmp_path / "report.json")
    with pytest.raises(BenchError, match=r"is no report of t2f bench, schema 1: .*rounds"):
        BenchReport.read(tmp_path / "report.json")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b'{"schema_version": 2}', b"[1]", b'{"a":' * 10**5]
)
def test_what_is_no_report_is_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(BenchError, match=r"other\.json is no report of t2f bench, schema 1: "):
        BenchReport.read(path)


def test_a_file_without_end_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "long.json"
    with path.open("wb") as file:
        file.truncate(2**26 + 1)
    with pytest.raises(BenchError, match=r"long\.json is no report of t2f bench: it is too long"):
        BenchReport.read(path)


def test_a_missing_report_and_a_full_disk_are_errors(tmp_path):
    with pytest.raises(BenchError, match=r"gone\.json cannot be read: No such file"):
        BenchReport.read(tmp_path / "gone.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BenchError, match="folder cannot be written: "):
        report(case()).write(tmp_path / "folder")


def test_each_case_is_better_worse_or_noise():
    old = report(case(), case(batch=4), case(batch=16))
    new = report(case(scale=0.8), case(batch=4, scale=1.3), case(batch=16, scale=1.01))
    found = {entry.batch: entry.difference for entry in compare_reports(old, new).cases}
    assert [found[batch].outcome for batch in (1, 4, 16)] == ["better", "worse", "noise"]
    assert found[4].ratio == pytest.approx(1.3)


def test_what_else_changed_is_told():
    old = report(case(), case(batch=4))
    new = report(
        case(), threads=1, machine=msgspec.structs.replace(MACHINE, governor="performance")
    )
    comparison = compare_reports(old, new)
    assert comparison.missing == ["onnx-cpu float32 batch 4 is in the old report alone"]
    assert comparison.changed == [
        "threads: 2 before, 1 now",
        "governor: powersave before, performance now",
    ]


def test_another_device_and_other_cpus_are_told():
    old, new = report(case()), report(msgspec.structs.replace(case(), device="another"))
    engine = msgspec.structs.replace(new.engines[0], pinned_to=[2, 3])
    new = msgspec.structs.replace(new, engines=[engine])
    assert compare_reports(old, new).changed == [
        "device of onnx-cpu: cpu before, another now",
        "CPUs of onnx-cpu float32: 0,1 before, 2,3 now",
    ]


def test_why_nothing_more_is_said_is_told():
    def of(scale):
        rounds = [scale * (2e-3 + 1e-6 * number) for number in range(5)]
        least = [0.5 * seconds for seconds in rounds]
        changes = {"rounds": rounds, "least_rounds": least, "waited_share": 0.5}
        return msgspec.structs.replace(case(), **changes)

    comparison = compare_reports(report(of(1.0)), report(of(1.5)))
    assert comparison.cases[0].difference.outcome == "noise"
    [doubt] = comparison.doubts
    assert doubt.startswith(
        "onnx-cpu float32 batch 1: threads waited for a CPU, 50% of the time before and 50% now; "
        "that may be all of the difference"
    )
    assert doubt in list(describe_comparison(comparison, margin=0.05))
    both = [msgspec.structs.replace(of(1.0), batch=batch) for batch in (1, 4)]
    [doubt] = compare_reports(report(*both), report(*both)).doubts
    assert doubt.startswith("too few rounds, 5 before and 5 now, to tell 2 cases from noise")


def test_a_yardstick_counts_between_equal_versions_alone():
    def of(scale, yardstick):
        return msgspec.structs.replace(case(scale=scale), yardstick=yardstick)

    old, new = report(of(1.0, 1e-3)), report(of(1.2, 1.3e-3))
    comparison = compare_reports(old, new)
    assert comparison.cases[0].difference.outcome == "noise"
    assert "work that is always the same took 1.30 of it" in comparison.doubts[0]
    other = msgspec.structs.replace(new, machine=msgspec.structs.replace(MACHINE, numpy="3.0"))
    assert compare_reports(old, other).cases[0].difference.outcome == "worse"


def test_the_table_says_whose_threads_waited():
    cases = [
        msgspec.structs.replace(case(batch=batch), waited_share=share)
        for batch, share in ((1, 0.05), (4, 0.4))
    ]
    [line] = [line for line in describe(report(*cases)) if "waited" in line]
    assert line.endswith("threads waited for a CPU, of the time: onnx-cpu float32 batch 4 40%")


def test_reports_with_nothing_in_common_are_not_compared():
    with pytest.raises(BenchError, match="nothing in common: one has onnx-cpu float32 batch 4"):
        compare_reports(report(case(batch=4)), report(case()))


def test_reports_of_pictures_of_two_sizes_are_not_compared():
    message = "old report is of 64x64 pixels, and this bundle draws 32x32: measure a bundle of that"
    with pytest.raises(BenchError, match=message):
        compare_reports(report(case()), report(case(), image_size=32))


def test_the_table_says_where_what_and_what_not():
    lines = list(describe(report(case(joules=0.5, is_steady=False), meter="the whole board")))
    assert lines[:3] == [
        "t2f 0.1.0, bundle bbbbbbbbbbbb, 64x64 pixels",
        "Vortex 86, 2 usable CPUs, Linux-6.8-x86_64, Python 3.11.7, numpy 2.4.6; 2 threads a face",
        (
            "2400 MHz before and 2300 MHz after, governor powersave, load 0.25 before; "
            "energy: the whole board"
        ),
    ]
    text = "\n".join(lines)
    assert (
        "onnx-cpu  float32        1  2.010  2.017    -    500.0   0.500        90   0 of 20" in text
    )
    assert "onnx-cpu  float32              350           0,1" in text
    assert "p90 and p99: told of 10 and 100 runs or more" in text
    assert "peak MiB: of the process, with this batch and all smaller ones" in text
    assert "GPU MiB" not in text
    assert "onnx-cpu float32 batch 1: not steady after 20 runs" in text
    assert lines[-1] == "not run: tensorrt, onnx-cuda: no GPU; buy one"


def test_the_table_tells_what_is_the_gpus_where_a_gpu_draws():
    lines = list(describe(report(case(gpu=[1e-3]), case(batch=4))))
    head = next(line for line in lines if line.split()[-2:] == ["copy", "GPU"])
    place = lines.index(head)
    assert lines[place + 1].endswith("1.000")
    assert lines[place + 2].endswith("-")
    assert lines[place + 3].startswith("GPU: what of draw is the GPU's, by CUDA's events")


def test_the_table_and_a_comparison_tell_what_a_gpu_ran_at():
    def of(driver):
        return report(
            case(), gpu=GpuFacts(driver=driver, megahertz=(1410.0, 1980.0), power_limit=350.0)
        )

    expected = "GPU: 1410 to 1980 MHz after turns, limit 350 W, driver 570"
    assert list(describe(of("570")))[2] == expected
    assert compare_reports(of("570"), of("580")).changed == ["GPU's driver: 570 before, 580 now"]


def test_the_table_tells_the_gpus_memory_of_each_batch():
    lines = list(describe(report(case(device_bytes=300 * 2**20), case(batch=4))))
    place = next(number for number, line in enumerate(lines) if "GPU MiB" in line)
    assert lines[place].endswith("peak MiB  GPU MiB  outliers")
    assert lines[place + 1].endswith("      90      300   0 of 20")
    assert lines[place + 2].endswith("      90        -   0 of 20")


def test_a_report_without_the_memory_of_each_batch_is_read(tmp_path):
    fields = msgspec.to_builtins(report(case()))
    del fields["cases"][0]["peak_bytes"], fields["cases"][0]["device_bytes"]
    (tmp_path / "old.json").write_bytes(msgspec.json.encode(fields))
    assert BenchReport.read(tmp_path / "old.json").cases[0].peak_bytes is None


def test_the_comparison_says_by_which_test():
    comparison = compare_reports(report(case()), report(case(scale=1.3)))
    lines = list(describe_comparison(comparison, margin=0.05))
    assert lines[:2] == [
        "engine    precision  batch  new/old  chance  verdict",
        "onnx-cpu  float32        1    1.300  0.0001    worse",
    ]
    assert "more than 5%" in lines[2]
    assert "rank-sum test" in lines[2]


def test_columns_of_names_are_left_and_of_numbers_right():
    assert aligned([["a", "b", "c"], ["long", "x", "1"], ["y", "longer", "22"]]) == [
        "a     b        c",
        "long  x        1",
        "y     longer  22",
    ]
