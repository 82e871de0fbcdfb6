"""The outermost windows of a test that opens them itself, as the rounds of one work.

Rule 1: the i-th window of each name belongs to round i, and a round's joules are the sum over the names.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from pytest_energy.model import Phase, Reading
from pytest_energy.plugin.mistakes import UNUSED
from pytest_energy.usage import DeviceUse
from pytest_energy.work import WorkDescription


class Window:
    """A named stretch of a test.

    Attributes:
        name: Name of the window.
        samples: Samples that it works on, or `None`.
        reading: Its measurements, once the block has ended. `None` if nothing measures, and for a phase,
            whose joules are known only when its round ends: they are in the round's reading.
    """

    def __init__(self, name: str, samples: int | None) -> None:
        self.name = name
        self.samples = samples
        self.reading: Reading | None = None


class WindowWork:
    """Work that a test marks by windows.

    Attributes:
        windows: Those that were measured, in the order in which they were opened.
    """

    def __init__(self) -> None:
        self.windows: list[Window] = []

    @property
    def rounds(self) -> tuple[Reading, ...]:
        """Rule 1; names that were opened unequally often don't pair up, and all together are one round."""
        by_name: dict[str, list[Window]] = {}
        for window in self.windows:
            by_name.setdefault(window.name, []).append(window)
        if len({len(windows) for windows in by_name.values()}) > 1:
            return (_joined(self.windows),)
        return tuple(_joined(parts) for parts in zip(*by_name.values(), strict=True))

    def description(self, _round_count: int, /) -> WorkDescription:
        """The samples are those of the windows that were opened before one of another name came."""
        first = takewhile(lambda window: window.name == self.windows[0].name, self.windows)
        return WorkDescription(
            samples=next((w.samples for w in reversed([*first]) if w.samples is not None), None)
        )


def _joined(parts: Sequence[Window]) -> Reading:
    """One reading for *parts*, measured one after the other, each of them a phase of it."""
    readings = [part.reading for part in parts if part.reading is not None]
    if len(readings) == 1:
        return readings[0]
    duration_s = math.fsum(reading.duration_s for reading in readings)
    quiet_j = ({n: w * r.duration_s for n, w in r.quiet_power_w.items()} for r in readings)
    uses = [pair for reading in readings for pair in reading.device_use.items()]
    return Reading(
        channels=_sums(reading.channels for reading in readings),
        duration_s=duration_s,
        quiet_power_w={name: joules / duration_s for name, joules in _shared_sums(quiet_j).items()},
        estimated_channels=_shared_sums(reading.estimated_channels for reading in readings),
        device_use=dict(sorted(uses, key=lambda pair: [*DeviceUse].index(pair[1]))),  # the last one counts
        uncertainty_j=math.hypot(*(reading.uncertainty_j for reading in readings)),
        provenance=readings[0].provenance,
        quality=tuple(dict.fromkeys(sentence for reading in readings for sentence in reading.quality)),
        void_because=next((r.void_because for r in readings if r.void_because is not None), None),
        phases=tuple(
            Phase(
                name=part.name,
                energy_j=reading.energy_j,
                uncertainty_j=reading.uncertainty_j,
                duration_s=reading.duration_s,
                samples=part.samples,
                quality=reading.quality,
                channels=reading.channels,
            )
            for part, reading in zip(parts, readings, strict=True)
        ),
    )


def _sums(values: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The sum of each name's values."""
    by_name: dict[str, list[float]] = {}
    for name, value in (pair for one in values for pair in one.items()):
        by_name.setdefault(name, []).append(value)
    return {name: math.fsum(ones) for name, ones in by_name.items()}


def _shared_sums(values: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """`_sums` of the names that all have."""
    parts = tuple(values)
    return {name: total for name, total in _sums(parts).items() if all(name in one for one in parts)}


def why_nothing(unended: Iterable[str], *, has_begun: bool) -> str:
    """Why a test that could be measured has no rounds.

    Args:
        unended: Names of its windows that did not come to their end.
        has_begun: Rounds of it were begun.
    """
    if names := ", ".join(map(repr, unended)):
        return f"the window {names} was not completed: it was never closed, or an error ended it"
    if has_begun:
        return "its rounds ended with an error, and the test continued"
    return UNUSED
