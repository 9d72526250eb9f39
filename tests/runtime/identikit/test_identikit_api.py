import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from t2f_runtime import identikit

MODULES = [
    f"t2f_runtime.identikit.{each.name}" for each in pkgutil.iter_modules(identikit.__path__)
]


def test_the_public_names_are_documented_and_there():
    for name in identikit.__all__:
        public = getattr(identikit, name)
        if inspect.isclass(public) or inspect.isfunction(public):
            assert public.__doc__, name


def test_every_operation_is_documented():
    for name, member in inspect.getmembers(identikit.Session):
        if not name.startswith("_") and callable(member):
            assert member.__doc__, name


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_the_documentation_work(monkeypatch, module):
    monkeypatch.chdir(Path(__file__).parents[3])
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_a_session_has_an_example():
    assert doctest.DocTestFinder().find(identikit.Session, globs={})[0].examples


def test_the_command_line_loads_no_identikit_before_it_is_called():
    code = "import sys, t2f_runtime.cli; print('t2f_runtime.identikit' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
