"""All tests of a run together: the session's own factor, and how sessions differ. Pure.

Rule 1: with y_ik the level (in ln) of test i in session k of its baseline and y_i0 that of the fresh session,

        y_ik = m_i + f_k + e_ik        e_ik of standard deviation tau c_i

    m_i is the test's level, f_k what session k has in common over all tests (a board, a room, a driver), c_i
    a test's scale: 1, or the share by which noise that is the same share of gross joules in every test is
    larger in one of their parts. f_k is a median over tests, each weighing 1/c_i, so that no test that has
    changed moves it.
Rule 2: tau is pooled over all tests and sessions: it is where the median of |e_ik| over its expected standard
    deviation, scatter of rounds included, is that of a normal variable. It is then drawn towards a prior.
Rule 3: below five tests nothing is pooled: a factor of few tests can't be separated from a change of one.

Source:
    Median polish of a two-way table: Tukey, Exploratory Data Analysis, chapter 11. A variance between groups
    by matching a moment: DerSimonian and Kacker 2007, Contemporary Clinical Trials 28, 105. Efficiency of
    the median deviation, 37 %, and of the median, 2/pi: Huber and Ronchetti, Robust Statistics, 2nd ed.,
    chapter 5.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean, median

from pytest_energy.stats.centre import half_width
from pytest_energy.stats.compare import PRIOR_BETWEEN_DF, PRIOR_BETWEEN_SD, Noise, satterthwaite_df
from pytest_energy.stats.level import Level
from pytest_energy.stats.ratio import ratio_of

LEAST_TEST_COUNT = 5
"""Rule 3."""

TEST_DF = 10
"""What the pooled tau is worth for one test at most: tests are not all alike. On H100 boards the tests' own
standard deviations lie around the pooled one as those of ten degrees of freedom do."""

_POLISH_COUNT = 10
_POLISHED = 1e-14  # in ln: a step so small changes nothing
_TAU_STEP = 2e-12
_LARGEST_TAU = 2.0
_NORMAL_MEDIAN = 0.6744897501960817  # of |x|, x standard normal
_MAD_EFFICIENCY = 0.37
_MEDIAN_VARIANCE = math.pi / 2  # of a median of many, in units of a mean's


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelsOfTest:
    """One test: its fresh level, and those of its baseline.

    Attributes:
        fresh: Of the session to be judged; `None` if this test has not run yet.
        sessions: Of the baseline, at least one.
        names: Of the session that each of *sessions* is of; `None` if it was not recorded.
        scale: c_i of rule 1.
    """

    fresh: Level | None
    sessions: tuple[Level, ...]
    names: tuple[Hashable | None, ...]
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Prior assumptions on sessions.

    Attributes:
        test_sd: tau of a scale of 1, less the session's factor.
        df: Degrees of freedom that this is worth.
        most_test_df: What the pooled tau is worth for one test at most: tests are not all alike.
    """

    test_sd: float
    df: float = PRIOR_BETWEEN_DF
    most_test_df: float = TEST_DF


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteNoise:
    """How sessions of unchanged code differ, from all tests.

    Attributes:
        factor: Of the fresh session, in ln; 0 if it is unknown.
        factor_sd: Standard deviation of *factor*.
        session_factors: Name of a session of the baseline to its factor, in ln.
        test_sd: tau, pooled and drawn towards the prior.
        test_df: Degrees of freedom of *test_sd*, for one test.
        test_count: Tests that the fresh factor is of; 0 if it is unknown.
    """

    factor: float
    factor_sd: float
    session_factors: Mapping[Hashable, float]
    test_sd: float
    test_df: float
    test_count: int

    def of(self, test: LevelsOfTest) -> Noise:
        """What that is for one test."""
        return Noise(
            between_sd=self.test_sd * test.scale,
            between_df=self.test_df,
            factor=self.factor,
            factor_sd=self.factor_sd,
            session_factors=tuple(self.session_factors.get(name, 0.0) for name in test.names),
        )

    def ratio_to(self, names: Collection[Hashable | None]) -> float | None:
        """The fresh session over the mean of those with these *names*; `None` if it is unknown."""
        if not self.test_count:
            return None
        factors = [self.session_factors[name] for name in names if name in self.session_factors]
        return ratio_of(self.factor - (fmean(factors) if factors else 0.0))

    def factor_bounds(
        self, alpha: float, spread: tuple[float, float] = (0.0, 1.0), level: float = 0.0
    ) -> tuple[float, float]:
        """Bounds of the fresh session's factor as a ratio, each at confidence 1 - *alpha*.

        *spread* is the variance of factors between sessions of unchanged code, with its degrees of freedom;
        *level* the factor, in ln, that the ratio is to.
        """
        own = (self.factor_sd**2, float(max(1, self.test_count - 1)))
        half = half_width(own[0] + spread[0], satterthwaite_df(own, spread), 0.0, alpha)
        centre = self.factor - level
        return ratio_of(centre - half), ratio_of(centre + half)


def alone(prior_sd: float = PRIOR_BETWEEN_SD) -> SuiteNoise:
    """Of tests that nothing is pooled over: each for itself."""
    return SuiteNoise(
        factor=0.0,
        factor_sd=0.0,
        session_factors={},
        test_sd=prior_sd,
        test_df=PRIOR_BETWEEN_DF,
        test_count=0,
    )


def suite_noise(
    tests: Sequence[LevelsOfTest], prior: Prior, alone_sd: float = PRIOR_BETWEEN_SD
) -> SuiteNoise:
    """What *tests* show together.

    Args:
        tests: All tests of the run that can be compared with a baseline.
        prior: Of a test's own part, where there are tests enough.
        alone_sd: Of a session as a whole, where there are not.
    """
    if len(tests) < LEAST_TEST_COUNT:
        return alone(alone_sd)
    factors, levels = _polished(tests)
    moves = [
        (test.fresh.centre - level, 1 / test.scale)
        for test, level in zip(tests, levels, strict=True)
        if test.fresh is not None
    ]
    has_factor = len(moves) >= LEAST_TEST_COUNT
    factor = weighted_median(moves) if has_factor else 0.0
    residuals, df = _residuals(tests, levels, factors, factor if has_factor else None)
    tau_df = _MAD_EFFICIENCY * df
    square = (prior.df * prior.test_sd**2 + tau_df * _matched_tau(residuals) ** 2) / (prior.df + tau_df)
    fresh_variances = [
        square * test.scale**2 * (1 + 1 / len(test.sessions)) + test.fresh.variance / test.fresh.count
        for test in tests
        if test.fresh is not None
    ]
    return SuiteNoise(
        factor=factor,
        factor_sd=math.sqrt(_MEDIAN_VARIANCE * median(fresh_variances) / len(moves)) if has_factor else 0.0,
        session_factors=factors,
        test_sd=math.sqrt(square),
        test_df=min(prior.most_test_df, prior.df + tau_df),
        test_count=len(moves) if has_factor else 0,
    )


def _polished(tests: Sequence[LevelsOfTest]) -> tuple[dict[Hashable, float], list[float]]:
    """The factor of each session of the baselines that enough tests share, and the level of each test."""
    cells: dict[Hashable, list[tuple[int, float]]] = {}
    for number, test in enumerate(tests):
        for name, session in zip(test.names, test.sessions, strict=True):
            if name is not None:
                cells.setdefault(name, []).append((number, session.centre))
    cells = {name: column for name, column in cells.items() if len(column) >= LEAST_TEST_COUNT}
    factors = dict.fromkeys(cells, 0.0)
    levels = _levels(tests, factors)
    weights = [1 / test.scale for test in tests]
    for _ in range(_POLISH_COUNT if len(factors) > 1 else 0):
        before = factors
        factors = {
            name: weighted_median([(centre - levels[number], weights[number]) for number, centre in column])
            for name, column in cells.items()
        }
        levels = _levels(tests, factors)
        if max([abs(factors[name] - before[name]) for name in factors]) < _POLISHED:
            break
    return factors, levels


def _levels(tests: Iterable[LevelsOfTest], factors: Mapping[Hashable, float]) -> list[float]:
    return [
        fmean(
            [
                session.centre - factors.get(name, 0.0)
                for name, session in zip(test.names, test.sessions, strict=True)
            ]
        )
        for test in tests
    ]


_Residual = tuple[float, float, float]
"""|e|, by what tau^2 is multiplied in its variance, and what else is in that."""


def _residuals(
    tests: Sequence[LevelsOfTest],
    levels: Sequence[float],
    factors: Mapping[Hashable, float],
    factor: float | None,
) -> tuple[list[_Residual], int]:
    """The residuals of rule 1, and their degrees of freedom; fresh ones where there is a *factor*."""
    residuals: list[_Residual] = []
    df = 0
    for test, level in zip(tests, levels, strict=True):
        count, square = len(test.sessions), test.scale**2
        scatter = fmean([session.variance / session.count for session in test.sessions])
        if factor is not None and test.fresh is not None:
            within = test.fresh.variance / test.fresh.count + scatter / count
            residuals.append((abs(test.fresh.centre - level - factor), square * (1 + 1 / count), within))
            df += 1
        if count > 1:
            spread = math.sqrt(count / (count - 1))
            df += count - 1
            for name, session in zip(test.names, test.sessions, strict=True):
                off = session.centre - factors.get(name, 0.0) - level
                residuals.append((abs(off) * spread, square, session.variance / session.count))
    return residuals, max(0, df - 1)


def _matched_tau(residuals: Sequence[_Residual]) -> float:
    """Tau of rule 2, by halving an interval.

    A residual's ratio falls as tau grows, and is the wanted median at a tau of its own. The median of all is
    that between the two middle ones of these; where one of them is in the middle, it is that one's.
    """
    squares = sorted([((off / _NORMAL_MEDIAN) ** 2 - within) / by for off, by, within in residuals])
    if not squares:
        return 0.0
    count = len(squares)
    low, high = (
        min(_LARGEST_TAU, math.sqrt(max(0.0, squares[place]))) for place in ((count - 1) // 2, count // 2)
    )
    while high - low > _TAU_STEP:
        middle = (low + high) / 2
        low, high = (middle, high) if _is_too_small(middle, residuals) else (low, middle)
    return high


def _is_too_small(tau: float, residuals: Iterable[_Residual]) -> bool:
    """Whether the median of the ratios is above the wanted one, *tau* lying where half of them are."""
    square = tau**2
    ratios = [off / math.sqrt(square * by + within) if off else 0.0 for off, by, within in residuals]
    above = min([ratio for ratio in ratios if ratio > _NORMAL_MEDIAN], default=_NORMAL_MEDIAN)
    below = max([ratio for ratio in ratios if ratio <= _NORMAL_MEDIAN], default=_NORMAL_MEDIAN)
    return (above + below) / 2 > _NORMAL_MEDIAN


def weighted_median(pairs: Iterable[tuple[float, float]]) -> float:
    """The value below and above which lies half of the weight, of pairs of value and weight.

    >>> weighted_median([(1.0, 1.0), (2.0, 1.0), (9.0, 1.0)])
    2.0
    """
    ordered = sorted(pairs)
    sums = list(accumulate(weight for _, weight in ordered))
    half = sums[-1] / 2
    place = bisect_left(sums, half)
    if sums[place] == half and place + 1 < len(ordered):
        return (ordered[place][0] + ordered[place + 1][0]) / 2
    return ordered[place][0]
