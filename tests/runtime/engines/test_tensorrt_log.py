from types import SimpleNamespace

import pytest

from t2f_runtime.engines.tensorrt_log import Messages, make_logger


class ILogger:
    """TensorRT's base class of loggers: levels are its attributes, the lowest the worst."""

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


@pytest.fixture
def messages():
    return Messages()


@pytest.fixture
def logger(messages):
    return make_logger(SimpleNamespace(ILogger=ILogger), messages)


def test_errors_are_told_once_and_without_the_marks_of_nodes(logger, messages):
    logger.log(ILogger.ERROR, "ModelImporter.cpp:1 Could not parse node 3")
    logger.log(ILogger.ERROR, "--- Begin node ---\ninput: x\n--- End node ---")
    logger.log(ILogger.INTERNAL_ERROR, "Assertion\n  failed")
    logger.log(ILogger.ERROR, "ModelImporter.cpp:1 Could not parse node 3")
    assert messages.told() == "ModelImporter.cpp:1 Could not parse node 3; Assertion failed"


def test_a_library_that_says_nothing_is_told_as_such(messages):
    assert messages.told() == "the library gave no reason"


def test_warnings_are_no_errors_and_what_says_nothing_new_is_left_out(logger, messages, capfd):
    logger.log(ILogger.WARNING, "Make sure input tokens has Int64 binding.")
    logger.log(ILogger.WARNING, "Running layernorm in float16 may overflow")
    logger.log(ILogger.INFO, "Loaded engine size: 3 MiB")
    assert messages.warnings == ["Running layernorm in float16 may overflow"]
    assert messages.errors == []
    assert capfd.readouterr() == ("", "")


def test_what_was_forgotten_is_not_told_with_the_next_failure(logger, messages):
    logger.log(ILogger.ERROR, "the first failure")
    messages.forget()
    logger.log(ILogger.ERROR, "the second failure")
    assert messages.told() == "the second failure"


def test_a_kiosk_that_runs_for_months_keeps_a_bounded_log(logger, messages):
    for number in range(5000):
        logger.log(ILogger.WARNING, f"warning {number}")
    assert len(messages.warnings) == 1000
