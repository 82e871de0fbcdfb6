"""What the meter itself costs: its thread's processor time, its reads, and windows that wait for nothing.

The latter, which need no GPU: `python -m benchmarks.meter.costs`.
"""

import argparse
import dataclasses
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import BinaryIO

from benchmarks.meter.bursts import Rig
from benchmarks.meter.truth import Read
from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.clock import Clock, SystemClock
from pytest_energy.meter.host_usage import System
from pytest_energy.meter.live import LiveMeter
from pytest_energy.sensors.estimate import EstimateSensor
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.sensors.rapl import RaplSensor

_SAMPLER_THREAD = "pytest-energy-sampler"

# A load is handed over in pieces of about this long, so that a busy stretch ends when it should.
_PIECE_S = 0.2

# Two packages with memory, with the range of Intel's counters.
_ZONES = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "dram",
    "intel-rapl:1": "package-1",
    "intel-rapl:1:0": "dram",
}
_RANGE_UJ = 262_143_328_850
_STEP_UJ = 1000

_MEMORY = Path("/dev/shm")  # noqa: S108  # files without a disk, on Linux

_CHILDREN = 5

_WORK_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerCost:
    """What following the counters costs, with no window open.

    Attributes:
        duration_s: Seconds that were looked at.
        cpu_share: Processor time of the sampler's thread as a share of one core.
        reads_a_tick: Channel name to reads of its counter for each tick.
        call_s: Median and 95th percentile of a read's duration, over all channels.
        reads: Channel name to those reads.
    """

    duration_s: float
    cpu_share: float
    reads_a_tick: dict[str, float]
    call_s: tuple[float, float]
    reads: dict[str, tuple[Read, ...]] = field(default_factory=dict, repr=False)


def sampler_cpu_s() -> float:
    """Processor seconds of the sampler's thread so far.

    Raises:
        NotMeasurable: No sampler runs in a thread of this process.
    """
    ident = next((t.ident for t in threading.enumerate() if t.name == _SAMPLER_THREAD), None)
    if ident is None:
        raise NotMeasurable(f"no thread named {_SAMPLER_THREAD} runs")
    return time.clock_gettime(time.pthread_getcpuclockid(ident))


def sampler_cost(
    rig: Rig, duration_s: float, *, pieces_in_one_s: float = 0.0, cpu_s: Callable[[], float] = sampler_cpu_s
) -> SamplerCost:
    """Cost of the sampler over *duration_s*, with the device at rest or under load.

    Args:
        rig: Whose meter runs.
        duration_s: How long to look.
        pieces_in_one_s: Work that keeps the device busy; 0 for none.
        cpu_s: Tells the thread's processor time.

    Raises:
        NotMeasurable: A counter didn't tick meanwhile.
    """
    clock = rig.clock
    rig.load.synchronize()
    start_s, start_cpu_s = clock.now_s(), cpu_s()
    while (left_s := start_s + duration_s - clock.now_s()) > 0:
        if pieces_in_one_s:
            rig.burst(max(1, round(min(_PIECE_S, left_s) * pieces_in_one_s)))
        else:
            clock.sleep_s(left_s)
    stop_s, stop_cpu_s = clock.now_s(), cpu_s()
    names = [name for status in rig.meter.statuses() for name in status.channels]
    reads = {name: rig.recorder.between(name, start_s, stop_s) for name in names}
    calls_s = [read.ended_s - read.started_s for channel in reads.values() for read in channel]
    if len(calls_s) < 2:
        raise NotMeasurable(f"{len(calls_s)} reads of the counters in {duration_s:g} s")
    return SamplerCost(
        duration_s=stop_s - start_s,
        cpu_share=(stop_cpu_s - start_cpu_s) / (stop_s - start_s),
        reads_a_tick={
            name: len(channel) * rig.tick_s() / (stop_s - start_s) for name, channel in reads.items()
        },
        call_s=(median(calls_s), quantiles(calls_s, n=20)[-1]),
        reads=reads,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCost:
    """Seconds of opening and closing a window together, where nothing is waited for.

    Attributes:
        sensor: The sensor whose channels it reads.
        channel_count: Channels.
        count: Windows.
        median_s: Median.
        p95_s: 95th percentile.
        longest_s: Longest.
    """

    sensor: str
    channel_count: int
    count: int
    median_s: float
    p95_s: float
    longest_s: float


def window_cost(
    sensor: Sensor,
    clock: Clock,
    count: int,
    *,
    use: Callable[[], None] = lambda: None,
    system: System | None = None,
) -> WindowCost:
    """Cost of *count* windows, one right after another, over a sensor that doesn't tick.

    The look at power at rest before the first is not among them. *use* is called inside each window and is
    not timed: it lets the counters count.
    """
    costs_s = []
    with started(sensor, clock, system) as meter:
        for _ in range(count):
            start_s = clock.now_s()
            window = meter.open("empty")
            opened_s = clock.now_s()
            use()
            close_s = clock.now_s()
            window.close()
            costs_s.append(clock.now_s() - close_s + opened_s - start_s)
    return _cost(sensor, costs_s)


def phase_cost(sensor: Sensor, clock: Clock, count: int, *, system: System | None = None) -> WindowCost:
    """Cost of beginning and ending each of *count* phases inside one window."""
    costs_s = []
    with started(sensor, clock, system) as meter:
        window = meter.open("whole")
        for _ in range(count):
            start_s = clock.now_s()
            window.phase("part").close()
            costs_s.append(clock.now_s() - start_s)
        window.close()
    return _cost(sensor, costs_s)


@contextmanager
def started(sensor: Sensor, clock: Clock, system: System | None) -> Iterator[LiveMeter]:
    """A meter over *sensor* that waits for nothing."""
    meter = LiveMeter(
        [sensor],
        [],
        clock=clock,
        synchronize=lambda: None,
        rng=random.Random(1),  # noqa: S311  # unused: nothing ticks
        system=system,
    )
    meter.start()
    try:
        yield meter
    finally:
        meter.close()


def _cost(sensor: Sensor, costs_s: Sequence[float]) -> WindowCost:
    return WindowCost(
        sensor=sensor.name,
        channel_count=len(sensor.channels),
        count=len(costs_s),
        median_s=median(costs_s),
        p95_s=quantiles(costs_s, n=20)[-1],
        longest_s=max(costs_s),
    )


class PowercapTree:
    """Real files in *root*, laid out as the kernel's tree for packages with memory.

    Files don't count by themselves: `use` counts. A tree on `tmpfs` shows what the meter adds to the kernel's
    own time for a read.
    """

    def __init__(self, root: Path, package_count: int = 2) -> None:
        self._root = root
        self._counts_uj: dict[BinaryIO, int] = {}
        for number, (zone, name) in enumerate([*_ZONES.items()][: 2 * package_count]):
            folder = root / zone
            folder.mkdir()
            (folder / "name").write_text(f"{name}\n", encoding="ascii")
            (folder / "max_energy_range_uj").write_text(f"{_RANGE_UJ}\n", encoding="ascii")
            self._counts_uj[(folder / "energy_uj").open("wb", buffering=0)] = number * 10**9
        self.use()

    def use(self, energy_uj: int = _STEP_UJ) -> None:
        """Count so many microjoules in each counter."""
        for file in self._counts_uj:
            self._counts_uj[file] += energy_uj
            file.seek(0)
            file.write(f"{self._counts_uj[file]:020d}\n".encode())

    def close(self) -> None:
        """Close the files."""
        for file in self._counts_uj:
            file.close()

    def sensor(self) -> RaplSensor:
        """The sensor over these files, which keeps them open; they count while it looks for those that do."""
        return RaplSensor(root=self._root, sleep_s=lambda _: self.use())


def estimate_sensor() -> EstimateSensor:
    return EstimateSensor()


def rows(count: int, clock: Clock) -> Iterator[tuple[str, WindowCost]]:
    """What is measured and its cost, for each kind of sensor, of *count* windows or phases."""
    for package_count in (1, 2):
        with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
            tree = PowercapTree(Path(folder), package_count)
            sensor = tree.sensor()
            yield "window", window_cost(sensor, clock, count, use=tree.use)
            worked = partial(_work, clock, tree.use)
            yield "window around 2 ms", window_cost(sensor, clock, count // 4, use=worked)
            yield "phase", phase_cost(sensor, clock, count)
            sensor.close()
            tree.close()
    yield "window", window_cost(estimate_sensor(), clock, count)
    worked = partial(_work, clock, lambda: None)
    yield "window around 2 ms", window_cost(estimate_sensor(), clock, count // 4, use=worked)
    yield "phase", phase_cost(estimate_sensor(), clock, count)
    with children(_CHILDREN):
        yield f"window, {_CHILDREN} children", window_cost(estimate_sensor(), clock, count)


def _work(clock: Clock, use: Callable[[], None]) -> None:
    """Keep the processor busy, so that its caches hold something else."""
    use()
    end_s = clock.now_s() + _WORK_S
    while clock.now_s() < end_s:
        sum(range(1000))


@contextmanager
def children(count: int) -> Iterator[None]:
    """So many processes that wait, and end with the block."""
    command = [sys.executable, "-c", "input()"]
    waiting = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(count)]  # noqa: S603  # our own
    try:
        yield
    finally:
        for child in waiting:
            child.communicate(b"\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="windows of each kind")
    parser.add_argument("--out", type=Path, help="a file that gets a line of JSON for each kind")
    arguments = parser.parse_args()
    for what, cost in rows(arguments.count, SystemClock()):
        row = {"what": what} | dataclasses.asdict(cost)
        if arguments.out is not None:
            with arguments.out.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
        sys.stdout.write(
            f"{what}, {cost.sensor} ({cost.channel_count}): "
            f"{cost.median_s * 1e6:.1f} us, p95 {cost.p95_s * 1e6:.1f} us\n"
        )


if __name__ == "__main__":
    main()
