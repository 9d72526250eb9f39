import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

from t2f_runtime import reading
from t2f_runtime.pictures import facts

MODULES = [f"{reading.__name__}.{each.name}" for each in pkgutil.iter_modules(reading.__path__)]


@pytest.mark.parametrize("module", [*MODULES, facts.__name__])
def test_the_examples_in_the_documentation_work(monkeypatch, module):
    monkeypatch.chdir(Path(__file__).parents[3])
    assert doctest.testmod(importlib.import_module(module)).failed == 0
