"""Many tests judged together: what one of them hides among the others, and what all have in common."""

import math
import random
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.gate.faults.worlds import World
from benchmarks.gate.loop import SuiteTrial
from pytest_energy.judgement import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFigures:
    """What the gate did with unchanged suites, and with those of which one test had risen.

    Attributes:
        red_suites: Share of unchanged suites with a failing test.
        red_tests: Share of unchanged tests that fail.
        passing: Share of them that pass.
        failing_runs: Share of unchanged suites whose run fails as a whole.
        explained_runs: The same where the yardstick has moved as all tests have.
        misses: Share of tests whose lower bound is above the truth.
        found: Share of planted rises that are regressions.
        detected: The same of rises of exactly the detectable size.
        detectable: Median of that, a share.
    """

    red_suites: float
    red_tests: float
    passing: float
    failing_runs: float
    explained_runs: float
    misses: float
    found: float
    detected: float
    detectable: float


def suite_figures(
    world: World,
    session_count: int,
    test_count: int,
    suite_count: int,
    *,
    seed: int,
    common_rise: float = 0.0,
    change: float = 0.10,
    planted_count: int = 0,
    probed_count: int = 0,
) -> SuiteFigures:
    """What the gate does with *suite_count* suites.

    Args:
        world: The noise of each test, and of the session.
        session_count: Sessions of every baseline.
        test_count: Tests of a suite.
        suite_count: Suites.
        seed: Of the noise.
        common_rise: Of all tests of the fresh session.
        change: Of one test at a time.
        planted_count: Tests of a suite that have it, one after the other.
        probed_count: Tests that rise by just what is detectable, in a second fresh session.
    """
    rng = random.Random(f"{seed} {session_count} {test_count} {common_rise}")  # noqa: S311  # noise that repeats
    red, passing, failing, explained, missed = [], [], 0, 0, []
    found, detected, detectable = [], [], []
    for _ in range(suite_count):
        commons = world.commons(rng, session_count)
        commons[-1] += math.log1p(common_rise)
        draws = [world.draw(rng, session_count, commons) for _ in range(test_count)]
        trial = SuiteTrial(draws)
        moved = math.exp(commons[-1] - fmean(commons[:-1]))
        unchanged = trial.outcome(yardstick={"compute": moved})
        explained += unchanged.fails_once()
        failing += unchanged.fails_unexplained()
        red.append(unchanged.count(Verdict.REGRESSION))
        passing.append(unchanged.count(Verdict.PASS))
        missed.append(fmean([bounds.lower > 1 for bounds in unchanged.bounds]))
        for place in range(planted_count):
            one = trial.outcome_of(place, change)
            found.append(one.verdict is Verdict.REGRESSION)
        if not probed_count:
            continue
        again = SuiteTrial([world.fresh(rng, draw.sessions, commons[-1]) for draw in draws])
        for place in range(probed_count):
            rise = unchanged.bounds[place].detectable_ratio - 1
            detectable.append(rise)
            one = again.outcome_of(place, rise)
            detected.append(one.verdict is Verdict.REGRESSION)
    return SuiteFigures(
        red_suites=fmean([count > 0 for count in red]),
        red_tests=fmean(red) / test_count,
        passing=fmean(passing) / test_count,
        failing_runs=failing / suite_count,
        explained_runs=explained / suite_count,
        misses=fmean(missed),
        found=fmean(found) if found else math.nan,
        detected=fmean(detected) if detected else math.nan,
        detectable=median(detectable) if detectable else math.nan,
    )
