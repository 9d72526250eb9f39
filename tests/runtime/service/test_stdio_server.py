import base64
import hashlib
import io
import json
import subprocess
import sys
from importlib.metadata import version

import msgspec
import numpy as np
import pytest
from PIL import Image
from stdio_client import COMMAND, SECONDS, StdioClient, pictures
from turnstile import SECRET, TURNSTILE

from t2f_runtime import Bundle
from t2f_runtime.reading import DescriptionReading
from t2f_runtime.service.messages import MAXIMUM_LINE_BYTES
from t2f_runtime.service.server import METHODS

pytestmark = pytest.mark.slow  # it starts processes


has_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")


@pytest.fixture(scope="module")
def server(tiny_bundle):
    """A server that tests share; none of them ends it."""
    with StdioClient(tiny_bundle, "--threads", "1", "--engine", "onnx-cpu") as client:
        yield client
    status, errors = client.end_status
    assert (status, errors) == (0, "")


def failure(answer):
    return answer["error"]["code"], answer["error"]["message"]


def test_the_first_line_says_who_speaks(server):
    assert server.hello == {
        "hello": "t2f",
        "protocol": 1,
        "version": version("t2f"),
        "methods": list(METHODS),
        "maximum_line_bytes": MAXIMUM_LINE_BYTES,
    }


@pytest.mark.parametrize("kind", ["png", "rgb"])
def test_pictures_are_those_of_the_generator(server, generator, kind):
    answer = server.ask("one", "generate", description="a bald man", seed=2**64 - 1, format=kind)
    expected = generator.generate("a bald man", seed=2**64 - 1, count=1)
    np.testing.assert_array_equal(pictures(answer), expected, strict=True)
    assert answer["result"]["seed"] == 2**64 - 1
    answer = server.ask("some", "candidates", description="x", seed=3, count=4, format=kind)
    np.testing.assert_array_equal(pictures(answer), generator.generate("x", seed=3, count=4))
    assert [face["index"] for face in answer["result"]["faces"]] == [0, 1, 2, 3]


def test_a_screen_has_eighteen_candidates(server):
    assert len(pictures(server.ask(1, "candidates", description="a man"))) == 18


def test_a_hash_is_that_of_the_pixels_whatever_the_format(server, generator):
    pixels = generator.generate("a man", seed=4).tobytes()
    answers = [
        server.ask(kind, "generate", description="a man", seed=4, format=kind)
        for kind in ("png", "rgb")
    ]
    found = {answer["result"]["faces"][0]["sha256"] for answer in answers}
    assert found == {hashlib.sha256(pixels).hexdigest()}


def test_a_png_says_what_it_is(server, tiny_bundle):
    result = server.ask(1, "generate", description="a man", seed=7)["result"]
    with Image.open(io.BytesIO(base64.b64decode(result["faces"][0]["data"]))) as image:
        assert image.text["Title"] == "synthetic face"
        assert image.text["Bundle"] == Bundle.open(tiny_bundle).bundle_id
        assert image.text["Engine"].startswith("onnx-cpu ")
        assert (image.text["Seed"], image.text["Index"]) == ("7", "0")


def test_a_description_can_be_read_without_being_drawn(server, generator):
    text = "a bald man without a beard"
    result = server.ask(1, "read", description=text)["result"]
    assert msgspec.convert(result, DescriptionReading) == generator.read(text)
    assert [negation["text"] for negation in result["negations"]] == ["without a beard"]
    assert "empty" in server.ask(1, "read", description="")["result"]["refusal"]


def test_info_says_what_draws(server, tiny_bundle):
    info = server.ask(1, "info")["result"]
    assert info["bundle_id"] == Bundle.open(tiny_bundle).bundle_id
    assert (info["name"], info["image_size"], info["takes_text"]) == ("tiny", 8, True)
    assert (info["maximum_characters"], info["maximum_tokens"]) == (4096, 64)
    assert (info["capacity"], info["waiting_faces"]) == (256, 0)
    assert info["engine"]["name"] == "onnx-cpu"
    assert info["engine"]["device"] == "cpu"


def test_many_requests_at_once_are_each_answered(server, generator):
    for seed in range(60):
        server.send(seed, "generate", description="a man", seed=seed, format="rgb")
    for seed in range(60):
        np.testing.assert_array_equal(
            pictures(server.answer(seed))[0], generator.generate("a man", seed=seed)
        )


@pytest.mark.parametrize(
    ("line", "request_id", "code", "message"),
    [
        (b"garbage", None, "invalid_line", "a line is no request in JSON: JSON is malformed"),
        (b'{"id": 1, "method": "info"', None, "invalid_line", "truncated"),
        (b'{"id": 1, "method": "\xff"}', None, "invalid_line", "can't decode byte 0xff"),
        (
            b'{"id": 5, "method": "info", "params": ' + b"[" * 100_000,
            None,
            "invalid_line",
            "maximum recursion depth exceeded",
        ),
        (b"[" * 100_000, None, "invalid_request", "Expected `object`, got `array`"),
        (b"[1]", None, "invalid_request", "Expected `object`, got `array`"),
        (b'{"method": "info"}', None, "invalid_request", "missing required field `id`"),
        (b'{"id": 5}', 5, "invalid_request", "missing required field `method`"),
        (b'{"id": 5, "method": "info", "x": 1}', 5, "invalid_request", "unknown field `x`"),
        (b'{"id": 1.5, "method": "info"}', None, "invalid_request", "Expected `int | str`"),
        (b'{"id": "a", "method": "fly"}', "a", "unknown_method", "there is no method 'fly'; there"),
        (
            b'{"id": 5, "method": "generate", "params": {"seed": -1}}',
            5,
            "invalid_request",
            "the params of generate are wrong: Expected `int` >= 0 - at `$.seed`",
        ),
        (
            b'{"id": 5, "method": "generate", "params": {"description": "x", "seed": 1%s}}'
            % (b"0" * 30),
            5,
            "argument",
            "seed is 1000000000000000000000000000000; it must be 0 to 18446744073709551615",
        ),
        (
            b'{"id": 5, "method": "candidates", "params": {"description": "x", "count": 65}}',
            5,
            "invalid_request",
            "Expected `int` <= 64",
        ),
        (
            b'{"id": 5, "method": "generate", "params": {"description": "\\ud800"}}',
            None,
            "invalid_line",
            "a line is no request in JSON",
        ),
        (b'{"id": 5, "method": "cancel"}', 5, "invalid_request", "missing required field `id`"),
        (b'{"id": 5, "method": "generate"}', 5, "description", "this model draws from descript"),
        (
            b'{"id": 5, "method": "generate", "params": {"description": " "}}',
            5,
            "description",
            "the description is empty or shows nothing",
        ),
    ],
)
def test_a_request_that_is_wrong_gets_its_error_and_the_next_its_answer(
    server, line, request_id, code, message
):
    server.send_bytes(line + b"\n")
    answer = server.answer(request_id)
    assert set(answer) == {"id", "error"}
    assert answer["error"]["code"] == code
    assert message in answer["error"]["message"]
    assert server.ask("next", "info")["result"]["name"] == "tiny"


def test_a_line_without_an_end_is_left_out_and_keeps_no_memory(server):
    for _ in range(5):
        server.send_bytes(b"x" * MAXIMUM_LINE_BYTES)
    server.send_bytes(b"\n")
    message = f"a line has more than {MAXIMUM_LINE_BYTES} bytes; it was left out"
    assert failure(server.answer(None)) == ("line_too_long", message)
    assert server.ask("next", "info")["result"]["name"] == "tiny"


def test_lines_of_windows_and_empty_ones_are_read(server):
    server.send_bytes(b'\r\n\n  \n{"id": 1, "method": "info"}\r\n')
    assert server.answer(1)["result"]["name"] == "tiny"


def test_a_budget_that_is_used_up_is_an_error(server):
    code, message = failure(server.ask(1, "generate", description="a man", budget_ms=0))
    assert code == "deadline"
    assert "not done in the 0 s that it was given" in message


def test_what_is_answered_can_no_longer_be_cancelled(server):
    server.ask(1, "generate", description="a man")
    assert server.ask(2, "cancel", id=1)["result"] == {"was_waiting": False}
    assert server.ask(2, "cancel", id="nobody")["result"] == {"was_waiting": False}


def test_a_request_that_waits_can_be_cancelled_and_its_id_is_its_own(tiny_bundle):
    with StdioClient(tiny_bundle, before=TURNSTILE) as client:
        # Of more faces than are let through, so that none is done.
        for seed in range(10):
            client.send(seed, "candidates", description="x", seed=seed, count=3)
        code, message = failure(client.ask(9, "generate", description="x"))
        assert code == "duplicate_id"
        assert message == "a request with the id 9 is waiting still; give another"
        assert client.ask("cancel", "cancel", id=9)["result"] == {"was_waiting": True}
        assert failure(client.answer(9)) == ("cancelled", "the drawing was cancelled")
        client.send("end", "shutdown", drain=False)
        *lines, last = client.rest()
        assert sorted(line["id"] for line in lines) == list(range(9))
        assert {failure(line)[0] for line in lines} == {"cancelled"}
        assert last == {"id": "end", "result": {}}


def test_a_full_queue_is_an_error_at_once(tiny_bundle):
    with StdioClient(tiny_bundle, "--capacity", "3") as client:
        code, message = failure(client.ask(1, "candidates", description="x", count=4))
        assert (code, message) == ("argument", "count is 4; it must be 1 to 3")


NOISY = """
import ctypes, os
from t2f_runtime.service import server

def noisy(self, request_id, params):
    print("printed")
    os.write(1, b"written")
    ctypes.CDLL(None).puts(b"put")
    ctypes.CDLL(None).fflush(None)
    raise ZeroDivisionError(params.description)

server.METHODS["generate"] = server.Method(server.GenerateParams, server.Faces, noisy)
"""


@has_signals
def test_nothing_but_the_protocol_is_on_standard_output_and_a_bug_quotes_no_description(
    tiny_bundle,
):
    result = subprocess.run(
        [sys.executable, "-c", NOISY + COMMAND, "serve", str(tiny_bundle), "--stdio"],
        input=json.dumps(
            {"id": 1, "method": "generate", "params": {"description": SECRET}}
        ).encode(),
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    hello, answer = (json.loads(line) for line in result.stdout.splitlines())
    assert hello["hello"] == "t2f"
    assert answer["error"]["code"] == "internal"
    assert "a bug in T2F, ZeroDivisionError at <string>:" in answer["error"]["message"]
    for printed in (b"printed", b"written", b"put"):
        assert printed in result.stderr
    assert b"Zebedee" not in result.stdout + result.stderr


def test_a_bundle_that_cannot_be_opened_is_told_before_the_hello(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", COMMAND, "serve", str(tmp_path / "none"), "--stdio"],
        input=b"",
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.startswith(b"Error: ")


def test_the_way_to_speak_must_be_named(tiny_bundle):
    result = subprocess.run(
        [sys.executable, "-c", COMMAND, "serve", str(tiny_bundle)], capture_output=True, check=False
    )
    assert result.returncode == 2
    assert b"Give --stdio" in result.stderr


def test_a_model_without_text_is_served(textless_bundle, textless):
    with StdioClient(textless_bundle) as client:
        answer = client.ask(1, "generate", seed=7)
        np.testing.assert_array_equal(pictures(answer)[0], textless.generate(seed=7))
        code, message = failure(client.ask(2, "generate", description="a man"))
        assert (code, message) == (
            "description",
            "this model draws without descriptions; leave it out",
        )
