"""Spoilt requests to `t2f serve --stdio`: each gets one answer, and none that tells of a bug."""

import io
import json
import random
import shutil
import threading
from pathlib import Path
from typing import Any

from robustness_cases import expect
from robustness_mutation import spoil_bytes, spoil_json
from robustness_target import TINY_BUNDLE, Target

from t2f_runtime import Bundle, FaceGenerator, T2FError
from t2f_runtime.identikit import Session, save_case
from t2f_runtime.service.lines import read_lines
from t2f_runtime.service.messages import MAXIMUM_LINE_BYTES
from t2f_runtime.service.server import METHODS, StdioServer

_WORDS = "a bald man with a beard"
_CASES = ("first.case", "second.case", "17.case")
"""Copies of one case: one for each of two sessions, as no two may have one file, and one more."""
_PARAMS: dict[str, tuple[dict[str, Any], ...]] = {
    "generate": (
        {"description": _WORDS, "seed": 7},
        {"description": "👧", "format": "rgb", "budget_ms": 5000},
    ),
    "candidates": ({"description": _WORDS, "seed": 2**64 - 1, "count": 3},),
    "read": ({"description": "a bald man without a beerd"},),
    "info": ({},),
    "cancel": ({"id": 1}, {"id": "one"}),
    "shutdown": ({"drain": True}, {"drain": False}),
    "identikit.start": (
        {"description": _WORDS, "seed": 7, "sliders": ["older"], "log": "a.log", "operator": "x"},
    ),
    "identikit.load": ({"path": _CASES[2], "sliders": ["smiling"]},),
    "identikit.candidates": ({"session": 1, "count": 2, "pool": 3, "after_step": 3},),
    "identikit.choose": ({"session": 1, "places": [2, 0], "format": "rgb"},),
    "identikit.breed": ({"session": 1, "count": 3, "budget_ms": 9000},),
    "identikit.describe": ({"session": 1, "description": "... and glasses"},),
    "identikit.more": ({"session": 1, "words": "older", "amount": 0.5, "format": "none"},),
    "identikit.less": ({"session": 1, "words": "smiling", "amount": 0.25},),
    "identikit.lock": ({"session": 1, "name": "eyes"},),
    "identikit.unlock": ({"session": 2, "name": "hat"},),
    "identikit.mix": ({"session": 1, "first": 0, "second": {"session": 2}, "amount": 0.5},),
    "identikit.morph": ({"session": 1, "first": "0.00", "second": 1, "count": 3},),
    "identikit.undo": ({"session": 1, "steps": 1},),
    "identikit.redo": ({"session": 2, "steps": 1},),
    "identikit.branch": ({"session": 1, "step": 1},),
    "identikit.show": ({"session": 1, "places": [0, 2], "format": "png"},),
    "identikit.history": ({"session": 1, "first": 1, "count": 2},),
    "identikit.compare": ({"session": 1, "first": 0, "second": "1.02"},),
    "identikit.explain": ({"session": 1, "face": 0, "sheet": True},),
    "identikit.save": ({"session": 1, "path": "folder/b.case"},),
    "identikit.export": (
        {"session": 1, "path": "a.png", "faces": [0], "scale": 2, "tells_description": True},
        {"session": 1, "path": "b.png", "kind": "sheet", "replaces": True},
    ),
    "identikit.check": ({"session": 1},),
    "identikit.close": ({"session": 1},),
}
"""Valid parameters of every method, beside two sessions; see `_prepare`."""


class RefusedError(T2FError):
    """A request was answered with an error that is the host's doing."""


class InternalError(Exception):
    """A request was answered with an error that is a bug."""


class _Answers:
    """Takes what the server writes."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._changed = threading.Condition()

    def write(self, line: bytes) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify()

    def wait(self, count: int) -> None:
        """Waits for so many answers."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.lines) >= count)


def serve_target(folder: Path, generator: FaceGenerator) -> Target:
    """Lines of requests, to a server of their own, which has two sessions."""
    expect(set(_PARAMS) == set(METHODS))
    bundle = Bundle.open(TINY_BUNDLE)
    files, case = folder / "files", folder / "case"
    session = Session.start(_WORDS, generator, seed=7).candidates(3, pool=4).choose([1])
    save_case(case, session.lock("hat").choose([0]).undo().case)
    seeds = [
        json.dumps({"id": number, "method": method, "params": params}).encode()
        for number, method in enumerate(_PARAMS)
        for params in _PARAMS[method]
    ]

    def place(path: str) -> Path:
        # Whatever a spoilt path says, it leads to nowhere else.
        return files / path.replace("..", "").lstrip("/")

    def check(data: bytes) -> None:
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        for name in _CASES:
            shutil.copyfile(case, files / name)
        answers = _Answers()
        server = StdioServer(bundle, generator, answers, place=place)  # type: ignore[arg-type]
        try:
            asked = _ask(server, answers, data)
        finally:
            server.finish()
        _judge(asked, [json.loads(line) for line in answers.lines])

    return Target("serve", lambda chance: _spoil(chance, seeds), check, seeds)


def _ask(server: StdioServer, answers: _Answers, data: bytes) -> int:
    """Sends the lines of an input after two that open sessions; tells how many want answers."""
    for name in _CASES[:2]:
        params = {"path": name, "format": "none"}
        request = {"id": name, "method": "identikit.load", "params": params}
        server.handle(json.dumps(request).encode())
    asked = 2
    answers.wait(asked)
    for line in read_lines(io.BytesIO(data).read, MAXIMUM_LINE_BYTES):
        asked += line is None or bool(line.strip())
        server.handle(line)
        if server.is_over:
            break
    return asked


def _judge(asked: int, answers: list[dict[str, Any]]) -> None:
    """Refuses what no server may answer; raises RefusedError where a request was refused."""
    errors = [answer["error"] for answer in answers if "error" in answer]
    for error in errors:
        if error["code"] == "internal":
            raise InternalError(error["message"])
    expect(len(answers) == asked)
    expect(all(set(answer) in ({"id", "result"}, {"id", "error"}) for answer in answers))
    if errors:
        raise RefusedError(errors[0]["code"])


def _spoil(chance: random.Random, seeds: list[bytes]) -> bytes:
    """One to four requests, most of them spoilt; or all of them as bytes."""
    lines = chance.choices(seeds, k=chance.choice((1, 1, 2, 3, 4)))
    if chance.random() < 0.1:
        return spoil_bytes(chance, b"\n".join(lines), seeds)
    spoilt = [_spoil_line(chance, line, seeds) for line in lines]
    return chance.choice((b"\n", b"\n", b"\r\n")).join(spoilt)


def _spoil_line(chance: random.Random, line: bytes, seeds: list[bytes]) -> bytes:
    kind = chance.random()
    if kind < 0.2:
        return line
    if kind < 0.4:
        return spoil_bytes(chance, line, seeds)
    if kind < 0.7:  # the parameters alone, so that most of it is read
        request = json.loads(line)
        request["params"] = "PARAMS"
        params = spoil_json(chance, json.dumps(json.loads(line)["params"]).encode())
        return json.dumps(request).encode().replace(b'"PARAMS"', params)
    return spoil_json(chance, line)
