"""When nothing was at work, known because windows waited through it."""

import math
from collections import deque
from collections.abc import Iterable, Mapping

from pytest_energy.meter.quiet_power import Span
from pytest_energy.meter.tick_times import HEAD_TICKS


class QuietSpans:
    """Stretches of time in which nothing was at work, shared by the windows of one meter."""

    def __init__(self) -> None:
        self._spans: deque[Span] = deque(maxlen=HEAD_TICKS)
        self.names: frozenset[str] = frozenset()
        """The channels whose ticks were waited for in the last stretch."""
        self.first_power_w: dict[str, float] = {}
        """Quiet power before the first window over each channel."""

    def add(self, from_s: float, until_s: float, names: Iterable[str] | None = None) -> None:
        """Know of a stretch; one that continues the last makes it longer.

        Args:
            from_s: When it began.
            until_s: When it ended.
            names: The channels whose ticks were waited for in it; those of the last by default.
        """
        if self._spans and self._spans[-1][1] == from_s:
            from_s = self._spans.pop()[0]
        self._spans.append((from_s, until_s))
        if names is not None:
            self.names = frozenset(names)

    def add_power(self, power_w: Mapping[str, float]) -> None:
        """Know of quiet power before a window, by channel."""
        for name, channel_power_w in power_w.items():
            self.first_power_w.setdefault(name, channel_power_w)

    @property
    def until_s(self) -> float:
        """Until when it is known to have been quiet."""
        return self._spans[-1][1] if self._spans else -math.inf

    def until(self, stop_s: float) -> tuple[Span, ...]:
        """The stretches that ended by *stop_s*, oldest first."""
        return tuple(span_s for span_s in self._spans if span_s[1] <= stop_s)
