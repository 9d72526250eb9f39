import doctest
import importlib.metadata
import inspect
from pathlib import Path

import t2f_runtime
from t2f_runtime import errors, generator


def test_the_public_names_are_these():
    assert t2f_runtime.__all__ == [
        "ArgumentError",
        "Bundle",
        "BundleError",
        "Cancellation",
        "CancelledError",
        "ClosedError",
        "DeadlineError",
        "DescriptionError",
        "DescriptionReading",
        "EngineError",
        "FaceGenerator",
        "KeyFileError",
        "MissingPackageError",
        "PackError",
        "PassedOver",
        "PictureError",
        "PublicKey",
        "QueueFullError",
        "RunningEngine",
        "T2FError",
        "VerificationError",
        "__version__",
    ]
    assert all(hasattr(t2f_runtime, name) for name in t2f_runtime.__all__)


def test_every_error_is_public_and_has_one_base():
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(value, t2f_runtime.T2FError) for value in classes)
    assert {value.__name__ for value in classes} <= set(t2f_runtime.__all__)


def test_the_version_is_that_of_the_distribution():
    assert t2f_runtime.__version__ == importlib.metadata.version("t2f")


def test_the_examples_in_the_documentation_work(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    result = doctest.testmod(generator)
    assert result.attempted > 0
    assert result.failed == 0
