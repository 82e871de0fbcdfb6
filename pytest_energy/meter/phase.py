"""Named stretches inside a window of a live meter."""

import math
from collections.abc import Callable, Mapping

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter import quality
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.integrate import Integral, integrate
from pytest_energy.meter.interpolate import Cumulative
from pytest_energy.model import Phase, Tick


class LivePhase:
    """A stretch of a live window, begun when it is made.

    Args:
        name: What it is called.
        samples: Samples that it works on.
        clock: For its edges.
        synchronize: Waits until the work that was started has ended.
        read_edge_channels: Joules now of the channels that don't tick.
    """

    def __init__(
        self,
        name: str,
        samples: int | None,
        *,
        clock: Clock,
        synchronize: Callable[[], None],
        read_edge_channels: Callable[[], Mapping[str, float]],
    ) -> None:
        self._name, self._samples = name, samples
        self._clock, self._synchronize, self._read = clock, synchronize, read_edge_channels
        self._stop: tuple[float, Mapping[str, float]] | None = None
        synchronize()
        self._start_reads = read_edge_channels()
        self._start_s = clock.now_s()

    def close(self) -> None:
        if self._stop is None:
            self._synchronize()
            stop_s = self._clock.now_s()
            self._stop = stop_s, self._read()

    def to_phase(self, cumulative: Mapping[str, Cumulative]) -> Phase:
        """What it used.

        Args:
            cumulative: The window's joules by ticked channel.
        """
        if self._stop is None:
            return self.without_joules("it was never closed")
        stop_s, stop_reads = self._stop
        try:
            integrals = self._between_reads(stop_s, stop_reads)
            integrals |= {name: c.between(self._start_s, stop_s) for name, c in cumulative.items()}
        except NotMeasurable as error:
            return self.without_joules(str(error))
        channels = {name: max(0.0, integral.energy_j) for name, integral in integrals.items()}
        return Phase(
            name=self._name,
            energy_j=math.fsum(channels.values()),
            uncertainty_j=quality.total_uncertainty_j(integrals),
            duration_s=stop_s - self._start_s,
            samples=self._samples,
            quality=quality.phase_notes(integrals),
            channels=channels,
        )

    def _between_reads(self, stop_s: float, stop_reads: Mapping[str, float]) -> dict[str, Integral]:
        """Joules of the channels that don't tick."""
        edges = {
            name: (Tick(self._start_s, self._start_reads[name]), Tick(stop_s, joules))
            for name, joules in stop_reads.items()
        }
        return {name: integrate(reads, self._start_s, stop_s) for name, reads in edges.items()}

    def without_joules(self, because: str) -> Phase:
        stop_s = self._start_s if self._stop is None else self._stop[0]
        return Phase(
            name=self._name,
            energy_j=None,
            uncertainty_j=None,
            duration_s=max(0.0, stop_s - self._start_s),
            samples=self._samples,
            quality=(because,),
        )
