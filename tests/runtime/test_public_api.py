import doctest
import importlib.metadata
import inspect
from pathlib import Path

import pytest

import t2f_runtime
from t2f_runtime import errors, reading, service


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


def test_the_public_names_of_the_packages_are_these():
    assert reading.__all__ == ["DescriptionReading"]
    assert service.__all__ == ["DynamicBatcher"]


def test_every_error_is_public_and_has_one_base():
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(value, t2f_runtime.T2FError) for value in classes)
    assert {value.__name__ for value in classes} <= set(t2f_runtime.__all__)


def test_the_version_is_that_of_the_distribution():
    assert t2f_runtime.__version__ == importlib.metadata.version("t2f")


PUBLIC = [
    (module, name)
    for module in (t2f_runtime, reading, service)
    for name in module.__all__
    if name != "__version__"
]


@pytest.mark.parametrize(
    ("module", "name"), PUBLIC, ids=lambda part: getattr(part, "__name__", part)
)
def test_every_public_name_has_an_example_that_works(monkeypatch, module, name):
    monkeypatch.chdir(Path(__file__).parents[2])
    (documented,) = doctest.DocTestFinder(recurse=False).find(getattr(module, name), name, globs={})
    assert documented.docstring.partition("\n")[0]
    assert documented.examples
    output = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(documented, out=output.append).failed == 0, "".join(output)
