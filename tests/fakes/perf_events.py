"""RAPL events of perf: the files that describe them, and the calls that count them."""

from pathlib import Path

from pytest_energy.sensors.perf import PerfPaths

# 2^-32 J, as the kernel writes it.
SCALE = "2.3283064365386962890625e-10"
COUNTS_PER_J = 2**32


class FakePerfEvents:
    """Counters by (event number, CPU); each gains `idle_counts` whenever it is read."""

    def __init__(self, *, idle_counts: int = 1000) -> None:
        self.idle_counts = idle_counts
        self.still: set[tuple[int, int]] = set()
        self.failure: OSError | None = None
        self.open_failures: dict[int, OSError] = {}
        self.opened: dict[int, tuple[int, int]] = {}
        self._counts: dict[tuple[int, int], int] = {}

    def open(self, *, pmu: int, config: int, cpu: int) -> int:
        if cpu in self.open_failures:
            raise self.open_failures[cpu]
        descriptor = 100 + len(self._counts)
        self.opened[descriptor] = (config, cpu)
        self._counts[config, cpu] = 0
        assert pmu == 23
        return descriptor

    def count(self, descriptor: int) -> int:
        if self.failure is not None:
            raise self.failure
        key = self.opened[descriptor]
        if key not in self.still:
            self._counts[key] += self.idle_counts
        return self._counts[key]

    def close(self, descriptor: int) -> None:
        del self.opened[descriptor]

    def use(self, config: int, cpu: int, energy_j: float) -> None:
        self._counts[config, cpu] += round(energy_j * COUNTS_PER_J)


def perf_paths(
    folder: Path,
    *,
    events: dict[str, int] | None = None,
    cpus: dict[int, tuple[int, int]] | None = None,
    vendor: str = "GenuineIntel",
) -> PerfPaths:
    """The files of a machine.

    Args:
        folder: Where to make them.
        events: Event name to number; package and memory when `None`.
        cpus: CPU to count on, to (package, die); one package when `None`.
        vendor: As `/proc/cpuinfo` names it.
    """
    power, cpu_root = folder / "power", folder / "cpu"
    (power / "events").mkdir(parents=True)
    (power / "type").write_text("23\n")
    for name, number in ({"energy-pkg": 2, "energy-ram": 3} if events is None else events).items():
        file = power / "events" / name
        file.write_text(f"event=0x{number:02x}\n")
        Path(f"{file}.unit").write_text("Joules\n")
        Path(f"{file}.scale").write_text(SCALE + "\n")
    cpus = {0: (0, 0)} if cpus is None else cpus
    (power / "cpumask").write_text(",".join(map(str, cpus)) + "\n")
    for cpu, (package, die) in cpus.items():
        topology = cpu_root / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text(f"{package}\n")
        (topology / "die_id").write_text(f"{die}\n")
    (folder / "cpuinfo").write_text(f"vendor_id\t: {vendor}\n")
    (folder / "paranoid").write_text("2\n")
    return PerfPaths(power=power, cpus=cpu_root, cpuinfo=folder / "cpuinfo", paranoid=folder / "paranoid")
