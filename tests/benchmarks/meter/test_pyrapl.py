"""The sensor `pyrapl`: what it takes from pyRAPL, and what it refuses to."""

import sys
import warnings

import pytest

from benchmarks.meter.pyrapl import PyraplSensor, pytest_energy_sensors
from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.model import Domain, Provenance
from pytest_energy.sensors.detect import detect
from tests.fakes.hand_clock import HandClock
from tests.fakes.pyrapl import FakePyrapl, PyRAPLCantRecordEnergyConsumption

PACKAGE = "cpu:package-0"


def opened(module: FakePyrapl) -> PyraplSensor:
    clock = HandClock()
    sensor = PyraplSensor.open(pyrapl=module, now_s=clock.now_s, sleep_s=clock.sleep_s)
    module.stop_idling()
    sensor.read_j(PACKAGE)
    return sensor


def why_absent(module: FakePyrapl) -> str:
    with pytest.raises(SensorUnavailable) as caught:
        opened(module)
    assert caught.value.sensor == "pyrapl"
    return caught.value.because


def test_channels_are_those_of_rapl() -> None:
    """Packages and memory have the names that the sensor rapl gives them; what is -1 isn't there."""
    sensor = opened(FakePyrapl(5e6, 6e6, -1, -1, 7e6, -1))
    assert [(c.name, c.domain, c.device, c.is_ticked) for c in sensor.channels] == [
        ("cpu:package-0", Domain.CPU, "package-0", False),
        ("dram:package-0", Domain.DRAM, "package-0", False),
        ("cpu:package-2", Domain.CPU, "package-2", False),
    ]
    assert sensor.provenance is Provenance.MEASURED


def test_joules_are_those_that_were_used() -> None:
    """Microjoules become joules, each channel by itself."""
    module = FakePyrapl(5e6, 6e6)
    sensor = opened(module)
    before_j = {channel.name: sensor.read_j(channel.name) for channel in sensor.channels}
    module.values_uj = [module.values_uj[0] + 12_500_000, module.values_uj[1] + 3_000_000]
    assert sensor.read_j(PACKAGE) - before_j[PACKAGE] == pytest.approx(12.5, abs=1e-6)
    assert sensor.read_j("dram:package-0") - before_j["dram:package-0"] == pytest.approx(3.0, abs=1e-6)


def test_a_fall_is_a_fault_and_counting_goes_on() -> None:
    """pyRAPL has no wraps: a counter that fell gives no joules, only in the window it fell in."""
    module = FakePyrapl(262_143_000_000.0, -1)
    sensor = opened(module)
    before_j = sensor.read_j(PACKAGE)
    module.values_uj[0] = 6e6
    with pytest.raises(SensorError, match=rf"{PACKAGE}: pyRAPL's counter fell from \d+ to 6000000 uJ"):
        sensor.read_j(PACKAGE)
    module.values_uj[0] = 8e6
    assert sensor.read_j(PACKAGE) - before_j == pytest.approx(2.0)


def test_an_unknown_channel_is_a_fault() -> None:
    """A channel that isn't there is named, with those that are."""
    with pytest.raises(SensorError, match="gpu:9: pyRAPL reads cpu:package-0"):
        opened(FakePyrapl(5e6, -1)).read_j("gpu:9")


@pytest.mark.parametrize(
    "failure", [OSError("No such device"), ValueError("could not convert string to float: ''")]
)
def test_a_read_that_fails_is_a_fault(failure: Exception) -> None:
    """What pyRAPL raises in the middle names the channel; it is never 0."""
    module = FakePyrapl(5e6, -1)
    sensor = opened(module)
    module.failure = failure
    with pytest.raises(SensorError, match=f"{PACKAGE}: pyRAPL can't read its counter: .*{failure}"):
        sensor.read_j(PACKAGE)


def test_a_counter_that_goes_away_is_a_fault() -> None:
    """A value that becomes -1 is no counter that fell to nothing."""
    module = FakePyrapl(5e6, -1)
    sensor = opened(module)
    module.values_uj[0] = -1
    with pytest.raises(SensorError, match="shows -1 uJ"):
        sensor.read_j(PACKAGE)


def test_a_closed_sensor_reads_nothing() -> None:
    """Closed, even twice, a read is a fault."""
    sensor = opened(FakePyrapl(5e6, -1))
    sensor.close()
    sensor.close()
    with pytest.raises(SensorError, match="reads nothing now"):
        sensor.read_j(PACKAGE)


def test_not_installed_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the sensor is absent, with the command that installs it."""
    monkeypatch.setitem(sys.modules, "pyRAPL", None)
    found = detect(("pyrapl",), extra=pytest_energy_sensors())
    assert found.sensors == ()
    assert str(found.statuses[0].absent_because).endswith(". pip install pyRAPL")


def test_what_is_installed_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is imported when the sensor is opened."""
    module = FakePyrapl(5e6, -1)
    monkeypatch.setitem(sys.modules, "pyRAPL", module)
    found = detect(("pyrapl",), extra=pytest_energy_sensors())
    assert [sensor.name for sensor in found.sensors] == ["pyrapl"]


def test_no_counters_says_so() -> None:
    """Where pyRAPL finds nothing, its error is told, and what to use instead."""
    because = why_absent(FakePyrapl(failure=PyRAPLCantRecordEnergyConsumption()))
    assert "PyRAPLCantRecordEnergyConsumption" in because
    assert "the sensor rapl" in because


def test_no_permission_says_what_to_do() -> None:
    """A counter that may not be read names its file and the commands."""
    error = PermissionError(13, "Permission denied", "/sys/class/powercap/intel-rapl/intel-rapl:0/energy_uj")
    because = why_absent(FakePyrapl(failure=error))
    assert because.startswith("/sys/class/powercap/intel-rapl/intel-rapl:0/energy_uj has mode ")
    assert "sudo chmod a+r" in because


@pytest.mark.parametrize("values_uj", [(), (-1, -1), (-1, 5e6)])
def test_no_package_is_no_sensor(values_uj: tuple[float, ...]) -> None:
    """Without a CPU package there is nothing to gate on."""
    assert why_absent(FakePyrapl(*values_uj)) == "pyRAPL shows no CPU package"


def test_a_package_that_stands_still_is_absent() -> None:
    """A counter that doesn't move for a second is no sensor."""
    because = why_absent(FakePyrapl(5e6, -1, idle_uj=[0.0, 0.0]))
    assert because == "pyRAPL's counter did not move for 1 s: it measures nothing"


def test_memory_that_stands_still_is_left_out() -> None:
    """Where only the memory's counter is dead the packages count, and the facts say what is missing."""
    sensor = opened(FakePyrapl(5e6, 6e6, idle_uj=[1000.0, 0.0]))
    assert [channel.name for channel in sensor.channels] == [PACKAGE]
    assert list(sensor.left_out) == ["dram:package-0"]
    assert "did not move" in sensor.facts().shown["rapl_left_out"]


def test_facts_name_the_reader() -> None:
    """Joules through pyRAPL are told apart from those of the sensor rapl."""
    facts = opened(FakePyrapl(5e6, -1)).facts()
    assert facts.fixed == {"rapl_channels": PACKAGE}
    assert facts.shown == {"rapl_interface": "pyRAPL 0.2.3.1"}


def test_its_warnings_stay_inside() -> None:
    """pyRAPL leaves files open, which Python warns of; a run that makes warnings errors isn't hurt."""

    class Careless(FakePyrapl):
        def Sensor(self) -> FakePyrapl:  # noqa: N802  # pyRAPL's own name
            warnings.warn("unclosed file", ResourceWarning, stacklevel=1)
            return super().Sensor()

    assert opened(Careless(5e6, -1)).channels


def test_usage_isnt_known() -> None:
    """pyRAPL tells no utilisation: absent, not 0."""
    usage = opened(FakePyrapl(5e6, -1)).usage()
    assert usage.cpu_utilisation_share is None
    assert usage.gpu_utilisation_share is None
