"""How `benchmarks/peer_celeba.py` divides its budget of minutes."""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def budget(monkeypatch):
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are in the repository alone, not in the package")
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("peer_budget")


def test_each_resolution_gets_its_share_of_the_time(budget):
    hour = budget.Budget(3600.0, (1.0, 1.0, 2.0, 4.0, 4.0))
    depths = [hour.place(second)[0] for second in range(3600)]
    assert [depths.count(depth) for depth in range(5)] == [300, 300, 600, 1200, 1200]
    assert depths == sorted(depths)


def test_new_layers_fade_in_over_their_share_of_a_phase_and_the_first_does_not(budget):
    hour = budget.Budget(100.0, (50.0, 50.0), fade_fraction=0.4)
    assert hour.place(0.0) == (0, 1.0)
    assert [hour.place(second)[1] for second in (50.0, 60.0, 70.0, 99.0)] == [0.0, 0.5, 1.0, 1.0]
    assert budget.Budget(100.0, (50.0, 50.0), fade_fraction=0.0).place(50.0) == (1, 1.0)


def test_a_spent_budget_stands_at_the_end_of_the_last_resolution(budget):
    assert budget.Budget(100.0).place(100.0) == (4, 1.0)
    assert budget.Budget(100.0).place(107.0) == (4, 1.0)


def test_progress_comes_back_as_it_was_saved(budget):
    progress = budget.Progress(12.5, 20.0)
    progress.steps.update({0: 7, 3: 2})
    again = budget.Progress.from_dict(progress.to_dict())
    assert again == progress
    assert again.images(16) == {"4": 112, "32": 32}
    assert again.spent("wall", 2) == 12.5
    assert again.spent("processor", 2) == 10.0
