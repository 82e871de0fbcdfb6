"""Replay files: rounds that were measured elsewhere, so that a gate can run with no hardware.

Rule 1: a file that can't be understood as a whole is refused as a whole, with its path, place and value.
Rule 2: a file is written whole or not at all.
Rule 3: `load_replay` of what `save_replay` wrote gives the same values.

Format 1 (each round is either what was measured, or the raw ticks it was measured from)::

    {"format": 1, "tests": {"<nodeid>": {"rounds": [
        {"energy_j": 9.0, "duration_s": 1.0, "channels": {"gpu:0": 9.0}, "uncertainty_j": 0.1, "phases": []},
        {"ticks": {"gpu:0": [[t_s, joules], ...]}, "start_s": 0.5, "stop_s": 1.5}]}}}

`energy_j` (the sum of the channels), `uncertainty_j` and `phases` may be left out. Beside ticks there may be
`quiet_s` (`[[from_s, to_s], ...]`) and `spreads_s` (`{"gpu:0": [s, ...]}`): see `model.Tick`.
"""

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from pytest_energy.errors import FormatError, NotMeasurable, SettingsError
from pytest_energy.model import Domain, Phase, Reading, Tick, Trace
from pytest_energy.wire import Fields, JsonDict, parse, plain_numbers

FORMAT_VERSION = 1

# energy_j is the channels' sum written down; this much is lost when people or JSON round it.
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRound:
    """One round: its joules by channel, or the ticks to integrate them from.

    Attributes:
        duration_s: Seconds of the round; with a trace, those between its edges.
        energy_j: Sum of the channels, or `None` where the trace must be integrated first.
        channels: Joules by channel name; empty where there is a trace.
        uncertainty_j: Standard uncertainty of `energy_j`, or `None` where the file doesn't tell.
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

    def to_json(self) -> JsonDict:
        json_round: JsonDict
        if self.trace is not None:
            ticks = {n: [[t.time_s, t.joules] for t in ticks] for n, ticks in self.trace.ticks.items()}
            json_round = {"ticks": ticks, "start_s": self.trace.start_s, "stop_s": self.trace.stop_s}
            if self.trace.quiet_s:
                json_round["quiet_s"] = [list(span) for span in self.trace.quiet_s]
            spreads_s = {name: _spreads_s(ticks) for name, ticks in self.trace.ticks.items()}
            if any(spreads_s.values()):
                json_round["spreads_s"] = {name: spreads for name, spreads in spreads_s.items() if spreads}
            if self.trace.edges_s:
                json_round["edges_s"] = plain_numbers(self.trace.edges_s)
            if self.call_count != 1:
                json_round["call_count"] = self.call_count
        else:
            json_round = {
                "energy_j": self.energy_j,
                "duration_s": self.duration_s,
                "channels": plain_numbers(self.channels),
            }
        if self.uncertainty_j is not None:
            json_round["uncertainty_j"] = self.uncertainty_j
        if self.phases:
            json_round["phases"] = [phase.to_json() for phase in self.phases]
        return json_round

    @classmethod
    def from_json(cls, fields: Fields) -> "ReplayRound":
        """Round from one member of `rounds`.

        Raises:
            FormatError: It isn't one, with the place and the value.
        """
        try:
            return cls._from_json(fields)
        except NotMeasurable as error:
            raise FormatError(f"{fields.where}: {error}") from error

    @classmethod
    def _from_json(cls, fields: Fields) -> "ReplayRound":
        uncertainty_j = fields.number_or_none("uncertainty_j")
        phases = (
            tuple(_phase(child) for child in fields.children("phases")) if fields.has_value("phases") else ()
        )
        if "ticks" in fields:
            for name in ("energy_j", "channels"):
                if name in fields:
                    raise FormatError(
                        f"{fields.where} has both 'ticks' and {name!r}; one of them is the truth"
                    )
            ticks = fields.child("ticks")
            spreads_s = fields.child("spreads_s") if fields.has_value("spreads_s") else None
            trace = Trace(
                ticks={name: _ticks(name, ticks, spreads_s) for name in ticks.names()},
                start_s=fields.number("start_s"),
                stop_s=fields.number("stop_s"),
                quiet_s=fields.number_pairs("quiet_s") if fields.has_value("quiet_s") else (),
                edges_s=fields.numbers("edges_s") if fields.has_value("edges_s") else {},
            )
            duration_s = trace.stop_s - trace.start_s
            return cls(
                duration_s=duration_s,
                uncertainty_j=uncertainty_j,
                trace=trace,
                phases=phases,
                call_count=fields.integer("call_count") if "call_count" in fields else 1,
            )
        channels = fields.numbers("channels")
        energy_j = fields.number_or_none("energy_j")
        return cls(
            duration_s=fields.number("duration_s"),
            energy_j=math.fsum(channels.values()) if energy_j is None else energy_j,
            channels=channels,
            uncertainty_j=uncertainty_j,
            phases=phases,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a replay file holds: the rounds of each test, by node id."""

    tests: Mapping[str, tuple[ReplayRound, ...]]


def load_replay(path: Path) -> Replay:
    """Read a replay file.

    Raises:
        SettingsError: It can't be read or isn't a replay file; with file, place and value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the replay file {path} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"the replay file {path} is not UTF-8 text: {error}") from error
    try:
        return _from_json(parse(text, str(path)))
    except FormatError as error:
        raise SettingsError(f"not a replay file of format {FORMAT_VERSION}: {error}") from error


def save_replay(path: Path, tests: Mapping[str, Sequence[ReplayRound]]) -> None:
    """Write the rounds of *tests*, by node id, to *path*; its folder is made, an older file replaced.

    Raises:
        SettingsError: The file can't be written; an older one is then as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, _to_text(tests))
    except OSError as error:
        raise SettingsError(f"the replay file {path} can't be written: {error.strerror or error}") from error


def _to_text(tests: Mapping[str, Sequence[ReplayRound]]) -> str:
    """The document with one round a line, so that two recordings can be told apart by eye."""
    entries = []
    for test_id, rounds in sorted(tests.items()):
        lines = ",\n".join("  " + json.dumps(one_round.to_json(), allow_nan=False) for one_round in rounds)
        entries.append(f'{json.dumps(test_id)}: {{"rounds": [\n{lines}\n]}}')
    return f'{{"format": {FORMAT_VERSION}, "tests": {{\n' + ",\n".join(entries) + "\n}}\n"


def _write_whole(path: Path, text: str) -> None:
    """Write beside *path*, then rename: a reader sees the old file or the new one, never a part."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for their owner alone; a recording is for everyone who may read the folder.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _from_json(fields: Fields) -> Replay:
    version = fields.integer("format")
    if version != FORMAT_VERSION:
        raise FormatError(f"{fields.where}: format is {version}; this version reads {FORMAT_VERSION}")
    tests = fields.child("tests")
    return Replay(
        tests={
            test_id: tuple(ReplayRound.from_json(child) for child in tests.child(test_id).children("rounds"))
            for test_id in tests.names()
        }
    )


def _phase(fields: Fields) -> Phase:
    return Phase(
        name=fields.text("name"),
        energy_j=fields.number_or_none("energy_j"),
        uncertainty_j=fields.number_or_none("uncertainty_j"),
        duration_s=fields.number("duration_s"),
        samples=fields.integer_or_none("samples"),
        quality=fields.text_list("quality") if fields.has_value("quality") else (),
    )


def _ticks(name: str, ticks: Fields, spreads_s: Fields | None) -> tuple[Tick, ...]:
    """Ticks of the channel *name*, with the uncertainty of their times where it is there."""
    pairs = ticks.number_pairs(name)
    spreads = () if spreads_s is None or name not in spreads_s else spreads_s.number_list(name)
    if not spreads:
        return tuple(Tick(*pair) for pair in pairs)
    if len(spreads) != len(pairs):
        raise NotMeasurable(f"spreads_s: {name} has {len(spreads)} for {len(pairs)} ticks")
    return tuple(Tick(*pair, spread_s) for pair, spread_s in zip(pairs, spreads, strict=True))


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
                f"ticks: {name} goes from {before.time_s} s to {after.time_s} s; time goes on"
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
    if domain not in {known.value for known in Domain} or not colon or not position:
        domains = ", ".join(known.value for known in Domain)
        raise NotMeasurable(
            f"{channel!r} is no channel; one is named DOMAIN:POSITION with a domain of {domains}"
        )


def _check_phase(phase: Phase) -> None:
    for name, value in (("energy_j", phase.energy_j), ("uncertainty_j", phase.uncertainty_j)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise NotMeasurable(f"phase {phase.name!r}: {name} is {value}; it is finite and not negative")
    if not (math.isfinite(phase.duration_s) and phase.duration_s >= 0):
        raise NotMeasurable(f"phase {phase.name!r}: duration_s is {phase.duration_s}")
    if phase.samples is not None and phase.samples < 1:
        raise NotMeasurable(f"phase {phase.name!r}: samples is {phase.samples}; it is at least 1")
