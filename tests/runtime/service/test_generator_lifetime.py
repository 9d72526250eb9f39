import copy
import doctest
import pickle
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gated_sessions import SECONDS, GatedPainter, gated_generator

from t2f_runtime import (
    ArgumentError,
    Cancellation,
    CancelledError,
    ClosedError,
    DeadlineError,
    FaceGenerator,
    cancellation,
)
from t2f_runtime.service import batcher


@pytest.fixture
def painter():
    return GatedPainter()


@pytest.fixture
def gated(tiny_manifest, tokenizer, painter):
    return gated_generator(tiny_manifest, tokenizer, painter)


@pytest.fixture
def fresh(tiny_bundle):
    return FaceGenerator.load(tiny_bundle, engine="onnx-cpu", threads=1)


@pytest.mark.parametrize("module", [cancellation, batcher])
def test_the_examples_in_the_documentation_work(module, tiny_bundle, monkeypatch):
    monkeypatch.chdir(tiny_bundle.parents[2])
    # The seconds of an example are enough, however busy this machine is.
    monkeypatch.setitem(Cancellation.__init__.__kwdefaults__, "clock", lambda: 0.0)
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_thirty_two_threads_draw_the_same_bytes_as_one(generator):
    jobs = [(f"a man with {count} teeth", count) for count in range(64)]
    alone = [generator.generate(text, seed=seed, count=2) for text, seed in jobs]
    start = threading.Barrier(32, timeout=SECONDS)

    def draw(worker):
        start.wait()
        order = jobs[worker:] + jobs[:worker]
        return {seed: generator.generate(text, seed=seed, count=2) for text, seed in order}

    with ThreadPoolExecutor(32) as pool:
        for drawn in pool.map(draw, range(32)):
            np.testing.assert_array_equal([drawn[seed] for _, seed in jobs], alone)


def test_warming_up_runs_both_networks_with_the_longest_description(
    fresh, textless, gated, painter
):
    face = fresh.generate("a man")
    fresh.warm_up()
    textless.warm_up()
    np.testing.assert_array_equal(fresh.generate("a man"), face)
    gated.warm_up()
    assert [batch.shape for batch in painter.batches] == [(1, 8)] * 2


def test_a_closed_generator_says_so(fresh):
    face = fresh.generate("a man")
    fresh.close()
    fresh.close()
    latents = np.zeros((1, 8), dtype=np.float32)
    for call in (
        lambda: fresh.generate("a man"),
        lambda: fresh.generate_batch(["a man"]),
        lambda: fresh.condition("a man"),
        lambda: fresh.draw(latents),
        fresh.warm_up,
        fresh.__enter__,
    ):
        with pytest.raises(ClosedError, match="this generator is closed; load the bundle again"):
            call()
    assert fresh.image_size == 8
    assert face.shape == (8, 8, 3)


def test_a_block_closes_its_generator_also_after_an_error(gated, painter):
    with pytest.raises(ZeroDivisionError), gated:
        gated.generate("a man", seed=1 // 0)
    assert painter.is_closed


def test_closing_waits_for_no_run_but_none_begins_after_it(gated, painter):
    painter.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        drawing = pool.submit(gated.generate, "a man", count=3)
        painter.wait_until_drawing()
        gated.close()
        assert not painter.is_closed
        painter.gate.set()
        with pytest.raises(ClosedError):
            drawing.result(SECONDS)
    assert painter.is_closed
    assert len(painter.batches) == 1


def test_cancelling_stops_between_faces(gated, painter):
    painter.gate.clear()
    token = Cancellation()
    with ThreadPoolExecutor(1) as pool:
        drawing = pool.submit(gated.generate, "a man", count=1000, cancellation=token)
        painter.wait_until_drawing()
        token.cancel()
        painter.gate.set()
        with pytest.raises(CancelledError, match=r"^the drawing was cancelled$"):
            drawing.result(SECONDS)
    assert len(painter.batches) == 1
    assert token.is_cancelled


class Clock:
    """Goes on by a second whenever it is looked at."""

    now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.mark.parametrize(
    "draw",
    [
        lambda gated, token: gated.generate("a man", count=9, cancellation=token),
        lambda gated, token: gated.generate_batch(["a man"] * 9, cancellation=token),
        lambda gated, token: gated.draw(np.zeros((9, 8), np.float32), cancellation=token),
    ],
)
def test_a_budget_stops_the_drawing_when_its_time_is_up(gated, painter, draw):
    token = Cancellation(seconds=4, clock=Clock())
    message = "the drawing was not done in the 4 s that it was given; give it more, or ask"
    with pytest.raises(DeadlineError, match=message):
        draw(gated, token)
    assert 1 <= len(painter.batches) < 4


def test_a_budget_that_is_enough_changes_nothing(generator):
    token = Cancellation(seconds=3600)
    np.testing.assert_array_equal(
        generator.generate("a man", count=2, cancellation=token),
        generator.generate("a man", count=2),
    )


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", True])
def test_a_budget_that_makes_no_sense_is_refused(seconds):
    with pytest.raises(ArgumentError, match="seconds must be a number, 0 or more, not"):
        Cancellation(seconds=seconds)


def test_latents_may_be_drawn_several_in_a_run(gated, painter, generator):
    gated.draw(np.zeros((7, 8), np.float32), faces_per_run=3)
    assert [len(batch) for batch in painter.batches] == [3, 3, 1]
    latents = np.random.default_rng(0).standard_normal((7, 8)).astype(np.float32)
    alone = generator.draw(latents).astype(int)
    assert np.abs(alone - generator.draw(latents, faces_per_run=3)).max() <= 1
    with pytest.raises(ArgumentError, match="faces_per_run is 0; it must be 1 to 10000"):
        generator.draw(latents, faces_per_run=0)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_generator_is_never_copied_or_sent_elsewhere(generator, copied):
    message = (
        "a generator cannot be pickled or copied, nor sent to another process; send the path of "
        "the bundle, and call FaceGenerator.load there"
    )
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        copied(generator)


FORK = """
import gc, os, signal
from t2f_runtime import ClosedError, FaceGenerator
from t2f_runtime.service import DynamicBatcher

generator = FaceGenerator.load({bundle!r}, engine="onnx-cpu", threads=2)
batcher = DynamicBatcher(generator)
face = batcher.generate("a man")
child = os.fork()
if child == 0:
    signal.alarm({seconds})  # a wait without end fails the test
    for call in (generator.generate, batcher.submit):
        try:
            call("a man")
        except ClosedError as error:
            print(error, flush=True)
    generator.close()
    batcher.close()
    del generator, batcher
    gc.collect()
    os._exit(7)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
assert (generator.generate("a man") == face).all()
batcher.close()
print("the parent draws on")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_process_is_refused_and_ends(tiny_bundle):
    code = FORK.format(bundle=str(tiny_bundle), seconds=SECONDS)
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    generator, queue, parent = result.stdout.splitlines()
    assert re.fullmatch(
        r"this generator was loaded in process \d+ and cannot draw in process \d+, which was "
        r"forked from it: .*; load the bundle in the new process, and start that with "
        r"multiprocessing.get_context\('spawn'\)",
        generator,
    )
    assert re.fullmatch(r"this queue belongs to process \d+; .*: make one in the new .*", queue)
    assert parent == "the parent draws on"


MEMORY = """
from pathlib import Path
from statistics import median
from t2f_runtime import FaceGenerator

def resident_kib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

generator = FaceGenerator.load({bundle!r}, engine="onnx-cpu", threads=1)
generator.warm_up()
texts = [" ".join(["a man"] * length) for length in range(1, 21)]

def draw(faces):
    for index in range(faces):
        generator.generate(texts[index % len(texts)], seed=index)

held = []
for _ in range(6):
    draw(500)
    held.append(resident_kib())
print(median(later - sooner for sooner, later in zip(held, held[1:])))
"""
"""The system takes and gives some hundred KiB now and then, which is in one or two rounds of five;
what faces leave behind is in every one."""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_faces_leave_no_memory_behind(tiny_bundle):
    result = subprocess.run(
        [sys.executable, "-c", MEMORY.format(bundle=str(tiny_bundle))],
        capture_output=True,
        text=True,
        check=True,
    )
    # 500 pictures of 192 bytes kept, with what Python adds, would be 150 KiB.
    assert float(result.stdout) < 75
