"""Trying the engines, in a process of its own: a library of an engine may end the one it is in."""

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Final, get_args

import msgspec

from t2f_runtime.child_process import child_command
from t2f_runtime.doctor.finding import Finding
from t2f_runtime.engines.names import AUTO_ORDER, EngineName
from t2f_runtime.engines.probe import EngineState

_TOPIC: Final = "engines"
_SECONDS: Final = 120
_CODE: Final = """
import os
output = os.dup(1)
os.dup2(2, 1)
import msgspec
from t2f_runtime.engines.probe import probe_engine
states = [probe_engine(name) for name in sys.argv[1:]]
os.write(output, msgspec.json.encode(states))
"""
"""Whatever libraries print goes elsewhere."""

Try = Callable[[Sequence[str]], "list[EngineState] | str"]
"""Tries some engines, all in one process; gives what ended it where something did."""


def try_in_child(names: Sequence[str]) -> "list[EngineState] | str":
    """Tries engines in a process of their own; see `Try`."""
    try:
        done = subprocess.run(  # noqa: S603 (this Python, and names of engines)
            child_command(_CODE, *names),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it had not answered after {_SECONDS} s"
    if done.returncode == 0:
        return msgspec.json.decode(done.stdout, type=list[EngineState])
    lines = done.stderr.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"it ended the process with {_describe_status(done.returncode)}: {last[:300]}"


def try_engines(attempt: Try = try_in_child) -> tuple[EngineState, ...]:
    """Tries every engine, in the order of `EngineName`.

    All in one process, which is quick; each in its own where that one ended.

    Args:
        attempt: Tries some of them.
    """
    states = attempt(get_args(EngineName))
    if not isinstance(states, str):
        return tuple(states)
    return tuple(_try_alone(name, attempt) for name in get_args(EngineName))


def examine_engines(states: Sequence[EngineState], *, has_gpu: bool) -> Iterator[Finding]:
    """Says which engines work, and what "auto" takes of them.

    Args:
        states: What trying them gave.
        has_gpu: Whether CUDA gives a GPU to this process; an engine on it is then missed.
    """
    working = {state.name for state in states if state.works}
    for state in states:
        if state.works:
            text = f"{state.version} works on {state.device}"
            yield Finding(topic=_TOPIC, subject=state.name, verdict="ok", text=text)
            continue
        version = "" if state.version is None else f"{state.version}: "
        is_missed = has_gpu and not working - {"onnx-cpu", "openvino"}
        yield Finding(
            topic=_TOPIC,
            subject=state.name,
            verdict="warning" if is_missed and state.name != "openvino" else "note",
            text=f"does not work: {version}{state.reason}",
            repair=state.repair,
        )
    yield _examine_auto(working)


def _examine_auto(working: set[str]) -> Finding:
    taken = next((name for name in AUTO_ORDER if name in working), None)
    if taken is None:
        return Finding(
            topic=_TOPIC,
            subject="auto",
            verdict="broken",
            text="no engine works, so nothing can be drawn",
            repair="pip install 't2f[cpu]'",
        )
    text = f"takes {taken}, if the bundle has what it runs"
    return Finding(topic=_TOPIC, subject="auto", verdict="ok", text=text)


def _try_alone(name: str, attempt: Try) -> EngineState:
    states = attempt([name])
    if not isinstance(states, str):
        return states[0]
    return EngineState(
        name=name,
        works=False,
        version=None,
        device=None,
        reason=states,
        repair="install its packages anew, of the versions that this T2F is made for",
    )


def _describe_status(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
