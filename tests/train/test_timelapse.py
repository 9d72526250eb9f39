import sys

import msgspec
import numpy as np
import pytest
from PIL import Image
from tiny_training import tiny_config, train_tiny_run

from t2f_train.errors import RunError, TimelapseError
from t2f_train.frames import frame_steps
from t2f_train.run_folder import RunFolder
from t2f_train.schedule import Schedule
from t2f_train.timelapse import caption, compose, read_frames, write_timelapse

av = pytest.importorskip("av")

FRAMES = 5


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    base = tmp_path_factory.mktemp("timelapse")
    plain = tiny_config().to_dict()
    plain["output"]["frames"] = FRAMES
    train_tiny_run(base, config=msgspec.convert(plain, type(tiny_config())))
    return base / "run"


def test_frames_are_spread_evenly_and_the_last_step_has_one():
    assert sorted(frame_steps(100, 4)) == [24, 49, 74, 99]
    assert sorted(frame_steps(10, 10)) == list(range(10))
    assert sorted(frame_steps(3, 96)) == [0, 1, 2]


def test_a_run_keeps_as_many_frames_as_it_was_told(run):
    frames = read_frames(run)
    assert [frame.path.name for frame in frames] == [f"step-{n:08d}.png" for n in (1, 3, 5, 7, 9)]
    assert [frame.images_seen for frame in frames] == [8, 16, 24, 32, 40]


def test_a_frame_is_a_grid_at_the_resolution_of_its_phase(run):
    sides = []
    for frame in read_frames(run):
        with Image.open(frame.path) as picture:
            sides.append(picture.size)
    # 6 descriptions side by side, 4 faces of each below one another
    assert sides == [(24, 16)] * 2 + [(48, 32)] * 3


def test_the_caption_tells_phase_fade_and_images(run):
    schedule = Schedule(RunFolder(run).read_record().config.phases)
    captions = [caption(frame, schedule) for frame in read_frames(run)]
    assert captions[0] == "4x4, phase 1 of 2, 8 images"
    assert captions[2] == "8x8, phase 2 of 2, 67% faded in, 24 images"
    assert captions[-1] == "8x8, phase 2 of 2, 40 images"


def test_an_mp4_plays_all_frames_and_stays_on_the_last(run, tmp_path):
    assert write_timelapse(run, tmp_path / "growth.mp4", seconds=1.0, width=256) == FRAMES
    with av.open(str(tmp_path / "growth.mp4")) as film:
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(pictures) == FRAMES + 10  # two seconds more, at five frames a second
    assert pictures[0].shape[1] == 256
    last = Image.open(read_frames(run)[-1].path).convert("RGB").resize((256, 171), 0)
    difference = np.abs(pictures[-1][:170].astype(int) - np.asarray(last)[:170])
    assert difference.mean() < 12  # H.264 loses a little
    assert np.abs(pictures[-1].astype(int) - pictures[0]).mean() > difference.mean()
    assert list(tmp_path.iterdir()) == [tmp_path / "growth.mp4"]


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_an_animation_has_all_frames_and_a_longer_last_one(run, tmp_path, ending):
    path = tmp_path / f"growth{ending}"
    write_timelapse(run, path, seconds=1.0, width=256)
    with Image.open(path) as film:
        assert film.n_frames == FRAMES
        assert film.width == 256
        durations = []
        for number in range(FRAMES):
            film.seek(number)
            film.load()
            durations.append(film.info["duration"])
    assert durations == [200] * 4 + [2000]


def test_another_ending_is_refused(run, tmp_path):
    with pytest.raises(TimelapseError, match=r"growth.avi has no ending .* .mp4, .gif, .webp"):
        write_timelapse(run, tmp_path / "growth.avi")


def test_a_folder_that_is_missing_is_told_and_nothing_is_left(run, tmp_path):
    for path in (tmp_path / "absent" / "growth.mp4", tmp_path / "absent" / "growth.gif"):
        with pytest.raises(TimelapseError, match=r"name a new file in a folder that exists"):
            write_timelapse(run, path)
    assert not list(tmp_path.iterdir())


def test_a_film_too_short_for_all_frames_leaves_some_out_but_never_the_last(run, tmp_path):
    path = tmp_path / "growth.webp"
    assert write_timelapse(run, path, seconds=0.05, width=256) == 3  # of 5, 20 ms each at least
    schedule = Schedule(RunFolder(run).read_record().config.phases)
    first, last = (
        np.asarray(compose(frame, schedule, 256)).astype(int)
        for frame in (read_frames(run)[0], read_frames(run)[-1])
    )
    with Image.open(path) as film:
        film.seek(film.n_frames - 1)
        shown = np.asarray(film.convert("RGB")).astype(int)
    # WebP loses a little.
    assert np.abs(shown - last).mean() < 0.2 * np.abs(shown - first).mean()


def test_without_the_package_av_an_mp4_says_how_to_get_it(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(TimelapseError, match=r"pip install 't2f\[evaluate\]', or write a .gif"):
        write_timelapse(run, tmp_path / "growth.mp4")
    assert write_timelapse(run, tmp_path / "growth.gif") == FRAMES


def test_a_build_of_av_without_the_encoder_is_told(run, tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(TimelapseError, match=r"'av' has no libx264 to write an .mp4 with"):
        write_timelapse(run, tmp_path / "growth.mp4")
    assert not list(tmp_path.iterdir())


def test_a_run_without_frames_says_so(run, tmp_path):
    (tmp_path / "run.json").write_bytes((run / "run.json").read_bytes())
    with pytest.raises(RunError, match=r"holds no frames yet; a run keeps output.frames"):
        read_frames(tmp_path)
