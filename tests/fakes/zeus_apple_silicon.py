"""A stand-in for `AppleEnergyMonitor` of zeus-apple-silicon 1.1.0."""

from dataclasses import dataclass, replace


@dataclass(slots=True, kw_only=True)
class FakeMetrics:
    """Millijoules so far; a field that the chip doesn't report is `None`."""

    cpu_total_mj: int | None = 100_000
    efficiency_cores_mj: list[int] | None = None
    performance_cores_mj: list[int] | None = None
    dram_mj: int | None = 20_000
    gpu_mj: int | None = 50_000
    gpu_sram_mj: int | None = 10
    ane_mj: int | None = 0


class FakeMonitor:
    """The monitor; a test sets its `metrics` or `failure`."""

    def __init__(self, **metrics: int | None) -> None:
        self.metrics = FakeMetrics(**metrics)  # type: ignore[arg-type]  # fields of integers
        self.failure: Exception | None = None

    def get_cumulative_energy(self) -> FakeMetrics:
        if self.failure is not None:
            raise self.failure
        return replace(self.metrics)
