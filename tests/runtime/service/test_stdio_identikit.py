import base64
import hashlib
import importlib.util
import io
import stat
import sys

import numpy as np
import pytest
from PIL import Image
from stdio_client import RemoteError, RemoteSession, StdioClient

from t2f_runtime import Bundle
from t2f_runtime.identikit import Session, explain, load_case, read_picture, verify_log

pytestmark = pytest.mark.slow  # it starts processes

WORDS = "a bald man"
SCRIPT = (
    ("candidates", {"count": 6}, lambda session: session.candidates(6)),
    ("choose", {"places": [3, 1]}, lambda session: session.choose([3, 1])),
    ("breed", {"count": 8}, lambda session: session.breed(8)),
    ("choose", {"places": [5]}, lambda session: session.choose([5])),
    ("describe", {"description": "... with a beard"}, lambda s: s.describe("... with a beard")),
    ("more", {"words": "older", "amount": 0.5}, lambda session: session.more("older", 0.5)),
    ("lock", {"name": "a hat"}, lambda session: session.lock("a hat")),
    ("less", {"words": "smiling"}, lambda session: session.less("smiling")),
    ("unlock", {"name": "a hat"}, lambda session: session.unlock("a hat")),
    ("undo", {"steps": 2}, lambda session: session.undo(2)),
    ("redo", {}, lambda session: session.redo()),
    ("mix", {"first": 0, "second": "1.03", "amount": 0.25}, lambda s: s.mix(0, "1.03", 0.25)),
    ("morph", {"first": 0, "second": "1.00", "count": 3}, lambda s: s.morph(0, "1.00", 3)),
    ("branch", {"step": 1}, lambda session: session.branch(1)),
    ("candidates", {"count": 4, "pool": 9}, lambda session: session.candidates(4, pool=9)),
)


@pytest.fixture(scope="module")
def server(tiny_bundle):
    """A server that tests share; none of them ends it."""
    with StdioClient(tiny_bundle, "--threads", "1", "--engine", "onnx-cpu") as client:
        yield client
    assert client.end_status == (0, "")


@pytest.fixture
def begin(server):
    """Begins sessions, which are closed at the end."""
    begun = []

    def begin(how="start", **params):
        begun.append(RemoteSession(server, how, **params))
        return begun[-1]

    yield begin
    for session in begun:
        if session.is_open:
            session.close()


def without_files(screen):
    """A screen without the files of its pictures, which tell the time; their hashes stay."""
    return screen | {"faces": [face | {"data": None} for face in screen["faces"]]}


@pytest.mark.parametrize("kind", ["png", "rgb"])
def test_a_whole_session_shows_the_faces_of_one_in_this_process(begin, generator, kind, tmp_path):
    local = Session.start(WORDS, generator, seed=7)
    remote = begin(description=WORDS, seed=7, format=kind)
    for operation, params, do in SCRIPT:
        local = do(local)
        screen = remote.step(operation, format=kind, **params)
        np.testing.assert_array_equal(remote.pictures(), local.pictures(), strict=True)
        assert [face["name"] for face in screen["faces"]] == list(local.step.screen)
        assert [face["sha256"] for face in screen["faces"]] == [
            hashlib.sha256(picture.tobytes()).hexdigest() for picture in local.pictures()
        ]
        assert screen["step"] == local.step.number
        assert screen["operation"] == local.step.operation
        assert (screen["chosen"], screen["locks"]) == ([*local.step.chosen], [*local.locks])
        assert screen["undo_steps"] == len(local.case.path()) - 1
        assert screen["redo_steps"] == len(local.case.undone)
    remote.ask("save", path=str(tmp_path / "x.case"))
    assert load_case(tmp_path / "x.case").case == local.case


def test_sliders_tell_where_they_stand_and_how_far_they_may_go(begin, generator):
    session = begin(description=WORDS, sliders=["older", "smiling", ""])
    local = Session.start(WORDS, generator)
    older, smiling, nothing = session.screen["sliders"]
    position = local.direction("older").position(local.face)
    assert (older["words"], older["position"], older["problem"]) == ("older", position, None)
    assert (older["least"], older["most"], older["per_amount"]) == (-3, 3, pytest.approx(1))
    assert nothing["position"] is None
    assert "name what to change" in nothing["problem"]
    target = -2.0
    amount = (smiling["position"] - target) / smiling["per_amount"]
    moved = session.step("less", words="smiling", amount=amount)["sliders"][1]
    assert moved["position"] == pytest.approx(target, abs=1e-3)
    locked = session.step("lock", name="smiling")["sliders"][1]
    assert (locked["position"], locked["per_amount"]) == (moved["position"], 0)
    assert session.step("candidates", count=3)["sliders"][1]["position"] is None


def test_a_session_can_be_told_without_its_pictures(begin):
    session = begin(description=WORDS)
    shown = session.step("candidates", count=5)
    plain = session.ask("show", format="none")
    some = session.ask("show", places=[2, 4])
    assert [face["data"] for face in plain["faces"]] == [None] * 5
    assert [face["sha256"] for face in plain["faces"]] == [f["sha256"] for f in shown["faces"]]
    assert [face["place"] for face in some["faces"] if face["data"]] == [2, 4]
    assert without_files(some)["faces"][2] == without_files(shown)["faces"][2]
    with pytest.raises(RemoteError, match="a place is 5; it must be 0 to 4") as caught:
        session.ask("show", places=[5])
    assert caught.value.args[0] == "argument"


def test_a_picture_says_which_face_it_is(begin, tiny_bundle):
    face = begin(description=WORDS, seed=3).step("candidates", count=2)["faces"][1]
    with Image.open(io.BytesIO(base64.b64decode(face["data"]))) as image:
        assert image.text["Title"] == "synthetic face"
        assert image.text["Bundle"] == Bundle.open(tiny_bundle).bundle_id
        assert (image.text["Seed"], image.text["Faces"]) == ("3", face["name"])


def test_the_history_tells_every_step_of_every_branch(begin):
    session = begin(description=WORDS, seed=7)
    session.step("candidates", count=3)
    session.step("choose", places=[1])
    session.step("branch", step=1)
    session.step("choose", places=[2])
    history = session.ask("history")
    assert (history["step"], history["total"]) == (3, 4)
    steps = history["steps"]
    assert [step["operation"] for step in steps] == ["start", "candidates", "choose", "choose"]
    assert [step["parent"] for step in steps] == [None, 0, 1, 1]
    assert [step["is_present"] for step in steps] == [True, True, False, True]
    assert steps[0]["arguments"] == {"description": WORDS, "seed": 7}
    assert (steps[1]["faces"], steps[3]["arguments"]) == (3, {"places": [2]})
    part = session.ask("history", first=1, count=2)
    assert part["steps"] == steps[1:3]


def test_faces_are_compared_and_explained(begin, generator):
    session = begin(description=WORDS, seed=7)
    session.step("describe", description="a bald man with glasses")
    local = Session.start(WORDS, generator, seed=7).describe("a bald man with glasses")
    found = session.ask("compare", first="0.00", second=0)
    expected = local.compare("0.00", 0)
    assert found["mean_levels"] == expected.mean_levels
    assert found["only_second"] == ["a bald man with glasses"]
    explained = session.ask("explain", sheet=True)
    assert [word["word"] for word in explained["words"]] == [*WORDS.split(), "with", "glasses"]
    assert [word["is_negligible"] for word in explained["words"]] == [
        effect.is_negligible for effect in explain(generator, local.face).words
    ]
    with Image.open(io.BytesIO(base64.b64decode(explained["sheet"]))) as image:
        assert image.text["Title"] == "synthetic face, and what its description changed"
    assert session.ask("explain", face="0.00")["sheet"] is None


def test_two_witnesses_faces_are_mixed(begin, generator):
    first, second = begin(description=WORDS, seed=1), begin(description="a woman", seed=2)
    mixed = first.step("mix", first=0, second={"session": second.number})
    other = Session.start("a woman", generator, seed=2)
    local = Session.start(WORDS, generator, seed=1).mix(0, other)
    np.testing.assert_array_equal(first.pictures(), local.pictures())
    assert mixed["faces"][0]["descriptions"] == [WORDS, "a woman"]
    assert second.ask("show", format="none")["step"] == 0


def test_a_case_is_saved_and_gone_on_with(begin, tmp_path):
    session = begin(description=WORDS, seed=7)
    screen = session.step("candidates", count=4)
    path = tmp_path / "folder" / "17.case"
    saved = session.ask("save", path=str(path))
    assert saved == {"path": str(path), "steps": 2, "log": None}
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    session.close()
    later = begin("load", path=str(path))
    told = without_files(later.screen) | {"session": session.number}
    assert told == without_files(screen)
    assert later.ask("check") == {"pictures": 5, "log_lines": None}
    later.step("choose", places=[1])
    later.ask("save", path=str(path))
    assert load_case(path).case.step.number == 2


def test_each_step_is_in_the_log_and_its_end_in_the_case_file(begin, tmp_path):
    log, case = tmp_path / "17.log", tmp_path / "17.case"
    session = begin(description=WORDS, log=str(log), operator="officer 1147")
    session.step("candidates", count=2)
    session.step("undo")
    with pytest.raises(RemoteError):
        session.step("choose", places=[9])
    mark = session.ask("save", path=str(case))["log"]
    report = verify_log(log, load_case(case).log)
    assert (
        (report.lines, report.last_sha256) == (mark["lines"], mark["sha256"]) == (3, mark["sha256"])
    )
    session.close()
    later = begin("load", path=str(case), log=str(log))
    assert later.ask("check") == {"pictures": 3, "log_lines": 4}
    assert b'"operation":"undo","arguments":{"steps":1}' in log.read_bytes()
    assert b'"operator":"officer 1147"' in log.read_bytes()
    later.close()
    with pytest.raises(RemoteError, match="is the log of a case already") as caught:
        begin(description=WORDS, log=str(log))
    assert caught.value.args[0] == "case"


def test_pictures_are_exported(begin, tmp_path):
    session = begin(description=WORDS, seed=7)
    session.step("candidates", count=3)
    face, sheet = tmp_path / "face.png", tmp_path / "sheet.png"
    exported = session.ask("export", path=str(face), scale=2, faces=[1], tells_description=True)
    facts, pixels = read_picture(face)
    assert pixels.shape == (16, 16, 3)
    assert (
        (exported["path"], exported["facts"]["names"])
        == (str(face), facts.names)
        == (
            str(face),
            "1.01",
        )
    )
    assert facts.description == WORDS
    assert session.ask("export", path=str(sheet), kind="sheet")["facts"]["count"] == 3
    assert read_picture(sheet)[0].description is None
    for params, message in (
        ({"path": str(face), "faces": [0]}, "is there already"),
        ({"path": str(tmp_path / "x.jpg"), "faces": [0]}, "must end in .png"),
        ({"path": str(tmp_path / "x.png"), "faces": [0, 1]}, "a picture has one face, not 2"),
    ):
        with pytest.raises(RemoteError, match=message):
            session.ask("export", **params)


def test_a_page_is_written_or_the_missing_package_named(begin, tmp_path):
    session = begin(description=WORDS)
    path = tmp_path / "page.pdf"
    if importlib.util.find_spec("fpdf") is not None:
        session.ask("export", path=str(path), kind="page")
        assert path.read_bytes().startswith(b"%PDF")
        return
    with pytest.raises(RemoteError, match="needs the package 'fpdf'") as caught:
        session.ask("export", path=str(path), kind="page")
    assert caught.value.args[0] == "missing_package"


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("none.case", None, "case", "cannot be read: No such file"),
        ("bad.case", b"{}", "case", "is no case file"),
    ],
)
def test_a_case_that_cannot_be_loaded_says_why(begin, tmp_path, name, content, code, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RemoteError, match=message) as caught:
        begin("load", path=str(tmp_path / name))
    assert caught.value.args[0] == code


def test_a_model_without_text_has_sessions(textless_bundle, textless):
    with StdioClient(textless_bundle) as client:
        session = RemoteSession(client, "start", seed=7, sliders=["older"])
        assert "needs a model that reads descriptions" in session.screen["sliders"][0]["problem"]
        session.step("candidates", count=3)
        local = Session.start(None, textless, seed=7).candidates(3)
        np.testing.assert_array_equal(session.pictures(), local.pictures())
        with pytest.raises(RemoteError, match="needs a model that reads descriptions"):
            session.step("describe", description="a man")


def test_what_was_asked_of_sessions_is_answered_before_the_end(tiny_bundle):
    with StdioClient(tiny_bundle) as client:
        number = RemoteSession(client, "start", description=WORDS).number
        for request in range(9):
            client.send(request, "identikit.candidates", session=number, count=5)
        client.send("close", "identikit.close", session=number)
        client.send("end", "shutdown")
        lines = client.rest()
    assert [line["id"] for line in lines] == [*range(9), "close", "end"]
    assert [line["result"]["step"] for line in lines[:9]] == list(range(1, 10))
    assert client.end_status == (0, "")


def test_the_end_of_the_input_ends_sessions_too(tiny_bundle):
    with StdioClient(tiny_bundle) as client:
        number = RemoteSession(client, "start", description=WORDS).number
        client.send("last", "identikit.breed", session=number)
        client.process.stdin.close()
        assert [line["id"] for line in client.rest()] == ["last"]
    assert client.end_status == (0, "")
