import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from certificate_authority import Authority

from t2f_runtime import identikit

MODULES = [
    f"t2f_runtime.identikit.{each.name}" for each in pkgutil.iter_modules(identikit.__path__)
]


CONSTANTS = ("KNOWN_PAIRS", "LOCK_SETS", "SLIDER_END")
"""Public names that have no docstring of their own."""

EXTRAS = {
    "Credentials": "c2pa",
    "export_page": "fpdf",
    "read_credentials": "c2pa",
    "sign_picture": "c2pa",
}
"""What the examples of some names need."""

ROOT = Path(__file__).parents[3]


def test_the_public_names_are_these():
    assert identikit.__all__ == [
        "KNOWN_PAIRS",
        "LOCK_SETS",
        "SLIDER_END",
        "Case",
        "CaseError",
        "CaseFile",
        "CaseLog",
        "Comparison",
        "Credentials",
        "Direction",
        "Explanation",
        "Face",
        "LogMark",
        "LogReport",
        "PictureFacts",
        "Reading",
        "Session",
        "ShownFace",
        "Step",
        "Trait",
        "WordEffect",
        "explain",
        "explain_text",
        "explanation_sheet",
        "export_page",
        "export_picture",
        "export_sheet",
        "latents",
        "load_case",
        "mix",
        "morph",
        "picture_hash",
        "read_credentials",
        "read_picture",
        "repair_log",
        "save_case",
        "sign_picture",
        "verify_log",
    ]
    assert all(hasattr(identikit, name) for name in identikit.__all__)


@pytest.fixture
def signed(tmp_path, generator):
    """Paths that the examples of content credentials speak of."""
    authority = Authority(tmp_path)
    paths = authority.give("Kiosk 17", authority.new_key())
    face = identikit.Session.start("a bald man", generator).face
    picture = tmp_path / "face.png"
    now = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
    identikit.export_picture(picture, generator, face, time=now)
    identikit.sign_picture(picture, **paths)
    return {**paths, "root": tmp_path / "root.pem", "signed": picture}


@pytest.mark.parametrize("name", [name for name in identikit.__all__ if name not in CONSTANTS])
def test_every_public_name_has_an_example_that_works(name, monkeypatch, request):
    names = {}
    if name in EXTRAS:
        pytest.importorskip(EXTRAS[name], reason=f"an extra is not installed: {EXTRAS[name]}")
    if EXTRAS.get(name) == "c2pa":
        names = request.getfixturevalue("signed")
    monkeypatch.chdir(ROOT)
    found = doctest.DocTestFinder(recurse=False).find(getattr(identikit, name), name, globs=names)
    assert sum(len(test.examples) for test in found) > 0
    assert [run(test).failed for test in found] == [0]


def run(test):
    return doctest.DocTestRunner().run(test)


def test_every_operation_is_documented():
    for name, member in inspect.getmembers(identikit.Session):
        if not name.startswith("_") and callable(member):
            assert member.__doc__, name


@pytest.mark.parametrize("module", MODULES)
def test_the_other_examples_in_the_documentation_work(monkeypatch, module):
    monkeypatch.chdir(ROOT)
    found = doctest.DocTestFinder().find(importlib.import_module(module))
    others = [
        test for test in found if test.name.removeprefix(f"{module}.") not in identikit.__all__
    ]
    assert sum(run(test).failed for test in others) == 0


def test_the_command_line_loads_no_identikit_before_it_is_called():
    code = "import sys, t2f_runtime.cli; print('t2f_runtime.identikit' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
