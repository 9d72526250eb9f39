import pytest

from t2f_runtime.bench.samples import spread, warm_up


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
    """Gives each of some numbers of milliseconds for a whole window."""
    row = iter([value / 1000 for value in medians for _ in range(10)])
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


@pytest.mark.parametrize(
    ("medians", "expected"),
    [
        ([1000, 1100, 1200, 1300], (30, False)),  # 10, 21, 33 seconds
        ([9000, 9500, 9500], (20, False)),  # two windows at the least
        ([9000, 9001, 1], (20, True)),
    ],
)
def test_slow_runs_that_do_not_become_steady_are_given_up(medians, expected):
    assert warm_up(run_of(medians)) == expected


def test_single_slow_runs_do_not_keep_the_warm_up_going():
    row = iter([0.05, *[0.001] * 9, *[0.001] * 9, 0.05])
    assert warm_up(lambda: next(row)) == (20, True)
