"""Sessions: one that begins, and one that writes to a log."""

import pytest
from log_lines import Clock

from t2f_runtime.identikit import (
    CaseLog,
    Session,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.log"


@pytest.fixture
def log(path):
    return CaseLog.open(path, operator="officer 1147", clock=Clock())


@pytest.fixture
def session(generator, log):
    session = Session.start("a bald man", generator, seed=2**64 - 1, log=log).candidates(3)
    return session.choose([1]).breed(3).undo().more("older", 0.2)


@pytest.fixture
def written_by_another(path):
    """Another program is in the middle of a line of the log."""
    fcntl = pytest.importorskip("fcntl", reason="Windows has no such locks")
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def start(generator):
    return Session.start("a bald man", generator, seed=7)


@pytest.fixture(scope="module")
def screen(start):
    return start.candidates(6)
