"""The outermost windows of a test that opens them itself, as the rounds of one work.

Rule 1: the i-th window of each name belongs to round i, and a round's joules are the sum over the names.
"""

import math
from collections.abc import Sequence
from itertools import takewhile

from pytest_energy.model import Phase, Reading
from pytest_energy.work import WorkDescription


class Window:
    """A named stretch of a test.

    Attributes:
        name: What the stretch is called.
        samples: Samples that it works on, or `None`.
        reading: What it measured, once the block has ended. `None` if nothing measures, and for a phase,
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
    names = dict.fromkeys(name for reading in readings for name in reading.channels)
    return Reading(
        channels={name: math.fsum(r.channels.get(name, 0.0) for r in readings) for name in names},
        duration_s=math.fsum(reading.duration_s for reading in readings),
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
            )
            for part, reading in zip(parts, readings, strict=True)
        ),
    )
