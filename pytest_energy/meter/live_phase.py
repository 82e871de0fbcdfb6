"""A named stretch of a live window: its edges are those of a window, its ticks the window's."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter import quality
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.edges import Edge, EdgeTicks, ReadAll, start_now, stop_now
from pytest_energy.meter.interpolate import Cumulative
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.model import Phase


class LivePhase:
    """A stretch of a live window, begun when it is made; its edges are those of a window."""

    def __init__(
        self,
        name: str,
        samples: int | None,
        *,
        clock: Clock,
        synchronize: Callable[[], None],
        read_all: ReadAll,
        rest_w: Mapping[str, float],
        exact: Collection[str],
    ) -> None:
        self._name, self._samples, self._rest_w, self._exact = name, samples, rest_w, exact
        self._clock, self._synchronize, self._read_all = clock, synchronize, read_all
        self._stop: Edge | None = None
        synchronize()
        self._start = start_now(read_all, clock)

    def close(self) -> None:
        if self._stop is None:
            self._synchronize()
            self._stop = stop_now(self._read_all, self._clock)

    def to_phase(self, cumulative: Mapping[str, Cumulative], sampler: TickSource) -> Phase:
        """What it used, from the window's joules by ticked channel."""
        if self._stop is None:
            return self.without_joules("it was never closed")
        start_s, stop_s = self._start.time_s, self._stop.time_s
        clock_error = sampler.clock_error(start_s, stop_s)
        try:
            integrals = EdgeTicks(self._start, self._stop, self._rest_w, self._exact).integrals({})
            integrals |= {
                name: joules.between(start_s, stop_s, reach_s=clock_error.reach_s)
                for name, joules in cumulative.items()
            }
        except NotMeasurable as error:
            return self.without_joules(str(error))
        channels = {name: max(0.0, integral.energy_j) for name, integral in integrals.items()}
        return replace(
            self.without_joules(*quality.phase_notes(integrals)),
            energy_j=math.fsum(channels.values()),
            uncertainty_j=quality.total_uncertainty_j(integrals, clock_error),
            channels=channels,
        )

    def without_joules(self, *notes: str) -> Phase:
        stop = self._stop or self._start
        return Phase(
            name=self._name,
            energy_j=None,
            uncertainty_j=None,
            duration_s=max(0.0, stop.time_s - self._start.time_s),
            samples=self._samples,
            quality=notes,
        )
