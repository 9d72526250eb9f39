"""The process that loads one engine, and times faces in it when it is asked to.

Started as `python -m t2f_runtime.bench.side OPTIONS`. Every engine has a process of its own: so its
memory and its start are its own, and what its library does to a process reaches no other.
"""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import msgspec

from t2f_runtime.bench.messages import Answer, Greeting, Request, SideOptions
from t2f_runtime.bench.pinning import pin
from t2f_runtime.bench.samples import warm_up
from t2f_runtime.bench.stages import Seconds, StagedGenerator, described_faces
from t2f_runtime.bench.waiting import waited_so_far
from t2f_runtime.bench.yardstick import yardstick_seconds
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.commands.options import read_trusted
from t2f_runtime.engines.names import CPU_ENGINES
from t2f_runtime.engines.prepared import EngineWish
from t2f_runtime.errors import T2FError
from t2f_runtime.service.serving import take_output

if TYPE_CHECKING:
    from t2f_runtime.bundle.manifest import Precision

_SEEDS: Final = 1000


def main() -> None:
    """Loads what the first argument says, draws a face, and answers all requests."""
    options = msgspec.json.decode(sys.argv[1], type=SideOptions)
    with os.fdopen(take_output(), "wb") as output:
        try:
            side = Side(options)
        except T2FError as error:
            _say(output, Greeting(version="", device="", pinned_to=None, error=str(error)))
            return
        _say(output, side.greeting)
        for line in sys.stdin.buffer:
            _say(output, side.answer(msgspec.json.decode(line, type=Request)))


class Side:
    """One engine of one precision, that has drawn a face.

    Args:
        options: Which.

    Raises:
        T2FError: It cannot run here.
    """

    def __init__(self, options: SideOptions) -> None:
        pinned_to = pin(options.cpus)
        precision = cast("Precision", options.precision)
        trusted = read_trusted([Path(path) for path in options.key_files])
        bundle = Bundle.open(Path(options.bundle), keep=precision, trusted=trusted)
        self._device = options.device
        self._free = None
        if options.engine not in CPU_ENGINES:  # which need no driver, and start without asking
            self._free = free_device_bytes(options.device)
        wish = EngineWish(
            engine=options.engine,
            precision=precision,
            device=options.device,
            threads=options.threads,
        )
        self._staged = StagedGenerator(bundle, wish)
        self._texts = described_faces(bundle)
        self._run = 0
        self._gpu_seconds: list[float] = []
        self._time(1)
        engine = self._staged.generator.engine
        self.greeting = Greeting(
            version=engine.version,
            device=engine.device,
            pinned_to=pinned_to,
        )

    def answer(self, request: Request) -> Answer:
        """Runs for a while, or until the runs are steady, or does the yardstick's work."""
        samples: list[Seconds] = []
        waited: list[float] = []
        self._gpu_seconds = []
        error, runs, is_steady, yardstick = None, 0, False, None
        try:
            if request.yardstick:
                yardstick = yardstick_seconds()
            elif request.warm_up:
                runs, is_steady = warm_up(lambda: self._time(request.batch)["whole"])
            else:
                samples, waited = self._time_for(request.seconds, request.batch)
                runs = len(samples)
        except T2FError as failure:
            error = str(failure)
        return Answer(
            samples=samples,
            waited=waited,
            gpu_seconds=[] if request.warm_up else self._gpu_seconds,
            runs=runs,
            is_steady=is_steady,
            yardstick=yardstick,
            peak_bytes=peak_bytes(),
            device_bytes=self._device_bytes(),
            error=error,
        )

    def _time_for(self, seconds: float, batch: int) -> tuple[list[Seconds], list[float]]:
        """The stages of each run, and for how long its threads waited where that is told."""
        samples: list[Seconds] = []
        waited: list[float] = []
        with waited_so_far() as so_far:
            spent = 0.0
            while not samples or spent < seconds:
                before = 0.0 if so_far is None else so_far()
                samples.append(self._time(batch))
                spent += samples[-1]["whole"]
                if so_far is not None:
                    waited.append(max(0.0, so_far() - before))
        return samples, waited

    def _time(self, batch: int) -> Seconds:
        text = self._texts[self._run % len(self._texts)]
        seed = self._run % _SEEDS
        self._run += 1
        seconds = self._staged.time_faces(text, seed=seed, batch=batch)
        if self._staged.gpu_seconds is not None:
            self._gpu_seconds.append(self._staged.gpu_seconds)
        return seconds

    def _device_bytes(self) -> int | None:
        if self._free is None:
            return None
        free = free_device_bytes(self._device)
        return None if free is None else self._free - free


def peak_bytes() -> int | None:
    """The most memory that this process had at a time; None where the system does not tell.

    Source: proc(5), /proc/pid/status, "VmHWM". Not getrusage(2), whose `ru_maxrss` begins on Linux
    with that of the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    match = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def free_device_bytes(device: int) -> int | None:
    """Free memory of a GPU; None where there is none, or without `cuda-bindings`."""
    from t2f_runtime.engines.cuda import Cuda, import_cuda  # noqa: PLC0415 (a GPU's alone)
    from t2f_runtime.engines.gpu import Device, find_device  # noqa: PLC0415 (likewise)

    if not isinstance(find_device(device), Device):
        return None
    try:
        return Cuda(import_cuda(), device).free_bytes()
    except T2FError:  # a measurement less; the engine says itself what it lacks
        return None


def _say(output: BinaryIO, message: msgspec.Struct) -> None:
    output.write(msgspec.json.encode(message) + b"\n")
    output.flush()


if __name__ == "__main__":
    main()
