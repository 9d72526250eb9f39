"""Disks that are full, read-only or gone: what was there before must be there after.

Everything that T2F writes for a kiosk is written to a disk with room for 0, 4, 8, … KiB more, until
it fits; and to one that is read-only. Real disks, in memory or in a file, so Linux and root.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from robustness_cases import expect
from robustness_target import TINY_BUNDLE

from t2f_runtime import Bundle, FaceGenerator, T2FError
from t2f_runtime.bundle.packing import pack_bundle, unpack_bundle
from t2f_runtime.bundle.signing import new_keys, sign_bundle
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.identikit import CaseLog, Session, load_case, repair_log, verify_log
from t2f_runtime.pictures.files import save_picture

PAGE = 4096
"""What a disk in memory gives at a time."""


@dataclass(frozen=True)
class Writer:
    """Something that is written."""

    name: str
    """What it is."""
    prepare: Callable[[Path], None]
    """Writes what is there before, in a folder with room."""
    write: Callable[[Path], object]
    """Writes, and raises a T2FError where it cannot."""
    check: Callable[[Path], object]
    """Looks at what is there then, whether that worked or not."""


def _session(folder: Path, log: str | None = "x.log") -> Session:
    generator = FaceGenerator.load(TINY_BUNDLE, engine="onnx-cpu", threads=1)
    opened = None if log is None else CaseLog.open(folder / log)
    return Session.start("a bald man", generator, seed=7, log=opened).candidates(3)


def _check_case(folder: Path) -> None:
    expect(len(load_case(folder / "x.case").case.steps) in {2, 3})


def _append(folder: Path) -> None:
    session = Session.load(
        folder / "x.case", FaceGenerator.load(TINY_BUNDLE), log=CaseLog.open(folder / "x.log")
    )
    for _ in range(20):  # some KiB, so that the disk fills up in the middle
        session = session.choose([1])


def _check_log(folder: Path) -> None:
    report = verify_log(folder / "x.log")
    expect(report.lines >= 2 and report.torn_bytes == 0)


def _tear(folder: Path) -> None:
    _session(folder)
    with (folder / "x.log").open("ab") as file:
        file.write(b'{"line":3,')


def _check_torn(folder: Path) -> None:
    report = verify_log(folder / "x.log")
    expect((report.lines, report.torn_bytes) in {(2, 10), (3, 0)})


def _sign_with(folder: Path, name: str) -> None:
    sign_bundle(folder / name, folder / "b", replaces=True)


def _signed(folder: Path, name: str) -> None:
    for key in "ab":
        new_keys(folder / key)
    if name == "x.t2f":
        pack_bundle(TINY_BUNDLE, folder / name)
    else:
        shutil.copytree(TINY_BUNDLE, folder / name)
    sign_bundle(folder / name, folder / "a")


def _check_signed(folder: Path, name: str) -> None:
    Bundle.open(folder / name, trusted=[PublicKey.read(folder / f"{key}.pub") for key in "ab"])


def _check_if_there(path: Path) -> None:
    if path.exists():
        Bundle.open(path)


def _picture(level: int) -> Image.Image:
    noise = np.random.default_rng(level).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def _check_keys(folder: Path) -> None:
    there = [path.exists() for path in (folder / "x", folder / "x.pub")]
    expect(there in ([True, True], [False, False]))
    if all(there):
        PublicKey.read(folder / "x.pub")


WRITERS = (
    Writer(
        "case file",
        lambda folder: _session(folder).save(folder / "x.case"),
        lambda folder: _session(folder, None).choose([1]).save(folder / "x.case"),
        _check_case,
    ),
    Writer(
        "log of a case",
        lambda folder: _session(folder).save(folder / "x.case"),
        _append,
        _check_log,
    ),
    Writer("repaired log", _tear, lambda folder: repair_log(folder / "x.log"), _check_torn),
    Writer(
        "packed bundle",
        lambda _: None,
        lambda folder: pack_bundle(TINY_BUNDLE, folder / "x.t2f"),
        lambda folder: _check_if_there(folder / "x.t2f"),
    ),
    Writer(
        "unpacked bundle",
        lambda folder: pack_bundle(TINY_BUNDLE, folder / "x.t2f") and None,
        lambda folder: unpack_bundle(folder / "x.t2f", folder / "x"),
        lambda folder: _check_if_there(folder / "x"),
    ),
    Writer(
        "signature in a folder",
        lambda folder: _signed(folder, "x"),
        lambda folder: _sign_with(folder, "x"),
        lambda folder: _check_signed(folder, "x"),
    ),
    Writer(
        "signature in a packed bundle",
        lambda folder: _signed(folder, "x.t2f"),
        lambda folder: _sign_with(folder, "x.t2f"),
        lambda folder: _check_signed(folder, "x.t2f"),
    ),
    Writer("keys", lambda _: None, lambda folder: new_keys(folder / "x"), _check_keys),
    Writer(
        "picture",
        lambda folder: save_picture(_picture(0), folder / "x.png", notes={}),
        lambda folder: save_picture(_picture(1), folder / "x.png", notes={}),
        lambda folder: Image.open(folder / "x.png").verify(),
    ),
)
"""All that T2F writes on a kiosk."""


@dataclass
class Outcome:
    """What came of writing to bad disks."""

    writer: str
    """What was written."""
    fault: str
    """What was wrong with the disk."""
    attempts: int = 0
    """How often it was tried."""
    refused: int = 0
    """How often that was a T2FError."""
    lost: list[str] | None = None
    """What was lost, or told in another way; None where nothing was."""

    def attempt(self, writer: Writer, folder: Path) -> bool:
        """Writes once; says whether that worked."""
        self.attempts += 1
        before = _names(folder)
        works = False
        try:
            try:
                writer.write(folder)
                works = True
            except T2FError:
                self.refused += 1
                expect(_names(folder) == before)  # nothing half-written stays
            writer.check(folder)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
            problem = f"attempt {self.attempts}: {type(error).__name__}: {error}"
            self.lost = [*(self.lost or []), problem]
        return works


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def fill_disks(writer: Writer, disk: Path, *, mib: int = 4) -> Outcome:
    """Writes to a full disk, then to one with a page more, until it fits.

    Args:
        writer: What is written.
        disk: An empty folder, over which a disk is mounted.
        mib: Its size.
    """
    outcome = Outcome(writer.name, "full disk")
    for pages in range(mib * 2**20 // PAGE):
        with mounted("tmpfs", disk, f"size={mib}m"):
            folder = disk / "files"
            folder.mkdir()
            writer.prepare(folder)
            _fill(disk / "ballast", pages * PAGE)
            if outcome.attempt(writer, folder):
                break
    return outcome


def write_to_read_only(writer: Writer, disk: Path) -> Outcome:
    """Writes to a disk that was made read-only; see `fill_disks`."""
    outcome = Outcome(writer.name, "read-only disk")
    with mounted("tmpfs", disk, "size=4m"):
        folder = disk / "files"
        folder.mkdir()
        writer.prepare(folder)
        _run("mount", "-o", "remount,ro", disk)
        if outcome.attempt(writer, folder):
            outcome.lost = ["it was written all the same"]
    return outcome


def _fill(path: Path, free: int) -> None:
    """Fills a disk but for so many bytes."""
    status = os.statvfs(path.parent)
    with path.open("wb") as file:
        file.write(bytes(max(0, status.f_bavail * status.f_frsize - free)))


@contextmanager
def mounted(kind: str, folder: Path, options: str, source: str | Path = "none") -> Iterator[None]:
    """Mounts a disk for as long as the block runs."""
    _run("mount", "-t", kind, "-o", options, source, folder)
    try:
        yield
    finally:
        _run("umount", "--lazy", folder)


def _run(program: str, *arguments: str | Path) -> None:
    subprocess.run([program, *arguments], check=True)


def unplug(folder: Path) -> dict[str, Any]:
    """Loads bundles from a disk, takes the disk away, and goes on drawing.

    The disk lies in a file, which is cut off: every read of what is not in memory then fails as a
    stick's does that was pulled out.

    Args:
        folder: An empty folder.

    Returns:
        By form of the bundle: whether the faces stayed the same, and what reading more said.
    """
    image, disk = folder / "image", folder / "disk"
    found = {}
    for form in ("folder", "packed"):
        disk.mkdir(exist_ok=True)
        image.write_bytes(bytes(8 * 2**20))
        _run("mkfs.ext4", "-q", image)
        with mounted("ext4", disk, "loop", image):
            found[form] = _unplug(form, disk, image)
    return found


def _unplug(form: str, disk: Path, image: Path) -> dict[str, Any]:
    path = disk / "bundle"
    if form == "packed":
        pack_bundle(TINY_BUNDLE, path)
    else:
        shutil.copytree(TINY_BUNDLE, path)
    bundle = Bundle.open(path)
    generator = FaceGenerator.load(path, engine="onnx-cpu")
    drawn = generator.generate("a bald man", seed=7)
    for file in [path] if path.is_file() else path.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    os.truncate(image, 0)
    same = bool((generator.generate("a bald man", seed=7) == drawn).all())
    said = [_said(lambda: bundle.read("generator.onnx")), _said(lambda: FaceGenerator.load(path))]
    told = [line.replace(f"{disk}/", "") for line in said]
    return {"faces_stay_the_same": same, "reading_says": told}


def _said(read: Callable[[], object]) -> str:
    try:
        read()
    except T2FError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def can_mount() -> bool:
    """Whether this process may mount disks."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and bool(shutil.which("mkfs.ext4"))
