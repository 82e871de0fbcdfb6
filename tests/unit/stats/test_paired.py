"""Bounds of a ratio from pairs of rounds."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.centre import Spread
from pytest_energy.stats.compare import Bounds
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.paired import (
    PairBlock,
    compare_pairs,
    is_turned,
    needs_more_pairs,
    share_of,
    suite_levels,
)
from pytest_energy.stats.process_levels import PRIOR_LEVELS, ProcessLevels
from tests.builders import rounds_of

BEFORE = (100.0, 102.0, 99.0, 101.0, 100.5)
AFTER = (101.0, 103.5, 101.0, 102.5, 101.0)


def block(before_j: Sequence[float], after_j: Sequence[float]) -> PairBlock:
    return PairBlock(before=rounds_of(*before_j), after=rounds_of(*after_j))


def compared(
    before: RoundEnergies, after: RoundEnergies, *, alpha: float = 0.05, tolerance: float = 0.0
) -> Bounds:
    """Bounds of one block, whose pairs are each of fresh processes."""
    block = PairBlock(before=before, after=after)
    return compare_pairs([block], tolerance=tolerance, alpha=alpha, levels=None)


def test_the_bounds_are_those_of_a_paired_t_test() -> None:
    """Below 8 pairs: exp(mean D -+ t s_D / sqrt(n)), as scipy's paired test has it."""
    bounds = compared(rounds_of(*BEFORE), rounds_of(*AFTER))
    paired = stats.ttest_rel([math.log(b) for b in AFTER], [math.log(a) for a in BEFORE])
    interval = paired.confidence_interval(0.9)  # 5 % on each side
    assert (bounds.lower, bounds.upper) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert bounds.lower < bounds.ratio < bounds.upper


def test_what_both_rounds_of_a_pair_share_cancels() -> None:
    """A drift that multiplies both rounds of a pair changes no bound."""
    drift = (1.0, 1.3, 0.8, 2.0, 1.1)
    drifted = [
        rounds_of(*(value * factor for value, factor in zip(values, drift, strict=True)))
        for values in (BEFORE, AFTER)
    ]
    plain, moved = compared(rounds_of(*BEFORE), rounds_of(*AFTER)), compared(*drifted)
    assert (moved.lower, moved.ratio, moved.upper) == pytest.approx((plain.lower, plain.ratio, plain.upper))


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=30), st.floats(0.0, 0.05))
def test_a_side_against_itself_is_never_a_change(energies_j: list[float], own_share: float) -> None:
    """The bounds of a sample against itself hold 1."""
    one = RoundEnergies(
        energies_j=tuple(energies_j), uncertainties_j=tuple(own_share * e for e in energies_j)
    )
    bounds = compared(one, one)
    assert bounds.lower <= 1.0 <= bounds.upper


@given(
    st.lists(st.tuples(st.floats(1.0, 1e3), st.floats(1.0, 1e3)), min_size=1, max_size=20),
    st.floats(0.01, 100.0),
)
def test_swapped_sides_give_the_inverse(pairs: list[tuple[float, float]], unit: float) -> None:
    """A against B is one over B against A, whatever the unit."""
    before, after = (rounds_of(*(unit * pair[side] for pair in pairs)) for side in (0, 1))
    there, back = compared(before, after), compared(after, before)
    assert (there.lower, there.upper) == pytest.approx((1 / back.upper, 1 / back.lower), rel=1e-6)


def test_what_windows_of_one_machine_share_cancels() -> None:
    """The same relative uncertainty on both sides widens only by its independent share, over sqrt(n)."""
    before, after = (rounds_of(*[100.0] * 5, uncertainty_j=1.0) for _ in range(2))
    bounds = compared(before, after)
    t = float(stats.t.ppf(0.95, 4))
    assert math.log(bounds.upper) == pytest.approx(t * math.sqrt(2 * 0.01**2 / 5))


def test_a_difference_of_uncertainty_is_not_divided() -> None:
    """What only one side doesn't know stays, however many pairs there are."""
    many = 30
    before, after = rounds_of(*[100.0] * many), rounds_of(*[100.0] * many, uncertainty_j=1.0)
    assert math.log(compared(before, after).upper) > 1.6 * 0.01


def test_scatter_is_not_believed_below_the_readings() -> None:
    """Equal readings of a coarse counter don't have bounds of no width."""
    exact = compared(rounds_of(*[100.0] * 5), rounds_of(*[100.0] * 5))
    coarse = compared(rounds_of(*[100.0] * 5, uncertainty_j=2.0), rounds_of(*[100.0] * 5, uncertainty_j=2.0))
    assert exact.upper == pytest.approx(1.0)
    assert coarse.upper > 1.02


def test_one_pair_takes_an_assumed_spread() -> None:
    """One pair has no scatter: 3 % a round stands in, and that is told."""
    bounds = compared(rounds_of(100.0), rounds_of(100.0))
    assert math.log(bounds.upper) == pytest.approx(1.6448536 * math.sqrt(2) * 0.03, rel=1e-4)
    assert bounds.spread == Spread(source="assumed", count=1)


def test_a_spike_is_trimmed_and_told() -> None:
    """From 8 pairs on one that is far off moves the ratio little; what was kept out is counted."""
    quiet, spiky = [100.0, 101.0] * 5, [100.0, 101.0] * 4 + [100.0, 150.0]
    bounds = compared(rounds_of(*quiet), rounds_of(*spiky))
    assert bounds.ratio == pytest.approx(1.0)
    assert bounds.spread == Spread(source="own", count=10, trimmed_count=2)


def test_the_detectable_change_is_past_the_tolerance() -> None:
    """What would have been told is more than what is accepted, by the width of the bounds."""
    bounds = compared(rounds_of(*BEFORE), rounds_of(*AFTER), tolerance=0.02)
    assert bounds.detectable_ratio > 1.02 * bounds.upper / bounds.ratio


def test_sides_of_different_length_are_refused() -> None:
    """A pair has a round of each side."""
    with pytest.raises(NotMeasurable, match="2 rounds before, 1 after"):
        compared(rounds_of(1.0, 2.0), rounds_of(1.0))


@pytest.mark.parametrize("degree", [0, 1])
def test_the_order_cancels_drift(degree: int) -> None:
    """Over 8 pairs what drifts evenly, or ever faster, is as often for one side as for the other."""
    signs = [-1 if is_turned(number) else 1 for number in range(8)]
    assert sum(sign * number**degree for number, sign in enumerate(signs)) == 0


def test_the_width_decides_when_to_stop() -> None:
    """Narrow pairs end soon, wide ones at the cap; a change of the level changes nothing."""
    rng = random.Random(7)  # noqa: S311  # noise that repeats
    for cv, last in ((0.001, 6), (0.2, 12)):
        rounds = [[100 * math.exp(rng.gauss(0, cv)) for _ in range(30)] for _ in range(2)]
        for ratio in (1.0, 3.0):
            taken = next(
                count
                for count in range(1, 31)
                if not needs_more_pairs(
                    [block(rounds[0][:count], [ratio * value for value in rounds[1][:count]])],
                    precision=0.01,
                    least=5,
                    cap=12,
                    block_count=1,
                )
            )
            assert taken == last


# ---- blocks ----


def changed_by(*changes: float) -> PairBlock:
    """Pairs of these changes in ln J."""
    return block([100.0] * len(changes), [100.0 * math.exp(change) for change in changes])


def apart(*levels: float, scatter: float = 0.001) -> list[PairBlock]:
    """A block around each of *levels*, of four pairs that scatter little."""
    return [changed_by(*(level + sign * scatter for sign in (1, -1, 1, -1))) for level in levels]


def half_width(blocks: Sequence[PairBlock], levels: ProcessLevels | None = PRIOR_LEVELS) -> float:
    bounds = compare_pairs(blocks, tolerance=0.02, alpha=0.05, levels=levels)
    return math.log(bounds.upper / bounds.ratio)


def test_every_block_counts_alike() -> None:
    """The ratio is the mean of the blocks' levels, however many pairs each has."""
    blocks = [changed_by(0.01, 0.01), changed_by(*[0.04] * 5)]
    bounds = compare_pairs(blocks, tolerance=0.02, alpha=0.05)
    assert math.log(bounds.ratio) == pytest.approx(0.025)
    assert bounds.spread.count == 7


def test_a_block_is_the_unit_and_not_a_pair() -> None:
    """Blocks that are far apart have wide bounds, and more pairs in each don't narrow them."""
    few, many = (
        [changed_by(*[level + 0.0001, level - 0.0001] * count) for level in (-0.02, 0.0, 0.02)]
        for count in (2, 7)
    )
    assert half_width(few) > 0.015
    assert half_width(many) == pytest.approx(half_width(few), rel=0.01)
    assert half_width(few, None) < 0.001


def test_two_processes_are_never_taken_for_alike() -> None:
    """One block shows nothing of how far processes differ: what is known beforehand stands in."""
    quiet = apart(0.0, scatter=1e-6)
    t = float(stats.t.ppf(0.95, 2))
    assert half_width(quiet) == pytest.approx(t * math.sqrt(2) * 0.003, rel=0.01)


def test_blocks_that_agree_are_believed_more_the_more_there_are() -> None:
    """Five blocks of one level have narrower bounds than three, and those than one."""
    widths = [half_width(apart(*[0.0] * count)) for count in (1, 3, 5)]
    assert widths == sorted(widths, reverse=True)


def test_blocks_of_one_pair_are_pairs_of_fresh_processes() -> None:
    """Without a spread within blocks there is one variance, that of the pairs."""
    one_by_one = [changed_by(change) for change in (0.01, 0.02, 0.04)]
    assert half_width(one_by_one) == pytest.approx(half_width([changed_by(0.01, 0.02, 0.04)], None))


def test_a_spike_in_a_block_is_trimmed_over_all() -> None:
    """One pair of twelve that is far off, be it in a small block, moves the ratio by less than a tenth."""
    quiet = apart(0.0, 0.0, 0.0)
    spiky = [*quiet[:2], changed_by(0.001, -0.001, 0.001, 0.3)]
    bounds = compare_pairs(spiky, tolerance=0.02, alpha=0.05)
    assert abs(math.log(bounds.ratio)) < 0.3 / 12 / 10
    assert bounds.spread == Spread(source="own", count=12, trimmed_count=2)


def test_pairs_are_shared_out_over_the_blocks() -> None:
    """Every block gets its share, the first ones what is left over."""
    assert [share_of(7, block=number, block_count=3) for number in range(3)] == [3, 2, 2]


def test_every_second_block_is_the_other_way_round() -> None:
    """What the second place of a pair costs is as often one side's as the other's."""
    orders = [[is_turned(number, block=which) for number in range(5)] for which in (0, 1)]
    assert [not turned for turned in orders[0]] == orders[1]


def test_a_block_stops_as_soon_as_all_of_its_like_would_be_narrow() -> None:
    """With more blocks to come, or after one that has shown the spread, a block needs fewer pairs."""

    def needs_more(*blocks: PairBlock, block_count: int) -> bool:
        return needs_more_pairs(blocks, precision=0.018, least=2, cap=30, block_count=block_count)

    last = changed_by(0.01, -0.01, 0.01, -0.01)
    assert needs_more(last, block_count=1)
    assert not needs_more(last, block_count=3)
    assert needs_more(last, block_count=2)
    assert not needs_more(changed_by(0.01, -0.01, 0.01), last, block_count=2)


def test_a_comparison_needs_a_block() -> None:
    """No pair has no ratio."""
    with pytest.raises(NotMeasurable, match="without pairs"):
        compare_pairs([], tolerance=0.02, alpha=0.05)


def test_the_other_tests_say_how_far_processes_differ() -> None:
    """A test is judged more sharply in a suite whose blocks agree, less where those of the others don't."""
    mine = apart(0.0, 0.001, -0.001)
    calm, wild = apart(0.0, 0.0005, -0.0005), apart(0.02, -0.02, 0.0)
    in_calm, in_wild = (suite_levels([mine, *[other] * 8])[0] for other in (calm, wild))
    assert half_width(mine, in_calm) < half_width(mine) < half_width(mine, in_wild)
