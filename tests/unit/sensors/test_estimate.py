"""The estimate: joules from the family's CPU time, and what it says it assumed."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.sensors.estimate import CHANNEL, EstimateSensor, factor_of
from pytest_energy.sensors.machine_class import MachineClass


class Seconds:
    """CPU seconds that a test decides."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def opened(cpu_s: Seconds | None = None, *, cpu_tdp_w: float | None = 100.0, cpus: int = 4) -> EstimateSensor:
    return EstimateSensor(
        cpu_tdp_w=cpu_tdp_w,
        cpuinfo=Path("/nowhere"),
        cpu_count=cpus,
        cpu_s=cpu_s or Seconds(),
        kind=MachineClass.SERVER,
    )


@given(cpu_s=st.floats(1e-6, 1e6), cpus=st.integers(1, 512), cpu_tdp_w=st.floats(1.0, 1000.0))
def test_a_second_of_a_logical_cpu_is_its_share_of_the_tdp(cpu_s: float, cpus: int, cpu_tdp_w: float) -> None:
    """Joules are CPU seconds times TDP over logical CPUs, whatever the clock on the wall says."""
    seconds = Seconds()
    sensor = opened(seconds, cpu_tdp_w=cpu_tdp_w, cpus=cpus)
    seconds.now_s += cpu_s
    assert sensor.read_j(CHANNEL) == pytest.approx(cpu_s * cpu_tdp_w / cpus, rel=1e-3)


def test_waiting_uses_nothing() -> None:
    """Without CPU time of the family there are no joules: the machine's rest is nobody's work."""
    assert opened().read_j(CHANNEL) == 0.0


@pytest.mark.parametrize("now_s", [99.0, float("nan")])
def test_cpu_time_that_goes_back_is_a_fault(now_s: float) -> None:
    """Less CPU time than before, or none that is a number, is a `SensorError` that names the channel."""
    seconds = Seconds()
    sensor = opened(seconds)
    seconds.now_s = now_s
    with pytest.raises(SensorError, match=r"cpu:processes: the estimate fell .* went back"):
        sensor.read_j(CHANNEL)


def test_its_channel_is_of_processes() -> None:
    """It is read at the edges, and what happens between an edge and its read is none of it."""
    channel = opened().channels[0]
    assert (channel.is_ticked, channel.is_of_processes) == (False, True)
    assert 0 < channel.resolution_j < 0.01


def test_facts_say_what_was_assumed(tmp_path: Path) -> None:
    """CPU, TDP, source and what is counted must be equal to compare; the error's factor is shown."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core Processor \nflags\t: fpu hypervisor\n"
    )
    facts = EstimateSensor(cpuinfo=cpuinfo, cpu_count=4).facts()
    assert facts.fixed == {
        "cpu_tdp_model": "AMD EPYC 7763 64-Core Processor",
        "cpu_tdp_w": "8.75",
        "cpu_tdp_source": "table (EPYC 7763: 280 W for 128 threads)",
        "cpu_count": "4",
        "estimate_of": "CPU time of the test's own processes",
    }
    assert facts.shown == {
        "estimate_factor": str(factor_of(MachineClass.VIRTUAL, is_known=True)),
        "machine_class": "virtual machine",
    }


def test_an_unknown_processor_may_be_wrong_by_more() -> None:
    """No kind of machine is known better without the TDP of its processor than with it."""
    for kind in MachineClass:
        assert 1 < factor_of(kind, is_known=True) <= factor_of(kind, is_known=False)


def test_a_machine_without_cpu_count_is_no_sensor() -> None:
    """Without a number of CPUs there is no share of a TDP."""
    with pytest.raises(SensorUnavailable, match="number of this machine's CPUs"):
        EstimateSensor(cpu_count=0)


def test_children_are_in_it_and_others_are_not() -> None:
    """A child's CPU time counts; reads don't fall when it ends."""
    sensor = EstimateSensor(cpu_tdp_w=2.0, cpu_count=2)
    before_j = sensor.read_j(CHANNEL)
    work = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-c", work], check=True)  # noqa: S603  # our own interpreter and text
    after_j = sensor.read_j(CHANNEL)
    assert 0.2 <= after_j - before_j < 0.5
    assert sensor.read_j(CHANNEL) >= after_j


def test_its_power_tells_the_joules_of_any_cpu_time() -> None:
    """What the sensor counts by is a value of its own."""
    assert opened().power.energy_j(40.0) == pytest.approx(1000.0)
