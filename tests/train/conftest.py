"""A run that is finished."""

import pytest
from tiny_training import SilentReporter, train_tiny_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    base = tmp_path_factory.mktemp("finished")
    reporter = SilentReporter()
    run = train_tiny_run(base, reporter=reporter)
    return base, run, reporter
