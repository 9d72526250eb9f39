"""What has been measured of one engine, precision and batch, turn by turn."""

import statistics
from dataclasses import dataclass, field

from t2f_runtime.bench.energy import Meter
from t2f_runtime.bench.messages import Answer, Request, SideOptions
from t2f_runtime.bench.report import CaseResult
from t2f_runtime.bench.samples import spread
from t2f_runtime.bench.side_process import SideProcess
from t2f_runtime.bench.stages import STAGES, Seconds, median_of


@dataclass(slots=True)
class Case:
    """What has been measured of one engine, precision and batch so far."""

    side: SideProcess
    options: SideOptions
    batch: int
    meter: Meter | None
    warm_up: Answer
    samples: list[Seconds] = field(default_factory=list)
    gpu_seconds: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)
    least_rounds: list[float] = field(default_factory=list)
    yardsticks: list[float] = field(default_factory=list)
    joules: float | None = 0.0
    """Of all turns; None without a meter, and once it could not be read."""

    def take_turn(self, seconds: float) -> Answer:
        """Draws for some seconds.

        Raises:
            BenchError: The engine failed.
        """
        # By itself, so that its energy is nobody's.
        measured = self.side.ask(Request(batch=self.batch, seconds=0, yardstick=True)).yardstick
        if measured is not None:
            self.yardsticks.append(measured)
        answer = self._ask(Request(batch=self.batch, seconds=seconds))
        self.samples += answer.samples
        self.waited += answer.waited
        self.gpu_seconds += answer.gpu_seconds
        self.rounds.append(median_of(answer.samples)["whole"])
        if answer.waited:
            runs = zip(answer.samples, answer.waited, strict=True)
            self.least_rounds.append(
                statistics.median(max(0.0, run["whole"] - waited) for run, waited in runs)
            )
        return answer

    def _ask(self, request: Request) -> Answer:
        """Asks, and adds up the energy of it."""
        if self.meter is None:
            self.joules = None
            return self.side.ask(request)
        answers: list[Answer] = []
        spent = self.meter.measure(lambda: answers.append(self.side.ask(request)))
        # Once a turn has none, the sum would be of fewer faces than were drawn.
        self.joules = None if spent is None or self.joules is None else self.joules + spent
        return answers[0]

    def result(self) -> CaseResult:
        """Sums up."""
        faces = self.batch * len(self.samples)
        seconds = sum(sample["whole"] for sample in self.samples)
        is_told = len(self.least_rounds) == len(self.rounds)
        return CaseResult(
            engine=self.options.engine,
            version=self.side.greeting.version,
            device=self.side.greeting.device,
            precision=self.options.precision,
            batch=self.batch,
            stages={stage: spread([s[stage] for s in self.samples]) for stage in STAGES},
            gpu=spread(self.gpu_seconds) if self.gpu_seconds else None,
            rounds=self.rounds,
            least_rounds=self.least_rounds if is_told else None,
            waited_share=sum(self.waited) / seconds if is_told else None,
            yardstick=statistics.median(self.yardsticks) if self.yardsticks else None,
            faces_per_second=faces / seconds,
            warm_up_runs=self.warm_up.runs,
            is_steady=self.warm_up.is_steady,
            joules_per_face=None if self.joules is None else self.joules / faces,
            peak_bytes=self.warm_up.peak_bytes,
            device_bytes=self.warm_up.device_bytes,
        )
