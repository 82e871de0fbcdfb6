"""A rig of the accuracy benchmark on a virtual clock, with its truth at hand."""

import math
from collections.abc import Sequence
from typing import Any

from benchmarks.meter.bursts import LOADED, Recorder, Rig
from benchmarks.meter.truth import Stretch
from tests.fakes.meter import Bench

BURST_W = 720.0


class BenchLoad:
    """Work on a simulated device: pieces of 1.6 ms, whose power varies from burst to burst."""

    def __init__(self, bench: Bench, *, spread_share: float = 0.01) -> None:
        self._bench, self._spread_share = bench, spread_share
        self.start_count = 0

    def start(self, count: int) -> None:
        self.start_count += 1
        factor = self._bench.rng.gauss(1.0, self._spread_share)
        self._bench.device.work([(count * 0.0016, BURST_W * factor)])

    def synchronize(self) -> None:
        """The work above is over when it returns."""


class BenchRig:
    """A rig over a bench, with its truth at hand."""

    def __init__(self, *tick_s: float, **counter: Any) -> None:
        self.bench = Bench(*tick_s, **({"jitter_share": 0.01} | counter))
        self.bench.meter.start()
        recorders = [Recorder(sensor, self.bench.clock) for sensor in self.bench.counters]
        self.load = BenchLoad(self.bench)
        self.rig = Rig(
            clock=self.bench.clock,
            load=self.load,
            meter=self.bench.meter,
            recorder=RigRecorders(recorders),
            rng=self.bench.rng,
        )

    def mean_j(self, stretches: Sequence[Stretch]) -> float:
        return math.fsum(self.bench.device.joules_between(*s) for s in stretches) / len(stretches)


class RigRecorders(Recorder):
    """The recorders of several sensors as one."""

    def __init__(self, recorders: Sequence[Recorder]) -> None:
        self._reads = {name: reads for one in recorders for name, reads in one._reads.items()}
        self._recorders = recorders

    def look(self) -> None:
        for recorder in self._recorders:
            recorder.look()


class FakePeer:
    """A tool that reads the counter at both ends, as the real ones do."""

    def __init__(self, name: str, bench: Bench, *, breaks: bool = False) -> None:
        self.name, self.version, self._bench, self._breaks = name, "1.0", bench, breaks
        self.windows: list[str] = []
        self.is_closed = False

    def begin(self, window: str) -> None:
        self.windows.append(window)
        self._start_j = self._bench.counters[0].read_j(LOADED)

    def end(self, window: str) -> float:
        assert window == self.windows[-1]
        if self._breaks:
            raise KeyError(window)
        return self._bench.counters[0].read_j(LOADED) - self._start_j

    def close(self) -> None:
        self.is_closed = True
