import numpy as np
import pytest

from t2f_runtime.bench.samples import compare, spread, warm_up


def test_percentiles_are_interpolated():
    found = spread([float(value) for value in range(1, 102)])
    assert (found.p50, found.p90, found.p99) == (51, 91, 100)
    assert (found.outliers, found.count) == (0, 101)


def test_outliers_are_beyond_the_outer_fence_and_counted_in():
    # Quartiles 2 and 4: the fence is at 4 + 3 * 2.
    assert spread([1.0, 2, 3, 4, 10]).outliers == 0
    found = spread([1.0, 2, 3, 4, 10.5])
    assert found.outliers == 1
    twenty = spread([*[1.0] * 5, *[2.0] * 9, *[4.0] * 5, 104.0])
    assert twenty.outliers == 1
    assert twenty.p90 == 4


@pytest.mark.parametrize(
    ("count", "has_p90", "has_p99"),
    [(1, False, False), (9, False, False), (10, True, False), (99, True, False), (100, True, True)],
)
def test_a_percentile_of_too_few_timings_is_none(count, has_p90, has_p99):
    found = spread([2.0] * count)
    assert found.p50 == 2
    assert found.p90 == (2 if has_p90 else None)
    assert found.p99 == (2 if has_p99 else None)


def run_of(medians):
    """Gives each of some numbers for a whole window."""
    row = iter([value for value in medians for _ in range(10)])
    return lambda: next(row)


@pytest.mark.parametrize(
    ("medians", "expected"),
    [
        ([1.0, 1.0], (20, True)),
        ([9.0, 1.0, 1.019], (30, True)),
        ([9.0, 1.0, 1.03, 1.03], (40, True)),
        ([1.0, 0.97, 0.96], (30, True)),
        ([1.1**number for number in range(20)], (200, False)),
    ],
)
def test_the_warm_up_ends_when_two_windows_agree(medians, expected):
    assert warm_up(run_of(medians)) == expected


def test_single_slow_runs_do_not_keep_the_warm_up_going():
    row = iter([50.0, *[1.0] * 9, *[1.0] * 9, 50.0])
    assert warm_up(lambda: next(row)) == (20, True)


def rounds(scale, *, seed, spread_of=0.03):
    return list(scale * np.exp(np.random.default_rng(seed).normal(0, spread_of, size=20)))


@pytest.mark.parametrize(("factor", "outcome"), [(0.8, "better"), (1.25, "worse"), (1.0, "noise")])
def test_large_differences_are_told_from_noise(factor, outcome):
    found = compare(rounds(2e-3, seed=1), rounds(2e-3 * factor, seed=2))
    assert found.outcome == outcome
    assert found.ratio == pytest.approx(factor, rel=0.03)


def test_five_rounds_are_enough_to_tell_what_never_overlaps():
    found = compare([1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4])
    assert found.outcome == "worse"
    # 2 of the 10!/(5! 5!) = 252 ways to part ten numbers are as extreme.
    assert found.probability == pytest.approx(2 / 252, rel=0.3)


def test_equal_timings_share_their_ranks():
    found = compare([1.0, 1.0, 1.0, 2.0, 1.0], [1.0, 2.0, 1.0, 1.0, 1.0])
    assert (found.outcome, found.probability) == ("noise", 1)


def test_a_difference_within_the_margin_is_noise_however_certain():
    old, new = rounds(1.0, seed=1, spread_of=0.001), rounds(1.04, seed=2, spread_of=0.001)
    assert compare(old, new).outcome == "noise"
    assert compare(old, new).probability < 0.001
    assert compare(old, new, margin=0.02).outcome == "worse"


def test_a_difference_that_chance_makes_is_noise_however_large():
    found = compare([1.0, 3.0, 1.0, 3.0, 1.0], [3.0, 1.0, 3.0, 1.0, 3.0])
    assert found.ratio == pytest.approx(3)
    assert found.outcome == "noise"
    # Of the 10!/(5! 5!) ways to part five 1s and five 3s, every one differs as much.
    assert found.probability == 1


def test_the_test_errs_as_rarely_as_it_says():
    wrong = sum(
        compare(rounds(1.0, seed=2 * number), rounds(1.0, seed=2 * number + 1), margin=0).outcome
        != "noise"
        for number in range(100)
    )
    assert wrong <= 5  # 1 % of 100 is expected; 6 or more have a probability of 1 in 2,000


def test_swapping_the_rows_turns_the_ratio_round():
    old, new = rounds(1.0, seed=3), rounds(1.3, seed=4)
    forth, back = compare(old, new), compare(new, old)
    assert (forth.outcome, back.outcome) == ("worse", "better")
    assert forth.ratio * back.ratio == pytest.approx(1)
