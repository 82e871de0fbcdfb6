"""Joules of a load at a fixed rate, stated at the steps that its baseline took. Pure.

At a fixed rate the work of a second is given, and the pace of the host decides in how many steps it is done:
a slower host takes fewer steps, more answers share each, and the card uses less energy. So rounds are
compared at equal steps: E - s (N - N0), with the joules s of a step from short spans within the loads.

Rule 1: what the code changes is not the host's pace. Nothing is adjusted where steps are the work (a closed
    loop), where settings or versions of the engine differ, where a step writes more or fewer tokens to each
    request (speculative decoding), or where steps differ by more than unchanged sessions show.
Rule 2: seconds are judged by themselves where the joules have parts, and are not taken out here.
Rule 3: joules as measured remain the reading. What they would be at equal steps is beside them, and named.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev

from pytest_energy.judgement import EqualSteps
from pytest_energy.model import Reading, Record

TOKENS_PER_TURN = "tokens_per_turn"
"""The metric that says how many tokens a step writes to each request."""

MOST_DEVIATIONS = 3.0
"""Of ln steps of unchanged rounds: past it, 3 of 1,000 would be called unchanged by chance."""

LEAST_RANGE, MOST_RANGE = 0.05, 0.25
"""Of ln steps. Processes on one host differ by some percent although rounds of each agree. Fifteen unchanged
loads on a host with shared cores lay within 0.25 of their mean (docs/results/h100-llm.md)."""

MOST_TURN_CHANGE = 0.05
"""Of the tokens per turn: the share of prompts in the steps moves them by less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLevel:
    """The steps of a baseline's sessions.

    Attributes:
        step_count: Steps of a round, the (geometric) mean of the sessions.
        log_sd: Standard deviation of ln steps over the rounds of all sessions.
        tokens_per_turn: Mean of the sessions.
        settings: Of the engine, in the newest session.
    """

    step_count: float
    log_sd: float
    tokens_per_turn: float
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def most_change(self) -> float:
        """By how much ln steps may differ where nothing but the host's pace does."""
        return min(MOST_RANGE, max(LEAST_RANGE, MOST_DEVIATIONS * self.log_sd))


def step_level(records: Sequence[Record]) -> StepLevel | None:
    """The steps of *records*, sessions of one baseline, the newest last; `None` if one doesn't know them."""
    sessions = [_log_steps(record) for record in records]
    turns = [record.metrics.get(TOKENS_PER_TURN) for record in records]
    if not records or not all(sessions) or not all(turns):
        return None
    rounds = [log for logs in sessions for log in logs]
    return StepLevel(
        step_count=math.exp(fmean(fmean(logs) for logs in sessions)),
        log_sd=stdev(rounds) if len(rounds) > 1 else 0.0,
        tokens_per_turn=fmean(turn for turn in turns if turn),
        settings=records[-1].engine_settings,
    )


def _log_steps(record: Record) -> list[float]:
    """Ln steps of the rounds that count; empty if one doesn't know them, or the cost of a step is unknown."""
    counts = [reading.step_count for reading in record.usable_rounds]
    if record.step_cost is None or not all(counts):
        return []
    return [math.log(count) for count in counts if count]


def equal_steps(record: Record, level: StepLevel | None, measured_ratio: float) -> EqualSteps | None:
    """How *record* is stated at the steps of *level*, or why it isn't; `None` if one doesn't know its steps.

    *measured_ratio* is that of the joules as measured.
    """
    logs = _log_steps(record)
    if level is None or not logs or record.step_cost is None:
        return None
    change = fmean(logs) - math.log(level.step_count)
    return EqualSteps(
        step_count=level.step_count,
        step_ratio=math.exp(change),
        energy_per_step_j=record.step_cost.energy_j,
        measured_ratio=measured_ratio,
        not_used_because=_why_not(record, level, change),
    )


def _why_not(record: Record, level: StepLevel, change: float) -> str:
    """Why the steps are not the host's pace alone, or empty (rule 1)."""
    differing = sorted(
        name
        for name in {*record.engine_settings, *level.settings}
        if record.engine_settings.get(name) != level.settings.get(name)
    )
    if differing:
        return f"the engine differs ({', '.join(differing)})"
    turn = record.metrics.get(TOKENS_PER_TURN)
    if not turn or abs(math.log(turn / level.tokens_per_turn)) > MOST_TURN_CHANGE:
        now = "unknown" if not turn else f"{turn:.2f}"
        return f"tokens per request and step were {level.tokens_per_turn:.2f}, now {now}"
    if abs(change) > level.most_change:
        most = math.expm1(level.most_change)
        return f"unchanged sessions differ by {100 * most:.0f} % at most"
    if any(_moved_j(one, record, level) >= _stepped_j(one, record) for one in record.usable_rounds):
        return "the steps' joules are more than those of a round"
    return ""


def at_steps(record: Record, level: StepLevel) -> Record:
    """*record* with the joules that its rounds would have at the steps of *level*.

    The error of the cost of a step is one for all rounds, and is in each of their uncertainties.
    """
    rounds = tuple(
        reading if reading.void_because is not None else _at_steps(reading, record, level)
        for reading in record.rounds
    )
    return replace(record, rounds=rounds)


def _at_steps(reading: Reading, record: Record, level: StepLevel) -> Reading:
    cost, moved_j = record.step_cost, _moved_j(reading, record, level)
    if cost is None or reading.step_count is None:
        return reading
    whole_j = _stepped_j(reading, record)
    shares = {name: reading.channels.get(name, 0.0) / whole_j for name in cost.channels} if whole_j else {}
    error_j = cost.uncertainty_j * (reading.step_count - level.step_count)
    return replace(
        reading,
        channels={
            name: max(0.0, energy_j - moved_j * shares.get(name, 0.0))
            for name, energy_j in reading.channels.items()
        },
        uncertainty_j=math.hypot(reading.uncertainty_j, error_j),
    )


def _stepped_j(reading: Reading, record: Record) -> float:
    """Joules of the channels that the cost of a step is of."""
    names = () if record.step_cost is None else record.step_cost.channels
    return math.fsum(reading.channels.get(name, 0.0) for name in names)


def _moved_j(reading: Reading, record: Record, level: StepLevel) -> float:
    """Joules of the steps beyond those of *level*."""
    if record.step_cost is None or reading.step_count is None:
        return 0.0
    return record.step_cost.energy_j * (reading.step_count - level.step_count)
