"""Ends processes in the middle of saving (SIGKILL), and looks at what they left.

    python benchmarks/robustness_kills.py TASK FOLDER

is what is ended: it saves again and again, and says after each time what is saved. `kill_often`
starts it, and ends it at a random moment. What SIGKILL cannot show is a power cut, in which what
the system had not written to the disk yet is lost, too.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from robustness_cases import MisreadError, expect
from robustness_target import TINY_BUNDLE

from t2f_runtime import Bundle, FaceGenerator, T2FError
from t2f_runtime.bundle.packing import pack_bundle, unpack_bundle
from t2f_runtime.bundle.signing import new_keys, sign_bundle
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.identikit import CaseLog, Session, load_case, repair_log, verify_log

LONGEST_DELAY = 0.06
"""Seconds between the process's first save and its end: some dozen saves."""
_SCREEN = 4


def _generator() -> FaceGenerator:
    return FaceGenerator.load(TINY_BUNDLE, engine="onnx-cpu", threads=1)


def _begin_case(folder: Path) -> None:
    Session.start("a bald man", _generator(), seed=7).save(folder / "x.case")


def _save_cases(folder: Path) -> Iterator[int]:
    session = Session.load(folder / "x.case", _generator())
    while True:
        session = session.choose([0])
        session.save(folder / "x.case")
        yield len(session.case.steps)


def _check_case(folder: Path, saved: int) -> str:
    expect(saved <= len(load_case(folder / "x.case").case.steps) <= saved + 1)
    return ""


def _begin_logged_case(folder: Path) -> None:
    log = CaseLog.open(folder / "x.log", operator="officer 1147")
    session = Session.start("a bald man", _generator(), seed=7, log=log).candidates(_SCREEN)
    session.save(folder / "x.case")


def _save_logged_cases(folder: Path) -> Iterator[int]:
    log = CaseLog.open(folder / "x.log")
    session = Session.load(folder / "x.case", _generator(), log=log)
    while True:
        session = session.choose([len(session.case.steps) % _SCREEN])
        session.save(folder / "x.case")
        yield len(session.case.steps)


def _check_logged_case(folder: Path, saved: int) -> str:
    torn = verify_log(folder / "x.log").torn_bytes
    expect(repair_log(folder / "x.log") == torn)
    found = load_case(folder / "x.case")
    expect(saved <= len(found.case.steps) <= saved + 1)
    CaseLog.open(folder / "x.log").check(found.case, found.log)
    return "the log had half a line" if torn else ""


def _begin_packing(_: Path) -> None:
    """The bundle that is packed lies in the repository."""


def _pack(folder: Path) -> Iterator[int]:
    yield from _make_new(folder, lambda out: pack_bundle(TINY_BUNDLE, out))


def _unpack(folder: Path) -> Iterator[int]:
    yield from _make_new(folder, lambda out: unpack_bundle(folder / "whole.t2f", out))


def _make_new(folder: Path, make: Callable[[Path], object]) -> Iterator[int]:
    taken = [int(path.name[4:]) for path in folder.glob("out-*")]
    for number in range(max(taken, default=0) + 1, sys.maxsize):
        make(folder / f"out-{number}")
        yield number


def _check_new(folder: Path, saved: int) -> str:
    """All that was made is whole, and so is what nobody was told of any more."""
    outs = {int(path.name[4:]): path for path in folder.glob("out-*")}
    expect(saved == 0 or saved in outs)
    expect(max(outs, default=0) <= saved + 1)
    for path in outs.values():
        Bundle.open(path)
    for number in sorted(outs)[:-1]:  # the last one says where to go on
        shutil.rmtree(outs[number]) if outs[number].is_dir() else outs[number].unlink()
    Bundle.open(TINY_BUNDLE)
    return ""


def _begin_unpacking(folder: Path) -> None:
    pack_bundle(TINY_BUNDLE, folder / "whole.t2f")


def _begin_signing(folder: Path) -> None:
    for name in ("a.key", "b.key"):
        new_keys(folder / name)
    pack_bundle(TINY_BUNDLE, folder / "signed.t2f")
    sign_bundle(folder / "signed.t2f", folder / "a.key")


def _sign(folder: Path) -> Iterator[int]:
    """Signs anew, with one key and the other: each time, the file is written anew."""
    for number in range(1, sys.maxsize):
        sign_bundle(folder / "signed.t2f", folder / f"{'ab'[number % 2]}.key", replaces=True)
        yield number


def _check_signed(folder: Path, _: int) -> str:
    trusted = [PublicKey.read(folder / f"{name}.key.pub") for name in "ab"]
    Bundle.open(folder / "signed.t2f", trusted=trusted)
    return ""


TASKS: dict[
    str, tuple[Callable[[Path], None], Callable[[Path], Iterator[int]], Callable[[Path, int], str]]
] = {
    "case": (_begin_case, _save_cases, _check_case),
    "logged case": (_begin_logged_case, _save_logged_cases, _check_logged_case),
    "pack": (_begin_packing, _pack, _check_new),
    "unpack": (_begin_unpacking, _unpack, _check_new),
    "sign": (_begin_signing, _sign, _check_signed),
}
"""By name: what is there before, what saves, and what looks at the rest."""


def kill_often(task: str, folder: Path, *, count: int, seed: int) -> dict[str, object]:
    """Ends a process `count` times while it saves, each going on where the last one was ended.

    Args:
        task: One of `TASKS`.
        folder: An empty folder.
        count: How many times.
        seed: Of the moments.

    Returns:
        How many ends there were, how many of them while a file was being written, how many saves
        had been done, and what was lost, or left for longer than until the next save: a list that
        should be empty.
    """
    begin, _, check = TASKS[task]
    begin(folder)
    moments = random.Random(f"{task} {seed}")  # noqa: S311 (moments, not secrets)
    lost: list[str] = []
    notes: Counter[str] = Counter()
    saves = unfinished = 0
    for number in range(count):
        delay = moments.uniform(0, LONGEST_DELAY)
        said = _run_and_kill(task, folder, delay)
        saves += len(said)
        left = [path for path in folder.iterdir() if path.name.startswith(".")]
        unfinished += bool(left)
        if len(left) > 1:
            lost.append(f"end {number}: what was left by the ends before was not removed")
        try:
            note = check(folder, said[-1])
            notes.update([note] if note else [])
        except (T2FError, MisreadError) as error:
            lost.append(f"end {number}, after {delay:.4f} s: {error}")
    return {
        "task": task,
        "ends": count,
        "while_writing": unfinished,
        "saves": saves,
        "notes": dict(notes),
        "lost": lost,
    }


def _run_and_kill(task: str, folder: Path, delay: float) -> list[int]:
    """What a process said it had saved until it was ended; 0 is that it is ready."""
    command = [sys.executable, __file__, task, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise RuntimeError("the process has no pipe")
        ready = process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        code = process.wait()
    if code != -signal.SIGKILL or not ready:
        raise SystemExit(f"the process that saves ended by itself, with {code}; see above")
    return [int(line) for line in (ready + rest).splitlines() if line]


def main() -> None:
    """Saves until it is ended."""
    task, folder = sys.argv[1], Path(sys.argv[2])
    for number in TASKS[task][1](folder):
        os.write(1, b"%d\n" % number)  # one call: whole, or not at all


if __name__ == "__main__":
    main()
