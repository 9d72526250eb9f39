import numpy as np
import pytest

from t2f_runtime.bench.differences import Timings, compare, least_probability
from t2f_runtime.bench.yardstick import yardstick_seconds


def differ(old, new, **options):
    [found] = compare([(Timings(rounds=old), Timings(rounds=new))], **options)
    return found


def rounds(scale, *, seed, spread_of=0.03):
    return list(scale * np.exp(np.random.default_rng(seed).normal(0, spread_of, size=20)))


@pytest.mark.parametrize(("factor", "outcome"), [(0.8, "better"), (1.25, "worse"), (1.0, "noise")])
def test_large_differences_are_told_from_noise(factor, outcome):
    found = differ(rounds(2e-3, seed=1), rounds(2e-3 * factor, seed=2))
    assert found.outcome == outcome
    assert found.ratio == pytest.approx(factor, rel=0.03)


def test_five_rounds_are_enough_to_tell_what_never_overlaps():
    found = differ([1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4])
    assert found.outcome == "worse"
    # 2 of the 10!/(5! 5!) = 252 ways to part ten numbers are as extreme.
    assert found.probability == pytest.approx(2 / 252, rel=0.3)


def test_equal_timings_share_their_ranks():
    found = differ([1.0, 1.0, 1.0, 2.0, 1.0], [1.0, 2.0, 1.0, 1.0, 1.0])
    assert (found.outcome, found.probability) == ("noise", 1)


def test_a_difference_within_the_margin_is_noise_however_certain():
    old, new = rounds(1.0, seed=1, spread_of=0.001), rounds(1.04, seed=2, spread_of=0.001)
    assert differ(old, new).outcome == "noise"
    assert differ(old, new).probability < 0.001
    assert differ(old, new, margin=0.02).outcome == "worse"


def test_a_difference_that_chance_makes_is_noise_however_large():
    found = differ([1.0, 3.0, 1.0, 3.0, 1.0], [3.0, 1.0, 3.0, 1.0, 3.0])
    assert found.ratio == pytest.approx(3)
    assert found.outcome == "noise"
    # Of the 10!/(5! 5!) ways to part five 1s and five 3s, every one differs as much.
    assert found.probability == 1


def test_the_test_errs_as_rarely_as_it_says():
    wrong = sum(
        differ(rounds(1.0, seed=2 * number), rounds(1.0, seed=2 * number + 1), margin=0).outcome
        != "noise"
        for number in range(100)
    )
    assert wrong <= 5  # 1 % of 100 is expected; 6 or more have a probability of 1 in 2,000


def test_swapping_the_rows_turns_the_ratio_round():
    old, new = rounds(1.0, seed=3), rounds(1.3, seed=4)
    forth, back = differ(old, new), differ(new, old)
    assert (forth.outcome, back.outcome) == ("worse", "better")
    assert forth.ratio * back.ratio == pytest.approx(1)


def test_of_many_pairs_none_errs_more_often_than_of_one():
    def pairs(first):
        return [
            tuple(Timings(rounds=rounds(1.0, seed=seed)) for seed in (number, number + 1))
            for number in range(first, first + 20, 2)
        ]

    wrong = sum(
        any(found.outcome != "noise" for found in compare(pairs(100 * number), margin=0))
        for number in range(60)
    )
    assert wrong <= 4  # 1 % of 60 is expected, and without a correction 10 %


def test_probabilities_of_several_pairs_are_holms():
    far = Timings(rounds=[1.0, 1.1, 1.2, 1.3, 1.4]), Timings(rounds=[2.0, 2.1, 2.2, 2.3, 2.4])
    same = far[0], far[0]
    alone = compare([far])[0].probability
    assert [found.probability for found in compare([same, far, far])] == [1, 3 * alone, 3 * alone]
    assert compare([far])[0].outcome == "worse"
    assert compare([far, same])[1].outcome == "noise"


def test_what_can_be_found_of_few_rounds_is_known_before():
    assert least_probability(5, 5, 1) == pytest.approx(2 / 252)
    assert least_probability(5, 5, 3) == pytest.approx(6 / 252)
    assert least_probability(20, 20, 2) == pytest.approx(2 / 10_001)


@pytest.mark.parametrize(
    ("old", "new", "outcome"), [(1.0, 1.5, "worse"), (1.5, 1.0, "better"), (1.0, 1.04, "noise")]
)
def test_what_waiting_for_a_cpu_may_explain_is_noise(old, new, outcome):
    before, after = rounds(old, seed=1, spread_of=0.001), rounds(new, seed=2, spread_of=0.001)

    def found(waited):
        pair = [
            Timings(rounds=row, least_rounds=[seconds * (1 - waited) for seconds in row])
            for row in (before, after)
        ]
        [difference] = compare([tuple(pair)])
        return difference.outcome, difference.may_be_machine

    assert found(0.0) == (outcome, False)
    assert found(0.2) == (outcome, False)
    # What is left of 1.5 is 0.975, less than 1 and the margin.
    assert found(0.35) == ("noise", outcome != "noise")


def test_the_quicker_row_may_have_waited_as_long_as_it_likes():
    slow, quick = rounds(2.0, seed=1), rounds(1.0, seed=2)
    pair = Timings(rounds=quick, least_rounds=[0.0] * 20), Timings(rounds=slow, least_rounds=slow)
    assert compare([pair])[0].outcome == "worse"
    assert compare([pair[::-1]])[0].outcome == "better"


@pytest.mark.parametrize(
    ("old", "new", "yardsticks", "outcome"),
    [
        (1.0, 1.5, (1.0, 1.0), "worse"),
        (1.0, 1.5, (1.0, 1.4), "worse"),
        (1.0, 1.5, (1.0, 1.5), "noise"),
        (1.0, 1.5, (1.5, 1.0), "worse"),  # a quicker machine excuses nothing
        (1.5, 1.0, (1.5, 1.0), "noise"),
        (1.5, 1.0, (1.0, 1.5), "better"),
        (1.5, 1.0, (None, 1.5), "better"),
    ],
)
def test_what_a_slower_machine_may_explain_is_noise(old, new, yardsticks, outcome):
    before, after = rounds(old, seed=1, spread_of=0.001), rounds(new, seed=2, spread_of=0.001)
    pair = (
        Timings(rounds=before, yardstick=yardsticks[0]),
        Timings(rounds=after, yardstick=yardsticks[1]),
    )
    assert compare([pair])[0].outcome == outcome


def test_the_yardstick_is_the_median_of_its_turns():
    ticks = iter([0, 1, 1, 3, 3, 12, 12, 13, 13, 15])
    assert yardstick_seconds(lambda: next(ticks)) == 2
    assert 0 < yardstick_seconds() < 1
