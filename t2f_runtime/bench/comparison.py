"""Two reports of one bundle, side by side."""

from collections.abc import Iterator
from functools import partial

import msgspec

from t2f_runtime.bench.differences import (
    MARGIN,
    SIGNIFICANCE,
    Difference,
    Timings,
    compare,
    least_probability,
)
from t2f_runtime.bench.errors import BenchError
from t2f_runtime.bench.report import BenchReport, CaseResult

_Key = tuple[str, str, int]


class CaseDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one engine, precision and batch."""

    engine: str
    """Its name."""
    precision: str
    """Of the networks."""
    batch: int
    """Faces of one run."""
    difference: Difference
    """What the timings say."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What became of everything that both reports have."""

    cases: list[CaseDifference]
    """One each."""
    missing: list[str]
    """What only one of them has."""
    changed: list[str]
    """What else differs between the two runs, and so may be why."""
    doubts: list[str]
    """Why nothing more is said of some cases."""


def check_comparable(old: BenchReport, image_size: int) -> None:
    """Refuses to compare a report with pictures of another size, before any is drawn.

    Args:
        old: The report.
        image_size: Height and width of the other pictures, in pixels.

    Raises:
        BenchError: Their size is another.
    """
    if old.image_size != image_size:
        raise BenchError(
            f"the old report is of {old.image_size}x{old.image_size} pixels, and this bundle draws "
            f"{image_size}x{image_size}: measure a bundle of that size, or leave --compare out"
        )


def compare_reports(old: BenchReport, new: BenchReport, *, margin: float = MARGIN) -> Comparison:
    """Compares the whole of each case; see `t2f_runtime.bench.differences.compare` for the test.

    Args:
        old: What was.
        new: What is.
        margin: The share by which a median must have changed.

    Raises:
        BenchError: They have nothing in common, or are of pictures of different sizes.
    """
    check_comparable(old, new.image_size)
    before, after = _by_key(old), _by_key(new)
    common = [key for key in after if key in before]
    if not common:
        raise BenchError(
            f"the two reports have nothing in common: one has {_list(before)}, the other "
            f"{_list(after)}; measure the same engines and batches"
        )
    # The yardstick is Python's and numpy's work: that of other versions is another.
    versions = [(report.machine.python, report.machine.numpy) for report in (old, new)]
    known = partial(_timings, has_yardstick=versions[0] == versions[1])
    pairs = [(known(before[key]), known(after[key])) for key in common]
    cases = [
        CaseDifference(engine=key[0], precision=key[1], batch=key[2], difference=difference)
        for key, difference in zip(common, compare(pairs, margin=margin), strict=True)
    ]
    return Comparison(
        cases=cases,
        missing=[
            f"{_name(key)} is in the {'old' if key in before else 'new'} report alone"
            for key in {**before, **after}
            if (key in before) != (key in after)
        ],
        changed=_changes(old, new),
        doubts=[
            *_few_rounds(pairs),
            *(_machine(case, before, after) for case in cases if case.difference.may_be_machine),
        ],
    )


def _by_key(report: BenchReport) -> dict[_Key, CaseResult]:
    return {(case.engine, case.precision, case.batch): case for case in report.cases}


def _name(key: _Key) -> str:
    return f"{key[0]} {key[1]} batch {key[2]}"


def _list(cases: dict[_Key, CaseResult]) -> str:
    return ", ".join(map(_name, cases)) or "nothing"


def _timings(case: CaseResult, *, has_yardstick: bool) -> Timings:
    return Timings(
        rounds=case.rounds,
        least_rounds=case.least_rounds,
        yardstick=case.yardstick if has_yardstick else None,
    )


def _few_rounds(pairs: list[tuple[Timings, Timings]]) -> Iterator[str]:
    """Says so where the test can find nothing, whatever the timings are."""
    for old, new in pairs:
        counts = len(old.rounds), len(new.rounds)
        if least_probability(*counts, len(pairs)) >= SIGNIFICANCE:
            yield (
                f"too few rounds, {counts[0]} before and {counts[1]} now, to tell {len(pairs)} "
                "cases from noise: measure with more --rounds, or less at once"
            )
            return


def _machine(
    case: CaseDifference, before: dict[_Key, CaseResult], after: dict[_Key, CaseResult]
) -> str:
    key = case.engine, case.precision, case.batch
    old, new = before[key], after[key]
    waited = [f"{one.waited_share or 0.0:.0%}" for one in (old, new)]
    parts = [f"threads waited for a CPU, {waited[0]} of the time before and {waited[1]} now"]
    if old.yardstick is not None and new.yardstick is not None:
        parts.append(f"work that is always the same took {new.yardstick / old.yardstick:.2f} of it")
    return (
        f"{_name(key)}: {', and '.join(parts)}; that may be all of the difference: measure again "
        "while nothing else runs"
    )


def _changes(old: BenchReport, new: BenchReport) -> list[str]:
    changes = [
        f"{name}: {before} before, {after} now"
        for name, before, after in (
            ("T2F", old.t2f_version, new.t2f_version),
            ("bundle", old.bundle_id, new.bundle_id),
            ("threads", old.threads, new.threads),
            *(
                (name, getattr(old.machine, name), getattr(new.machine, name))
                for name in (
                    "platform",
                    "processor",
                    "usable_cpus",
                    "python",
                    "numpy",
                    "governor",
                    "power_mode",
                )
            ),
        )
        if before != after
    ]
    before, now = _surroundings(old), _surroundings(new)
    return changes + [
        f"{what}: {before[what]} before, {now[what]} now"
        for what in now
        if before.get(what, now[what]) != now[what]
    ]


def _surroundings(report: BenchReport) -> dict[str, str]:
    """What each engine is, what it draws on, and which CPUs it is held to."""
    found = {case.engine: case.version for case in report.cases}
    if report.gpu is not None:
        limit = report.gpu.power_limit
        found["GPU's driver"] = report.gpu.driver or "unknown"
        found["GPU's power limit"] = "unknown" if limit is None else f"{limit:g} W"
    found |= {f"device of {case.engine}": case.device for case in report.cases}
    for engine in report.engines:
        pinned = engine.pinned_to
        held = "all" if pinned is None else ",".join(map(str, pinned))
        found[f"CPUs of {engine.engine} {engine.precision}"] = held
    return found
