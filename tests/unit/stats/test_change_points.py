"""Steps in a series: where they are, and where there is none."""

import math
from itertools import combinations, pairwise
from statistics import fmean

import numpy as np
import pytest

from pytest_energy.stats.change_points import (
    LEAST_INNER_COUNT,
    LEAST_LEVEL_COUNT,
    NO_MEMORY,
    Memory,
    Values,
    candidates,
    memory_of,
    steps,
    without_spikes,
)

# Annual flow of the Nile at Aswan, 1871 to 1970, in 1e8 m^3 (Cobb 1978, Biometrika 65, 243).
NILE = """
    1120 1160  963 1210 1160 1160  813 1230 1370 1140  995  935 1110  994 1020  960 1180  799  958 1140
    1100 1210 1150 1250 1260 1220 1030 1100  774  840  874  694  940  833  701  916  692 1020 1050  969
     831  726  456  824  702 1120 1100  832  764  821  768  845  864  862  698  845  744  796 1040  759
     781  865  845  944  984  897  822 1010  771  676  649  846  812  742  801 1040  860  874  848  890
     744  749  838 1050  918  986  797  923  975  815 1020  906  901 1170  912  746  919  718  714  740
"""
NOISE_SD = 0.025
CHANCE = 1e-4


def values_of(levels: "np.typing.ArrayLike", own_sd: float = 0.003) -> Values:
    texts = tuple(float(one) for one in np.asarray(levels))
    return Values(levels=texts, own_sds=(own_sd,) * len(texts), may_step=(True,) * len(texts))


def noise(count: int, seed: int = 1, sd: float = NOISE_SD) -> "np.typing.NDArray[np.float64]":
    return np.random.default_rng(seed).normal(0, sd, count)


def places(values: Values, chance: float = CHANCE) -> list[int]:
    return [step.place for step in steps(values, candidates(values), chance=chance)]


def test_the_nile_falls_once_in_1899() -> None:
    """The one change that the literature agrees on is found, in its year, and no other."""
    flows = [float(text) for text in NILE.split()]
    values = values_of(np.log(flows))
    (step,) = steps(values, candidates(values), chance=CHANCE)
    assert 1871 + step.place == 1899
    before, after = (fmean(map(math.log, part)) for part in (flows[:28], flows[28:]))
    assert step.rise == pytest.approx(after - before, abs=1e-9)
    assert step.rise_ci[0] < step.rise < step.rise_ci[1] < 0


def test_candidates_are_the_best_of_all_partitions() -> None:
    """No other set of places has a smaller sum of squares and penalties, of all that there are."""
    levels = noise(12, seed=4)
    levels[4:9] += 0.3
    values = values_of(levels)
    penalty, weights = 2.9**2, values.weights  # about what seven places ask for
    last = len(levels)

    def cost(chosen: tuple[int, ...]) -> float:
        edges = (0, *chosen, len(levels))
        return penalty * len(chosen) + sum(
            float(np.sum(weights[a:b] * (levels[a:b] - np.average(levels[a:b], weights=weights[a:b])) ** 2))
            for a, b in pairwise(edges)
        )

    allowed = [
        chosen
        for count in range(4)
        for chosen in combinations(range(1, len(levels)), count)
        if all(
            after - before >= (LEAST_LEVEL_COUNT if before == 0 or after == last else LEAST_INNER_COUNT)
            for before, after in pairwise((0, *chosen, last))
        )
    ]
    assert candidates(values) == min(allowed, key=cost) == (4, 9)


def test_equal_steps_up_and_down_are_both_found() -> None:
    """A rise that is taken back hides neither of its ends."""
    levels = noise(90)
    levels[30:60] += 0.1
    assert places(values_of(levels)) == pytest.approx([30, 60], abs=1)


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_step(seed: int) -> None:
    """Two hundred runs of unchanged code have none, at the chance that a page of fifty tests asks for."""
    assert places(values_of(noise(200, seed)), chance=5e-6) == []


def test_values_that_are_all_the_same_have_no_step() -> None:
    """A series without any noise is no reason to divide by it."""
    assert places(values_of(np.zeros(20))) == []


def test_one_odd_run_and_two_are_no_step() -> None:
    """A level has three values: what a busy machine does once or twice is none."""
    levels = noise(40)
    levels[20:22] += 0.5
    assert places(values_of(levels)) == []
    assert places(values_of(np.append(noise(40), [0.5, 0.5]))) == []


def test_a_step_is_found_three_runs_after_it() -> None:
    """The newest level needs three runs, no more, where the step is four times the noise."""
    levels = noise(40)
    levels[37:] += 0.1
    assert places(values_of(levels)) == [37]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_too_few_values_have_no_step(count: int) -> None:
    """Below two levels of three values nothing is compared."""
    assert places(values_of(np.linspace(0, 1, count))) == []


def test_runs_of_one_commit_are_never_parted() -> None:
    """A step lies where the code may have changed, next to where the numbers alone would put it."""
    levels = noise(30)
    levels[15:] += 0.2
    values = values_of(levels)
    may_step = tuple(place % 4 == 0 for place in range(30))
    fitted = Values(levels=values.levels, own_sds=values.own_sds, may_step=may_step)
    assert places(values) == [15]
    assert places(fitted) == [16]


def test_a_slope_is_no_step() -> None:
    """A level that creeps is a drift, and no place of it is where it changed."""
    levels = noise(60) + np.linspace(0, 0.3, 60)
    assert candidates(values_of(levels)) != ()
    assert places(values_of(levels)) == []


def test_an_uncertain_run_weighs_less() -> None:
    """Runs whose own uncertainty is large move no level."""
    levels = noise(40)
    levels[30:] += 0.15
    own_sds = (0.003,) * 30 + (0.2,) * 10
    values = Values(levels=tuple(levels), own_sds=own_sds, may_step=(True,) * 40)
    assert places(values_of(levels)) == [30]
    assert places(values) == []


def test_levels_that_wander_have_a_memory_and_no_steps() -> None:
    """A walk of 0.3 % a run gives many candidates; what the series remember takes all of them back."""
    walks = [values_of(noise(200, seed) + np.cumsum(noise(200, 50 + seed, 0.003))) for seed in range(12)]
    series = [(values, candidates(values)) for values in walks]
    memory = memory_of(series)
    found = [steps(values, chosen, chance=2e-5, memory=memory) for values, chosen in series]
    assert any(steps(values, chosen, chance=2e-5) for values, chosen in series)
    assert found == [()] * 12
    assert memory.wander == pytest.approx(0.003**2, rel=0.6)


def test_noise_remembers_next_to_nothing() -> None:
    """Independent runs widen nothing, and their wander is a small share of their variance."""
    series = [(values_of(noise(200, seed)), ()) for seed in range(12)]
    memory = memory_of(series)
    assert memory.widening == 1.0
    assert memory.wander < NOISE_SD**2 / 100


def test_neighbours_that_are_alike_widen_the_bounds() -> None:
    """Runs that follow one another closely are not as many as they seem."""
    alike = np.zeros(100)
    for place, shock in enumerate(noise(100)):
        alike[place] = 0.6 * alike[place - 1] + shock
    values = values_of(alike)
    assert memory_of([(values, ())]).widening > 2
    levels = noise(40)
    levels[20:] += 0.1
    stepped = values_of(levels)
    (plain,) = steps(stepped, (20,), chance=CHANCE)
    (wide,) = steps(stepped, (20,), chance=CHANCE, memory=Memory(widening=2.0))
    assert wide.rise_ci[0] < plain.rise_ci[0]
    assert wide.p_value > plain.p_value


def test_how_many_neighbours_are_compared() -> None:
    """All where nothing wanders; else as many as know the difference best, and never below three."""
    assert NO_MEMORY.nearest(1e-4) is None
    assert Memory(wander=3e-6).nearest(1e-4) == 10
    assert Memory(wander=1.0).nearest(1e-4) == LEAST_LEVEL_COUNT


def test_a_spike_hides_no_step() -> None:
    """A run that took ten times as much is cut to one that is just far; all else stays as it is."""
    levels = noise(60)
    levels[30:] += 0.1
    spiked = levels.copy()
    spiked[[12, 45, 46]] += 2.3
    cut = without_spikes(list(spiked))
    assert places(values_of(spiked)) == []
    assert places(values_of(cut)) == [30]
    others = [place for place in range(60) if place not in {12, 45, 46}]
    assert [cut[place] for place in others] == [spiked[place] for place in others]
    assert cut[12] == pytest.approx(levels[12], abs=0.2)


def test_three_runs_inside_are_no_level_and_five_are() -> None:
    """What was over after three runs is no step up and no step down; at the end it may be the new level."""
    for count, expected in ((3, []), (4, []), (5, [20, 25])):
        levels = noise(40)
        levels[20 : 20 + count] += 0.15
        assert places(values_of(levels)) == expected


def test_the_step_of_a_single_test_is_no_walk() -> None:
    """Of few series each one's step is removed before its wander is looked for; a walk remains one."""
    stepped, walk = noise(60), noise(60, 2) + np.cumsum(noise(60, 3, 0.03))
    stepped[30:] += 0.1
    wander = memory_of([(values_of(stepped), ())]).wander
    assert wander < 1e-5
    assert memory_of([(values_of(walk), ())]).wander > 10 * max(wander, 1e-6)


def test_three_runs_are_a_level_and_no_spike() -> None:
    """A step is left as it is, next to the end of a series too."""
    levels = noise(40, sd=0.01)
    levels[37:] += 0.5
    assert without_spikes(list(levels)) == tuple(levels)
    assert without_spikes([]) == ()
