"""Joules of a load at a fixed rate, stated at the steps, seconds and tokens of its baseline. Pure.

At a fixed rate the work of a second is given, and the pace of the host decides in how many steps it is done:
a slower host takes fewer steps, more answers share each, and the card uses less energy. Which tokens lie in
the part of a load that counts, and how many seconds all requests are worth, is chance: the answers at its
edges. So rounds are compared at equal amounts: E - sum of c (A - A0), with the joules c of a unit of each
amount from short spans within the loads; at equal steps alone where a session knows no more than these.

Rule 1: what the code changes is not the host's pace. Nothing is adjusted where steps are the work (a closed
    loop), where settings or versions of the engine differ, where a step writes more or fewer tokens to each
    request (speculative decoding), or where an amount differs by more than unchanged sessions show. Tokens
    are made equal as far as they lie in the counted part by chance: those that all requests took more remain.
Rule 2: costs are each session's own. So a dearer step or token is in the joules at equal amounts, whole.
Rule 3: joules as measured remain the reading. What they would be at equal amounts is beside them, and named.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev

from pytest_energy.judgement import EqualSteps
from pytest_energy.model import Reading, Record
from pytest_energy.model.load_costs import AMOUNTS, DURATION_S, ROUND_TOKENS, STEP_COUNT, WHOLE_TOKENS
from pytest_energy.verdict.figures import change_text

TOKENS_PER_TURN = "tokens_per_turn"
"""The metric that says how many tokens a step writes to each request."""

MOST_DEVIATIONS = 3.0
"""Of ln amounts of unchanged rounds: past it, 3 of 1,000 would be called unchanged by chance."""

LEAST_RANGE, MOST_RANGE = 0.05, 0.25
"""Of ln amounts. Processes on one host differ by some percent although rounds of each agree. Fifteen
unchanged loads on a host with shared cores lay within 0.25 of their mean (docs/results/h100-llm.md)."""

MOST_TURN_CHANGE = 0.02
"""Of the tokens per turn. In 13 rows of unchanged rounds they were equal within 0.1 %, although the steps
nearly doubled in one (docs/results/h200-phases.md). Requests in the middle of a prompt add a little."""

MOST_WHOLE_CHANGE = 0.05
"""Of the tokens of all requests: more is other work. Up to it their joules remain in the comparison."""

_WHOLE_OF = dict(zip(ROUND_TOKENS, (*WHOLE_TOKENS, WHOLE_TOKENS[1]), strict=True))

AMOUNT_WORDS = {
    DURATION_S: "seconds",
    "prompt_tokens": "prompt tokens",
    "decoded_tokens": "decoded tokens",
    "context_tokens": "tokens of context",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountLevel:
    """What the rounds of a baseline's sessions are made of.

    Attributes:
        amounts: Of a round, the (geometric) mean of the sessions: all of `AMOUNTS`, or steps alone.
        log_sds: Standard deviation of the logarithm of each, over the rounds of all sessions.
        whole_tokens: Of all requests, the mean of the sessions; empty with steps alone.
        tokens_per_turn: Mean of the sessions.
        settings: Of the engine, in the newest session.
    """

    amounts: Mapping[str, float]
    log_sds: Mapping[str, float]
    whole_tokens: Mapping[str, float] = field(default_factory=dict)
    tokens_per_turn: float
    settings: Mapping[str, str] = field(default_factory=dict)

    def most_change(self, name: str) -> float:
        """By how much the logarithm of an amount may differ where nothing but host and chance do."""
        return min(MOST_RANGE, max(LEAST_RANGE, MOST_DEVIATIONS * self.log_sds[name]))


def amount_level(records: Sequence[Record]) -> AmountLevel | None:
    """The amounts of *records*, sessions of one baseline, the newest last; `None` if one has no steps."""
    turns = [record.metrics.get(TOKENS_PER_TURN) for record in records]
    sessions = [_amounts(record) for record in records]
    if not records or not all(sessions) or not all(turns):
        return None
    knows_all = all(rounds[0].keys() == {*AMOUNTS} for rounds in sessions)
    logs = {
        name: [[math.log(one[name]) for one in rounds] for rounds in sessions]
        for name in (AMOUNTS if knows_all else (STEP_COUNT,))
    }
    return AmountLevel(
        amounts={name: math.exp(fmean(map(fmean, of_all))) for name, of_all in logs.items()},
        log_sds={name: _deviation([log for one in of_all for log in one]) for name, of_all in logs.items()},
        whole_tokens=_means([_whole_tokens(record) for record in records]) if knows_all else {},
        tokens_per_turn=fmean(turn for turn in turns if turn),
        settings=records[-1].engine_settings,
    )


def _deviation(logs: Sequence[float]) -> float:
    return stdev(logs) if len(logs) > 1 else 0.0


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: fmean(row[name] for row in rows) for name in rows[0]}


def _amounts(record: Record) -> list[dict[str, float]]:
    """Amounts of the rounds that count, whose joules are known: all, or steps; empty where one has none."""
    rounds = [reading.load_amounts for reading in record.usable_rounds]
    if record.step_cost is None:
        return []
    for names in (record.step_cost.names, (STEP_COUNT,)):
        found = [{name: one[name] for name in names if one.get(name)} for one in rounds]
        if all(len(one) == len(names) for one in found):
            return found
    return []


def _whole_tokens(record: Record) -> dict[str, float]:
    return _means([{name: one.load_tokens[name] for name in WHOLE_TOKENS} for one in record.usable_rounds])


def equal_steps(record: Record, level: AmountLevel | None, measured_ratio: float) -> EqualSteps | None:
    """How *record* is stated at the amounts of *level*, or why it isn't; `None` if one doesn't know them.

    *measured_ratio* is that of the joules as measured.
    """
    rounds = _amounts(record)
    if level is None or record.step_cost is None or not rounds:
        return None
    if not rounds[0].keys() >= level.amounts.keys():
        return None
    changes = {
        name: fmean(math.log(one[name]) for one in rounds) - math.log(amount)
        for name, amount in level.amounts.items()
    }
    ratios = {name: math.exp(change) for name, change in changes.items()}
    return EqualSteps(
        step_count=level.amounts[STEP_COUNT],
        step_ratio=ratios.pop(STEP_COUNT),
        energy_per_step_j=record.step_cost.energy_j,
        measured_ratio=measured_ratio,
        not_used_because=_why_not(record, level, changes),
        amount_ratios=ratios,
    )


def _why_not(record: Record, level: AmountLevel, changes: Mapping[str, float]) -> str:
    """Why the amounts are not those of host and chance alone, or empty (rule 1)."""
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
    whole = _whole_tokens(record) if level.whole_tokens else {}
    for name, then in level.whole_tokens.items():
        if abs(whole[name] - then) > MOST_WHOLE_CHANGE * then:
            kind = AMOUNT_WORDS[name.removeprefix("whole_")]
            return f"all requests together took {then:,.0f} {kind}, now {whole[name]:,.0f}"
    for name, change in changes.items():
        if abs(change) > level.most_change(name):
            most = math.expm1(level.most_change(name))
            subject = "" if name == STEP_COUNT else f"{AMOUNT_WORDS[name]} {change_text(math.exp(change))}; "
            return f"{subject}unchanged sessions differ by {100 * most:.0f} % at most"
    if any(_moved_j(one, record, level) >= _ticking_j(one, record) for one in record.usable_rounds):
        return "the joules of the difference are more than those of a round"
    return ""


def at_amounts(record: Record, level: AmountLevel) -> Record:
    """*record* with the joules and seconds that its rounds would have with the amounts of *level*.

    The error of the costs is one for all rounds, and is in each of their uncertainties.
    """
    rounds = tuple(
        reading if reading.void_because is not None else _at_amounts(reading, record, level)
        for reading in record.rounds
    )
    return replace(record, rounds=rounds)


def _at_amounts(reading: Reading, record: Record, level: AmountLevel) -> Reading:
    cost, beyond = record.step_cost, _beyond(reading, level)
    if cost is None or not beyond:
        return reading
    moved_j, whole_j = _moved_j(reading, record, level), _ticking_j(reading, record)
    shares = {name: reading.channels.get(name, 0.0) / whole_j for name in cost.channels} if whole_j else {}
    return replace(
        reading,
        channels={
            name: max(0.0, energy_j - moved_j * shares.get(name, 0.0))
            for name, energy_j in reading.channels.items()
        },
        uncertainty_j=math.hypot(reading.uncertainty_j, cost.uncertainty_of_j(beyond)),
        duration_s=level.amounts.get(DURATION_S, reading.duration_s),
    )


def _beyond(reading: Reading, level: AmountLevel) -> dict[str, float]:
    """What *reading* has beyond the amounts of *level*; empty if it doesn't know them."""
    amounts = reading.load_amounts
    if not amounts.keys() >= level.amounts.keys():
        return {}
    return {
        name: amounts[name] - amount * _whole_ratio(reading, level, name)
        for name, amount in level.amounts.items()
    }


def _whole_ratio(reading: Reading, level: AmountLevel, name: str) -> float:
    """Tokens of all requests over the level's (rule 1): what a load takes more of is no chance."""
    whole = _WHOLE_OF.get(name, "")
    now, then = reading.load_tokens.get(whole), level.whole_tokens.get(whole)
    return now / then if now and then else 1.0


def _ticking_j(reading: Reading, record: Record) -> float:
    """Joules of the channels that the costs are of."""
    names = () if record.step_cost is None else record.step_cost.channels
    return math.fsum(reading.channels.get(name, 0.0) for name in names)


def _moved_j(reading: Reading, record: Record, level: AmountLevel) -> float:
    """Joules of what *reading* has beyond the amounts of *level*."""
    return 0.0 if record.step_cost is None else record.step_cost.energy_of_j(_beyond(reading, level))
