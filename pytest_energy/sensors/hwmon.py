"""Boards and cards whose energy or power the kernel shows under `/sys/class/hwmon`.

Rule 1: only known rails count, each joule once (`hwmon_rails.py`); each of the others has a reason
        (`hwmon_tree.py`).
Rule 2: a counter of joules is read as one. Power is integrated, and its channel says so.
Rule 3: power that is a mean over a long time puts the joules of a burst into the next: it doesn't count.
Rule 4: of two rails with one name none counts: which of them it is isn't known.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pytest_energy.errors import Reason, SensorError, SensorUnavailable
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import Channel, Provenance
from pytest_energy.sensors.hwmon_tree import ReadText, Source, Tree
from pytest_energy.sensors.integrated_power import IntegratedPower
from pytest_energy.sensors.prompt_read import read_small
from pytest_energy.sensors.protocol import Facts
from pytest_energy.sensors.rapl import STILL_S, find_still, shows_the_same
from pytest_energy.units import JOULES_PER_MICROJOULE
from pytest_energy.usage import Usage

NAME = "hwmon"
HWMON = Path("/sys/class/hwmon")

# A counter that is read between two updates, and then after a call that took long, rose by so much at once.
_SLACK_S = 1.0
_MOST_ALIKE = 4  # rails of one chip with one reason that are named one by one


class _Counter:
    """A counter of joules: what it gains, without what it loses or gains when it is set.

    The kernel's drivers count in 64 bits, so none of these counters wraps in a lifetime.
    """

    def __init__(self, channel: str, source: Source, now_s: Callable[[], float]) -> None:
        self._channel, self._source, self._now_s = channel, source, now_s
        self._last_j: float | None = None
        self._at_s = self._sum_j = 0.0

    def read_j(self) -> float:
        """Joules, never falling.

        Raises:
            SensorError: It can't be read, or was set; from now on it counts again.
        """
        joules, now_s = self._source.read(), self._now_s()
        last_j, elapsed_s = self._last_j, now_s - self._at_s
        self._last_j, self._at_s = joules, now_s
        if last_j is None:
            self._sum_j = joules
            return joules
        name = f"{self._channel}: {self._source.files[0]}"
        if joules < last_j:
            raise SensorError(
                f"{name} fell from {last_j:g} to {joules:g} J: it wrapped, or its driver was reloaded"
            )
        if joules - last_j > self._source.rail.most_w * (elapsed_s + _SLACK_S):
            raise SensorError(
                f"{name} rose from {last_j:g} to {joules:g} J in {elapsed_s:.3g} s, which is more than it "
                "can have used: its driver was reloaded"
            )
        self._sum_j += joules - last_j
        return self._sum_j


class HwmonSensor:
    """Known rails and counters of the kernel's hwmon tree.

    Attributes:
        read_by: Channel name to the sensor that reads the same hardware, where there is one of that name.
        left_out: Why a rail doesn't count, by its place in the tree.
    """

    name = NAME
    provenance = Provenance.MEASURED

    def __init__(
        self,
        *,
        root: Path = HWMON,
        read_text: ReadText = read_small,
        now_s: Callable[[], float] = MACHINE_TIME.now_s,
        sleep_s: Callable[[float], None] = MACHINE_TIME.sleep_s,
    ) -> None:
        """Find the rails that count.

        Raises:
            SensorUnavailable: There is none, with the reason of each that was found.
        """
        found = list(Tree(root, read_text).found())
        left_out = {place: why for place, why in found if isinstance(why, str)}
        sources = {place: one for place, one in found if isinstance(one, Source)}
        for sieve in (_namesakes, _unreadable, partial(_still, now_s=now_s, sleep_s=sleep_s), _repeated):
            refused = dict(sieve(sources))
            left_out |= refused
            sources = {place: one for place, one in sources.items() if place not in refused}
        self.left_out = _summed_up(left_out)
        if not sources:
            reasons = [Reason(f"{place}: {why}") for place, why in self.left_out.items()]
            nothing = Reason(f"{root} has no chip whose energy or power is known to this package")
            raise SensorUnavailable(NAME, *(reasons or [nothing]))
        opened = [_opened(source, now_s) for source in sources.values()]
        self.channels = tuple(channel for channel, _ in opened)
        self._readers = {channel.name: reader for channel, reader in opened}
        self.read_by = {
            channel.name: source.rail.read_by
            for channel, source in zip(self.channels, sources.values(), strict=True)
            if source.rail.read_by
        }

    def leave_out(self, channel: str, because: str) -> None:
        """Read *channel* no longer, as another sensor reads it."""
        del self._readers[channel]
        self.channels = tuple(one for one in self.channels if one.name != channel)
        self.left_out[channel] = because

    def read_j(self, channel: str) -> float:
        """Joules of *channel*, from an arbitrary zero."""
        reader = self._readers.get(channel)
        if reader is None:
            raise SensorError(f"{channel}: hwmon reads {', '.join(self._readers)}, not this channel")
        try:
            return reader.read_j()
        except SensorError as error:
            if channel in str(error):
                raise
            raise SensorError(f"{channel}: {error}") from error

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        shown: Mapping[str, str] = {
            "hwmon_left_out": "; ".join(f"{place}: {why}" for place, why in self.left_out.items())
        }
        return Facts(
            fixed={"hwmon_channels": ", ".join(self._readers)},
            shown={name: text for name, text in shown.items() if text},
        )

    def close(self) -> None:
        """Nothing is held open."""


# ---- sieves: sources that are of no use, and why ----

_Refused = Iterator[tuple[str, str]]


def _namesakes(sources: Mapping[str, Source]) -> _Refused:
    counts = Counter(_name(source) for source in sources.values())
    for place, source in sources.items():
        if counts[_name(source)] > 1:
            yield (
                place,
                f"{counts[_name(source)]} rails are {_name(source)}, and which of them it is isn't known",
            )


def _unreadable(sources: Mapping[str, Source]) -> _Refused:
    for place, source in sources.items():
        try:
            source.read()
        except SensorError as error:
            yield place, str(error)


def _still(
    sources: Mapping[str, Source], *, now_s: Callable[[], float], sleep_s: Callable[[float], None]
) -> _Refused:
    counts = {place: partial(_microjoules, one) for place, one in sources.items() if one.update_s is None}
    try:
        still = find_still(counts, now_s=now_s, sleep_s=sleep_s) if counts else frozenset[str]()
    except SensorError as error:  # it was readable just before
        yield from ((place, f"a counter went away while it was looked at: {error}") for place in counts)
        return
    for place in counts:
        if place in still:
            yield place, f"it did not move for {STILL_S:g} s: it measures nothing"


def _repeated(sources: Mapping[str, Source]) -> _Refused:
    """Counters that show what another one of their kind shows.

    Linux's amd_energy has a counter for each node of memory, and in some settings of the firmware a socket
    has several nodes, each with the socket's counter.
    """
    counted: list[Source] = []
    for place, source in sources.items():
        if source.update_s is not None:
            continue
        read = partial(_microjoules, source)
        alike = (other for other in counted if other.chip == source.chip)
        try:
            original = next((o for o in alike if shows_the_same(partial(_microjoules, o), read)), None)
        except SensorError as error:
            yield place, str(error)
            continue
        if original is None:
            counted.append(source)
        else:
            yield place, f"it repeats {_name(original)}"


def _microjoules(source: Source) -> int:
    return round(source.read() / JOULES_PER_MICROJOULE)


def _summed_up(left_out: Mapping[str, str]) -> dict[str, str]:
    """*left_out* with one line for rails of a chip that have one reason, where these are many."""
    groups: dict[tuple[str, str], list[str]] = {}
    for place, why in left_out.items():
        groups.setdefault((place.partition(" ")[0], why), []).append(place)
    return dict(_lines(groups.items()))


def _lines(groups: Iterable[tuple[tuple[str, str], list[str]]]) -> Iterator[tuple[str, str]]:
    for (_, why), places in groups:
        if len(places) > _MOST_ALIKE:
            yield f"{places[0]} and {len(places) - 1} more", why
        else:
            yield from ((place, why) for place in places)


# ---- what is opened ----


def _name(source: Source) -> str:
    return f"{source.rail.domain}:{source.rail.name}"


def _opened(source: Source, now_s: Callable[[], float]) -> tuple[Channel, IntegratedPower | _Counter]:
    rail, name = source.rail, _name(source)
    channel = Channel(
        name=name,
        domain=rail.domain,
        device=rail.device or rail.name,
        is_ticked=source.update_s is not None,
        resolution_j=JOULES_PER_MICROJOULE,
    )
    if source.update_s is None:
        return channel, _Counter(name, source, now_s)
    power = IntegratedPower(
        name,
        source.read,
        limit_w=rail.most_w,
        now_s=now_s,
        update_s=source.update_s,
        may_be_off=rail.may_be_off,
    )
    return power.of(channel), power
