import numpy as np
import pytest
import torch
from tiny_training import tiny_config, train_tiny_run

from t2f_train.errors import ConfigError
from t2f_train.sampling import BATCH_SIZE, Sampler, slerp

TEXTS = ["a face with red hair", "somebody whose hair is green, smiling"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    base = tmp_path_factory.mktemp("sampling")
    train_tiny_run(base)
    return base / "run"


@pytest.fixture(scope="module")
def textless(tmp_path_factory):
    base = tmp_path_factory.mktemp("textless")
    train_tiny_run(base, config=tiny_config(text={"encoder": "none"}))
    return base / "run"


def test_a_grid_has_a_row_of_different_faces_for_each_description(run):
    rows = Sampler(run, seed=5).grid(TEXTS, 3)
    assert [label for label, _ in rows] == TEXTS
    for _, faces in rows:
        assert faces.shape == (3, 8, 8, 3)
        assert faces.dtype == np.uint8
        assert (faces[0] != faces[1]).any()


def test_equal_seeds_draw_equal_grids(run):
    one, other, different = (Sampler(run, seed=s).grid(TEXTS, 2) for s in (5, 5, 6))
    assert (one[0][1] == other[0][1]).all()
    assert (one[0][1] != different[0][1]).any()


def test_at_truncation_0_all_faces_of_a_description_are_its_mean_one(run):
    rows = Sampler(run).truncation_sweep(TEXTS[:1], 4, [0.0, 1.0])
    (_, still), (label, varied) = rows
    assert (still == still[:1]).all()
    assert (varied != varied[:1]).any()
    assert label == f"{TEXTS[0]}, truncation 1"


def test_a_walk_begins_and_ends_at_its_descriptions(run):
    sampler = Sampler(run, seed=2)
    (row,) = sampler.walk(TEXTS, 5)
    ends = [faces[0] for _, faces in sampler.grid(TEXTS, 1)]
    assert len(row[1]) == 5
    # Along the circle the end is reached up to rounding, at most a level of 255.
    assert np.abs(row[1][0].astype(int) - ends[0]).max() <= 1
    assert np.abs(row[1][-1].astype(int) - ends[1]).max() <= 1


def test_a_model_without_text_is_drawn_from_noise_alone(textless):
    sampler = Sampler(textless)
    ((label, faces),) = sampler.grid([], 6)
    assert label == ""
    assert faces.shape == (6, 8, 8, 3)
    assert [label for label, _ in sampler.walk([], 3)][:2] == [
        "face 1 to face 2",
        "face 2 to face 3",
    ]
    with pytest.raises(ConfigError, match="a model without text cannot truncate"):
        sampler.truncation_sweep([], 2, [0.5])


def test_a_model_with_text_needs_descriptions(run):
    with pytest.raises(ConfigError, match="give --text or --from"):
        Sampler(run).grid([], 2)
    with pytest.raises(ConfigError, match="give --text or --from"):
        Sampler(run).walk([], 2)


def test_a_walk_of_one_description_goes_from_face_to_face(run):
    sampler = Sampler(run, seed=2)
    rows = sampler.walk(TEXTS[:1], 3)
    ((_, faces),) = sampler.grid(TEXTS[:1], 5)
    assert [label for label, _ in rows][:2] == [
        f"{TEXTS[0]}, face 1 to face 2",
        f"{TEXTS[0]}, face 2 to face 3",
    ]
    for number, (_, walked) in enumerate(rows):
        assert np.abs(walked[0].astype(int) - faces[number]).max() <= 1
        assert np.abs(walked[-1].astype(int) - faces[number + 1]).max() <= 1
    assert len(rows) == 4


def test_a_long_row_is_drawn_in_parts_that_fit_together(run):
    sampler = Sampler(run)
    ((_, faces),) = sampler.grid(TEXTS[:1], BATCH_SIZE + 3)
    ((_, few),) = sampler.grid(TEXTS[:1], 2)
    assert len(faces) == BATCH_SIZE + 3
    assert len(np.unique(faces.reshape(len(faces), -1), axis=0)) == len(faces)
    assert np.abs(faces[:2].astype(int) - few).max() <= 1


def test_a_sheet_is_one_picture(run):
    sampler = Sampler(run)
    sheet = sampler.sheet(sampler.grid(TEXTS, 2))
    assert sheet.width > 2 * 64
    assert sheet.height > 2 * 64


def test_an_older_checkpoint_draws_other_faces_and_the_newest_is_taken_by_itself(run):
    older, newest = sorted((run / "checkpoints").iterdir())
    ((_, default),) = Sampler(run).grid(TEXTS[:1], 2)
    ((_, same),) = Sampler(run, checkpoint=newest).grid(TEXTS[:1], 2)
    ((_, before),) = Sampler(run, checkpoint=older).grid(TEXTS[:1], 2)
    assert (default == same).all()
    assert (default != before).any()


def test_slerp_stays_on_the_hypersphere_at_equal_angles():
    generator = torch.Generator().manual_seed(0)
    start, end = torch.randn(2, 16, generator=generator, dtype=torch.float64)
    start, end = start / start.norm(), end / end.norm()
    points = slerp(start, end, torch.linspace(0.0, 1.0, 6, dtype=torch.float64))
    torch.testing.assert_close(points.norm(dim=1), torch.ones(6).double())
    steps = (points[1:] * points[:-1]).sum(dim=1)
    torch.testing.assert_close(steps, steps[:1].expand(5))
    torch.testing.assert_close(points[0], start)
    torch.testing.assert_close(points[-1], end)


def test_slerp_between_equal_points_stays_there():
    point = torch.ones(4) / 2
    torch.testing.assert_close(slerp(point, point, torch.linspace(0, 1, 3)), point.expand(3, 4))
