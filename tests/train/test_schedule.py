from itertools import pairwise

import pytest

from t2f_train.config import Phase
from t2f_train.schedule import Schedule

PHASES = (
    Phase(resolution=4, images=10, batch_size=4),
    Phase(resolution=8, images=40, batch_size=4, fade_fraction=0.5),
    Phase(resolution=16, images=8, batch_size=2, fade_fraction=0.0),
)


@pytest.fixture
def schedule():
    return Schedule(PHASES)


def test_phases_are_rounded_up_to_whole_batches(schedule):
    assert [schedule.phase_images(index) for index in range(3)] == [12, 40, 8]
    assert schedule.total_images == 60
    assert schedule.total_steps == 3 + 10 + 4


def test_images_seen_grow_by_the_phases_batch_at_each_step(schedule):
    moments = [schedule.at(step) for step in range(schedule.total_steps + 1)]
    assert moments[0].images_seen == 0
    assert moments[-1].images_seen == 60
    for before, after in pairwise(moments):
        assert after.images_seen - before.images_seen == before.phase.batch_size
        assert after.step == before.step + 1


def test_depth_follows_the_resolution(schedule):
    assert [schedule.at(step).depth for step in (0, 2, 3, 12, 13, 16)] == [0, 0, 1, 1, 2, 2]


def test_the_first_phase_does_not_fade(schedule):
    assert {schedule.at(step).fade for step in range(3)} == {1.0}


def test_new_layers_fade_in_over_their_share_of_the_phase(schedule):
    fades = [schedule.at(step).fade for step in range(3, 13)]
    assert fades == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])


def test_a_fade_fraction_of_0_means_no_fading(schedule):
    assert {schedule.at(step).fade for step in range(13, 17)} == {1.0}


def test_after_the_last_step_the_run_stands_at_its_end(schedule):
    end = schedule.at(schedule.total_steps)
    assert (end.phase_index, end.phase_step, end.fade) == (2, 4, 1.0)
