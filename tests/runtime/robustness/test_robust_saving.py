import os
import shutil
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from robustness_faults import WRITERS, Outcome, can_mount, fill_disks, unplug, write_to_read_only
from robustness_kills import TASKS, kill_often

from t2f_runtime import Bundle, BundleError, FaceGenerator, PackError
from t2f_runtime.bundle.packing import pack_bundle
from t2f_runtime.identikit import CaseError, Session

KEYED = {"sign", "keys", "signature in a folder", "signature in a packed bundle"}
ROOM = (0, 100, 3000, 20_000, 120_000, 10_000_000)
"""Sizes in bytes at which a file stops growing."""


@contextmanager
def files_end_at(size):
    """Fails every write beyond so many bytes of a file, as a full disk does."""
    resource = pytest.importorskip("resource", reason="this system limits no file's size")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.name)
def test_what_was_there_stays_where_a_disk_is_full(writer, tmp_path, skip_without_cryptography):
    skip_without_cryptography(writer.name in KEYED)
    outcome = Outcome(writer.name, "full disk")
    works = []
    for number, size in enumerate(ROOM):
        folder = tmp_path / str(number)
        folder.mkdir()
        writer.prepare(folder)
        with files_end_at(size):
            works.append(outcome.attempt(writer, folder))
    assert outcome.lost is None
    assert outcome.refused == works.count(False) > 0
    assert works[-1]


def test_a_loss_is_told(tmp_path):
    case, *_ = WRITERS

    def forget(folder):
        (folder / "x.case").unlink()
        raise CaseError("it was full")

    case.prepare(tmp_path)
    careless = Outcome("case file", "full disk")
    broken = type(case)(case.name, case.prepare, forget, case.check)
    assert not careless.attempt(broken, tmp_path)
    assert careless.refused == 1
    assert len(careless.lost) == 1


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_process_that_is_ended_while_it_saves_loses_nothing(
    task, tmp_path, skip_without_cryptography
):
    skip_without_cryptography(task in KEYED)
    found = kill_often(task, tmp_path, count=2, seed=5)
    assert found["lost"] == []
    assert found["ends"] == 2
    assert found["saves"] >= 2


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that even root cannot fill")
def test_nothing_is_written_where_the_system_forbids_it(tmp_path, tiny_bundle, generator):
    session = Session.start("a bald man", generator)
    with pytest.raises(CaseError, match=r"/proc/t2f/x\.case cannot be written: "):
        session.save("/proc/t2f/x.case")
    with pytest.raises(PackError, match=r"/proc/x\.t2f cannot be written: "):
        pack_bundle(tiny_bundle, type(tmp_path)("/proc/x.t2f"))


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_read_only_folder_keeps_what_it_has(tmp_path, generator):
    folder = tmp_path / "cases"
    session = Session.start("a bald man", generator)
    session.save(folder / "x.case")
    before = (folder / "x.case").read_bytes()
    folder.chmod(0o555)
    try:
        with pytest.raises(CaseError, match=r"x\.case cannot be written: Permission denied"):
            session.candidates(3).save(folder / "x.case")
        assert [path.name for path in folder.iterdir()] == ["x.case"]
        assert (folder / "x.case").read_bytes() == before
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("form", ["folder", "packed"])
@pytest.mark.parametrize("fate", ["deleted", "replaced"])
def test_a_bundle_that_is_gone_still_draws(bundle, tmp_path, form, fate):
    path = tmp_path / "face.t2f" if form == "packed" else bundle
    if form == "packed":
        pack_bundle(bundle, path)
    generator = FaceGenerator.load(path)
    opened = Bundle.open(path)
    drawn = generator.generate("a bald man", seed=7)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    if fate == "replaced":
        path.write_bytes(b"something else")
    np.testing.assert_array_equal(generator.generate("a bald man", seed=7), drawn)
    if form == "folder":
        with pytest.raises(BundleError, match=r"generator\.onnx (is missing|cannot be read)"):
            opened.read("generator.onnx")
    else:
        assert len(opened.read("generator.onnx")) == opened.manifest.files["generator.onnx"].bytes
    with pytest.raises(BundleError, match=r"no packed bundle"):
        FaceGenerator.load(path)


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="mounts disks, which root may do on Linux")
def test_real_disks_that_are_full_read_only_or_gone_lose_nothing(tmp_path):
    disk, gone = tmp_path / "disk", tmp_path / "gone"
    disk.mkdir()
    gone.mkdir()
    case, *_ = WRITERS
    try:
        full, forbidden = fill_disks(case, disk), write_to_read_only(case, disk)
        unplugged = unplug(gone)
    except Exception as error:
        if type(error).__name__ != "CalledProcessError":
            raise
        pytest.skip(f"root may not mount disks here: {error}")
    assert full.lost is None
    assert full.refused == full.attempts - 1 > 0
    assert (forbidden.lost, forbidden.refused) == (None, 1)
    for found in unplugged.values():
        assert found["faces_stay_the_same"]
        assert all("cannot be read: Input/output error" in said for said in found["reading_says"])
