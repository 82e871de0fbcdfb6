"""The simulated loop says what the product says, alone and in a suite, whatever the rounds come to."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.gate.faults.worlds import World, neighbour, spiky
from benchmarks.gate.loop import Draw, Outcome, SuiteTrial, Trial, moved
from pytest_energy.baselines.schema import Baseline
from pytest_energy.judgement import Verdict
from pytest_energy.model import Record
from pytest_energy.plugin.rounds import MOST_ROUND_COUNT
from pytest_energy.stats.level import level_of
from pytest_energy.verdict.history import Entry, entry_of, history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import more_rounds
from pytest_energy.verdict.session import SessionDecision, case_of, decide_session
from pytest_energy.verdict.session import Trial as RealTrial
from pytest_energy.verdict.suite import BY_ITSELF, Suite, suite_of
from tests.builders import record

SEED = 11
_POLICY = Policy()


def with_baseline(
    world: World, rng: random.Random, session_count: int, commons: Sequence[float] | None = None
) -> tuple[Draw, list[list[float]]]:
    """A draw, and the rounds that its baseline is of."""
    offsets = commons or [0.0] * (session_count + 1)
    sessions = [
        [100 * math.exp(offset + level + one) for one in world.rounds(rng, world.cv, 6)]
        for offset in offsets[:-1]
        for level in (rng.gauss(0.0, world.between_sd),)
    ]
    return world.fresh(rng, tuple(map(level_of, sessions)), offsets[-1]), sessions


def real_trial(draw: Draw, sessions: Sequence[Sequence[float]], change: float, number: int = 0) -> RealTrial:
    """The same test for the product, with its first batch of rounds."""
    test_id = f"test_work.py::test_work[{number}]"
    entries = tuple(
        replace(
            record(*rounds, test_id=test_id, created=f"2025-01-{place + 1:02}T00:00:00Z"), session=f"s{place}"
        )
        for place, rounds in enumerate(sessions)
    )
    baseline = Baseline(test_id=test_id, machine_key=entries[0].machine.key, entries=entries)
    return RealTrial(
        record=real_record(draw, change, draw.first_count, 0, test_id),
        history=history_of(baseline, _POLICY.basis),
        policy=_POLICY,
    )


def real_record(draw: Draw, change: float, count: int, confirming_count: int, test_id: str) -> Record:
    rounds = (*draw.now[:count], *draw.later[:confirming_count])
    energies_j = [(1 + change) * energy_j for energy_j in rounds]
    return replace(
        record(*energies_j, test_id=test_id, created="2025-02-01T00:00:00Z"),
        session="fresh",
        confirming_count=confirming_count,
    )


def extended(draw: Draw, trial: RealTrial, change: float, suite: Suite) -> RealTrial:
    """*trial* with the rounds that the product asks for to tell more."""
    wanted = more_rounds(
        trial.record,
        history=trial.history,
        policy=_POLICY,
        cap=MOST_ROUND_COUNT,
        suite=suite,
        attempts=trial.attempts,
    )
    if wanted is None or wanted.is_confirming:
        return trial
    count = len(trial.record.rounds) + wanted.count
    return replace(trial, record=real_record(draw, change, count, 0, trial.record.test_id))


def confirmed(draw: Draw, trial: RealTrial, change: float) -> RealTrial:
    count = len(trial.record.rounds)
    return replace(trial, record=real_record(draw, change, count, count, trial.record.test_id))


def cases_of(trials: Sequence[RealTrial]) -> Suite:
    return suite_of([case for trial in trials if (case := case_of(trial)) is not None])


def outcome_of(trial: RealTrial, verdict: Verdict) -> Outcome:
    confirming_count = trial.record.confirming_count
    count = len(trial.record.rounds) - confirming_count
    return Outcome(verdict=verdict, count=count, confirming_count=confirming_count)


def real_outcome(
    draw: Draw, sessions: Sequence[Sequence[float]], change: float, attempts: tuple[Entry, ...] = ()
) -> Outcome:
    """What the product says of one test by itself."""
    first_batch = replace(real_trial(draw, sessions, change), attempts=attempts)
    trial = extended(draw, first_batch, change, BY_ITSELF)
    (first,) = decide_session([trial], tolerance=0.05, alpha=0.05).decisions
    if first.verdict is Verdict.REGRESSION:
        trial = confirmed(draw, trial, change)
    (decision,) = decide_session([trial], tolerance=0.05, alpha=0.05).decisions
    return outcome_of(trial, decision.verdict)


@pytest.mark.parametrize("session_count", [1, 3, 4, 5, 10])
@pytest.mark.parametrize("change", [-0.10, 0.0, 0.05, 0.08, 0.10])
def test_a_test_by_itself(session_count: int, change: float) -> None:
    """Extended, confirmed, held against the first sessions or an odd one left out: the same verdict."""
    worlds = (
        World(cv=0.03),
        World(between_sd=0.03, batch=neighbour(0.12, 0.3)),
        World(fresh_rounds=spiky(0.1, 1.0)),
    )
    rng = random.Random(f"{SEED} {session_count} {change}")  # noqa: S311  # noise that repeats
    for world in worlds:
        for odd in (0.0, 0.0, 0.2):
            commons = [*[odd] * (session_count > 3), *[0.0] * (session_count + 1 - (session_count > 3))]
            draw, sessions = with_baseline(world, rng, session_count, commons)
            assert Trial(draw).outcome(change) == real_outcome(draw, sessions, change)


@pytest.mark.parametrize("change", [-0.10, 0.05, 0.20])
def test_a_change_multiplies_the_bounds(change: float) -> None:
    """The bounds of a record that uses more are those of the record, times the change, to 1e-12."""
    rng = random.Random(SEED)  # noqa: S311  # noise that repeats
    for session_count in (1, 3, 10):
        draw = World(cv=0.03).draw(rng, session_count)
        more = replace(draw, now=[(1 + change) * one for one in draw.now])
        plain, changed = (Trial(one).bounds(one.first_count) for one in (draw, more))
        for name in ("ratio", "lower", "upper", "plain_ratio", "repeated_ratio"):
            assert getattr(changed, name) == pytest.approx(getattr(plain, name) * (1 + change), rel=1e-12)
        assert changed.detectable_ratio == pytest.approx(plain.detectable_ratio, rel=1e-12)


@pytest.mark.parametrize("change", [0.08, 0.10, 0.12])
def test_attempts_before_are_in_it(change: float) -> None:
    """With two earlier attempts the verdict is on the mean of all three, in each batch too."""
    rng = random.Random(f"{SEED} {change}")  # noqa: S311  # noise that repeats
    world = World(cv=0.02, between_sd=0.02)
    for _ in range(5):
        draw, sessions = with_baseline(world, rng, 3)
        earlier = [world.fresh(rng, draw.sessions) for _ in range(2)]
        levels = tuple(moved(one.level(one.first_count, 0), change) for one in earlier)
        risen = replace(
            draw,
            now=[(1 + change) * one for one in draw.now],
            later=[(1 + change) * one for one in draw.later],
            attempts=levels,
        )
        entries = tuple(
            entry_of(
                real_record(one, change, one.first_count, 0, "test_work.py::test_work[0]"), _POLICY.basis
            )
            for one in earlier
        )
        assert Trial(risen).outcome() == real_outcome(risen, sessions, 0.0, entries)


def test_every_way_is_among_them() -> None:
    """The worlds above lead to every verdict, with and without more rounds and confirming ones."""
    rng = random.Random(SEED)  # noqa: S311  # noise that repeats
    outcomes = [
        Trial(World(cv=0.03).draw(rng, 3)).outcome(change)
        for change in (-0.10, 0.0, 0.08, 0.12)
        for _ in range(20)
    ]
    assert {one.verdict for one in outcomes} == {
        Verdict.PASS,
        Verdict.INCONCLUSIVE,
        Verdict.REGRESSION,
        Verdict.IMPROVEMENT,
    }
    assert {one.confirming_count > 0 for one in outcomes} == {True, False}
    assert MOST_ROUND_COUNT in {one.count for one in outcomes}


@pytest.mark.parametrize(("session_count", "common"), [(1, 0.0), (3, 0.07), (5, 0.0), (10, 0.02)])
def test_a_suite(session_count: int, common: float) -> None:
    """Twelve tests, two of which have risen: verdicts, rounds and what fails the run are the product's."""
    rng = random.Random(f"{SEED} {session_count}")  # noqa: S311  # noise that repeats
    world, changes = World(cv=0.02, batch=neighbour(0.12, 0.1)), {2: 0.10, 7: 0.08}
    commons = [*(rng.gauss(0.0, 0.02) for _ in range(session_count)), common]
    drawn = [with_baseline(world, rng, session_count, commons) for _ in range(12)]
    simulated = SuiteTrial([draw for draw, _ in drawn]).outcome(changes)
    trials, session = real_session(drawn, changes)
    assert simulated.outcomes == tuple(
        outcome_of(trial, one.verdict) for trial, one in zip(trials, session.decisions, strict=True)
    )
    assert simulated.fails_once() == (session.failure is not None)
    (factor,) = session.factors
    assert simulated.factor is not None
    assert simulated.factor.ratio == pytest.approx(factor.ratio, rel=1e-12)
    assert simulated.factor.ratio_ci == pytest.approx(factor.ratio_ci, rel=1e-12)


def test_one_of_a_suite_by_itself() -> None:
    """Where no other test asks for rounds, one that rises is judged as in the whole suite."""
    rng = random.Random(SEED)  # noqa: S311  # noise that repeats
    draws = [World(count=6).draw(rng, 3) for _ in range(12)]
    for change in (0.0, 0.08, 0.10):
        suite = SuiteTrial(draws)
        assert suite.outcome_of(4, change) == suite.outcome({4: change}).outcomes[4]


def real_session(
    drawn: Sequence[tuple[Draw, list[list[float]]]], changes: dict[int, float]
) -> tuple[list[RealTrial], SessionDecision]:
    """What the product says of a suite, each suspect confirmed after all tests have run."""
    by = [changes.get(place, 0.0) for place in range(len(drawn))]
    trials = [real_trial(*one, by[place], place) for place, one in enumerate(drawn)]
    suite = cases_of(trials)
    trials = [extended(drawn[n][0], trial, by[n], suite) for n, trial in enumerate(trials)]
    first = decide_session(trials, tolerance=0.05, alpha=0.05)
    trials = [
        confirmed(drawn[n][0], trial, by[n]) if one.verdict is Verdict.REGRESSION else trial
        for n, (trial, one) in enumerate(zip(trials, first.decisions, strict=True))
    ]
    return trials, decide_session(trials, tolerance=0.05, alpha=0.05)
