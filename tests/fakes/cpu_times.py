"""CPU times of a whole machine, as psutil gives them, that a test moves."""

from dataclasses import asdict, dataclass

from pytest_energy.sensors.cpu_times import CpuTimes


@dataclass(slots=True, kw_only=True)
class FakeCpuTimes:
    """Seconds by kind, summed over the CPUs. Calling it gives the times now."""

    user: float = 100.0
    nice: float = 0.0
    system: float = 50.0
    idle: float = 1000.0
    iowait: float = 5.0
    irq: float = 0.0
    softirq: float = 1.0
    steal: float = 2.0
    guest: float = 0.0
    guest_nice: float = 0.0

    def __call__(self) -> CpuTimes:
        return CpuTimes(**asdict(self))
