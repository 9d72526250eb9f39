"""Kills a process that saves cases, at random moments, and looks at what it leaves behind."""

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from t2f_runtime.identikit import CaseLog, load_case, repair_log, verify_log

_SAVER = """
import sys
from pathlib import Path
from msgspec.structs import replace
from t2f_runtime.identikit import CaseLog, load_case, save_case

path, log = Path(sys.argv[1]), CaseLog.open(sys.argv[2])
case = load_case(path).case
while True:
    case = replace(case, seed=case.seed + 1)
    # The log is of one case, whose seed its lines tell; only the file's counts.
    log.append("saved", load_case(sys.argv[3]).case, case.step, {"count": case.seed})
    save_case(path, case, log.mark)
    print(case.seed, flush=True)
"""


@dataclass(frozen=True)
class Kill:
    """What one kill found."""

    acknowledged: int
    """The last save that the killed process said was done."""
    found: int
    """The save that the file holds."""
    torn_bytes: int
    """Half a line at the log's end."""
    leftovers: int
    """Files that it was writing; those of the kill before are gone by then."""


def kill_saves(case_file: Path, kills: int, seed: int) -> list[Kill]:
    """Lets a process save a case over and over, and kills it; again and again.

    Args:
        case_file: A saved case, whose seed counts the saves.
        kills: How many times.
        seed: Decides the moments.

    Returns:
        What each kill found.

    Raises:
        CaseError: The case file or its log was damaged.
        AssertionError: A save was lost that had been acknowledged.
    """
    random_moments = random.Random(seed)
    first = case_file.with_suffix(".first")
    first.write_bytes(case_file.read_bytes())
    log = case_file.with_suffix(".log")
    found = []
    for _ in range(kills):
        found.append(_kill_once(case_file, log, first, random_moments))
        repair_log(log)
        CaseLog.open(log)
    return found


def _kill_once(case_file: Path, log: Path, first: Path, random_moments: random.Random) -> Kill:
    before = load_case(case_file).case.seed
    command = [sys.executable, "-c", _SAVER, str(case_file), str(log), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        # It is saving by then; the kill comes after some more saves, and a part of one.
        acknowledged = [int(process.stdout.readline())]
        try:
            process.wait(random_moments.uniform(0, 0.05))
        except subprocess.TimeoutExpired:
            process.kill()
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
    saved = load_case(case_file)
    report = verify_log(log, saved.log)
    assert before < acknowledged[-1] <= saved.case.seed <= acknowledged[-1] + 1
    return Kill(
        acknowledged=acknowledged[-1],
        found=saved.case.seed,
        torn_bytes=report.torn_bytes,
        leftovers=len(list(case_file.parent.glob(".*.unfinished"))),
    )
