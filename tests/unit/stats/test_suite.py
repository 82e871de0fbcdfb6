"""What the tests of a run show together."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_energy.stats.compare import PRIOR_BETWEEN_DF, PRIOR_BETWEEN_SD, compare_levels
from pytest_energy.stats.level import Level, level_of
from pytest_energy.stats.suite import TEST_DF, LevelsOfTest, Prior, suite_noise, weighted_median

PRIOR = Prior(test_sd=0.006)


def _suite(
    test_count: int,
    *,
    session_factors: Sequence[float] = (0.0,),
    fresh_factor: float = 0.0,
    between_sd: float = 0.01,
    scale: float = 1.0,
    seed: int = 1,
) -> list[LevelsOfTest]:
    """Tests whose sessions differ by *between_sd* and by what each session shares; rounds of CV 1 %."""
    rng = random.Random(seed)  # noqa: S311

    def level(number: int, factor: float) -> Level:
        own = rng.gauss(0.0, between_sd * scale)
        values = [(10.0 + number) * math.exp(factor + own + rng.gauss(0.0, 0.01)) for _ in range(6)]
        return level_of(values)

    return [
        LevelsOfTest(
            fresh=level(number, fresh_factor),
            sessions=tuple(level(number, factor) for factor in session_factors),
            names=tuple(range(len(session_factors))),
            scale=scale,
        )
        for number in range(test_count)
    ]


def test_what_all_tests_share_is_the_session_s() -> None:
    """Every test 8 % up is one factor of 8 %, known to a fraction of a percent."""
    noise = suite_noise(_suite(40, fresh_factor=math.log(1.08)), PRIOR)
    lower, upper = noise.factor_bounds(0.05)
    assert math.exp(noise.factor) == pytest.approx(1.08, abs=0.01)
    assert 1.07 < lower < math.exp(noise.factor) < upper < 1.09
    assert noise.test_count == 40


def test_one_changed_test_is_not_the_session_s() -> None:
    """A tenth of the tests 30 % up moves the factor by no more than its own standard deviations."""
    tests = _suite(30)
    changed = [
        replace(test, fresh=level_of([13.0 + 1.3 * number] * 6)) if number % 10 == 0 else test
        for number, test in enumerate(tests)
    ]
    noise = suite_noise(changed, PRIOR)
    assert abs(noise.factor) < 3 * noise.factor_sd < 0.03


def test_sessions_of_the_baseline_have_factors_too() -> None:
    """A session that was 5 % up in all tests is no reason to think that tests differ by 5 %."""
    noise = suite_noise(_suite(30, session_factors=(0.0, 0.05, 0.0)), PRIOR)
    factors = noise.session_factors
    assert factors[1] - factors[0] == pytest.approx(0.05, abs=0.01)
    assert factors[2] - factors[0] == pytest.approx(0.0, abs=0.01)
    assert noise.test_sd == pytest.approx(0.01, rel=0.3)


@pytest.mark.parametrize("between_sd", [0.003, 0.01, 0.03])
@pytest.mark.parametrize("session_factors", [(0.0,), (0.0, 0.0, 0.0)])
def test_the_spread_of_sessions_is_pooled(between_sd: float, session_factors: Sequence[float]) -> None:
    """From one session each, 200 tests show how sessions differ, the scatter of rounds taken out."""
    noise = suite_noise(_suite(200, between_sd=between_sd, session_factors=session_factors), PRIOR)
    assert noise.test_sd == pytest.approx(between_sd, rel=0.25)
    assert noise.test_df == TEST_DF


def test_scales_are_taken_out() -> None:
    """A part that is a fifth of the joules has five times the noise; its tau is still that of the whole."""
    noise = suite_noise(_suite(200, between_sd=0.01, scale=5.0), PRIOR)
    assert noise.test_sd == pytest.approx(0.01, rel=0.25)
    assert noise.of(_suite(1, scale=5.0)[0]).between_sd == pytest.approx(0.05, rel=0.25)


def test_few_tests_are_each_by_itself() -> None:
    """Below five tests nothing is pooled: a factor can't be told from a change."""
    noise = suite_noise(_suite(4, fresh_factor=0.08), PRIOR)
    assert (noise.factor, noise.test_sd, noise.test_df) == (0.0, PRIOR_BETWEEN_SD, PRIOR_BETWEEN_DF)
    assert noise.test_count == 0


def test_before_tests_have_run_there_is_no_factor() -> None:
    """The baselines alone show how sessions differ; what the fresh one shares is not known yet."""
    tests = [replace(test, fresh=None) for test in _suite(30, session_factors=(0.0, 0.0))]
    noise = suite_noise(tests, PRIOR)
    assert (noise.factor, noise.factor_sd, noise.test_count) == (0.0, 0.0, 0)
    assert noise.test_sd == pytest.approx(0.01, rel=0.3)


def test_one_of_two_hundred_is_detected_from_one_session() -> None:
    """+12 % in one test of 200 excludes no change at alpha over 200; unchanged tests don't."""
    tests = _suite(200, between_sd=0.01)
    changed = level_of([10.0 * math.exp(math.log(1.12) + 0.001 * number) for number in range(6)])
    noise = suite_noise([replace(tests[0], fresh=changed), *tests[1:]], PRIOR)

    def is_rise(test: LevelsOfTest) -> bool:
        assert test.fresh is not None
        bounds = compare_levels(
            test.fresh, test.sessions, tolerance=0.05, alpha=0.05, noise=noise.of(test), test_count=200
        )
        return bounds.lower > 1.05 and bounds.chance_lower > 1

    assert is_rise(replace(tests[0], fresh=changed))
    assert not any(map(is_rise, tests[1:]))


def test_weighted_median() -> None:
    """Half of the weight lies on either side; between two values where it is even."""
    assert weighted_median([(1.0, 1.0), (2.0, 5.0), (3.0, 1.0)]) == 2.0
    assert weighted_median([(1.0, 1.0), (3.0, 1.0)]) == 2.0
