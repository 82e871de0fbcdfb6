"""Whole machines of parts with a known power: what all sensors of one count together has each joule once."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pytest_energy.sensors.amdsmi import AmdSmiSensor
from pytest_energy.sensors.detect import SensorSet, detect
from pytest_energy.sensors.hwmon import HwmonSensor
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.sensors.rapl import RaplSensor
from tests.fakes.amdsmi import RESOLUTION_UJ, FakeAmdGpu, FakeAmdSmi
from tests.fakes.hand_clock import HandClock
from tests.fakes.hwmon_tree import FakeHwmon
from tests.fakes.nvml import FakeGpu, FakeNvml
from tests.fakes.powercap import FakePowercap

SAMPLE_S = 0.05
RUN_S = 10.0


class Machine:
    """Counters that run at a constant power, files that show one, and the sensors over them."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.hwmon, self.powercap = HandClock(), FakeHwmon(folder), FakePowercap(folder)
        self.gpus: dict[str, tuple[FakeGpu, float]] = {}
        self.amd_gpus: list[tuple[FakeAmdGpu, float]] = []
        self._counters: list[tuple[Path, float]] = []
        self.clock.sleep_s(0.005)  # off the steps

    def rapl(self, zone: str, name: str, power_w: float) -> None:
        self._counters.append((self.powercap.add(zone, name, energy_uj=1_000_000), power_w))

    def rails(self, *rails: tuple[str, float]) -> None:
        """A monitor of rails of 5 V with their watts."""
        self.hwmon.add_ina3221(*((label, 5000, round(power_w * 200)) for label, power_w in rails))

    def counters(self, chip: str, **labels: float) -> None:
        """A chip with a counter for each label."""
        files: dict[str, object] = {}
        for number, label in enumerate(labels, 1):
            files |= {f"energy{number}_input": 1_000_000, f"energy{number}_label": label}
        folder = self.hwmon.add(chip, **files)
        for number, power_w in enumerate(labels.values(), 1):
            self._counters.append((folder / f"energy{number}_input", power_w))

    def nvidia(self, model: str, power_w: float) -> None:
        uuid = f"GPU-0000000{len(self.gpus)}"
        self.gpus[uuid] = (FakeGpu(uuid=uuid, model=model), power_w)

    def amd(self, model: str, power_w: float, unique_id: str) -> None:
        self.amd_gpus.append(
            (FakeAmdGpu(model=model, serial=f"0x{unique_id}", hip_id=len(self.amd_gpus)), power_w)
        )

    def _sleep_s(self, duration_s: float) -> None:
        self.clock.sleep_s(duration_s)
        for path, power_w in self._counters:
            path.write_text(f"{int(path.read_text()) + round(power_w * duration_s * 1e6)}\n")
        for gpu, power_w in self.gpus.values():
            gpu.energy_mj += round(power_w * duration_s * 1e3)
        for amd_gpu, power_w in self.amd_gpus:
            amd_gpu.counts += round(power_w * duration_s * 1e6 / RESOLUTION_UJ)

    def detected(self) -> SensorSet:
        """What a run on this machine takes."""
        now_s, sleep_s = self.clock.now_s, self._sleep_s
        nvml = FakeNvml(*(gpu for gpu, _ in self.gpus.values()))
        smi = FakeAmdSmi(*(gpu for gpu, _ in self.amd_gpus))
        openers: dict[str, Callable[[], Sensor]] = {
            "nvml": partial(NvmlSensor, nvml=nvml, environ={}, now_s=now_s),
            "amdsmi": partial(AmdSmiSensor, amdsmi=smi, environ={}, now_s=now_s, sleep_s=sleep_s),
            "rapl": partial(
                RaplSensor, root=self.powercap.root, read_text=Path.read_text, now_s=now_s, sleep_s=sleep_s
            ),
            "hwmon": partial(
                HwmonSensor, root=self.hwmon.root, read_text=Path.read_text, now_s=now_s, sleep_s=sleep_s
            ),
        }
        return detect(None, openers=openers)

    def powers_w(self, found: SensorSet) -> dict[str, float]:
        """Mean power of each channel over a run, read as often as the sampler does."""
        reads = [(sensor, channel.name) for sensor in found.sensors for channel in sensor.channels]
        before_j = {name: sensor.read_j(name) for sensor, name in reads}
        for _ in range(round(RUN_S / SAMPLE_S)):
            self._sleep_s(SAMPLE_S)
            for sensor, name in reads:
                sensor.read_j(name)
        return {name: (sensor.read_j(name) - before_j[name]) / RUN_S for sensor, name in reads}


def jetson_orin_nx(machine: Machine) -> dict[str, float]:
    """All of the module is on one rail, with two of its parts shown beside it."""
    machine.rails(("VDD_IN", 8.0), ("VDD_CPU_GPU_CV", 3.0), ("VDD_SOC", 1.5))
    return {"cpu:VDD_IN": 8.0}


def jetson_nano(machine: Machine) -> dict[str, float]:
    """The same on an older board."""
    machine.rails(("POM_5V_IN", 5.0), ("POM_5V_GPU", 1.0), ("POM_5V_CPU", 2.0))
    return {"cpu:POM_5V_IN": 5.0}


def jetson_agx_orin(machine: Machine) -> dict[str, float]:
    """Three rails beside each other, and a part that may be inside the third."""
    machine.rails(("VDD_GPU_SOC", 12.0), ("VDD_CPU_CV", 6.0), ("VIN_SYS_5V0", 5.0))
    machine.rails(("NC", 0.0), ("VDDQ_VDD2_1V8AO", 2.0), ("NC", 0.0))
    return {"gpu:VDD_GPU_SOC": 12.0, "cpu:VDD_CPU_CV": 6.0, "cpu:VIN_SYS_5V0": 5.0}


def jetson_agx_xavier(machine: Machine) -> dict[str, float]:
    """Six rails beside each other."""
    machine.rails(("GPU", 9.0), ("CPU", 4.0), ("SOC", 2.0))
    machine.rails(("CV", 1.0), ("VDDRQ", 1.5), ("SYS5V", 3.0))
    return {
        "gpu:GPU": 9.0,
        "cpu:CPU": 4.0,
        "cpu:SOC": 2.0,
        "cpu:CV": 1.0,
        "dram:VDDRQ": 1.5,
        "cpu:SYS5V": 3.0,
    }


def grace_superchip(machine: Machine) -> dict[str, float]:
    """Two sockets, each with its CPU, its I/O and its memory."""
    for socket, power_w in enumerate((180.0, 160.0)):
        machine.hwmon.add_meter(f"Grace Power Socket {socket}", power_w)
        machine.hwmon.add_meter(f"CPU Power Socket {socket}", 0.7 * power_w)
        machine.hwmon.add_meter(f"SysIO Power Socket {socket}", 0.1 * power_w)
    return {"cpu:grace-0": 180.0, "cpu:grace-1": 160.0}


def grace_hopper(machine: Machine) -> dict[str, float]:
    """NVML's counter may be the module's: nothing of the module is added to it."""
    machine.nvidia("NVIDIA GH200 480GB", 600.0)
    machine.hwmon.add_meter("Module Power Socket 0", 600.0)
    machine.hwmon.add_meter("Grace Power Socket 0", 150.0)
    return {"gpu:0": 600.0}


def h100_server(machine: Machine) -> dict[str, float]:
    """Two GPUs, two packages and their memory; cores are inside a package, the platform around it."""
    machine.nvidia("NVIDIA H100 80GB HBM3", 500.0)
    machine.nvidia("NVIDIA H100 80GB HBM3", 70.0)
    packages_w = {
        "cpu:package-0": 200.0,
        "dram:package-0": 20.0,
        "cpu:package-1": 170.0,
        "dram:package-1": 15.0,
    }
    for number in range(2):
        machine.rapl(f"intel-rapl:{number}", f"package-{number}", packages_w[f"cpu:package-{number}"])
        machine.rapl(f"intel-rapl:{number}:0", "dram", packages_w[f"dram:package-{number}"])
        machine.rapl(f"intel-rapl:{number}:1", "core", 150.0)
    machine.rapl("intel-rapl:2", "psys", 900.0)
    return {"gpu:0": 500.0, "gpu:1": 70.0, **packages_w}


def intel_gpu_workstation(machine: Machine) -> dict[str, float]:
    """A card whose package is inside it, beside a processor."""
    machine.counters("xe", card=120.0, pkg=100.0)
    machine.rapl("intel-rapl:0", "package-0", 60.0)
    return {"cpu:package-0": 60.0, "gpu:xe-0": 120.0}


def amd_server(machine: Machine) -> dict[str, float]:
    """Two cards that the library reads and the kernel shows, and sockets that two drivers count."""
    for number, power_w in enumerate((600.0, 140.0)):
        unique_id = f"A1B2C3D4E5F6000{number}"
        machine.amd("AMD Instinct MI300X", power_w, unique_id)
        watts = {"power1_input": round(power_w * 1e6), "power1_cap": 750_000_000}
        machine.hwmon.add_amdgpu(unique_id.lower(), **watts)
    machine.rapl("intel-rapl:0", "package-0", 240.0)
    machine.counters("amd_energy", Ecore000=10.0, Esocket0=240.0)
    return {"gpu:0": 600.0, "gpu:1": 140.0, "cpu:package-0": 240.0}


def amd_server_without_rapl(machine: Machine) -> dict[str, float]:
    """The kernel's counters of sockets; their cores are inside them."""
    machine.counters("amd_energy", Ecore000=10.0, Ecore001=12.0, Esocket0=240.0, Esocket1=200.0)
    return {"cpu:package-0": 240.0, "cpu:package-1": 200.0}


def amd_server_with_nodes(machine: Machine) -> dict[str, float]:
    """Each node of memory has a counter of its socket, which RAPL reads: their numbers are not RAPL's."""
    machine.rapl("intel-rapl:0", "package-0-die-0", 240.0)
    machine.counters("amd_energy", Esocket0=240.0, Esocket1=240.0, Esocket2=240.0, Esocket3=240.0)
    return {"cpu:package-0-die-0": 240.0}


def jetson_with_nvml(machine: Machine) -> dict[str, float]:
    """A board whose GPU NVML reads as well: the rail that holds it is left out."""
    machine.nvidia("NVIDIA Thor", 40.0)
    machine.rails(("VDD_GPU", 40.0), ("VDD_CPU_SOC_MSS", 20.0), ("VIN_SYS_5V0", 10.0))
    return {"gpu:0": 40.0, "cpu:VDD_CPU_SOC_MSS": 20.0, "cpu:VIN_SYS_5V0": 10.0}


def laptop(machine: Machine) -> dict[str, float]:
    """A battery, a power supply and a monitor of the processor show power that is counted already."""
    machine.rapl("intel-rapl:0", "package-0", 12.0)
    machine.hwmon.add("BAT0", power1_input=15_000_000, in0_input=12_000, curr1_input=1250)
    machine.hwmon.add("zenpower", power1_input=9_000_000, power1_label="SVI2_P_Core")
    machine.hwmon.add("corsairpsu", power1_input=30_000_000, power1_label="power total")
    return {"cpu:package-0": 12.0}


def arc_cards(machine: Machine) -> dict[str, float]:
    """Two cards under one driver and one under another, whose package alone is counted."""
    machine.counters("xe", card=120.0, pkg=100.0)
    machine.counters("xe", pkg=90.0)
    machine.hwmon.add("i915_gt0", energy1_input=5)
    return {"gpu:xe-0": 120.0, "gpu:xe-1-pkg": 90.0}


def amd_workstation(machine: Machine) -> dict[str, float]:
    """A card whose power the kernel shows; graphics inside the processor, whose power is the package's."""
    machine.hwmon.add_amdgpu("01", power1_input=45_000_000, in1_label="vddnb")
    machine.hwmon.add_amdgpu("02", power1_input=250_000_000, power1_cap=300_000_000)
    machine.rapl("intel-rapl:0", "package-0", 45.0)
    return {"cpu:package-0": 45.0, "gpu:amdgpu-1": 250.0}


def mi300a(machine: Machine) -> dict[str, float]:
    """One counter for the socket's CPU and GPU."""
    machine.amd("AMD Instinct MI300A", 500.0, "A1B2C3D4E5F60001")
    machine.rapl("intel-rapl:0", "package-0", 120.0)
    return {"gpu:0": 500.0}


MACHINES = (
    jetson_orin_nx,
    jetson_nano,
    jetson_agx_orin,
    jetson_agx_xavier,
    grace_superchip,
    grace_hopper,
    h100_server,
    intel_gpu_workstation,
    amd_server,
    amd_server_without_rapl,
    amd_server_with_nodes,
    jetson_with_nvml,
    laptop,
    arc_cards,
    amd_workstation,
    mi300a,
)


@pytest.mark.parametrize("machine_of", MACHINES, ids=lambda machine: machine.__name__)
def test_each_joule_counts_once(machine_of: Callable[[Machine], dict[str, float]], tmp_path: Path) -> None:
    """Exactly these channels with the power of these parts; what else is shown has a reason."""
    machine = Machine(tmp_path)
    expected_w = machine_of(machine)
    found = machine.detected()
    powers_w = machine.powers_w(found)
    assert powers_w.keys() == expected_w.keys()
    assert powers_w == pytest.approx(expected_w, rel=0.002)  # steps of 200 ms, and a first sample off them
    assert all(status.absent_because for status in found.statuses if not status.channels)
