import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest

from t2f_runtime.atomic_files import new_file, new_folder, write_atomically
from t2f_runtime.unfinished import unfinished

posix_alone = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no SIGKILL, and leaves what killed processes left"
)

FILE_WRITER = """
import sys
from pathlib import Path
from t2f_runtime.atomic_files import new_file

with new_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.readline()
"""

FOLDER_WRITER = """
import sys
from pathlib import Path
from t2f_runtime.atomic_files import new_folder

with new_folder(Path(sys.argv[1])) as folder:
    (folder / "inside").mkdir()
    (folder / "inside" / "part").write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def writing(script, target):
    """A process in the middle of writing."""
    command = [sys.executable, "-c", script, str(target)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "writing\n"
        yield process


def kill_while_writing(script, target):
    with writing(script, target) as process:
        process.kill()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_folder(target):
    with new_folder(target) as folder:
        (folder / "whole").write_bytes(b"whole")


@pytest.fixture
def leftover(tmp_path):
    """What a killed writer of `target` left."""
    kill_while_writing(FILE_WRITER, tmp_path / "target")
    [path] = tmp_path.iterdir()
    return path


@posix_alone
def test_what_a_killed_process_left_of_a_file_goes_with_the_next_save(tmp_path, leftover):
    target = tmp_path / "target"
    assert (leftover.name[0], leftover.suffix) == (".", ".unfinished")
    assert leftover.read_bytes() == b"half"
    write_atomically(target, b"whole")
    assert names(tmp_path) == ["target"]
    kill_while_writing(FILE_WRITER, target)
    kill_while_writing(FILE_WRITER, target)
    assert len(names(tmp_path)) == 2
    assert target.read_bytes() == b"whole"
    with pytest.raises(ZeroDivisionError), new_file(target):
        raise ZeroDivisionError
    assert names(tmp_path) == ["target"]
    assert target.read_bytes() == b"whole"


@posix_alone
def test_what_a_killed_process_left_of_a_folder_goes_with_the_next_try(tmp_path):
    kill_while_writing(FOLDER_WRITER, tmp_path / "target")
    [leftover] = tmp_path.iterdir()
    assert (leftover / "inside" / "part").exists()
    write_folder(tmp_path / "target")
    assert names(tmp_path) == ["target"]
    assert names(tmp_path / "target") == ["whole"]


@posix_alone
@pytest.mark.parametrize(
    ("script", "write", "part"),
    [
        (FILE_WRITER, partial(write_atomically, content=b"whole"), "target"),
        (FOLDER_WRITER, write_folder, "target/inside/part"),
    ],
)
def test_what_a_living_process_writes_is_left_to_it(tmp_path, script, write, part):
    target = tmp_path / "target"
    with writing(script, target) as process:
        kill_while_writing(script, target)
        assert len(names(tmp_path)) == 2
        write(target)
        assert len(names(tmp_path)) == 2  # the target, and what the living one writes
        if target.is_dir():
            target.rename(tmp_path / "older")  # nobody replaces a folder that holds something
        process.communicate("go on\n")
        assert process.returncode == 0
    assert names(tmp_path)[-1] == "target"
    assert (tmp_path / part).read_bytes() == b"half"
    assert not list(tmp_path.glob(".*"))


def test_many_may_write_one_file_at_a_time(tmp_path):
    contents = [bytes([number]) * 1000 for number in range(64)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(partial(write_atomically, tmp_path / "target"), contents))
    assert names(tmp_path) == ["target"]
    assert (tmp_path / "target").read_bytes() in contents


def test_more_may_write_at_a_time_than_there_are_names_to_clear(tmp_path):
    writers = [new_file(tmp_path / "target") for _ in range(9)]
    files = [writer.__enter__() for writer in writers]
    assert len(names(tmp_path)) == 9
    for number, (writer, file) in enumerate(zip(writers, files, strict=True)):
        file.write(b"%d" % number)
        writer.__exit__(None, None, None)
        assert (tmp_path / "target").read_bytes() == b"%d" % number
    assert names(tmp_path) == ["target"]


@posix_alone
def test_what_belongs_to_other_targets_or_is_no_file_stays(tmp_path, leftover):
    write_atomically(tmp_path / "another", b"whole")
    assert leftover.exists()
    leftover.unlink()
    leftover.symlink_to(tmp_path / "another")
    write_atomically(tmp_path / "target", b"whole")
    assert leftover.is_symlink()
    leftover.unlink()
    os.mkfifo(leftover)
    write_atomically(tmp_path / "target", b"whole")
    assert leftover.is_fifo()
    assert names(tmp_path) == [leftover.name, "another", "target"]


@posix_alone
def test_what_another_user_left_stays(tmp_path, leftover):
    if os.geteuid() != 0:
        pytest.skip("only root may give a file to another user")
    os.chown(leftover, 12345, -1)
    write_atomically(tmp_path / "target", b"whole")
    assert leftover.exists()


@posix_alone
def test_on_a_disk_without_locks_nothing_is_removed_that_somebody_may_write(tmp_path, monkeypatch):
    def refuse(_handle, _operation):
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patched:
        patched.setattr("fcntl.flock", refuse)
        writer = new_file(tmp_path / "target")
        file = writer.__enter__()
        write_atomically(tmp_path / "target", b"meanwhile")
        assert len(names(tmp_path)) == 2
    write_atomically(tmp_path / "target", b"with locks")
    assert len(names(tmp_path)) == 2
    file.write(b"at last")
    writer.__exit__(None, None, None)
    assert names(tmp_path) == ["target"]
    assert (tmp_path / "target").read_bytes() == b"at last"


@posix_alone
def test_whoever_is_cleared_away_before_the_lock_begins_again(tmp_path):
    made = []

    def make_and_lose(path):
        path.touch(exist_ok=False)
        made.append(path)
        if len(made) == 1:
            path.unlink()

    with unfinished(tmp_path / "target", make_and_lose) as path:
        assert path == made[1] != made[0]
        assert path.exists()
    assert not names(tmp_path)


@posix_alone
def test_a_name_that_is_free_again_may_be_another_s_at_the_end(tmp_path):
    with unfinished(tmp_path / "target", partial(Path.touch, exist_ok=False)) as path:
        path.replace(tmp_path / "target")
        path.write_bytes(b"another's")
    assert path.read_bytes() == b"another's"


def test_a_folder_is_for_its_owner_alone_until_it_is_whole(tmp_path):
    with new_folder(tmp_path / "target") as folder:
        if sys.platform != "win32":
            assert folder.stat().st_mode & 0o777 == 0o700
    if sys.platform != "win32":
        assert (tmp_path / "target").stat().st_mode & 0o777 == 0o755


@pytest.fixture
def synced(monkeypatch):
    """What is flushed to the disk, in order: names of files and folders."""
    names = []
    sync = os.fsync

    def note(handle):
        names.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        sync(handle)

    monkeypatch.setattr("os.fsync", note)
    return names


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc what a handle is of")
def test_what_is_written_is_flushed_before_its_name_and_its_name_after_that(tmp_path, synced):
    with new_file(tmp_path / "file", is_lasting=True) as file:
        file.write(b"whole")
    assert synced[0].endswith(".unfinished")
    assert synced[1:] == [tmp_path.name]
    synced.clear()
    write_atomically(tmp_path / "file", b"whole")  # a picture or a cache, of which there are many
    assert len(synced) == 1
    synced.clear()
    with new_folder(tmp_path / "folder") as folder:
        (folder / "inside").mkdir()
        (folder / "inside" / "part").write_bytes(b"whole")
    assert synced == ["part", tmp_path.name]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EACCES, errno.EIO])
def test_disks_that_cannot_flush_names_are_no_failure_and_disks_that_fail_are(
    tmp_path, monkeypatch, code
):
    def refuse(folder):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("t2f_runtime.atomic_files._sync", refuse)
    fails = pytest.raises(OSError, match="Input/output error")
    with fails if code == errno.EIO else nullcontext():  # noqa: SIM117 (one may fail, one not)
        with new_file(tmp_path / "file", is_lasting=True) as file:
            file.write(b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"


@posix_alone
@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_pipe_or_a_device_is_not_replaced(tmp_path, through_a_link):
    pipe = target = tmp_path / "pipe"
    os.mkfifo(pipe)
    if through_a_link:  # such as /dev/stdout
        target = tmp_path / "link"
        target.symlink_to(pipe)
    before = names(tmp_path)
    with pytest.raises(OSError, match="it is a device, a pipe or a socket, and no file"):
        write_atomically(target, b"new")
    assert pipe.is_fifo()
    assert names(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="there are no links here")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_leads_to_what_is_written(tmp_path, is_there):
    (tmp_path / "other").mkdir()
    file, link = tmp_path / "other" / "file", tmp_path / "link"
    if is_there:
        file.write_bytes(b"old")
    link.symlink_to(Path("other") / "file")
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert names(tmp_path / "other") == ["file"]
