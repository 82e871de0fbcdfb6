"""The meter over simulated devices: the sensors and windows are the product's own."""

import math
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from benchmarks.meter.simulated.counters import Counter, Response, Ticks
from benchmarks.meter.simulated.machine import Machine, Power
from pytest_energy.doctor.calibrate import MeasuredResponse, calibrate
from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import CounterResponse, Reading, SensorStatus
from pytest_energy.profiling.burst_load import BurstLoad
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.sensors.rapl import RaplSensor
from tests.fakes.nvml import FakeGpu, FakeNvml, NVMLError_NotSupported

QUIET_W, BUSY_W = 120.0, 780.0

_CALIBRATION_SEED = 90_001

# Power as NVML shows it: the mean over the last whole tenth of a second.
_SHOWN_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How long a read of a counter takes.

    Attributes:
        call_s: Shortest and longest.
        slow_share: Of the calls, that take *slow_s* longer.
        until_s: A call that begins sooner after a tick waits until then (an H100: 15 ms).
    """

    call_s: tuple[float, float] = (0.002, 0.004)
    slow_share: float = 0.0
    slow_s: float = 0.0
    until_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The devices of one bench, all alike.

    Attributes:
        has_counter: Otherwise power is integrated.
        is_calibrated: Another device of this kind was calibrated before.
    """

    gpu_count: int = 1
    quiet_w: float = QUIET_W
    has_counter: bool = True
    architecture: int = 9
    ticks: Ticks = field(default_factory=Ticks)
    response: Response = field(default_factory=Response)
    calls: Calls = field(default_factory=Calls)
    is_started: bool = True
    is_calibrated: bool = False
    rapl: bool = False


class StillSystem:
    """An operating system on which half of two processors is busy, all with this run's work."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def own_cpu_s(self) -> float:
        return self._machine.now_s()

    def cpu_times_s(self) -> tuple[float, float]:
        return self._machine.now_s(), 2 * self._machine.now_s()

    def ram_used_bytes(self) -> float:
        return 1e9

    def adopt(self, pids: object) -> None:
        """Nobody has to be known."""

    def is_kin(self, pid: int) -> bool:
        del pid
        return True


class Bench:
    """A live meter over the devices of a setup.

    Attributes:
        powers: What each device draws, to be planned.
        rng: For whatever a plan leaves to chance.
    """

    def __init__(self, setup: Setup, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311  # a simulation
        self.machine = Machine()
        now_s = self.machine.now_s()
        self.powers = [Power(now_s, setup.quiet_w) for _ in range(setup.gpu_count)]
        self.sensor = sensor = self._rapl(setup, seed) if setup.rapl else self._nvml(setup, seed)
        if setup.is_calibrated:
            response = _response(replace(setup, is_calibrated=False))
            sensor.channels = tuple(replace(channel, response=response) for channel in sensor.channels)  # type: ignore[misc]
        status = SensorStatus(
            name=sensor.name,
            channels=tuple(channel.name for channel in sensor.channels),
            provenance=sensor.provenance,
        )
        self.meter = LiveMeter(
            [sensor],
            [status],
            clock=self.machine,
            synchronize=lambda: None,
            rng=random.Random(seed + 1),  # noqa: S311  # a simulation
            runner=self.machine,
            system=StillSystem(self.machine),
            gpus_in_use=tuple,
        )
        if setup.is_started:
            self.meter.start()

    @property
    def now_s(self) -> float:
        return self.machine.now_s()

    def _nvml(self, setup: Setup, seed: int) -> Sensor:
        calls, rng = setup.calls, random.Random(seed + 2)  # noqa: S311  # a simulation
        next_s = _call_s(calls, rng)

        def count_mj(counter: Counter) -> int:
            nonlocal next_s
            machine, duration_s, share = self.machine, next_s, rng.random()
            machine.take(share * duration_s)
            energy_j = counter.read_j(machine.now_s())
            machine.take((1 - share) * duration_s)
            machine.take(max(0.0, counter.tick_s + calls.until_s - machine.now_s()))
            machine.come_back()
            next_s = _call_s(calls, rng)
            return round(energy_j * 1e3)

        self.machine.longest_call_s = lambda: next_s + calls.until_s
        gpus = []
        for number, power in enumerate(self.powers):
            counter = Counter(power, self.now_s, setup.ticks, setup.response, seed + 10 + number)
            gpus.append(
                FakeGpu(
                    uuid=f"GPU-{number:08}",
                    architecture=setup.architecture,
                    count_mj=lambda counter=counter: count_mj(counter),  # type: ignore[misc]
                    draw_mw=lambda power=power: self._shown_mw(power),  # type: ignore[misc]
                )
            )
            if not setup.has_counter:
                gpus[-1].failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_NotSupported()
        return NvmlSensor(nvml=FakeNvml(*gpus), environ={}, now_s=self.machine.now_s)

    def _shown_mw(self, power: Power) -> int:
        updated_s = self.now_s // _SHOWN_S * _SHOWN_S
        return round(power.joules_between(updated_s - _SHOWN_S, updated_s) / _SHOWN_S * 1e3)

    def _rapl(self, setup: Setup, seed: int) -> Sensor:
        """Packages whose counters are updated each tick, in a tree of files that hold anything but counts."""
        offsets_uj = [1_000_000_000 * (number + 1) + seed % 1000 for number in range(setup.gpu_count)]

        def read_text(path: Path) -> str:
            if path.name != "energy_uj":
                return path.read_text(encoding="ascii")
            self.machine.take(15e-6)
            number = int(path.parent.name.rpartition(":")[2])
            power, tick_s, step_j = self.powers[number], setup.ticks.tick_s, setup.ticks.quantum_j
            joules = power.joules_at(self.now_s // tick_s * tick_s) // step_j * step_j
            return f"{offsets_uj[number] + round(joules * 1e6)}\n"

        with tempfile.TemporaryDirectory() as folder:
            for number in range(setup.gpu_count):
                zone = Path(folder) / f"intel-rapl:{number}"
                zone.mkdir()
                files = {"name": f"package-{number}", "max_energy_range_uj": "262143328850", "energy_uj": "0"}
                for name, text in files.items():
                    (zone / name).write_text(f"{text}\n", encoding="ascii")
            return RaplSensor(
                root=Path(folder),
                read_text=read_text,
                now_s=self.machine.now_s,
                sleep_s=self.machine.sleep_s,
            )

    def truth_j(self, reading: Reading) -> float:
        """What all devices used in a window that is not void."""
        assert reading.trace is not None
        start_s, stop_s = reading.trace.start_s, reading.trace.stop_s
        return math.fsum(power.joules_between(start_s, stop_s) for power in self.powers)

    def bursts(self, duration_s: float, powers_w: Sequence[float] = (BUSY_W,)) -> Reading:
        """A window around so many seconds in which the first devices draw *powers_w*."""
        window = self.meter.open("simulated")
        for power, power_w in zip(self.powers, powers_w, strict=False):
            power.burst(self.now_s, duration_s, power_w)
        self.machine.sleep_s(duration_s)
        return window.close()


class BenchLoad:
    """Bursts on the first device of a bench, each followed by what *after* plans from its end on."""

    def __init__(self, bench: Bench, after: Callable[[Power, float], None] | None = None) -> None:
        self._bench, self._after = bench, after

    def prepare(self) -> None:
        """There is nothing to get ready."""

    def run(self, duration_s: float) -> None:
        power, machine = self._bench.powers[0], self._bench.machine
        power.burst(machine.now_s(), duration_s, BUSY_W)
        if self._after is not None:
            self._after(power, machine.now_s() + duration_s)
        machine.sleep_s(duration_s)


def calibration(bench: Bench, load: BurstLoad) -> MeasuredResponse:
    """What the calibration finds of the first device of a bench that isn't started."""
    channel = bench.sensor.channels[0]
    return calibrate(bench.sensor, channel, load, bench.machine, source="simulated", runner=bench.machine)


@cache
def _response(setup: Setup) -> CounterResponse:
    bench = Bench(replace(setup, is_started=False), _CALIBRATION_SEED)
    return calibration(bench, BenchLoad(bench)).response


def _call_s(calls: Calls, rng: random.Random) -> float:
    slow_s = calls.slow_s if calls.slow_share and rng.random() < calls.slow_share else 0.0
    return rng.uniform(*calls.call_s) + slow_s
