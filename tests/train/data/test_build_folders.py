import os
import re
import signal
import subprocess
import sys
import time

import pytest

from t2f_train.data.build_folders import (
    build_folder,
    damaged_folder,
    remove_abandoned_builds,
)

BUILDER = """
import sys
from pathlib import Path
from t2f_train.data.build_folders import build_folder

with build_folder(Path(sys.argv[1]), "ab12") as building:
    (building / "level").write_bytes(b"pixels")
    print(building.name, flush=True)
    sys.stdin.read()
"""


def age(cache):
    """Makes everything look an hour old."""
    for path in cache.iterdir():
        os.utime(path, (time.time() - 3600,) * 2)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def builder(cache):
    """Another process in the midst of a build."""
    command = [sys.executable, "-c", BUILDER, str(cache)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:
        process.name = process.stdout.readline().strip()
        yield process
        process.kill()


def test_what_is_built_may_be_renamed_and_nothing_else_stays(cache):
    with build_folder(cache, "ab12") as building:
        (building / "level").touch()
        building.rename(cache / "ab12")
    assert [path.name for path in cache.iterdir()] == ["ab12"]


def test_a_build_that_fails_leaves_nothing(cache):
    def build():
        with build_folder(cache, "ab12") as building:
            damaged_folder(building).mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert list(cache.iterdir()) == []


def test_the_build_of_a_killed_process_is_removed(cache, builder):
    assert re.fullmatch("ab12.building-[0-9a-f]{32}", builder.name)
    damaged_folder(cache / builder.name).mkdir()
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    age(cache)
    assert len(list(cache.iterdir())) == 3
    remove_abandoned_builds(cache)
    assert list(cache.iterdir()) == []


def test_the_build_of_a_living_process_is_left_alone_however_old(cache, builder):
    age(cache)
    remove_abandoned_builds(cache)
    assert (cache / builder.name / "level").read_bytes() == b"pixels"


def test_a_build_of_this_process_is_left_alone_however_old(cache):
    with build_folder(cache, "ab12") as building:
        age(cache)
        remove_abandoned_builds(cache)
        assert building.is_dir()


def test_a_build_that_may_just_have_begun_is_left_alone(cache):
    (cache / "ab12.building-0").mkdir(parents=True)
    remove_abandoned_builds(cache)
    assert (cache / "ab12.building-0").is_dir()
    age(cache)
    remove_abandoned_builds(cache)
    assert list(cache.iterdir()) == []


def test_everything_else_in_the_cache_is_left_alone(cache):
    names = ["ab12", "notes.building-plans", "ab12.building", "sentences.npy"]
    for name in names:
        (cache / name).mkdir(parents=True)
    age(cache)
    remove_abandoned_builds(cache)
    assert sorted(path.name for path in cache.iterdir()) == sorted(names)


def test_a_cache_that_does_not_exist_needs_no_cleaning(cache):
    remove_abandoned_builds(cache)
    assert not cache.exists()
