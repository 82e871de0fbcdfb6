"""Bursts of work in a row, measured by the meter under test and by others, and what is kept of them.

One series holds bursts of one length. Its gaps are random, and some are long enough to hold whole quiet
ticks, from which the truth takes quiet power. Everything waits on the rig's clock only.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.meter.truth import Read, Stretch
from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import Reading
from pytest_energy.sensors.protocol import Sensor

# The channel that is loaded.
LOADED = "gpu:0"

# One gap in three is long, or more of them in a short series: enough of them for quiet power, few enough for
# the time a run may take. It is longer by a whole tick: the meter spreads the phases of the tick at which
# windows begin evenly, and a counter that samples counts a short burst as half of it at some of them.
_LONG_GAP_EVERY, _LEAST_LONG_GAPS = 3, 4
_LONG_GAP_TICKS = 1

# Ticks of rest at both ends of a series. The counters are read all the time there, so that the truth knows
# their beat, however rarely the meter under test reads them.
_REST_TICKS = 6.5
_REST_READ_GAP_S = 1e-3

# Ticks between two bursts that the others measure: random, so that no burst is locked to the counter; and
# more in a long gap, which then holds some quiet ticks, of which each third is read.
_OTHERS_GAP_TICKS = (1.0, 2.0)
_OTHERS_LONG_GAP_TICKS = 8.0

# A length is calibrated from bursts that are run anew: the device is faster in short ones.
_CALIBRATION_TURNS = 2


class Load(Protocol):
    """Work of a size that can be chosen."""

    def start(self, count: int) -> None:
        """Hand *count* pieces to the device; they may still be at work when this returns."""
        ...

    def synchronize(self) -> None:
        """Wait until the device has done all of them."""
        ...


class Recorder:
    """Keeps each read of a sensor's counters, whoever asks for it.

    The sensor stays what it is, because the meter asks what else it can do; only its `read_j` is replaced.
    """

    def __init__(self, sensor: Sensor, clock: Clock) -> None:
        self._clock, self._read_j = clock, sensor.read_j
        self._reads: dict[str, list[Read]] = {channel.name: [] for channel in sensor.channels}
        sensor.read_j = self._recorded  # type: ignore[method-assign]

    def _recorded(self, channel: str) -> float:
        started_s = self._clock.now_s()
        joules = self._read_j(channel)
        read = Read(started_s=started_s, ended_s=self._clock.now_s(), joules=joules)
        self._reads[channel].append(read)
        return joules

    def look(self) -> None:
        """Read each counter once more than the meter does."""
        for channel in self._reads:
            self._recorded(channel)

    def between(self, channel: str, from_s: float, until_s: float) -> tuple[Read, ...]:
        """Reads of *channel* that lie within the stretch."""
        reads = tuple(self._reads[channel])
        return tuple(read for read in reads if from_s <= read.started_s and read.ended_s <= until_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """What bursts are made and measured with."""

    clock: Clock
    load: Load
    meter: LiveMeter
    recorder: Recorder
    rng: random.Random

    def tick_s(self) -> float:
        """Period of the slowest counter.

        Raises:
            SensorError: No counter ticks.
        """
        ticks_s = [status.tick_s for status in self.meter.statuses() if status.tick_s is not None]
        if not ticks_s:
            raise SensorError(f"{LOADED}: its counter doesn't tick; there is nothing to align to")
        return max(ticks_s)

    def rest(self) -> float:
        """Do nothing for some ticks; returns since when nothing was at work."""
        self.load.synchronize()
        since_s = self.clock.now_s()
        until_s = since_s + _REST_TICKS * self.tick_s()
        while self.clock.now_s() < until_s:
            self.recorder.look()
            self.clock.sleep_s(_REST_READ_GAP_S)
        return since_s

    def burst(self, count: int) -> Stretch:
        start_s = self.clock.now_s()
        self.load.start(count)
        self.load.synchronize()
        return start_s, self.clock.now_s()


def calibrate(rig: Rig, nominal_s: float, pieces_in_one_s: float) -> int:
    """Pieces of work in a burst of about *nominal_s*, at least one.

    Args:
        rig: Whose load it is.
        nominal_s: The wanted length.
        pieces_in_one_s: A first guess.
    """
    count = max(1, round(nominal_s * pieces_in_one_s))
    for _ in range(_CALIBRATION_TURNS):
        start_s, stop_s = rig.burst(count)
        count = max(1, round(count * nominal_s / (stop_s - start_s)))
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One burst through a window of the meter.

    Attributes:
        stretch: The window's own edges; where it is void, those of the burst in it.
        reading: What it measured.
        open_s: Seconds that opening took: the random delay, and a wait for quiet unless `is_back_to_back`.
        close_s: Seconds that closing took after the burst was over.
        is_back_to_back: Opened right after the window before was closed, as the rounds of a test are.
    """

    stretch: Stretch
    reading: Reading
    open_s: float
    close_s: float
    is_back_to_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Windows over bursts of one length, and the reads of the counters meanwhile.

    Attributes:
        nominal_s: The length that was asked for.
        piece_count: Pieces of work in one burst.
        windows: In the order of time.
        rest_s: The rests before the first burst and after the last.
        reads: Channel name to every read from the first rest to the end of the last.
        tick_s: Period of the slowest counter.
    """

    nominal_s: float
    piece_count: int
    windows: tuple[Window, ...]
    rest_s: tuple[Stretch, Stretch]
    reads: dict[str, tuple[Read, ...]]
    tick_s: float

    def stretches(self) -> tuple[Stretch, ...]:
        return tuple(window.stretch for window in self.windows)


def _is_gap_long(number: int, count: int) -> bool:
    """Whether the gap before burst *number* of *count* is."""
    return number % min(_LONG_GAP_EVERY, max(1, count // _LEAST_LONG_GAPS)) == 0


def measure(rig: Rig, nominal_s: float, piece_count: int, count: int) -> Series:
    """One series through the meter's windows."""
    tick_s, since_s = rig.tick_s(), rig.rest()
    start_s, windows = rig.clock.now_s(), []
    for number in range(count):
        is_long = _is_gap_long(number, count)
        if is_long:
            rig.clock.sleep_s(_LONG_GAP_TICKS * tick_s)
        windows.append(_window(rig, nominal_s, piece_count, is_back_to_back=not is_long))
    stop_s = rig.clock.now_s()
    rig.rest()
    until_s = rig.clock.now_s()
    return Series(
        nominal_s=nominal_s,
        piece_count=piece_count,
        windows=tuple(windows),
        rest_s=((since_s, start_s), (stop_s, until_s)),
        reads=_reads(rig, since_s, until_s),
        tick_s=tick_s,
    )


def _window(rig: Rig, nominal_s: float, piece_count: int, *, is_back_to_back: bool) -> Window:
    clock = rig.clock
    asked_s = clock.now_s()
    window = rig.meter.open(f"burst of {nominal_s:g} s")
    opened_s = clock.now_s()
    stretch = rig.burst(piece_count)
    reading = window.close()
    closed_s = clock.now_s()
    trace = reading.trace
    return Window(
        stretch=stretch if trace is None else (trace.start_s, trace.stop_s),
        reading=reading,
        open_s=opened_s - asked_s,
        close_s=closed_s - stretch[1],
        is_back_to_back=is_back_to_back,
    )


def _reads(rig: Rig, since_s: float, until_s: float) -> dict[str, tuple[Read, ...]]:
    names = [name for status in rig.meter.statuses() for name in status.channels]
    return {name: rig.recorder.between(name, since_s, until_s) for name in names}


class Peer(Protocol):
    """Another tool that measures a stretch of time.

    Attributes:
        name: As its users call it.
        version: Of the distribution.
    """

    name: str
    version: str

    def begin(self, window: str) -> None: ...

    def end(self, window: str) -> float:
        """Joules of the loaded GPU since `begin`."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerWindow:
    """One burst as one other tool saw it.

    Attributes:
        stretch: From the moment that its `begin` returned to the one before its `end` was called.
        energy_j: What it said.
    """

    stretch: Stretch
    energy_j: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSeries:
    """Bursts of one length, each wrapped by all other tools at once.

    Attributes:
        nominal_s: The length that was asked for.
        windows: Name of the tool to its windows.
        busy_s: For each burst, from the first tool's `begin` to its `end`'s return.
        rest_s: The rests before the first burst and after the last.
        reads: Every read of the loaded channel from the first rest to the end of the last.
        tick_s: Period of the slowest counter.
    """

    nominal_s: float
    windows: dict[str, tuple[PeerWindow, ...]]
    busy_s: tuple[Stretch, ...]
    rest_s: tuple[Stretch, Stretch]
    reads: tuple[Read, ...]
    tick_s: float


def measure_with(
    rig: Rig, peers: Sequence[Peer], nominal_s: float, piece_count: int, count: int
) -> PeerSeries:
    """One series of the same bursts through other tools, one inside the other.

    The outer tool's stretch also holds the inner one's calls, so each is held against the truth of its own
    stretch.
    """
    clock, tick_s, since_s = rig.clock, rig.tick_s(), rig.rest()
    start_s, busy_s = clock.now_s(), []
    found: dict[str, list[PeerWindow]] = {peer.name: [] for peer in peers}
    for number in range(count):
        ticks = rig.rng.uniform(*_OTHERS_GAP_TICKS)
        ticks += _OTHERS_LONG_GAP_TICKS if _is_gap_long(number, count) else 0.0
        clock.sleep_s(ticks * tick_s)
        from_s = clock.now_s()
        for name, window in _wrapped(
            peers, f"{nominal_s:g} s, {number}", lambda: rig.burst(piece_count), clock
        ):
            found[name].append(window)
        busy_s.append((from_s, clock.now_s()))
    stop_s = clock.now_s()
    rig.rest()
    until_s = clock.now_s()
    return PeerSeries(
        nominal_s=nominal_s,
        windows={name: tuple(windows) for name, windows in found.items()},
        busy_s=tuple(busy_s),
        rest_s=((since_s, start_s), (stop_s, until_s)),
        reads=rig.recorder.between(LOADED, since_s, until_s),
        tick_s=tick_s,
    )


def _wrapped(
    peers: Sequence[Peer], window: str, work: Callable[[], object], clock: Clock
) -> list[tuple[str, PeerWindow]]:
    """Run *work* inside all of *peers*, the first of them outermost."""
    if not peers:
        work()
        return []
    outer, inner = peers[0], peers[1:]
    outer.begin(window)
    start_s = clock.now_s()
    found = _wrapped(inner, window, work, clock)
    stop_s = clock.now_s()
    energy_j = outer.end(window)
    return [*found, (outer.name, PeerWindow(stretch=(start_s, stop_s), energy_j=energy_j))]


def gaps_of(stretches: Sequence[Stretch], rests_s: tuple[Stretch, Stretch]) -> tuple[Stretch, ...]:
    """From the end of each to the start of the next, and the rests at both ends."""
    first, last = rests_s
    edges = [first[0], *(edge_s for stretch in stretches for edge_s in stretch), last[1]]
    return tuple(zip(edges[::2], edges[1::2], strict=True))
