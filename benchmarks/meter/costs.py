"""What the meter itself costs: its thread's processor time, its reads, and windows that wait for nothing."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmarks.meter.bursts import Rig
from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.host_usage import System
from pytest_energy.meter.live import LiveMeter
from pytest_energy.sensors.estimate import EstimateSensor
from pytest_energy.sensors.prompt_read import read_small
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerCost:
    """What following the counters costs, with no window open.

    Attributes:
        duration_s: Seconds that were looked at.
        cpu_share: Processor time of the sampler's thread as a share of one core.
        reads_a_tick: Channel name to reads of its counter for each tick.
        call_s: Median and 95th percentile of a read's duration, over all channels.
    """

    duration_s: float
    cpu_share: float
    reads_a_tick: dict[str, float]
    call_s: tuple[float, float]


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


def window_cost(sensor: Sensor, clock: Clock, count: int, *, system: System | None = None) -> WindowCost:
    """Cost of *count* empty windows over a sensor that doesn't tick.

    The look at power at rest before the first is not among them.
    """
    meter = LiveMeter(
        [sensor],
        [],
        clock=clock,
        synchronize=lambda: None,
        rng=random.Random(1),  # noqa: S311  # unused: nothing ticks
        system=system,
    )
    costs_s = []
    meter.start()
    for _ in range(count):
        start_s = clock.now_s()
        meter.open("empty").close()
        costs_s.append(clock.now_s() - start_s)
    meter.close()
    return WindowCost(
        sensor=sensor.name,
        channel_count=len(sensor.channels),
        count=count,
        median_s=median(costs_s),
        p95_s=quantiles(costs_s, n=20)[-1],
        longest_s=max(costs_s),
    )


def powercap_sensor(root: Path) -> RaplSensor:
    """RAPL over a tree of real files in *root*, laid out as the kernel's for two packages with memory.

    Files don't count by themselves, so each read of a counter is made a millijoule more than the last.
    """
    for number, (zone, name) in enumerate(_ZONES.items()):
        folder = root / zone
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n", encoding="ascii")
        (folder / "max_energy_range_uj").write_text(f"{_RANGE_UJ}\n", encoding="ascii")
        (folder / "energy_uj").write_text(f"{number * 10**9}\n", encoding="ascii")
    counts: dict[Path, int] = {}

    def read_text(path: Path) -> str:
        text = read_small(path)
        if path.name != "energy_uj":
            return text
        counts[path] = counts.get(path, 0) + _STEP_UJ
        return f"{int(text) + counts[path]}\n"

    return RaplSensor(root=root, read_text=read_text)


def estimate_sensor() -> EstimateSensor:
    return EstimateSensor()
