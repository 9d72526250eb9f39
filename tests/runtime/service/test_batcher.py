import gc
import re
import threading
import weakref
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gated_sessions import SECONDS, GatedPainter, gated_generator
from vast_manifest import VastManifest

from t2f_runtime import (
    ArgumentError,
    Cancellation,
    CancelledError,
    ClosedError,
    DeadlineError,
    DescriptionError,
    EngineError,
    QueueFullError,
)
from t2f_runtime.service import DynamicBatcher

TEXTS = ["a bald man", "a smiling woman with long brown hair", "x", "👧"]


@pytest.fixture
def painter():
    return GatedPainter()


@pytest.fixture
def gated(tiny_manifest, tokenizer, painter):
    return gated_generator(tiny_manifest, tokenizer, painter)


@pytest.fixture
def busy(gated, painter):
    """A queue whose first face waits at the gate, before three more."""
    painter.gate.clear()
    with DynamicBatcher(gated, capacity=8) as batcher:
        batcher.first = batcher.submit("first")
        painter.wait_until_drawing()
        yield batcher
        painter.gate.set()


def open_gate_at_closing(batcher, painter):
    """Lets the face under way be drawn as soon as the queue is closed, and not a moment before."""
    close_turns = batcher._turns.close

    def close_and_open(**how):
        close_turns(**how)
        painter.gate.set()

    batcher._turns.close = close_and_open


def open_gate_at_adding(batcher, painter, before=lambda: None):
    """Lets the face under way be drawn as soon as another waits, after something else."""
    add_to_turns = batcher._turns.add

    def add_and_open(*what, **how):
        add_to_turns(*what, **how)
        before()
        painter.gate.set()

    batcher._turns.add = add_and_open


def test_pictures_have_the_bytes_of_those_drawn_without_a_queue(generator):
    jobs = [(text, seed, count) for seed in range(5) for text in TEXTS for count in (None, 1, 3)]
    alone = [generator.generate(text, seed=seed, count=count) for text, seed, count in jobs]
    with DynamicBatcher(generator) as batcher, ThreadPoolExecutor(8) as pool:
        drawn = pool.map(lambda job: batcher.generate(job[0], seed=job[1], count=job[2]), jobs)
        for expected, pictures in zip(alone, drawn, strict=True):
            np.testing.assert_array_equal(pictures, expected, strict=True)


def test_a_model_without_text_draws_its_seeds(textless):
    with DynamicBatcher(textless) as batcher:
        np.testing.assert_array_equal(
            batcher.generate(seed=7, count=2), textless.generate(seed=7, count=2)
        )
        with pytest.raises(DescriptionError, match="this model draws without descriptions"):
            batcher.generate("a man")


def test_requests_take_turns_face_by_face(busy, painter):
    many = busy.submit("many", count=3)
    one = busy.submit("one")
    painter.gate.set()
    assert busy.first.result(SECONDS)[0, 0, 0] == 0
    # The many have the first turn, the one the second, and the rest of the many follow.
    assert one.result(SECONDS)[0, 0, 0] == 2
    np.testing.assert_array_equal(many.result(SECONDS)[:, 0, 0, 0], [1, 3, 4])


def test_equal_requests_are_drawn_once_and_each_gets_its_own_picture(busy, painter):
    equal = [busy.submit("a man", seed=5) for _ in range(3)]
    row = busy.submit("a man", seed=5, count=1)
    other = busy.submit("a man", seed=6)
    painter.gate.set()
    pictures = [future.result(SECONDS) for future in equal]
    assert [picture[0, 0, 0] for picture in pictures] == [1, 1, 1]
    pictures[0][:] = 99
    assert pictures[1][0, 0, 0] == 1
    assert row.result(SECONDS).shape == (1, 8, 8, 3)
    assert other.result(SECONDS)[0, 0, 0] == 2
    assert sum(map(len, painter.batches)) == 3


def test_a_request_that_equals_a_finished_one_is_drawn_again(gated, painter):
    with DynamicBatcher(gated) as batcher:
        assert batcher.generate("a man")[0, 0, 0] == 0
        assert batcher.generate("a man")[0, 0, 0] == 1


def test_a_full_queue_refuses_at_once(busy, painter):
    assert busy.waiting_faces == 1
    busy.submit("six", count=6)
    assert busy.waiting_faces == 7
    message = "7 faces wait already, and 2 more would be over the 8 that may; ask again later"
    with pytest.raises(QueueFullError, match=message):
        busy.submit("two", count=2)
    last = busy.submit("last")
    with pytest.raises(QueueFullError, match="8 faces wait already, and 1 more would be over"):
        busy.submit("equal requests count too", seed=1)
    with pytest.raises(QueueFullError):
        busy.submit("last")
    painter.gate.set()
    assert last.result(SECONDS).shape == (8, 8, 3)
    busy.close()
    assert busy.waiting_faces == 0


def test_an_error_is_its_requesters_alone(busy, painter):
    bad = busy.submit("x\0y")
    good = busy.submit("a man")
    painter.gate.set()
    with pytest.raises(DescriptionError, match=r"control character U\+0000 at position 1"):
        bad.result(SECONDS)
    assert good.result(SECONDS).shape == (8, 8, 3)


def test_faces_that_memory_does_not_hold_are_an_error_and_the_queue_goes_on(
    tiny_manifest, tokenizer, painter
):
    vast = gated_generator(VastManifest(tiny_manifest), tokenizer, painter)
    with DynamicBatcher(vast) as batcher:
        for _ in range(2):
            future = batcher.submit("a man", count=256)
            with pytest.raises(ArgumentError, match="256 faces of 16777216x16777216 pixels take"):
                future.result(SECONDS)
        latents = np.ones((256, tiny_manifest.latent_size), dtype=np.float32)
        with pytest.raises(ArgumentError, match="256 faces of 16777216x16777216 pixels take"):
            batcher.draw(latents)
    assert painter.batches == []


def test_what_the_network_raises_reaches_the_requester_and_the_queue_goes_on(gated, painter):
    with DynamicBatcher(gated) as batcher:
        for error in (EngineError("the GPU is gone"), ZeroDivisionError("a bug")):
            painter.error = error
            with pytest.raises(type(error), match=str(error)):
                batcher.generate("a man")
        painter.error = None
        assert batcher.generate("a man").shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seed": -1}, ArgumentError, "seed is -1; it must be 0 to"),
        ({"count": 0}, ArgumentError, "count is 0; it must be 1 to 8"),
        ({"count": 9}, ArgumentError, "count is 9; it must be 1 to 8"),
        ({"text": ["a man"]}, DescriptionError, "must be text (str), not list"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(busy, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        busy.submit(**{"text": "a man", **arguments})


def test_a_cancelled_request_is_not_drawn_and_leaves_its_place(busy, painter):
    token = Cancellation()
    cancelled = busy.submit("cancelled", cancellation=token)
    future = busy.submit("cancelled through its future")
    kept = busy.submit("kept")
    token.cancel()
    assert future.cancel()
    painter.gate.set()
    with pytest.raises(CancelledError, match="the drawing was cancelled"):
        cancelled.result(SECONDS)
    with pytest.raises(FutureCancelledError):
        future.result(SECONDS)
    assert kept.result(SECONDS)[0, 0, 0] == 1
    assert sum(map(len, painter.batches)) == 2


def test_a_request_is_stopped_between_its_faces(busy, painter):
    token = Cancellation()
    many = busy.submit("many", count=5, cancellation=token)
    painter.after_run = lambda: token.cancel() if len(painter.batches) == 3 else None
    painter.gate.set()
    with pytest.raises(CancelledError):
        many.result(SECONDS)
    busy.close()
    assert len(painter.batches) == 3


def test_one_of_two_equal_requests_may_be_cancelled(busy, painter):
    token = Cancellation()
    cancelled = busy.submit("a man", cancellation=token)
    kept = busy.submit("a man")
    token.cancel()
    painter.gate.set()
    with pytest.raises(CancelledError):
        cancelled.result(SECONDS)
    assert kept.result(SECONDS)[0, 0, 0] == 1


def test_the_time_in_the_queue_counts(busy, painter):
    now = [0.0]
    late = busy.submit("late", cancellation=Cancellation(seconds=2, clock=lambda: now[0]))
    now[0] = 2.0
    painter.gate.set()
    with pytest.raises(DeadlineError, match="not done in the 2 s that it was given"):
        late.result(SECONDS)


def test_closing_draws_what_waits(busy, painter):
    waiting = [busy.submit("a man", seed=seed, count=2) for seed in range(3)]
    painter.gate.set()
    busy.close()
    assert all(future.done() for future in [busy.first, *waiting])
    assert sum(map(len, painter.batches)) == 7
    with pytest.raises(ClosedError, match="this queue is closed; make another"):
        busy.submit("a man")
    busy.close()


def test_closing_without_draining_cancels_what_waits(busy, painter):
    waiting = [busy.submit("a man", seed=seed) for seed in range(3)]
    open_gate_at_closing(busy, painter)
    busy.close(drain=False)
    assert busy.first.result(SECONDS).shape == (8, 8, 3)
    for future in waiting:
        with pytest.raises(CancelledError, match="the queue was closed before this was drawn"):
            future.result(SECONDS)


def test_an_error_in_the_block_cancels_what_waits(gated, painter):
    painter.gate.clear()
    waiting = []

    def fail():
        with DynamicBatcher(gated) as batcher:
            batcher.submit("first")
            painter.wait_until_drawing()
            waiting.append(batcher.submit("waiting"))
            open_gate_at_closing(batcher, painter)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(CancelledError):
        waiting[0].result(SECONDS)


def test_whoever_is_told_of_a_picture_may_ask_for_the_next_and_close(gated, painter):
    painter.gate.clear()
    batcher = DynamicBatcher(gated)
    asked, answered = [], threading.Event()

    def ask_again(future):
        asked.append(batcher.submit("again"))
        batcher.close()
        answered.set()

    # Before the picture is there, so that the thread that draws it is the one that tells of it.
    batcher.submit("a man").add_done_callback(ask_again)
    painter.gate.set()
    assert answered.wait(SECONDS)
    assert asked[0].result(SECONDS).shape == (8, 8, 3)


def test_a_queue_that_nobody_holds_ends_its_thread(gated):
    batcher = DynamicBatcher(gated)
    gone, thread = weakref.ref(batcher), batcher._thread
    del batcher
    gc.collect()
    assert gone() is None
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_several_faces_are_drawn_in_one_run_if_asked_for(gated, painter):
    painter.gate.clear()
    with DynamicBatcher(gated, faces_per_run=4) as batcher:
        first = batcher.submit("first")
        painter.wait_until_drawing()
        many = batcher.submit("many", count=3)
        others = [batcher.submit("other", seed=seed) for seed in range(2)]
        painter.gate.set()
        assert many.result(SECONDS).shape == (3, 8, 8, 3)
        assert [future.result(SECONDS).shape for future in [first, *others]] == [(8, 8, 3)] * 3
    assert [len(batch) for batch in painter.batches] == [1, 4, 1]
    # One face of each, then the next of the one that has more.
    np.testing.assert_array_equal(many.result()[:, 0, 0, 0], [1, 4, 5])


def test_faces_in_company_are_those_drawn_alone_but_for_a_level(generator):
    alone = [generator.generate(text, seed=3, count=4) for text in TEXTS]
    with DynamicBatcher(generator, faces_per_run=8, wait_seconds=0.01) as batcher:
        waiting = [batcher.submit(text, seed=3, count=4) for text in TEXTS]
        for expected, future in zip(alone, waiting, strict=True):
            difference = np.abs(expected.astype(int) - future.result(SECONDS))
            assert difference.max() <= 1


def test_company_is_waited_for_no_longer_than_until_the_run_is_full(gated, painter):
    with DynamicBatcher(gated, faces_per_run=3, wait_seconds=10 * SECONDS) as batcher:
        waiting = [batcher.submit("a man", seed=seed) for seed in range(3)]
        assert all(future.result(SECONDS).shape == (8, 8, 3) for future in waiting)
        assert [len(batch) for batch in painter.batches] == [3]
        last = batcher.submit("closing ends the wait")
    assert last.result(SECONDS).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"capacity": 0}, "capacity is 0; it must be 1 to 100000"),
        ({"faces_per_run": 257}, "faces_per_run is 257; it must be 1 to 256"),
        ({"wait_seconds": -1.0, "faces_per_run": 2}, "wait_seconds is -1.0; it must be 0 or more"),
        ({"wait_seconds": float("nan")}, "wait_seconds is nan; it must be 0 or more"),
        ({"wait_seconds": 0.1}, "waiting for company gains nothing while faces_per_run is 1"),
    ],
)
def test_a_queue_that_makes_no_sense_is_refused(gated, options, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        DynamicBatcher(gated, **options)


def test_latents_are_drawn_as_without_a_queue(generator):
    latents = np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)
    with DynamicBatcher(generator) as batcher:
        np.testing.assert_array_equal(batcher.draw(latents), generator.draw(latents), strict=True)
        with pytest.raises(ArgumentError, match="latents has the shape"):
            batcher.draw(latents[0])


def test_a_latent_takes_its_turn_and_always_has_room(busy, painter):
    many = busy.submit("many", count=7)
    with pytest.raises(QueueFullError, match="8 faces wait already, and 1 more would be over the"):
        busy.submit("one")
    latents = np.ones((2, 8), dtype=np.float32)
    with ThreadPoolExecutor(1) as pool:
        open_gate_at_adding(busy, painter)
        drawn = pool.submit(busy.draw, latents)
        greys = drawn.result(SECONDS)[:, 0, 0, 0]
    assert greys[0] == 2  # the first and one of the many come before it
    assert len(many.result(SECONDS)) == 7


def test_a_latent_that_nobody_wants_any_more_is_not_drawn(busy, painter):
    cancellation = Cancellation()
    with ThreadPoolExecutor(1) as pool:
        open_gate_at_adding(busy, painter, cancellation.cancel)
        drawn = pool.submit(busy.draw, np.ones((3, 8), np.float32), cancellation=cancellation)
        with pytest.raises(CancelledError, match="the drawing was cancelled"):
            drawn.result(SECONDS)
    assert len(painter.batches) == 1
