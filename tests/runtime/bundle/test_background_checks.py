import threading

import pytest

from t2f_runtime.bundle.background_checks import BackgroundChecks

SECONDS = 30
"""After which a check that hangs goes on, and its test fails."""


def fail(text):
    raise ValueError(text)


def test_checks_run_while_their_caller_does_something_else():
    is_allowed = threading.Event()
    done = []
    checks = BackgroundChecks([lambda: is_allowed.wait(SECONDS), lambda: done.append(1)])
    assert not done
    is_allowed.set()
    checks.finish()
    assert done == [1]


def test_the_first_check_that_fails_ends_them_and_is_told_every_time():
    done = []
    checks = BackgroundChecks([lambda: fail("first"), lambda: fail("second"), done.append])
    for _ in range(2):
        with pytest.raises(ValueError, match="first"):
            checks.finish()
    assert not done


def test_waiting_raises_nothing_and_leaves_no_thread():
    checks = BackgroundChecks([lambda: fail("first")])
    checks.wait()
    assert "t2f checks" not in {thread.name for thread in threading.enumerate()}


def test_checks_run_where_no_thread_can_be_started(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = []
    checks = BackgroundChecks([lambda: done.append(1), lambda: fail("second")])
    assert done == [1]
    with pytest.raises(ValueError, match="second"):
        checks.finish()


def test_urgent_checks_can_be_waited_for_without_the_others():
    is_allowed = threading.Event()
    done = []
    others = [lambda: is_allowed.wait(SECONDS), lambda: done.append(2)]
    checks = BackgroundChecks([lambda: done.append(1), *others], urgent=1)
    checks.finish_urgent()
    assert done == [1]
    is_allowed.set()
    checks.finish()
    assert done == [1, 2]


def test_an_urgent_check_that_fails_is_told_to_who_waits_for_those_alone():
    checks = BackgroundChecks([lambda: fail("first"), lambda: fail("second")], urgent=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="first"):
            checks.finish_urgent()
    checks.wait()  # tests that look for threads that are left are not to find this one


def test_where_all_checks_are_urgent_all_are_waited_for():
    done = []
    checks = BackgroundChecks([lambda: done.append(1), lambda: done.append(2)], urgent=2)
    checks.finish_urgent()
    assert done == [1, 2]
    checks.wait()
