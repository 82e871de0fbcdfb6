"""Apple silicon over an imitation of its library: estimates, each joule once."""

import platform
import sys
from types import ModuleType

import pytest

from pytest_energy import system
from pytest_energy.errors import NoSuchHardware, SensorError, SensorUnavailable
from pytest_energy.model import Provenance
from pytest_energy.sensors.apple import AppleSensor
from pytest_energy.sensors.detect import detect
from tests.fakes.zeus_apple_silicon import FakeMonitor


def opened(monitor: FakeMonitor) -> AppleSensor:
    return AppleSensor(new_monitor=lambda: monitor)


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Mac with Apple silicon, without the library."""
    monkeypatch.setattr(system, "NAME", "macOS")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", None)


def test_parts_count_once() -> None:
    """The processor, its neural engine, the GPU and memory; the GPU's SRAM may be inside the GPU."""
    monitor = FakeMonitor()
    sensor = opened(monitor)
    names = [channel.name for channel in sensor.channels]
    assert names == ["cpu:package-0", "cpu:ane-0", "gpu:0", "dram:package-0"]
    assert sensor.left_out == {"GPU SRAM": "it may be inside gpu:0, and each joule counts once"}
    assert [channel.name for channel in sensor.channels if channel.may_be_off] == ["cpu:ane-0", "gpu:0"]
    before_j = {name: sensor.read_j(name) for name in names}
    monitor.metrics.cpu_total_mj, monitor.metrics.gpu_mj = 112_500, 50_250
    used_j = {name: sensor.read_j(name) - before_j[name] for name in names}
    assert used_j == pytest.approx(
        {"cpu:package-0": 12.5, "cpu:ane-0": 0.0, "gpu:0": 0.25, "dram:package-0": 0.0}
    )


def test_what_a_chip_does_not_report_is_left_out() -> None:
    """Older chips have no counter of memory: none is made up."""
    sensor = opened(FakeMonitor(dram_mj=None, ane_mj=None, gpu_sram_mj=None))
    assert [channel.name for channel in sensor.channels] == ["cpu:package-0", "gpu:0"]
    assert sensor.left_out == dict.fromkeys(["dram:package-0", "cpu:ane-0"], "this chip doesn't report it")
    with pytest.raises(SensorUnavailable, match="reports no energy"):
        opened(FakeMonitor(dram_mj=None, ane_mj=None, cpu_total_mj=None, gpu_mj=None))


def test_it_is_an_estimate_of_unknown_error() -> None:
    """The library's own words: a model, not a meter."""
    sensor = opened(FakeMonitor())
    assert sensor.provenance is Provenance.ESTIMATED
    assert sensor.facts().shown == {
        "estimate_from": "Apple's model of the chip",
        "estimate_factor": "unknown",
    }


def test_a_counter_that_vanishes_is_a_fault() -> None:
    """It was there when the sensor was opened."""
    monitor = FakeMonitor()
    sensor = opened(monitor)
    monitor.metrics.gpu_mj = None
    with pytest.raises(SensorError, match="gpu:0: its counter gave None, which is no number"):
        sensor.read_j("gpu:0")


def test_another_machine_has_no_such_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Linux nor a Mac with an Intel processor."""
    with pytest.raises(NoSuchHardware, match=r"this is no Apple silicon \(Linux, "):
        AppleSensor()
    monkeypatch.setattr(system, "NAME", "macOS")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    with pytest.raises(NoSuchHardware, match=r"\(macOS, x86_64\)"):
        AppleSensor()


@pytest.mark.usefixtures("mac")
def test_a_missing_library_has_its_fix() -> None:
    """On a Mac the reason is listed, with the command."""
    with pytest.raises(SensorUnavailable, match="zeus-apple-silicon is not installed") as caught:
        AppleSensor()
    assert caught.value.reasons[0].remedies == ("pip install 'pytest-energy[apple]'",)


@pytest.mark.usefixtures("mac")
def test_the_library_is_used_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its monitor is opened, and one that fails is the reason."""
    library = ModuleType("zeus_apple_silicon")
    library.__dict__["AppleEnergyMonitor"] = FakeMonitor
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", library)
    assert AppleSensor().read_j("cpu:package-0") == 100.0

    def failing() -> FakeMonitor:
        raise RuntimeError("Failed to create IOReport subscription.")

    library.__dict__["AppleEnergyMonitor"] = failing
    with pytest.raises(SensorUnavailable, match=r"can't be opened: .*IOReport subscription"):
        AppleSensor()


def test_it_is_taken_where_nothing_measures() -> None:
    """It takes the place of the estimate from CPU time, and none is modelled beside it."""
    monitor = FakeMonitor()
    found = detect(None, openers={"apple": lambda: opened(monitor)})
    assert [sensor.name for sensor in found.sensors] == ["apple"]
    assert found.cpu_power is None
