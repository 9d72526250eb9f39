import io

import pytest
from rich.console import Console
from tiny_training import tiny_config

from t2f_train import progress
from t2f_train.progress import ProgressReporter, Stopwatch, duration, image_cost
from t2f_train.schedule import Schedule


class Clock:
    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def config():
    return tiny_config()


@pytest.fixture
def schedule(config):
    return Schedule(config.phases)


def shown(schedule, config, *, is_terminal, steps):
    output = io.StringIO()
    console = Console(file=output, force_terminal=is_terminal, width=160)
    with ProgressReporter(schedule, config.channels, console) as reporter:
        for step in steps:
            reporter.stepped(schedule.at(step), {"wasserstein": 1.234, "matching": 0.5})
    return output.getvalue()


def test_the_bar_shows_phase_images_speed_losses_and_time_left(schedule, config):
    text = shown(schedule, config, is_terminal=True, steps=range(11))
    for part in (
        "8x8 (phase 2 of 2)",
        "40 of 40 images",
        "images/s",
        "wasserstein 1.23",
        "matching 0.50",
        "0:00 left",
    ):
        assert part in text


def test_a_log_file_gets_a_line_now_and_then_and_one_at_the_end(schedule, config, monkeypatch):
    clock = Clock(monkeypatch)
    output = io.StringIO()
    console = Console(file=output, force_terminal=False, width=40)
    with ProgressReporter(schedule, config.channels, console) as reporter:
        for step in range(11):
            clock.now += 6.0
            reporter.stepped(schedule.at(step), {})
    lines = output.getvalue().splitlines()
    assert [line.split(": ")[1].split(" of ")[0] for line in lines] == ["8", "20", "32", "40"]
    assert lines[-1].endswith("0:00 left")


def test_speed_is_measured_since_the_phase_began(schedule, config, monkeypatch):
    clock = Clock(monkeypatch)
    stopwatch = Stopwatch(schedule, config.channels)
    assert stopwatch.measure(schedule.at(0)) == (0.0, float("inf"))
    clock.now = 2.0
    assert stopwatch.measure(schedule.at(2))[0] == pytest.approx(4.0)
    clock.now = 50.0
    stopwatch.measure(schedule.at(4))
    clock.now = 51.0
    assert stopwatch.measure(schedule.at(6))[0] == pytest.approx(8.0)


def test_the_time_left_counts_later_phases_by_what_their_images_cost(schedule, config, monkeypatch):
    clock = Clock(monkeypatch)
    stopwatch = Stopwatch(schedule, config.channels)
    stopwatch.measure(schedule.at(0))
    clock.now = 2.0
    _, left = stopwatch.measure(schedule.at(2))
    ratio = image_cost(config.channels) / image_cost(config.channels[:1])
    assert left == pytest.approx((8 + 24 * ratio) / 4.0)


def test_an_image_costs_more_at_each_resolution():
    channels = (8, 8, 4, 2)
    costs = [image_cost(channels[:depths]) for depths in (1, 2, 3, 4)]
    assert costs == sorted(costs)
    assert len(set(costs)) == 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00"), (42, "0:42"), (60, "1:00"), (3723, "1:02:03"), (float("inf"), "-:--")],
)
def test_durations_read_as_people_write_them(seconds, text):
    assert duration(seconds) == text
