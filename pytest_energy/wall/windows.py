"""The windows of a run whose time of day and power are known. Pure.

Rule 1: the power of a window is the sum of its channels, those that most windows have; another sum would have
    another offset.
Rule 2: joules are kept. What the steps of a channel leave out beside the window's edges has the rest of its
    joules; a channel without steps has its mean power.
Rule 3: windows that are left out are counted, with the reason.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.report.view import View
from pytest_energy.stats.lagged_line import KnownWindow, Steps

_LEAST_S = 1e-3  # times of steps are rounded to it
_MOST_UNIX_S = 1e11  # the year 5138: a start beyond it is no time of day

NO_TIME = "without the time of their start (files of earlier versions, replays, rounds of several windows)"
VOID = "void, or without joules"
NO_STEPS = "of a load that was counted in part, without power over time"
OTHER_CHANNELS = "without some of the channels"
OVERLAPPING = "at the same time as another window"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWindow:
    """A window of a test, on the run's clock in seconds since 1970 (UTC)."""

    test_id: str
    known: KnownWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPower:
    """What a run knows of power over the day.

    Attributes:
        windows: In order of time.
        channels: Whose sum the power is.
        provenances: Of the windows.
        left_out: Reason to the number of windows that are left out for it.
    """

    windows: tuple[RunWindow, ...]
    channels: tuple[str, ...]
    provenances: frozenset[Provenance]
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Round:
    record: Record
    reading: Reading

    @property
    def is_counted_in_part(self) -> bool:
        """Whether joules and seconds are of a part of the window, scaled: those of a request load."""
        return self.record.output_tokens is not None or self.reading.step_count is not None

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.reading.power_trace if self.is_counted_in_part else self.reading.channels)


def power_of(run: View) -> RunPower:
    """The windows of *run*, with those of its yardstick."""
    left_out: Counter[str] = Counter()
    rounds = []
    for one in _rounds(run):
        because = _why_unusable(one)
        if because is None:
            rounds.append(one)
        else:
            left_out[because] += 1
    commonest = Counter(one.names for one in rounds).most_common(1)
    channels = commonest[0][0] if commonest else frozenset()
    windows: list[RunWindow] = []
    for one in sorted(rounds, key=lambda one: one.reading.start_unix_s or 0.0):
        if not one.names >= channels:
            left_out[OTHER_CHANNELS] += 1
            continue
        window = RunWindow(test_id=one.record.test_id, known=_known(one, sorted(channels)))
        if windows and window.known.start_s < windows[-1].known.stop_s:
            left_out[OVERLAPPING] += 1
        else:
            windows.append(window)
    return RunPower(
        windows=tuple(windows),
        channels=tuple(sorted(channels)),
        provenances=frozenset(one.record.provenance for one in rounds),
        left_out=dict(left_out),
    )


def _rounds(run: View) -> Iterator[_Round]:
    records = (*run.yardstick.records, *(judgement.record for judgement in run.judgements))
    return (_Round(record, reading) for record in records for reading in record.rounds)


def _why_unusable(one: _Round) -> str | None:
    reading = one.reading
    if one.record.void_because is not None or reading.energy_j is None or reading.duration_s < _LEAST_S:
        return VOID
    if reading.start_unix_s is None or not 0 <= reading.start_unix_s < _MOST_UNIX_S:
        return NO_TIME
    return None if one.names else NO_STEPS


def _known(one: _Round, channels: Sequence[str]) -> KnownWindow:
    reading = one.reading
    start_unix_s = reading.start_unix_s or 0.0
    traces: list[Steps] = [
        reading.power_trace[name] if one.is_counted_in_part else _whole(reading, name) for name in channels
    ]
    return KnownWindow(
        steps=tuple((start_unix_s + time_s, power_w) for time_s, power_w in _summed(traces)),
        uncertainty_w=reading.uncertainty_j / reading.duration_s,
    )


def _whole(reading: Reading, name: str) -> Steps:
    """The steps of a channel over the whole window, with all of its joules."""
    stop_s = reading.duration_s * reading.call_count
    energy_j = reading.channels[name] * reading.call_count
    trace = reading.power_trace.get(name, ())
    steps = [(time_s, power_w) for time_s, power_w in trace if 0 <= time_s <= stop_s]
    if len(steps) < 2:
        return ((0.0, energy_j / stop_s), (stop_s, energy_j / stop_s))
    inner_j = math.fsum(power_w * (until_s - from_s) for (from_s, power_w), (until_s, _) in pairwise(steps))
    edges_s = stop_s - (steps[-1][0] - steps[0][0])
    if edges_s <= _LEAST_S:
        return steps
    edge_w = max(0.0, energy_j - inner_j) / edges_s
    return ((0.0, edge_w), *steps[:-1], (steps[-1][0], edge_w), (stop_s, edge_w))


def _summed(traces: Iterable[Steps]) -> Steps:
    """The sum of steps, where all of them are known."""
    ones = [*traces]
    first_s, last_s = max(one[0][0] for one in ones), min(one[-1][0] for one in ones)
    times_s = sorted({time_s for one in ones for time_s, _ in one if first_s <= time_s <= last_s})
    powers_w = [math.fsum(_at(one, time_s) for one in ones) for time_s in times_s]
    return tuple(zip(times_s, powers_w, strict=True))


def _at(steps: Steps, time_s: float) -> float:
    """The power from *time_s* on."""
    return next(power_w for from_s, power_w in reversed(steps) if from_s <= time_s)
