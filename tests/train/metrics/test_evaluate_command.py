import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tiny_training import tiny_config, train_tiny_run, write_faces

from t2f_runtime.cli import CommandGroup
from t2f_train.config import config_from_dict
from t2f_train.metrics.cli import evaluate

PHASES = [
    {"resolution": 4, "images": 4, "batch_size": 4},
    {"resolution": 8, "images": 8, "batch_size": 4, "fade_fraction": 0.5},
]
FACES = 40

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """Collects what a page refers to, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.sources, self.text = set(), [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def run_command(*arguments):
    group = CommandGroup(commands={"evaluate": evaluate})
    return CliRunner().invoke(group, ["evaluate", *map(str, arguments)])


def trained(base, **changes):
    write_faces(base / "faces", count=FACES)
    train_tiny_run(base, config=tiny_config(phases=PHASES, **changes))
    return base / "run"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("T2F_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def evaluated(run):
    result = run_command(run, "--faces", "20")
    assert result.exit_code == 0, result.output
    return run / "evaluation", result


def numbers(folder):
    return json.loads((folder / "evaluation.json").read_text())


def test_the_numbers_stand_beside_those_of_photographs(evaluated):
    folder, _ = evaluated
    found = numbers(folder)
    measures = {measure["key"]: measure for measure in found["measures"]}
    assert list(measures) == [
        "swd",
        "swd_8",
        "ms_ssim",
        "nearest_median",
        "nearest_least",
        "faces",
    ]
    for measure in measures.values():
        assert measure["real"] is not None
    assert (found["resolution"], found["images_seen"], found["faces"]) == (8, 12, 20)
    assert measures["nearest_median"]["count"] == 20


def test_what_is_not_measured_is_named_with_its_reason(evaluated):
    folder, _ = evaluated
    absent = numbers(folder)["absent"]
    assert absent["attribute accuracy"] == (
        "data read by 'folder' has no attributes of CelebA to teach a classifier"
    )
    assert "a matcher needs 256 to learn from" in absent["r-precision"]
    assert "--inception FILE" in absent["fid, kid"]


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script(evaluated):
    folder, _ = evaluated
    page = Page((folder / "index.html").read_text("utf-8"))
    assert page.tags.isdisjoint({"script", "link", "iframe"})
    assert {"drawn.png", "photographs.png", "nearest.png", "row-1.png"} <= set(page.sources)
    for source in page.sources:
        with Image.open(folder / source) as picture:
            assert np.asarray(picture).std() > 0
    assert set(page.sources) == {path.name for path in folder.iterdir() if path.suffix == ".png"}


def test_a_page_without_photographs_has_none(run, tmp_path):
    result = run_command(run, "--faces", "8", "-o", tmp_path / "page", "--no-photographs")
    assert result.exit_code == 0, result.output
    files = {path.name for path in (tmp_path / "page").iterdir()}
    assert "photographs.png" not in files
    page = Page((tmp_path / "page" / "index.html").read_text("utf-8"))
    assert set(page.sources) == {name for name in files if name.endswith(".png")}
    assert "no photographs are shown on this page" in page.text
    with Image.open(tmp_path / "page" / "nearest.png") as picture:
        assert picture.height == 64  # one row: drawn faces alone, 8 pixels enlarged


def test_the_page_says_whether_the_model_knows_the_photographs(evaluated, tmp_path):
    folder, _ = evaluated
    told = "This model was trained on all photographs"
    assert told in (folder / "index.html").read_text("utf-8")
    assert numbers(folder)["data"]["is_unseen"] is False
    run = trained(tmp_path, data={"reader": "folder", "held_out": 0.3})
    assert run_command(run, "--faces", "8").exit_code == 0
    found = numbers(run / "evaluation")["data"]
    assert found["is_unseen"] is True
    assert found["training"] + found["held_out"] == FACES
    assert told not in (run / "evaluation" / "index.html").read_text("utf-8")


def test_descriptions_are_text_to_the_page_and_not_markup(tmp_path):
    write_faces(tmp_path / "faces", count=FACES)
    for path in (tmp_path / "faces").glob("*.txt"):
        path.write_text(f'<em>{path.stem}</em> & "hair"\n', encoding="utf-8")
    train_tiny_run(tmp_path, config=tiny_config(phases=PHASES))
    assert run_command(tmp_path / "run", "--faces", "8").exit_code == 0
    page = Page((tmp_path / "run" / "evaluation" / "index.html").read_text("utf-8"))
    assert "em" not in page.tags
    assert page.text.count('</em> & "hair"') == 8


def test_the_command_says_every_number_and_where_the_page_is(evaluated):
    folder, result = evaluated
    assert re.search(r"Pictures with a face: [\d.]+%  photographs [\d.]+%", result.output)
    assert f"page     {folder / 'index.html'}" in result.output


def test_an_evaluation_again_gives_the_same_numbers_in_the_place_of_the_old(evaluated, run):
    folder, _ = evaluated
    before = numbers(folder)
    (folder / "row-99.png").write_bytes(b"of an older version")
    assert run_command(run, "--faces", "20").exit_code == 0
    again = numbers(folder)
    assert again["measures"] == before["measures"]
    assert not (folder / "row-99.png").exists()
    assert [path.name for path in run.iterdir() if path.name.startswith(".eval")] == []


def test_another_seed_draws_other_faces(evaluated, run, tmp_path):
    folder, _ = evaluated
    assert run_command(run, "--faces", "20", "--seed", "5", "-o", tmp_path / "new").exit_code == 0
    assert numbers(tmp_path / "new")["measures"] != numbers(folder)["measures"]


def test_a_folder_of_other_things_is_refused_before_anything_is_drawn(run, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-mother.txt").write_text("dear mother")
    result = run_command(run, "-o", tmp_path / "letters")
    assert result.exit_code == 1
    complaint = f"{tmp_path / 'letters'} holds something else than an evaluation"
    assert result.output == f"Error: {complaint}; name a new folder with -o\n"


def test_other_data_than_the_runs_is_refused(run, tmp_path):
    write_faces(tmp_path / "others", count=30)
    result = run_command(run, "--data", tmp_path / "others", "-o", tmp_path / "report")
    assert result.exit_code == 1
    assert "others is not the data that the run was trained on" in result.output
    assert not (tmp_path / "report").exists()


def test_data_that_moved_away_is_asked_for(run, tmp_path):
    moved = tmp_path / "run"
    shutil.copytree(run, moved)
    record = json.loads((moved / "run.json").read_text())
    record["data_folder"] = str(tmp_path / "gone")
    (moved / "run.json").write_text(json.dumps(record))
    result = run_command(moved)
    assert result.exit_code == 1
    assert "gone, which is not there now; give its data with --data" in result.output


def test_a_run_without_a_checkpoint_has_nothing_to_evaluate(run, tmp_path):
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("step-*"))
    result = run_command(tmp_path / "run")
    assert result.exit_code == 1
    assert "has no checkpoint to evaluate; train it first" in result.output


def test_a_model_without_text_gets_the_picture_measures_alone(tmp_path):
    plain = tiny_config(phases=PHASES).to_dict()
    plain["text"]["encoder"] = "none"
    write_faces(tmp_path / "faces", count=FACES)
    train_tiny_run(tmp_path, config=config_from_dict(plain, source="test"))
    result = run_command(tmp_path / "run", "--faces", "10")
    assert result.exit_code == 0, result.output
    found = numbers(tmp_path / "run" / "evaluation")
    assert found["absent"]["r-precision"] == "the model draws without descriptions"
    assert not (tmp_path / "run" / "evaluation" / "row-1.png").exists()


def drawn_elsewhere(asked_file, path, name="<b>the other</b>"):
    """Another program, which draws plain pictures of what it is asked for."""
    asked = json.loads(asked_file.read_text("utf-8"))
    random = np.random.default_rng(0)
    np.savez(
        path,
        name=np.array(name),
        pictures=random.integers(0, 256, (len(asked), 8, 8, 3), dtype=np.uint8),
        descriptions=np.array([one["description"] for one in asked]),
        seeds=np.array([one["seed"] for one in asked]),
        indices=np.array([one["index"] for one in asked]),
    )
    return path


def test_the_numbers_of_another_program_stand_beside_the_runs(evaluated, run, tmp_path):
    result = run_command(run, "--faces", "20", "--ask", tmp_path / "asked.json")
    assert result.output.endswith("pictures to draw\n")
    others = drawn_elsewhere(tmp_path / "asked.json", tmp_path / "pictures.npz")
    result = run_command(run, "--faces", "20", "--beside", others, "-o", tmp_path / "report")
    assert result.exit_code == 0, result.output
    found = numbers(tmp_path / "report")
    folder, _ = evaluated
    alone = numbers(folder)
    assert found["measures"] == alone["measures"]
    assert alone["beside"] is None
    assert found["beside"]["name"] == "<b>the other</b>"
    beside = {measure["key"]: measure for measure in found["beside"]["measures"]}
    for measure in found["measures"]:
        other = beside[measure["key"]]
        assert (other["real"], other["count"]) == (measure["real"], measure["count"])
        assert measure["key"] == "faces" or other["drawn"] != measure["drawn"]
    page = Page((tmp_path / "report" / "index.html").read_text("utf-8"))
    assert {"beside.png", "beside-row-1.png"} <= set(page.sources)
    assert page.text.count("<b>the other</b>") == 4
    own, _, others = result.output.partition("<b>the other</b>:\n")
    for half in (own, others):
        assert re.search(r"MS-SSIM\): [\d.]+  photographs [\d.]+\n", half)


def test_pictures_for_another_evaluation_are_refused_before_anything_is_measured(run, tmp_path):
    assert run_command(run, "--faces", "20", "--ask", tmp_path / "asked.json").exit_code == 0
    others = drawn_elsewhere(tmp_path / "asked.json", tmp_path / "pictures.npz", "the other")
    result = run_command(run, "--faces", "21", "--beside", others, "-o", tmp_path / "report")
    assert result.exit_code == 1
    assert "the other has no picture of 1 of " in result.output
    assert "measuring" not in result.output
    assert not (tmp_path / "report").exists()
