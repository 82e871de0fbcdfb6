"""All tests of a session together: what they have in common, and how sessions differ. Pure.

Rule 1: tests are pooled with those that measure the same channels: a card's factor says nothing of a
    processor.
Rule 2: the yardstick's loads are no tests: what moves them is the machine, so they explain a factor and are
    never in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, variance

from pytest_energy.judgement import Part
from pytest_energy.run_judgement import SessionFactor
from pytest_energy.stats.compare import Noise, compare_levels
from pytest_energy.stats.ratio import ratio_of
from pytest_energy.stats.suite import LevelsOfTest, Prior, SuiteNoise, alone, suite_noise
from pytest_energy.verdict.history import Activity, Entry, History

FACTOR_PRIOR = Prior(test_sd=0.006)
"""Of what all tests share, between sessions on one machine: five processes of an H100."""

YARDSTICK = "yardstick::"
"""What the ids of the yardstick's loads begin with."""

_REST = "-rest"

PRIORS = {
    Part.JOULES: Prior(test_sd=0.008),
    Part.WORK: Prior(test_sd=0.006),
    Part.WAITING: Prior(test_sd=0.03, most_test_df=4),
}
"""By part, of a test less its session's factor. Joules: with a factor of 0.6 % between processes they make
the 1 % of a test by itself (`stats.compare`). Work: 0.5 % of gross joules on seven H100 boards, a part of it
the scatter of five rounds. Waiting: 2 to 25 % on hosts that are shared, test by test, 0.5 % on one's own."""

ALONE_SD = {Part.JOULES: 0.01, Part.WORK: 0.01, Part.WAITING: 0.05}
"""Of a session as a whole, where too few tests tell its factor."""

Channels = frozenset[str]

_MOVE_ALPHA = 0.05  # chance that a load has moved less than what is said of it

_OF_MACHINE = (Part.WORK, Part.JOULES)
"""What a card changes; seconds of waiting are the host's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A test with a baseline: its fresh entry (`None` if it has not run yet) and those to compare with.

    Attributes:
        comparison_count: Comparisons that may fail it: its own, and those of its phases.
    """

    test_id: str
    fresh: Entry | None
    history: History
    comparison_count: int = 1

    @property
    def channels(self) -> Channels:
        return frozenset(self.history.entries[-1].channels_j)


@dataclass(frozen=True, slots=True)
class Suite:
    """How sessions of unchanged code differ, by the channels that tests measure and by part.

    Attributes:
        noises: Of each group of tests; a test of none is by itself.
        test_count: Comparisons that are judged together: tests, and phases that may fail one.
        moves: By how much the yardstick's loads have moved for certain, by name; empty without a yardstick.
    """

    noises: Mapping[tuple[Channels, Part], SuiteNoise] = field(default_factory=dict)
    test_count: int = 1
    moves: Mapping[tuple[Channels, Part], Mapping[str, float]] = field(default_factory=dict)

    def noise(self, channels: Channels, part: Part) -> SuiteNoise:
        return self.noises.get((channels, part)) or alone(ALONE_SD[part])

    def machine_rise(self, channels: Channels, part: Part) -> tuple[str, float] | None:
        """The load of the yardstick that rose most, and its ratio, where no factor of many tests is known."""
        moves = self.moves.get((channels, part), {})
        if not moves or self.noise(channels, part).test_count:
            return None
        return max(moves.items(), key=lambda move: move[1])

    def noise_of(self, test: LevelsOfTest, channels: Channels, part: Part) -> Noise:
        """What it is for one test.

        A slow host slows those tests down that launch much and leaves the others as they are, so that what
        seconds have in common is taken out only where it speaks for the test.
        """
        noise = self.noise(channels, part).of(test)
        if part is not Part.WAITING:
            return noise
        return replace(
            noise,
            factor=max(0.0, noise.factor),
            session_factors=tuple(min(0.0, factor) for factor in noise.session_factors),
        )


BY_ITSELF = Suite()
"""Of a test that no other is judged with."""


def suite_of(cases: Iterable[Case]) -> Suite:
    """What *cases* show together; the yardstick's loads among them have no say."""
    groups: dict[Channels, list[Case]] = {}
    yardstick = []
    for case in cases:
        if case.test_id.startswith(YARDSTICK):
            yardstick.append(case)
        elif case.history.entries:
            groups.setdefault(case.channels, []).append(case)
    noises = {
        (channels, part): suite_noise(
            [levels for case in group if (levels := levels_of(case.fresh, case.history.entries, part))],
            PRIORS[part],
            ALONE_SD[part],
        )
        for channels, group in groups.items()
        for part in Part
    }
    moves = {
        (channels, part): dict(_moves(yardstick, part, channels))
        for channels in groups
        for part in _OF_MACHINE
    }
    count = sum(case.comparison_count for group in groups.values() for case in group)
    return Suite(noises, max(1, count), moves)


def levels_of(fresh: Entry | None, entries: Sequence[Entry], part: Part) -> LevelsOfTest | None:
    """The levels of *part*; `None` if no session of the baseline, or the fresh one, has that part."""
    if part is Part.JOULES:
        return LevelsOfTest(
            fresh=None if fresh is None else fresh.energy,
            sessions=tuple(entry.energy for entry in entries),
            names=tuple(entry.session for entry in entries),
        )
    if fresh is not None and fresh.parts is None:
        return None
    pairs = [(entry, activity) for entry in entries if (activity := entry.parts) is not None]
    if not pairs:
        return None
    is_work = part is Part.WORK
    new = None if fresh is None else fresh.parts.active if is_work and fresh.parts else fresh.seconds
    return LevelsOfTest(
        fresh=new,
        sessions=tuple(activity.active if is_work else entry.seconds for entry, activity in pairs),
        names=tuple(entry.session for entry, _ in pairs),
        scale=1 / active_share(activity for _, activity in pairs) if is_work else 1.0,
    )


def active_share(activities: Iterable[Activity]) -> float:
    """Mean share of the joules that is active."""
    return fmean(activity.active_share for activity in activities)


def session_factors(cases: Sequence[Case], suite: Suite, alpha: float) -> tuple[SessionFactor, ...]:
    """The factors of the fresh session, one for each group of tests that is large enough to tell."""
    yardstick = [case for case in cases if case.test_id.startswith(YARDSTICK)]
    tests = [case for case in cases if not case.test_id.startswith(YARDSTICK) and case.history.entries]
    factors = []
    for channels in dict.fromkeys(case.channels for case in tests):
        work, joules = (suite.noise(channels, part) for part in (Part.WORK, Part.JOULES))
        part, noise = (Part.WORK, work) if work.test_count else (Part.JOULES, joules)
        if not noise.test_count:
            continue
        names = {
            entry.session for case in tests if case.channels == channels for entry in case.history.judging
        }
        before = [noise.session_factors[name] for name in names if name in noise.session_factors]
        level = fmean(before) if before else 0.0
        spread = _factor_spread(before, len(names))
        factors.append(
            SessionFactor(
                part=part,
                channels=tuple(sorted(channels)),
                ratio=ratio_of(noise.factor - level),
                ratio_ci=noise.factor_bounds(alpha, spread, level),
                test_count=noise.test_count,
                yardstick=dict(_moves(yardstick, part, channels)),
                session=next((case.fresh.session for case in tests if case.fresh is not None), None),
            )
        )
    return tuple(factors)


def _factor_spread(factors: Sequence[float], count: int) -> tuple[float, float]:
    """Variance of a fresh session's factor over the mean of *count* others; its degrees of freedom."""
    df = max(0, len(factors) - 1)
    own = variance(factors) if df else 0.0
    total_df = FACTOR_PRIOR.df + df
    square = (FACTOR_PRIOR.df * FACTOR_PRIOR.test_sd**2 + df * own) / total_df
    return square * (1 + 1 / max(1, count)), total_df


def _moves(yardstick: Iterable[Case], part: Part, channels: Channels) -> Iterable[tuple[str, float]]:
    """Name and ratio of each load of the yardstick that measures some of *channels*.

    A rest has next to no active joules: their ratio would be chance, and could explain anything.
    """
    for case in yardstick:
        if part is Part.WORK and case.test_id.endswith(_REST):
            continue
        levels = levels_of(case.fresh, case.history.judging, part)
        if levels is not None and levels.fresh is not None and case.channels & channels:
            yield case.test_id.removeprefix(YARDSTICK), _sure_move(levels, part)


def _sure_move(levels: LevelsOfTest, part: Part) -> float:
    """By how much a load has moved at least, a ratio; 1 where its bounds hold no change."""
    if levels.fresh is None:
        return 1.0
    noise = Noise(between_sd=PRIORS[part].test_sd * levels.scale)
    bounds = compare_levels(levels.fresh, levels.sessions, tolerance=0.0, alpha=_MOVE_ALPHA, noise=noise)
    return bounds.lower if bounds.lower > 1 else min(1.0, bounds.upper)
