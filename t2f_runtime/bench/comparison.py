"""Two reports of one bundle, side by side."""

import msgspec

from t2f_runtime.bench.errors import BenchError
from t2f_runtime.bench.report import BenchReport, CaseResult
from t2f_runtime.bench.samples import MARGIN, Difference, compare


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
    """Compares the whole of each case; see `t2f_runtime.bench.samples.compare` for the test.

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
    return Comparison(
        cases=[
            CaseDifference(
                engine=key[0],
                precision=key[1],
                batch=key[2],
                difference=compare(before[key].rounds, after[key].rounds, margin=margin),
            )
            for key in common
        ],
        missing=[
            f"{_name(key)} is in the {'old' if key in before else 'new'} report alone"
            for key in {**before, **after}
            if (key in before) != (key in after)
        ],
        changed=_changes(old, new),
    )


_Key = tuple[str, str, int]


def _by_key(report: BenchReport) -> dict[_Key, CaseResult]:
    return {(case.engine, case.precision, case.batch): case for case in report.cases}


def _name(key: _Key) -> str:
    return f"{key[0]} {key[1]} batch {key[2]}"


def _list(cases: dict[_Key, CaseResult]) -> str:
    return ", ".join(map(_name, cases)) or "nothing"


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
    versions = {case.engine: case.version for case in old.cases}
    for engine, version in {case.engine: case.version for case in new.cases}.items():
        if versions.get(engine, version) != version:
            changes.append(f"{engine}: {versions[engine]} before, {version} now")
    return changes
