"""Steps that are added to a case one by one, and the check that does them again."""

import msgspec
import pytest
from msgspec.structs import replace

from t2f_runtime import ArgumentError, Cancellation, CancelledError, DeadlineError
from t2f_runtime.identikit import CaseError, Session, save_case


@pytest.fixture
def session(generator):
    return Session.start("a bald man", generator).candidates(3).choose([1])


def test_a_step_is_checked_against_those_before_it_which_are_not_checked_again(session, tmp_path):
    first = replace(session.case.steps[0], operation="no start")
    spoilt = replace(session.case)
    msgspec.structs.force_setattr(spoilt, "steps", (first, *session.case.steps[1:]))
    gone_on = Session(spoilt, session.studio).choose([2]).undo().redo()
    assert gone_on.step.chosen == (2,)
    with pytest.raises(CaseError, match="the first step is no start"):
        save_case(tmp_path / "x.case", gone_on.case)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": 2}, "step 3 has the number 2"),
        ({"parent": 3}, "step 3 does not follow an earlier one"),
        ({"parent": None}, "step 3 does not follow an earlier one"),
        ({"operation": "start"}, "step 3 does not follow an earlier one"),
        ({"screen": ("1.00", "9.00")}, "step 3 shows a face that there is not: '9.00'"),
        ({"screen": ("1.03",)}, "step 3 shows a face that there is not: '1.03'"),
        ({"screen": ("1.0",)}, "step 3 shows a face that there is not: '1.0'"),
        ({"screen": ("x",)}, "step 3 shows a face that there is not: 'x'"),
        ({"chosen": (3,)}, "step 3 chooses places that its screen has not"),
        ({"chosen": (1, 1)}, "step 3 chooses places that its screen has not"),
        ({"locks": (2,)}, "step 3 has a lock that no step made"),
        ({"locks": (4,)}, "step 3 has a lock that no step made"),
        ({"operation": "lock", "arguments": {}}, "step 3 is a lock without a name"),
        ({"directions": (b"1234",)}, "step 3 has directions of another model"),
    ],
)
def test_a_step_that_cannot_follow_is_not_added(session, changes, message):
    step = replace(session.choose([2]).step, **changes)
    with pytest.raises(ValueError, match=message):
        session.case.with_step(step)


def test_a_case_stands_at_no_step_that_there_is_not(session):
    for at, undone in ((3, ()), (1, (3,))):
        with pytest.raises(ValueError, match="stands at a step that there is not"):
            session.case.standing_at(at, undone)
    with pytest.raises(ValueError, match="step 1 cannot be redone from step 1"):
        session.case.standing_at(1, (1,))


def test_a_case_before_a_step_is_as_it_was_then(session):
    earlier = session.choose([2]).choose([0]).case.before(3)
    assert earlier == session.case


class Clock:
    """A second passes whenever it is looked at."""

    def __init__(self):
        self.time = 0

    def __call__(self):
        self.time += 1
        return self.time


def test_a_check_looks_once_a_step_whether_it_is_wanted(session, generator):
    for place in (2, 0, 1, 2, 0):
        session = session.choose([place])
    clock = Clock()
    assert session.case.check(generator, cancellation=Cancellation(seconds=99, clock=clock)) == 4
    assert clock.time >= len(session.case.steps)
    with pytest.raises(DeadlineError, match="was not done in the 5 s"):
        session.case.check(generator, cancellation=Cancellation(seconds=5, clock=Clock()))


def test_a_check_that_is_cancelled_is_not_begun(session, generator):
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(CancelledError):
        session.case.check(generator, cancellation=cancellation)
    with pytest.raises(ArgumentError, match="must be a Cancellation or None, not 5"):
        session.case.check(generator, cancellation=5)
