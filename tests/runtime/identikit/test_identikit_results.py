"""The session that docs/results/identikit shows, run as it stands, with the tiny bundle."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from t2f_runtime.identikit import read_picture

ROOT = Path(__file__).parents[3]
SHOWN = ROOT / "docs" / "results" / "identikit"
pytestmark = pytest.mark.slow

T2F = "import sys; from t2f_runtime.cli import main; sys.argv[0] = 't2f'; main()"


def run(folder, bundle, commands):
    """Runs a session in a process of its own, as the page says."""
    folder.mkdir(exist_ok=True)
    options = ["--case", "17.case", "--pictures", "screens"]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", T2F, "identikit", str(bundle), *options],
        cwd=folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1795521600"},
        input=commands,
        capture_output=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout.decode()


@pytest.fixture(scope="module")
def sessions(tmp_path_factory, tiny_bundle):
    """The folders of two processes that carried out the session, and what they said."""
    folder = tmp_path_factory.mktemp("sessions")
    commands = (SHOWN / "session.txt").read_bytes()
    said = [run(folder / name, tiny_bundle, commands) for name in ("first", "second")]
    return folder / "first", folder / "second", said


def test_two_processes_write_the_same_pictures_to_the_bit(sessions):
    first, second, said = sessions
    assert said[0] == said[1]
    names = sorted(path.name for path in (first / "screens").iterdir())
    assert names == sorted(path.name for path in (second / "screens").iterdir())
    assert len(names) == 13
    for name in names:
        written = [(folder / "screens" / name).read_bytes() for folder in (first, second)]
        assert written[0] == written[1], name


def test_the_session_goes_as_its_page_tells(sessions, tiny_bundle):
    first, _, (said, _) = sessions
    page = (SHOWN / "README.md").read_text("utf-8")
    (pictures,) = re.findall(r"draws all (\d+) pictures again", page)
    assert f"{pictures} pictures are the same to the bit" in said
    assert "Error" not in said
    again = run(first, tiny_bundle, b"check")
    assert f"{pictures} pictures are the same to the bit" in again


def test_the_screens_of_the_page_are_joined_by_the_script_that_it_names(sessions, tmp_path):
    first, _, _ = sessions
    script = SHOWN / "join_screens.py"
    assert str(script.relative_to(ROOT)) in (SHOWN / "README.md").read_text("utf-8")
    joined = tmp_path / "screens.png"
    subprocess.run([sys.executable, script, first / "screens", "-o", joined], check=True)
    facts, pixels = read_picture(joined)
    with Image.open(SHOWN / "screens.webp") as shown:
        assert shown.size == (pixels.shape[1], pixels.shape[0])
    assert facts.count == 18 * 3 + 5
    _, top = read_picture(first / "screens" / "0001-candidates.png")
    _, last = read_picture(first / "screens" / "0012-mix.png")
    np.testing.assert_array_equal(pixels[: len(top)], top)
    left = 4 * last.shape[1]
    np.testing.assert_array_equal(pixels[-len(last) :, left : left + last.shape[1]], last)
