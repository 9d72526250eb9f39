"""How `t2f serve --stdio` ends: when it is asked to, by a signal, or with its host."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from stdio_client import COMMAND, SECONDS, StdioClient, pictures, request_line
from turnstile import SECRET, TURNSTILE

pytestmark = pytest.mark.slow  # it starts processes


PATIENT = f"""
from functools import partial
from t2f_runtime.service import serving
serving.Ending = partial(serving.Ending, grace_seconds={SECONDS})
"""
"""Ends by itself also on a machine that is too busy to end in five seconds."""


has_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")


def test_shutdown_is_answered_after_what_waits(tiny_bundle):
    with StdioClient(tiny_bundle) as client:
        for seed in range(9):
            client.send(seed, "candidates", description="x", seed=seed)
        # In one write, since the server may be gone before another.
        client.send_bytes(request_line("end", "shutdown") + request_line("late", "info"))
        lines = client.rest()
        assert {line["id"] for line in lines[:-1]} == set(range(9))
        assert all("result" in line for line in lines)
        assert lines[-1] == {"id": "end", "result": {}}
        assert client.end() == (0, "")


def test_the_end_of_the_input_draws_what_waits_also_of_a_line_without_an_end(tiny_bundle):
    lines = [
        json.dumps({"id": n, "method": "candidates", "params": {"description": SECRET}})
        for n in range(9)
    ]
    result = subprocess.run(
        [sys.executable, "-c", COMMAND, "serve", str(tiny_bundle), "--stdio"],
        input=b"\xef\xbb\xbf" + "\n".join(lines).encode(),
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    answers = [json.loads(line) for line in result.stdout.splitlines()][1:]
    assert sorted(answer["id"] for answer in answers) == list(range(9))
    assert all(len(pictures(answer)) == 18 for answer in answers)
    assert result.stderr == b""


def test_half_a_request_at_the_end_is_an_error_and_not_obeyed(tiny_bundle):
    result = subprocess.run(
        [sys.executable, "-c", COMMAND, "serve", str(tiny_bundle), "--stdio"],
        input=b'{"id": 1, "method": "generate", "params": {"description": "Zebe',
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    _, answer = (json.loads(line) for line in result.stdout.splitlines())
    assert answer["error"]["code"] == "invalid_line"
    assert b"Zebe" not in result.stdout + result.stderr


@has_signals
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_that_waits(tiny_bundle, number):
    with StdioClient(tiny_bundle, before=PATIENT) as client:
        client.process.send_signal(number)
        assert client.process.wait(SECONDS) == 0
        assert client.rest() == []
        assert client.end() == (0, "")


@has_signals
def test_a_signal_cancels_what_waits_and_every_request_is_answered(tiny_bundle):
    with StdioClient(tiny_bundle, before=PATIENT + TURNSTILE) as client:
        for seed in range(10):
            client.send(seed, "generate", description="x", seed=seed)
        client.ask("let one through", "cancel", id="nobody")
        assert "result" in client.answer(0)
        client.process.send_signal(signal.SIGTERM)
        lines = client.rest()
        assert sorted(line["id"] for line in lines) == list(range(1, 10))
        # The next one may have been begun when the signal came; what is begun is drawn.
        assert {line["id"] for line in lines if "result" in line} <= {1}
        assert {line["error"]["code"] for line in lines if "error" in line} == {"cancelled"}
        assert client.end() == (0, "")


IMPATIENT = """
from functools import partial
from t2f_runtime.service import serving
serving.Ending = partial(serving.Ending, grace_seconds=0.1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="makes a pipe small")
def test_a_host_that_reads_nothing_holds_no_server_up_that_is_told_to_end(tiny_bundle):
    import fcntl  # noqa: PLC0415 (Windows has none)

    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT + COMMAND, "serve", str(tiny_bundle), "--stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as process:
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        assert process.stdout.readline().startswith(b'{"hello"')
        process.stdin.write(b'{"id": 1, "method": "candidates", "params": {"description": "x"}}\n')
        # The rest of the answer is longer than the pipe.
        assert process.stdout.read(1) == b"{"
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 1


def test_a_host_that_is_gone_ends_the_server(tiny_bundle):
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "serve", str(tiny_bundle), "--stdio"],
        stdin=subprocess.PIPE,
        stdout=write,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as process:
        os.close(write)
        assert os.read(read, 10) == b'{"hello":"'
        os.close(read)
        with contextlib.suppress(BrokenPipeError):
            for _ in range(3):
                process.stdin.write(b'{"id": 1, "method": "info"}\n')
        assert process.wait(SECONDS) == 0
        assert process.stderr.read() == b""
