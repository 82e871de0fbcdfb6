"""A fixed load as a value: what it does, on what, and how much of it makes a round.

Rule 1: the amount is one of a ladder, so that a slow device takes a part of it rather than minutes. An amount
that the stored records have is kept, and only without one is the device asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from pytest_energy.errors import Absent
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.model import Domain, Reading
from pytest_energy.work import Trace, WorkDescription
from pytest_energy.yardstick import load_id

Repeat = Callable[[int], None]
"""Does so many units of a load, one after the other, and returns when the device has done them."""

LADDER_FACTOR = 4
"""From one amount to the next. Devices of one kind differ by far less, so that they take the same."""

LADDER_LENGTH = 4
"""The least amount is a 64th of the most: an embedded GPU against a card of a server."""

REST_S = 1.0
"""Ten ticks of NVML's 100 ms: ready power within about 1 %."""

ROUND_COUNT = 3
"""The fewest of which one that is off is outvoted."""


def ladder(most_count: int) -> tuple[int, ...]:
    """The amounts from *most_count* down, as far as they are whole.

    >>> ladder(320)
    (320, 80, 20, 5)
    >>> ladder(16)
    (16, 4, 1)
    """
    divisors = (LADDER_FACTOR**step for step in range(LADDER_LENGTH))
    return tuple(most_count // divisor for divisor in divisors if most_count % divisor == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLoad:
    """A load of which nothing is made yet.

    Attributes:
        device: What it runs on: `gpu` or `cpu`.
        name: `compute`, `memory`, `launches` or `rest`.
        unit: What is done again and again, with all that its joules depend on.
        unit_counts: Units of a round to choose from, the most first.
        longest_s: A round of more units than the fewest is expected to take no longer.
        round_count: How many rounds are measured.
        make: Makes what the load needs.
    """

    device: str
    name: str
    unit: str
    unit_counts: tuple[int, ...]
    longest_s: float
    make: Callable[[], Repeat]
    round_count: int = ROUND_COUNT

    @property
    def test_id(self) -> str:
        return load_id(self.device, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSet:
    """The loads of one kind of device.

    Attributes:
        domains: Those whose joules the loads move.
        loads: In the order in which they are measured: rest comes before the others have heated the device.
        expected_s: Seconds that all of them take, waits for ticks included.
        why_not_ready: Why they can't run yet, or `None`. Given whether they may open a device themselves.
        release: Gives back what the loads have held.
    """

    domains: frozenset[Domain]
    loads: tuple[FixedLoad, ...]
    expected_s: float
    why_not_ready: Callable[[bool], str | None]
    release: Callable[[], None]


class LoadWork:
    """A load as the work of one record. It is made before the first round, while the device is held.

    Args:
        load: Of which nothing is made yet.
        clock: To ask the device by.
        known_count: Units of the stored records' rounds, or `None` if there are none.
    """

    call_count = 1
    may_repeat = False

    def __init__(self, load: FixedLoad, clock: Clock, known_count: int | None = None) -> None:
        self._load, self._clock, self._known_count = load, clock, known_count

    @cached_property
    def _ready(self) -> tuple[Repeat, int]:
        """What does the work, and how much of it is a round."""
        repeat = self._load.make()
        return repeat, self._unit_count(repeat)

    def _unit_count(self, repeat: Repeat) -> int:
        """Rule 1. *repeat* runs for a moment in any case, so that what is loaded once is loaded."""
        counts = self._load.unit_counts
        if len(counts) == 1:
            return counts[0]
        repeat(counts[-1])
        if self._known_count in counts:
            return self._known_count or counts[-1]
        began_s = self._clock.now_s()
        repeat(counts[-1])
        unit_s = (self._clock.now_s() - began_s) / counts[-1]
        return next((count for count in counts if count * unit_s <= self._load.longest_s), counts[-1])

    def prepare(self) -> None:
        _ = self._ready

    def run(self, _index: int, _window: OpenWindow | None, /) -> None:
        repeat, unit_count = self._ready
        repeat(unit_count)

    def conclude(self, reading: Reading) -> Reading:
        return reading

    def description(self, round_count: int, /) -> WorkDescription:
        """Without a round there is no amount: it may have failed before one was chosen."""
        if not round_count:
            return WorkDescription(workload={"yardstick": self._load.unit})
        _, unit_count = self._ready
        workload = {"yardstick": self._load.unit, "yardstick_amount": str(unit_count)}
        return WorkDescription(samples=unit_count, workload=workload)

    def counts(self, _trace: Trace, /) -> Absent:
        return Absent("a load of the yardstick is the same in every run")


def rest(device: str, clock: Clock, open_device: Callable[[], None] = lambda: None) -> FixedLoad:
    """No work at all on the *device*, which is open."""

    def make() -> Repeat:
        open_device()
        return lambda count: clock.sleep_s(count * REST_S)

    return FixedLoad(
        device=device,
        name="rest",
        unit=f"rest of {REST_S:g} s",
        unit_counts=(1,),
        longest_s=REST_S,
        round_count=1,
        make=make,
    )
