"""Measures every engine and precision of a bundle that runs here, in turns."""

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, get_args

import msgspec

from t2f_runtime import __version__
from t2f_runtime.bench.case import Case
from t2f_runtime.bench.energy import Meter, find_meter
from t2f_runtime.bench.errors import BenchError
from t2f_runtime.bench.gpu_clock import GpuClock, find_gpu_clock
from t2f_runtime.bench.machine import look_at_machine, megahertz
from t2f_runtime.bench.messages import Answer, Request, SideOptions
from t2f_runtime.bench.pinning import choose_cpus
from t2f_runtime.bench.plan import BenchPlan as BenchPlan  # noqa: PLC0414 (taken from here)
from t2f_runtime.bench.report import (
    SCHEMA_VERSION,
    BenchReport,
    EngineResult,
    MachineFacts,
    NotRun,
)
from t2f_runtime.bench.side_process import SideProcess
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.engines.names import CPU_ENGINES, EngineName
from t2f_runtime.engines.probe import EngineState, probe_engine
from t2f_runtime.processors import usable_cpus

_SLOW_TO_LOAD: Final[tuple[EngineName, ...]] = ("onnx-tensorrt",)

Probe = Callable[[EngineName, int], EngineState]


class Bench:
    """One measurement of one bundle.

    Args:
        path: Where the bundle lies.
        bundle: The bundle, opened and checked.
        plan: What is measured.
        key_files: Public keys that the engines' processes check the bundle by; none checks none.
        tell: Is told what is done next, in a line.
        probe: Says whether an engine works here.
        find: Finds what measures energy; told whether a GPU draws.
        find_clock: Finds what tells a GPU's clock.
    """

    def __init__(
        self,
        path: Path,
        bundle: Bundle,
        plan: BenchPlan,
        *,
        key_files: Sequence[Path] = (),
        tell: Callable[[str], None] = lambda _: None,
        probe: Probe = lambda name, device: probe_engine(name, device=device),
        find: Callable[[bool], Meter | None] = lambda is_gpu: find_meter(is_gpu=is_gpu),
        find_clock: Callable[[], GpuClock | None] = find_gpu_clock,
    ) -> None:
        self._path = path
        self._bundle = bundle
        self._plan = plan
        self._key_files = tuple(str(key_file) for key_file in key_files)
        self._tell = tell
        self._probe = probe
        self._find = find
        self._find_clock = find_clock
        self._threads = plan.threads or usable_cpus()
        self._cpus = choose_cpus(self._threads)
        self._not_run: list[NotRun] = []
        self._engines: dict[tuple[str, str], EngineResult] = {}

    def run(self) -> BenchReport:
        """Measures.

        Every engine loads in a process of its own. Each batch is warmed up until it is steady; then
        all have turns, in another order each round, so that what slows the machine down slows all.

        Raises:
            BenchError: Nothing that was asked for runs here.
        """
        started = datetime.now(timezone.utc)
        machine = look_at_machine()
        with ExitStack() as stack:
            cases = [case for options in self._choose() for case in self._start(options, stack)]
            self._check_any(cases)
            has_gpu = any(case.options.engine not in CPU_ENGINES for case in cases)
            clock = self._find_clock() if has_gpu else None
            cases = self._take_turns(cases, clock)
            self._check_any(cases)
            results = [case.result() for case in cases]
            meters = dict.fromkeys(case.meter.name for case in cases if case.meter is not None)
        measured = {(result.engine, result.precision) for result in results}
        return BenchReport(
            schema_version=SCHEMA_VERSION,
            t2f_version=__version__,
            bundle_id=self._bundle.bundle_id,
            image_size=self._bundle.manifest.image_size,
            started=started.isoformat(timespec="seconds"),
            machine=_with_clock_at_end(machine),
            gpu=None if clock is None else clock.facts(),
            meter=", ".join(meters) or None,
            threads=self._threads,
            cases=results,
            engines=[result for key, result in self._engines.items() if key in measured],
            not_run=self._not_run,
        )

    def _check_any(self, cases: list[Case]) -> None:
        if not cases:
            raise BenchError(f"nothing that was asked for runs here: {self._reasons()}")

    def _reasons(self) -> str:
        """Why nothing ran, a line each: first of engines that work, whose bundle is the reason."""
        by_reason: dict[str, list[str]] = {}
        for entry in sorted(self._not_run, key=lambda entry: entry.precision is None):
            by_reason.setdefault(entry.reason, []).append(entry.engine)
        return "\n".join(
            f"{', '.join(dict.fromkeys(engines))}: {reason}"
            for reason, engines in by_reason.items()
        )

    def _choose(self) -> list[SideOptions]:
        """The engines that work here, each with the precisions of the bundle."""
        chosen: list[SideOptions] = []
        for name in get_args(EngineName):
            if self._plan.engines and name not in self._plan.engines:
                continue
            if not self._plan.engines and name in _SLOW_TO_LOAD:
                self._skip(name, None, f"it builds when it loads; ask for it: --engine {name}")
                continue
            state = self._probe(name, self._plan.device)
            if not state.works:
                self._skip(name, None, f"{state.reason}; {state.repair}")
                continue
            chosen += [
                self._options(name, precision)
                for precision in self._plan.precisions or self._bundle.manifest.graphs
            ]
        return chosen

    def _options(self, engine: EngineName, precision: str) -> SideOptions:
        return SideOptions(
            bundle=str(self._path),
            key_files=self._key_files,
            engine=engine,
            precision=precision,
            device=self._plan.device,
            threads=self._threads,
            cpus=self._cpus,
        )

    def _start(self, options: SideOptions, stack: ExitStack) -> list[Case]:
        """Starts an engine cold a few times, and warms the last one up."""
        self._tell(f"starting {options.engine} in {options.precision}")
        try:
            starts = []
            for _ in range(self._plan.starts - 1):
                with SideProcess(options) as side:
                    starts.append(side.cold_start)
            side = stack.enter_context(SideProcess(options))
            starts.append(side.cold_start)
        except BenchError as error:
            self._skip(options.engine, options.precision, str(error))
            return []
        cases = self._warm_up(options, side)
        if cases:
            pinned_to, last = side.greeting.pinned_to, cases[-1].warm_up
            self._engines[options.engine, options.precision] = EngineResult(
                engine=options.engine,
                precision=options.precision,
                cold_start=starts,
                peak_bytes=last.peak_bytes,
                device_bytes=last.device_bytes,
                pinned_to=None if pinned_to is None else list(pinned_to),
            )
        return cases

    def _warm_up(self, options: SideOptions, side: SideProcess) -> list[Case]:
        """Warms the batches up, from the smallest on, to the first that fails."""
        meter = self._find(options.engine not in CPU_ENGINES)
        cases: list[Case] = []
        for batch in sorted(self._plan.batches):
            self._tell(f"warming {options.engine} up, {options.precision}, batch {batch}")
            try:
                answer = side.ask(Request(batch=batch, seconds=0, warm_up=True))
            except BenchError as error:
                reason = f"from batch {batch} on: {error}"
                self._skip(options.engine, options.precision, reason)
                break
            cases.append(Case(side, options, batch, meter, answer))
        return cases

    def _take_turns(self, cases: list[Case], clock: GpuClock | None) -> list[Case]:
        """Gives every case its turn in every round; gives those that lasted to the end."""
        shuffler = random.Random(0)  # noqa: S311 (an order, not a secret)
        failed: set[SideProcess] = set()
        for number in range(self._plan.rounds):
            self._tell(f"round {number + 1} of {self._plan.rounds}")
            for case in shuffler.sample(cases, len(cases)):
                if case.side in failed:
                    continue
                try:
                    self._note_memory(case, case.take_turn(self._plan.seconds))
                    if clock is not None and case.options.engine not in CPU_ENGINES:
                        clock.look()
                except BenchError as error:
                    failed.add(case.side)
                    self._skip(case.options.engine, case.options.precision, str(error))
        return [case for case in cases if case.side not in failed]

    def _note_memory(self, case: Case, answer: Answer) -> None:
        # Not what is free on the GPU: by now, the engines that loaded later have their part of it.
        key = case.options.engine, case.options.precision
        self._engines[key] = msgspec.structs.replace(
            self._engines[key], peak_bytes=answer.peak_bytes
        )

    def _skip(self, engine: str, precision: str | None, reason: str) -> None:
        self._not_run.append(NotRun(engine=engine, precision=precision, reason=reason))


def _with_clock_at_end(machine: MachineFacts) -> MachineFacts:
    now = megahertz()
    if machine.megahertz is None or now is None:
        return machine
    return msgspec.structs.replace(machine, megahertz=(machine.megahertz[0], now))
