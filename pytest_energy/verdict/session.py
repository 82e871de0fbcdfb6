"""All tests of one session judged together. Pure.

Rule 1: the verdict of a test takes the tests beside it: what they share is the session's, not the test's.
Rule 2: a factor that all tests share fails the run once, where it is past the tolerance and the yardstick did
    not move as far.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_energy.baselines.machine import check_comparable
from pytest_energy.errors import NotComparable, NotMeasurable
from pytest_energy.judgement import Budget, Part
from pytest_energy.meter.ready_power import ready_power_of
from pytest_energy.model import Record
from pytest_energy.ready import ReadyPower
from pytest_energy.run_judgement import SessionFactor
from pytest_energy.verdict.count_history import NONE_COUNTED, CountHistory
from pytest_energy.verdict.figures import bounds_text, change_text
from pytest_energy.verdict.findings import Decision
from pytest_energy.verdict.history import Entry, History, aligned, entry_of, has_joules, mean_entry
from pytest_energy.verdict.phase_changes import comparison_count
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import decide
from pytest_energy.verdict.suite import Case, Suite, session_factors, suite_of

_NAMED_FACTOR = 0.01  # past it a session's factor is worth a note


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One test that is to be judged.

    Attributes:
        history: `None` without a baseline.
        attempts: What is kept of earlier attempts at the same code, the oldest first.
        count_history: What is kept of the counts of its baselines.
    """

    record: Record
    history: History | None
    policy: Policy
    budget: Budget = field(default_factory=Budget)
    other_machines: tuple[str, ...] = ()
    attempts: tuple[Entry, ...] = ()
    count_history: CountHistory = NONE_COUNTED


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDecision:
    """The decision on a session.

    Attributes:
        decisions: Of each trial, in their order.
        factors: What the tests share, for each group of channels that enough tests measure.
        tolerance: Accepted rise of a factor, a share.
        alpha: Chance that a factor's truth lies beyond one of its bounds.
        yardstick: The records of the fixed loads, with the ready power of the whole session.
    """

    decisions: tuple[Decision, ...]
    factors: tuple[SessionFactor, ...]
    tolerance: float
    alpha: float
    yardstick: tuple[Record, ...] = ()

    @property
    def failing_factors(self) -> tuple[SessionFactor, ...]:
        """The factors past the tolerance that the yardstick doesn't explain."""
        return tuple(one for one in self.factors if one.unexplained_ratio > 1 + self.tolerance)

    @property
    def failure(self) -> str | None:
        """Why the run fails as a whole, in words, or `None`."""
        texts = [_failure_text(factor, self.tolerance) for factor in self.failing_factors]
        return "; ".join(texts) or None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of the session, one sentence each."""
        failing = self.failing_factors
        named = (one for one in self.factors if abs(one.ratio - 1) > _NAMED_FACTOR and one not in failing)
        return tuple(f"{_factor_text(one)}{_yardstick_text(one)}" for one in named)


def decide_session(
    trials: Sequence[Trial], *, tolerance: float, alpha: float, yardstick: Iterable[Trial] = ()
) -> SessionDecision:
    """The decisions on each of *trials*, and on all together.

    Args:
        trials: The tests of one session.
        tolerance: Accepted rise of what they share.
        alpha: As in `Policy`, for what they share.
        yardstick: The fixed loads that were measured beside them.
    """
    cases = [case for trial in (*trials, *yardstick) if (case := case_of(trial)) is not None]
    suite = suite_of(cases)
    return SessionDecision(
        decisions=tuple(decision_of(trial, suite) for trial in trials),
        factors=session_factors(cases, suite, alpha),
        tolerance=tolerance,
        alpha=alpha,
    )


def decide_process(
    trials: Sequence[Trial], *, tolerance: float, alpha: float, yardstick: Sequence[Trial] = ()
) -> SessionDecision:
    """`decide_session` of all that one process has measured: ready power is of all its rounds."""
    everything = [*trials, *yardstick]
    records = of_one_session([trial.record for trial in everything])
    whole = [replace(trial, record=record) for trial, record in zip(everything, records, strict=True)]
    count = len(trials)
    session = decide_session(whole[:count], tolerance=tolerance, alpha=alpha, yardstick=whole[count:])
    return replace(session, yardstick=records[count:])


def decision_of(trial: Trial, suite: Suite) -> Decision:
    return decide(
        trial.record,
        history=trial.history,
        other_machines=trial.other_machines,
        budget=trial.budget,
        policy=trial.policy,
        suite=suite,
        attempts=trial.attempts,
        count_history=trial.count_history,
    )


def case_of(trial: Trial) -> Case | None:
    """*trial* as one of many, or `None` if it can't be compared."""
    record, history, basis = trial.record, trial.history, trial.policy.basis
    if history is None or not history.entries or history.newest is None or not has_joules(record):
        return None
    if record.saturated_because is not None:
        return None
    try:
        check_comparable(history.newest, record, besides=basis.free_facts)
        record, history, _ = aligned(record, history, basis, trial.attempts)
        fresh = mean_entry([*trial.attempts, entry_of(record, basis)])
        count = comparison_count(history, trial.policy)
        return Case(test_id=record.test_id, fresh=fresh, history=history, comparison_count=count)
    except (NotComparable, NotMeasurable):
        return None


def of_one_session(records: Sequence[Record], name: str | None = None) -> tuple[Record, ...]:
    """*records* of one session: ready power is of all their rounds, *name* stands in for a missing one."""
    idle_power_w = next((record.idle_power_w for record in records if record.idle_power_w), None)
    ready_power = ready_power_of((reading for record in records for reading in record.rounds), idle_power_w)
    return tuple(
        replace(record, ready_power=of_channels(ready_power, record), session=record.session or name)
        for record in records
    )


def of_channels(ready_power: Mapping[str, ReadyPower], record: Record) -> dict[str, ReadyPower]:
    """What of *ready_power* is of a channel that *record* has measured."""
    names = {name for reading in record.rounds for name in reading.channels}
    return {name: line for name, line in ready_power.items() if name in names}


# ---- in words ----


def _failure_text(factor: SessionFactor, tolerance: float) -> str:
    cause = "in the code that they share or in the machine (no stored yardstick to separate the two)"
    if factor.yardstick:
        cause = f"which is not the machine{_yardstick_text(factor)}"
    return f"{_factor_text(factor)}, allowed {tolerance * 100:g} %: one common cause, {cause}"


def _factor_text(factor: SessionFactor) -> str:
    what = f"{'active joules' if factor.part is Part.WORK else 'joules'} on {', '.join(factor.channels)}"
    change = f"{change_text(factor.ratio)} {bounds_text(factor.ratio_ci)}"
    return f"{change} in all {factor.test_count} tests: {what}"


def _yardstick_text(factor: SessionFactor) -> str:
    if not factor.yardstick:
        return ""
    moves = ", ".join(f"{name} {change_text(ratio)}" for name, ratio in sorted(factor.yardstick.items()))
    return f" (yardstick: {moves})"
