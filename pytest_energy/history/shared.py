"""What all tests of a run have in common: a board, a room, a driver. Pure.

Rule 1: with y_ir the level (in ln) of test i in run r,  y_ir = m_i + f_r + e_ir:  f_r is a median over the
    tests of a run, so that no test that has changed moves it. It is removed from every test before steps are
    looked for in them, and is a series of its own, in which a change of all tests shows.
Rule 2: tests share a factor where they measure the same channels of one machine key, with one provenance.
Rule 3: a run of fewer than five such tests has none: it couldn't be separated from a change of one test.

Source:
    As `stats.suite`: median polish of a two-way table, Tukey, Exploratory Data Analysis, chapter 11.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pytest_energy.history.series import Mark, Series
from pytest_energy.model import Provenance
from pytest_energy.stats.suite import LEAST_TEST_COUNT

_POLISH_COUNT = 10
_POLISHED = 1e-6  # in ln: far below what any meter resolves
_NORMAL_MEDIAN = 0.6744897501960817  # of |x|, x standard normal
_MEDIAN_SD = math.sqrt(math.pi / 2)  # of a median of many, in units of a mean's

Group = tuple[str, str, Provenance]  # machine key, channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """What the tests of one run have in common.

    Attributes:
        rise: In ln, against the middle run.
        sd: Standard deviation of it.
        test_count: Tests that it is of.
        mark: One of the run's marks, for its machine, commit and time.
    """

    rise: float
    sd: float
    test_count: int
    mark: Mark


def group_of(series: Series) -> Group:
    return series.machine_key, series.channels, series.provenance


def factors(series: Sequence[Series]) -> dict[Group, dict[str, Factor]]:
    """By group and run, what the tests have in common; without runs and groups of too few tests."""
    groups: dict[Group, list[Series]] = {}
    for one in series:
        groups.setdefault(group_of(one), []).append(one)
    found = {group: _factors(members) for group, members in groups.items()}
    return {group: by_run for group, by_run in found.items() if by_run}


def _factors(series: Sequence[Series]) -> dict[str, Factor]:
    rows = [[(mark.point.run, mark.level) for mark in one.used] for one in series]
    runs = _runs_with_tests_enough(series)
    rises = dict.fromkeys(runs, 0.0)
    for _ in range(_POLISH_COUNT):
        moves = {run: median(left) for run, left in _left_over(rows, rises).items()}
        if not moves or max(map(abs, moves.values())) < _POLISHED:
            break
        middle = median(rises[run] + move for run, move in moves.items())
        rises = {run: rises[run] + move - middle for run, move in moves.items()}
    left = _left_over(rows, rises)
    return {run: _factor(rises[run], left[run], mark) for run, mark in runs.items()}


def _runs_with_tests_enough(series: Sequence[Series]) -> dict[str, Mark]:
    """Runs that have enough of the tests for rule 3, each with one of its marks."""
    counts: dict[str, int] = {}
    marks: dict[str, Mark] = {}
    for one in series:
        by_run = {mark.point.run: mark for mark in one.used}
        marks = by_run | marks
        for run in by_run:
            counts[run] = counts.get(run, 0) + 1
    return {run: mark for run, mark in marks.items() if counts[run] >= LEAST_TEST_COUNT}


def _left_over(
    rows: Sequence[Sequence[tuple[str, float]]], rises: Mapping[str, float]
) -> dict[str, list[float]]:
    """By run, what is left of its tests' levels when theirs and the run's are taken out."""
    left: dict[str, list[float]] = {run: [] for run in rises}
    for row in rows:
        cells = [(run, level - rises[run]) for run, level in row if run in rises]
        if cells:
            middle = median(value for _, value in cells)
            for run, value in cells:
                left[run].append(value - middle)
    return left


def _factor(rise: float, left: Sequence[float], mark: Mark) -> Factor:
    scatter = median(map(abs, left)) / _NORMAL_MEDIAN
    return Factor(rise=rise, sd=_MEDIAN_SD * scatter / math.sqrt(len(left)), test_count=len(left), mark=mark)
