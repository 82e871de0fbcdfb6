"""Replay files: rounds that were measured elsewhere, so that a gate can run with no hardware.

Rule 1: a file that can't be understood as a whole is refused as a whole, with its path, place and value.
Rule 2: a file is written whole or not at all.
Rule 3: `load_replay` of what `save_replay` wrote gives the same values.

Format 1 (each round is either what was measured, or the raw ticks it was measured from)::

    {"format": 1, "tests": {"<nodeid>": {"rounds": [
        {"energy_j": 9.0, "duration_s": 1.0, "channels": {"gpu:0": 9.0}, "uncertainty_j": 0.1, "phases": []},
        {"ticks": {"gpu:0": [[t_s, joules], ...]}, "start_s": 0.5, "stop_s": 1.5}]}}}

`energy_j` (the sum of the channels), `uncertainty_j` and `phases` may be left out. Beside ticks there may be
`quiet_s` (`[[from_s, to_s], ...]`), `worked_until_s`: see `model.Trace`; `spreads_s` (`{"gpu:0": [s, ...]}`):
see `model.Tick`; and `clock_error_s` (`[alike_s, apart_s]`): see `model.ClockError`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from pytest_energy.codec import (
    NULLABLE,
    ByName,
    Document,
    JsonDict,
    Number,
    Text,
    Whole,
    decode,
    encode,
    parse,
)
from pytest_energy.conversion import as_document, plain
from pytest_energy.documents import format_of
from pytest_energy.errors import FormatError, NotMeasurable, SettingsError
from pytest_energy.model import SAME_CLOCK, ClockError, CounterResponse, Domain, Phase, Reading, Tick, Trace
from pytest_energy.response_document import ResponseDocument
from pytest_energy.spelling import near_file
from pytest_energy.whole_file import read_whole, write_whole, writing

FORMAT_VERSION = 1

MOST_BYTES = 64_000_000
"""Of a replay file: parsed it takes some ten times its size."""

# energy_j is the channels' sum written down; this much is lost when people or JSON round it.
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRound:
    """One round: its joules by channel, or the ticks to integrate them from.

    Attributes:
        duration_s: Seconds of the round; with a trace, those between its edges.
        energy_j: Sum of the channels, or `None` if the trace must be integrated first.
        channels: Joules by channel name; empty if there is a trace.
        uncertainty_j: Standard uncertainty of `energy_j`, or `None` if not in the file.
        trace: Raw counter ticks, or `None`.
        phases: Named windows inside the round.
        call_count: Calls of the work that the ticks are of; the round's joules are those of one.

    Raises:
        NotMeasurable: A value that no round can have.
    """

    duration_s: float
    energy_j: float | None = None
    channels: Mapping[str, float] = field(default_factory=dict)
    uncertainty_j: float | None = None
    trace: Trace | None = None
    phases: tuple[Phase, ...] = ()
    call_count: int = 1

    def __post_init__(self) -> None:
        if self.trace is not None:
            _check_trace(self.trace)
        else:
            _check_channels(self.channels, self.energy_j)
        if not (math.isfinite(self.duration_s) and self.duration_s > 0):
            raise NotMeasurable(f"duration_s is {self.duration_s}; a round takes more than 0 s")
        if self.uncertainty_j is not None and not (
            math.isfinite(self.uncertainty_j) and self.uncertainty_j >= 0
        ):
            raise NotMeasurable(f"uncertainty_j is {self.uncertainty_j}; it can't be negative")
        if self.call_count < 1:
            raise NotMeasurable(f"call_count is {self.call_count}; a round holds at least 1 call")
        for phase in self.phases:
            _check_phase(phase)

    @classmethod
    def from_channels(
        cls,
        channels: Mapping[str, float],
        duration_s: float,
        *,
        uncertainty_j: float | None = None,
        phases: tuple[Phase, ...] = (),
    ) -> "ReplayRound":
        return cls(
            duration_s=duration_s,
            energy_j=math.fsum(channels.values()),
            channels=dict(channels),
            uncertainty_j=uncertainty_j,
            phases=phases,
        )

    @classmethod
    def from_trace(
        cls, trace: Trace, *, phases: tuple[Phase, ...] = (), call_count: int = 1
    ) -> "ReplayRound":
        duration_s = trace.stop_s - trace.start_s
        return cls(duration_s=duration_s, trace=trace, phases=phases, call_count=call_count)

    @classmethod
    def from_reading(cls, reading: Reading) -> "ReplayRound":
        """The round to write down for *reading*: with its ticks, if it has them for every channel.

        Raises:
            NotMeasurable: *reading* is void.
        """
        if reading.void_because is not None:
            raise NotMeasurable(f"a void reading can't be replayed: {reading.void_because}")
        if reading.trace is not None and set(reading.trace.ticks) == set(reading.channels):
            return cls.from_trace(reading.trace, phases=reading.phases, call_count=reading.call_count)
        return cls.from_channels(
            reading.channels, reading.duration_s, uncertainty_j=reading.uncertainty_j, phases=reading.phases
        )


Replay = Mapping[str, tuple[ReplayRound, ...]]
"""What a replay file holds: the rounds of each test, by node id."""


def load_replay(path: Path) -> Replay:
    """Read a replay file.

    Raises:
        SettingsError: It can't be read or isn't a replay file; with file, place and value.
    """
    try:
        text = read_whole(path, MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise SettingsError(
            f"the replay file {path} can't be read: {error.strerror or error}.{near_file(path)}"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"the replay file {path} is not UTF-8 text: {error}") from error
    try:
        return _from_json(parse(text, str(path)), str(path))
    except FormatError as error:
        raise SettingsError(f"not a replay file of format {FORMAT_VERSION}: {error}") from error


def save_replay(path: Path, tests: Mapping[str, Sequence[ReplayRound]]) -> None:
    """Write the rounds of *tests*, by node id, to *path*; its folder is made, an older file replaced.

    Raises:
        SettingsError: The file can't be written; an older one is then as it was.
    """
    with writing(f"the replay file {path}"):
        write_whole(path, _to_text(tests).encode())


def _to_text(tests: Mapping[str, Sequence[ReplayRound]]) -> str:
    """The document with one round a line, so that two recordings can be compared by eye."""
    entries = []
    for test_id, rounds in sorted(tests.items()):
        lines = ",\n".join(
            "  " + json.dumps(round_to_json(one_round), allow_nan=False) for one_round in rounds
        )
        entries.append(f'{json.dumps(test_id)}: {{"rounds": [\n{lines}\n]}}')
    return f'{{"format": {FORMAT_VERSION}, "tests": {{\n' + ",\n".join(entries) + "\n}}\n"


class _Test(Document, frozen=True, kw_only=True):
    rounds: tuple[Any, ...]


class _Replay(Document, frozen=True, kw_only=True):
    tests: dict[Text, _Test]


class _Phase(Document, frozen=True, kw_only=True):
    name: Text
    energy_j: Number | None = NULLABLE
    uncertainty_j: Number | None = NULLABLE
    duration_s: Number
    samples: Whole | None = NULLABLE
    quality: tuple[Text, ...] | None = NULLABLE
    accuracy: Number | None = None


class _PlainRound(Document, frozen=True, kw_only=True):
    """What was measured."""

    energy_j: Number | None = NULLABLE
    duration_s: Number
    channels: ByName[Number]
    uncertainty_j: Number | None = None
    phases: tuple[_Phase, ...] | None = None


class _TickedRound(Document, frozen=True, kw_only=True):
    """The raw ticks that it was measured from."""

    ticks: ByName[tuple[tuple[Number, Number], ...]]
    start_s: Number
    stop_s: Number
    quiet_s: tuple[tuple[Number, Number], ...] | None = None
    worked_until_s: Number | None = None
    spreads_s: ByName[tuple[Number, ...]] | None = None
    edges_s: ByName[Number] | None = None
    may_be_off: tuple[str, ...] | None = None
    responses: ByName[ResponseDocument] | None = None
    clock_error_s: tuple[Number, Number] | None = None
    call_count: Whole = 1
    uncertainty_j: Number | None = None
    phases: tuple[_Phase, ...] | None = None


def _from_json(value: object, source: str) -> Replay:
    version = format_of(value, source)
    if version != FORMAT_VERSION:
        raise FormatError(f"{source}: format is {version}; this version reads {FORMAT_VERSION}")
    return {
        test_id: tuple(
            round_from_json(one_round, f"{source}: tests: {test_id}: rounds[{number}]")
            for number, one_round in enumerate(test.rounds)
        )
        for test_id, test in decode(value, _Replay, source).tests.items()
    }


def round_from_json(value: object, where: str) -> ReplayRound:
    """Round from one member of `rounds`.

    Raises:
        FormatError: It isn't one; says where, and what it holds.
    """
    try:
        if not isinstance(value, dict) or "ticks" not in value:
            return _of_joules(decode(value, _PlainRound, where))
        for name in ("energy_j", "channels"):
            if name in value:
                raise FormatError(f"{where} has both 'ticks' and {name!r}; give only one")
        return _of_ticks(decode(value, _TickedRound, where))
    except NotMeasurable as error:
        raise FormatError(f"{where}: {error}") from error


def _of_joules(written: _PlainRound) -> ReplayRound:
    energy_j = math.fsum(written.channels.values()) if written.energy_j is None else written.energy_j
    return ReplayRound(**asdict(written) | {"energy_j": energy_j, "phases": _phases(written.phases)})


def _of_ticks(written: _TickedRound) -> ReplayRound:
    spreads_s = written.spreads_s or {}
    trace = Trace(
        ticks={name: _ticks(name, pairs, spreads_s.get(name)) for name, pairs in written.ticks.items()},
        start_s=written.start_s,
        stop_s=written.stop_s,
        quiet_s=written.quiet_s or (),
        worked_until_s=written.worked_until_s,
        may_be_off=written.may_be_off or (),
        responses=_responses(written),
        clock_error=_clock_error(*(written.clock_error_s or (0.0, 0.0))),
    )
    return ReplayRound(
        duration_s=trace.stop_s - trace.start_s,
        uncertainty_j=written.uncertainty_j,
        trace=trace,
        phases=_phases(written.phases),
        call_count=written.call_count,
    )


def _responses(written: _TickedRound) -> dict[str, CounterResponse]:
    """How each counter responded; earlier recordings have only what it leaves open at an edge."""
    edges = {name: CounterResponse(edge_s=edge_s) for name, edge_s in (written.edges_s or {}).items()}
    return edges | {name: document.response() for name, document in (written.responses or {}).items()}


def _clock_error(alike_s: float, apart_s: float) -> ClockError:
    if alike_s < 0 or apart_s < 0:
        raise NotMeasurable(f"clock_error_s is {alike_s} and {apart_s}; uncertainties are at least 0")
    return ClockError(alike_s=alike_s, apart_s=apart_s)


def _phases(written: Sequence[_Phase] | None) -> tuple[Phase, ...]:
    return tuple(Phase(**{**asdict(phase), "quality": phase.quality or ()}) for phase in written or ())


def _ticks(
    name: str, pairs: Sequence[tuple[float, float]], spreads_s: Sequence[float] | None
) -> tuple[Tick, ...]:
    """Ticks of the channel *name*, with the uncertainty of their times where it is there."""
    if not spreads_s:
        return tuple(Tick(*pair) for pair in pairs)
    if len(spreads_s) != len(pairs):
        raise NotMeasurable(f"spreads_s: {name} has {len(spreads_s)} for {len(pairs)} ticks")
    return tuple(Tick(*pair, spread_s) for pair, spread_s in zip(pairs, spreads_s, strict=True))


def round_to_json(one_round: ReplayRound) -> JsonDict:
    """*one_round* as a member of `rounds`."""
    phases = plain(one_round.phases) or None
    trace = one_round.trace
    if trace is None:
        return encode(as_document(_PlainRound, one_round, phases=phases))
    spreads_s = {name: _spreads_s(ticks) for name, ticks in trace.ticks.items()}
    return encode(
        as_document(
            _TickedRound,
            trace,
            ticks={
                name: [[tick.time_s, tick.joules] for tick in ticks] for name, ticks in trace.ticks.items()
            },
            quiet_s=plain(trace.quiet_s) or None,
            spreads_s={name: spreads for name, spreads in spreads_s.items() if spreads} or None,
            may_be_off=trace.may_be_off or None,
            edges_s=None,
            responses={name: ResponseDocument.of(one) for name, one in trace.responses.items()} or None,
            clock_error_s=None if trace.clock_error == SAME_CLOCK else astuple(trace.clock_error),
            call_count=one_round.call_count,
            uncertainty_j=one_round.uncertainty_j,
            phases=phases,
        )
    )


def _spreads_s(ticks: Sequence[Tick]) -> list[float]:
    """Uncertainty of the ticks' times, as far as it is known."""
    return [tick.spread_s for tick in ticks if tick.spread_s is not None]


def _check_channels(channels: Mapping[str, float], energy_j: float | None) -> None:
    if not channels:
        raise NotMeasurable("channels is empty; joules belong to a channel, such as 'gpu:0'")
    for name, channel_j in channels.items():
        _check_name(name)
        if not (math.isfinite(channel_j) and channel_j >= 0):
            raise NotMeasurable(f"channels: {name} is {channel_j} J; joules are finite and not negative")
    total_j = math.fsum(channels.values())
    if energy_j is None or not math.isclose(
        energy_j, total_j, rel_tol=_SUM_TOLERANCE, abs_tol=_SUM_TOLERANCE
    ):
        raise NotMeasurable(f"energy_j is {energy_j}, but the channels add up to {total_j} J")


def _check_trace(trace: Trace) -> None:
    if not trace.ticks:
        raise NotMeasurable("ticks is empty; it needs at least one channel, such as 'gpu:0'")
    for name, ticks in trace.ticks.items():
        _check_name(name)
        _check_ticks(name, ticks)
        _check_spreads(name, ticks)
    if not (math.isfinite(trace.start_s) and math.isfinite(trace.stop_s) and trace.start_s < trace.stop_s):
        raise NotMeasurable(
            f"start_s is {trace.start_s} and stop_s {trace.stop_s}; a round takes more than 0 s"
        )


def _check_ticks(name: str, ticks: Sequence[Tick]) -> None:
    if len(ticks) < 2:
        raise NotMeasurable(f"ticks: {name} has {len(ticks)} tick(s); joules are the difference of two")
    if not all(math.isfinite(tick.time_s) and math.isfinite(tick.joules) for tick in ticks):
        raise NotMeasurable(f"ticks: {name} holds a number that is not finite")
    for before, after in pairwise(ticks):
        if after.time_s <= before.time_s:
            raise NotMeasurable(
                f"ticks: {name} runs from {before.time_s} s to {after.time_s} s; times must rise"
            )
        if after.joules < before.joules:
            raise NotMeasurable(
                f"ticks: {name} falls from {before.joules} J to {after.joules} J at {after.time_s} s"
            )


def _check_spreads(name: str, ticks: Sequence[Tick]) -> None:
    spreads_s = _spreads_s(ticks)
    if spreads_s and len(spreads_s) != len(ticks):
        raise NotMeasurable(f"spreads_s: {name} has {len(spreads_s)} for {len(ticks)} ticks")
    if not all(math.isfinite(spread_s) and spread_s >= 0 for spread_s in spreads_s):
        raise NotMeasurable(f"spreads_s: {name} holds a number that is negative or not finite")


def _check_name(channel: str) -> None:
    domain, colon, position = channel.partition(":")
    if domain not in list(Domain) or not colon or not position:
        raise NotMeasurable(
            f"{channel!r} is not a channel; it must be DOMAIN:POSITION with a domain of {', '.join(Domain)}"
        )


def _check_phase(phase: Phase) -> None:
    for name, value in (("energy_j", phase.energy_j), ("uncertainty_j", phase.uncertainty_j)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise NotMeasurable(f"phase {phase.name!r}: {name} is {value}; it is finite and not negative")
    if not (math.isfinite(phase.duration_s) and phase.duration_s >= 0):
        raise NotMeasurable(f"phase {phase.name!r}: duration_s is {phase.duration_s}")
    if phase.samples is not None and phase.samples < 1:
        raise NotMeasurable(f"phase {phase.name!r}: samples is {phase.samples}; it is at least 1")
