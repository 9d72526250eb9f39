"""How the benchmarks measure: turns, spreads, ratios and slopes."""

import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

TINY = Path(__file__).resolve().parents[1] / "runtime" / "tiny_bundle"


@pytest.fixture
def measuring(script, monkeypatch):
    module = script("measuring")
    monkeypatch.setattr(module, "come_to_rest", lambda: None)
    return module


def test_every_side_has_one_turn_a_round_and_warm_up_is_not_kept(measuring):
    called = []

    def side(name):
        return lambda: called.append(name) or {"wall": float(len(called))}

    samples = measuring.interleave({"a": side("a"), "b": side("b")}, rounds=5, warm_up=2)
    assert [set(called[turn : turn + 2]) for turn in range(0, 14, 2)] == [{"a", "b"}] * 7
    assert called[::2] != ["a"] * 7  # the order changes
    kept = sorted(sample["wall"] for side in samples.values() for sample in side)
    assert kept == [float(turn) for turn in range(5, 15)]


def test_a_process_rests_when_no_thread_of_it_works(script, monkeypatch):
    rest = script("rest")
    monkeypatch.setattr(rest, "LONGEST", 20.0)
    until = time.perf_counter() + 0.2

    def spin():
        while time.perf_counter() < until:
            pass

    spinner = threading.Thread(target=spin)
    spinner.start()
    rest.come_to_rest()
    assert time.perf_counter() >= until
    spinner.join()


def test_a_process_that_never_rests_is_not_waited_for(script, monkeypatch):
    rest = script("rest")
    monkeypatch.setattr(rest, "RESTING", -1.0)
    monkeypatch.setattr(rest, "LONGEST", 0.02)
    begun = time.perf_counter()
    rest.come_to_rest()
    assert time.perf_counter() - begun >= 0.02


def test_every_turn_begins_at_rest_and_a_side_answers_at_rest(script, monkeypatch):
    measuring, drawing = script("measuring"), script("drawing_side")
    done = []
    monkeypatch.setattr(measuring, "come_to_rest", lambda: done.append("rest"))
    side = {"a": lambda: done.append("turn") or {"wall": 1.0}}
    measuring.interleave(side, rounds=2, warm_up=1)
    assert done == ["rest", "turn"] * 3
    monkeypatch.setattr(drawing, "come_to_rest", lambda: done.append("side at rest"))
    monkeypatch.setattr("sys.stdin", ["{}"])
    monkeypatch.setattr(drawing.os, "dup2", lambda *ends: None)
    monkeypatch.setattr(drawing.os, "dup", lambda end: os.open(os.devnull, os.O_WRONLY))
    drawing.answer_lines(lambda asked: done.append("answer") or {})
    assert done[-2:] == ["answer", "side at rest"]


def test_percentiles_are_those_of_numpy(measuring):
    values = np.random.default_rng(0).exponential(size=37)
    found = measuring.spread(list(values))
    for name, share in (("low", 25), ("median", 50), ("high", 75), ("p90", 90), ("p99", 99)):
        assert found[name] == pytest.approx(np.percentile(values, share)), name
    assert (found["least"], found["greatest"]) == (values.min(), values.max())
    assert measuring.spread([3.0])["p99"] == 3.0


def test_a_ratio_compares_within_a_round(measuring):
    ours = [{"wall": 1.0}, {"wall": 10.0}, {"wall": 4.0}]
    theirs = [{"wall": 2.0}, {"wall": 20.0}, {"wall": 8.0}]
    assert measuring.ratios(ours, theirs)["median"] == 0.5
    assert measuring.ratios(ours, theirs)["greatest"] == 0.5


def test_a_report_has_the_machine_and_is_whole_or_not_there(measuring, tmp_path, capsys):
    report = measuring.Report("peers", {"threads": 2})
    path = report.write(tmp_path, rows=[{"value": 1 / 3}])
    content = json.loads(path.read_text())
    assert path == tmp_path / "peers.json"
    assert [entry.name for entry in tmp_path.iterdir()] == ["peers.json"]
    assert content["rows"] == [{"value": 0.333333}]
    assert content["settings"] == {"threads": 2}
    assert content["schema_version"] == 1
    machine = content["machine"]
    assert {"processor", "cpus", "python", "versions", "load_at_start", "is_busy"} <= set(machine)
    assert "numpy" in machine["versions"]
    assert "written: " in capsys.readouterr().out


def test_what_others_took_leaves_out_our_own_time_and_what_was_idle_or_stolen(measuring):
    second = os.sysconf("SC_CLK_TCK")
    before = measuring.Ticks(total=0, idle=0, stolen=0)
    after = measuring.Ticks(total=20 * second, idle=8 * second, stolen=2 * second)
    assert measuring.others_share(before, after, 10.0) == 0
    assert measuring.others_share(before, after, 6.0) == 0.2
    assert measuring.stolen_share(before, after) == 0.1
    assert measuring.others_share(None, after, 6.0) is None
    assert measuring.others_share(before, before, 6.0) is None


def test_a_busy_machine_is_warned_of(measuring, capsys):
    measuring.warn_if_busy({"is_busy": True, "load_at_start": 3.5, "cpus": 2})
    assert "the load average is 3.50 on 2 CPUs" in capsys.readouterr().err
    measuring.warn_if_busy({"is_busy": False})
    assert capsys.readouterr().err == ""


def test_a_target_is_met_up_to_its_limit(measuring):
    assert measuring.target("x", 0.45, 0.45)["is_met"]
    assert not measuring.target("x", 0.46, 0.45)["is_met"]


def test_a_slope_is_the_exponent_of_a_power(script):
    growth = script("growth")
    sizes = [32, 64, 128, 256]
    assert growth.slope(sizes, [0.3 * size**1.7 for size in sizes]) == pytest.approx(1.7)
    assert growth.slope(sizes, [5.0] * 4) == pytest.approx(0.0)
    assert growth.slope([1], [2.0]) is None


def test_one_size_changes_along_an_axis(script):
    growth = script("growth")
    for axis in growth.axes_of(2, is_quick=False):
        for value, point in axis.points().items():
            for name in growth.Point.__slots__:
                expected = value if name == axis.name else getattr(axis.base, name)
                assert getattr(point, name) == expected


def test_the_axes_are_those_that_a_board_is_chosen_by(script):
    growth = script("growth")
    axes = {axis.title: axis.values for axis in growth.axes_of(2, is_quick=False)}
    assert axes["drawing, pixels"] == (32, 64, 128, 256, 512)
    assert axes["drawing, tokens"][0] == 1
    assert axes["drawing, tokens"][-1] == 512
    assert {"drawing, channels", "drawing, threads", "training, pixels"} <= set(axes)


def test_the_guard_fails_where_most_rounds_are_slower_and_the_margin_is_passed(script):
    guard = script("guard")
    name = "text to RGB"
    margin = guard.MARGINS[name]
    assert not guard.verdict(name, {"median": margin + 0.01, "low": 1.02})["is_within"]
    assert guard.verdict(name, {"median": margin + 0.01, "low": 0.99})["is_within"]
    assert guard.verdict(name, {"median": margin, "low": 1.05})["is_within"]
    counted = "instructions without the networks"
    assert not guard.verdict(counted, {"median": guard.MARGINS[counted] + 0.01})["is_within"]


def test_the_guard_decides_nothing_by_a_few_rounds_of_a_small_network(script):
    guard = script("guard")
    slow = guard.verdict("training step", {"median": 1.3, "low": 1.27})
    rows = [{"name": "text to RGB", "not_run": "why"}, slow]
    assert guard.failure(rows, is_quick=False) == "this checkout is slower than what it comes from"
    assert guard.failure(rows, is_quick=True) is None
    assert guard.failure(rows[:1], is_quick=False) is None


class Peer:
    """A peer's process that need not run."""

    def __init__(self, *arguments):
        pass

    def end(self):
        pass


def moods(sides, *, rounds, warm_up=3):
    """The machine's mood slows all sides down; the first takes a quarter of the others' time."""
    del rounds, warm_up
    first = next(iter(sides))
    return {
        side: [
            dict.fromkeys(("wall", "processor"), mood * (1 if side == first else 4))
            for mood in (1.0, 2.0, 4.0)
        ]
        for side in sides
    }


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("generator_graph", ["folder"], "0.25   0.25 to 0.25"),
        ("graph_forms", ["--channels", "8", "8"], "4.00"),
        ("batching", [str(TINY)], "together takes 4.00 of alone, quartiles 4.00 to 4.00"),
    ],
)
def test_scripts_that_only_print_compare_within_a_round_too(
    script, monkeypatch, capsys, name, arguments, expected
):
    module = script(name)
    monkeypatch.setattr(module, "interleave", moods)
    if name == "generator_graph":
        sides = dict.fromkeys([module.OURS, module.PLAIN], lambda latents: latents)
        monkeypatch.setattr(module, "our_generators", lambda threads: sides)
        monkeypatch.setattr(module, "check_pictures", lambda sides, latents: None)
        monkeypatch.setattr(module, "peer_python", lambda folder: "python")
        monkeypatch.setattr(module, "SideProcess", Peer)
    monkeypatch.setattr("sys.argv", [name, *arguments])
    module.main()
    assert expected in capsys.readouterr().out


def test_what_a_runtime_takes_on_a_disk_follows_its_requirements(script):
    start_up = script("start_up")
    mib, packages = start_up.installed_mib(["t2f[cpu]"])
    assert {"t2f", "numpy", "onnxruntime", "sentencepiece"} <= set(packages)
    assert not {"torch", "onnx", "rich"} & set(packages)
    with_torch, more = start_up.installed_mib(["t2f", "torch"])
    assert "torch" in more
    assert "onnxruntime" not in more
    assert with_torch > mib > 10


def test_a_runtime_that_is_not_installed_has_no_size(script):
    with pytest.raises(SystemExit, match="nothing-of-that-name is not installed"):
        script("start_up").installed_mib(["nothing-of-that-name"])
