"""Which sensors a run gets, and what is said of the others."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest

from pytest_energy.errors import NoSuchHardware, SensorUnavailable, SettingsError
from pytest_energy.model import Channel, Domain, Provenance, SensorStatus
from pytest_energy.sensors.amdsmi import AmdSmiSensor
from pytest_energy.sensors.detect import builtin_openers, detect, open_rapl
from pytest_energy.sensors.estimate import EstimateSensor
from pytest_energy.sensors.hwmon import HwmonSensor
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.protocol import Facts, Sensor
from pytest_energy.usage import Usage
from tests.fakes.amdsmi import FakeAmdGpu, FakeAmdSmi
from tests.fakes.hand_clock import HandClock
from tests.fakes.hwmon_tree import FakeHwmon
from tests.fakes.nvml import FakeGpu, FakeNvml


class OtherSensor:
    """A sensor of someone else's, with channels as the test says."""

    def __init__(
        self,
        name: str,
        *channels: str,
        provenance: Provenance = Provenance.MEASURED,
        domain: Domain = Domain.GPU,
    ) -> None:
        self.name = name
        self.provenance = provenance
        self.channels = tuple(
            Channel(name=channel, domain=domain, device=channel, is_ticked=False, resolution_j=1e-3)
            for channel in channels
        )
        self.close_count = 0

    def read_j(self, channel: str) -> float:
        return float(len(channel))

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return Facts()

    def close(self) -> None:
        self.close_count += 1


class PartialSensor(OtherSensor):
    """One that leaves a device out."""

    left_out: Mapping[str, str] = {"gpu:1": "MIG is on"}


def absent(name: str, because: str) -> Callable[[], Sensor]:
    def opener() -> Sensor:
        raise SensorUnavailable(name, because)

    return opener


def failing(error: BaseException) -> Callable[[], Sensor]:
    def opener() -> Sensor:
        raise error

    return opener


def absent_because(statuses: Iterable[SensorStatus], name: str) -> str | None:
    """Why the sensor *name* is not there."""
    return next(status.absent_because for status in statuses if status.name == name)


def there(sensor: Sensor) -> Callable[[], Sensor]:
    return lambda: sensor


NVML = OtherSensor("nvml", "gpu:0")
RAPL = OtherSensor("rapl", "cpu:package-0", "dram:package-0")
CPU = OtherSensor("rapl", "cpu:package-0", domain=Domain.CPU)
ESTIMATE = OtherSensor("estimate", "cpu:processes", provenance=Provenance.ESTIMATED)
ALL = {"nvml": there(NVML), "rapl": there(RAPL), "estimate": there(ESTIMATE)}
NO_GPU = {"nvml": absent("nvml", "no GPU")}
NOTHING_MEASURES = NO_GPU | {"rapl": absent("rapl", "no RAPL"), "estimate": there(ESTIMATE)}


def test_auto_takes_all_that_measure() -> None:
    """GPU and CPU counters are both taken; the estimate isn't needed and isn't mentioned."""
    found = detect(None, openers=ALL)
    assert found.sensors == (NVML, RAPL)
    assert found.statuses == (
        SensorStatus(name="nvml", channels=("gpu:0",), provenance=Provenance.MEASURED),
        SensorStatus(
            name="rapl", channels=("cpu:package-0", "dram:package-0"), provenance=Provenance.MEASURED
        ),
    )


def test_auto_never_adds_an_estimate_to_what_is_measured() -> None:
    """Where one sensor measures, the other is reported absent; an estimate doesn't fill its place."""
    found = detect(None, openers=ALL | NO_GPU)
    assert found.sensors == (RAPL,)
    assert [(status.name, status.absent_because) for status in found.statuses] == [
        ("rapl", None),
        ("nvml", "no GPU"),
    ]


@pytest.mark.parametrize("names", [None, ("nvml",)])
def test_a_cpu_that_nothing_measures_is_modelled_beside_a_gpu(names: tuple[str, ...] | None) -> None:
    """Rule 1: the model is no sensor of the run, and its joules join no sum."""
    openers = ALL | {
        "rapl": absent("rapl", "no RAPL"),
        "estimate": lambda: EstimateSensor(cpu_tdp_w=80.0, cpu_count=4),
    }
    found = detect(names, openers=openers)
    assert found.sensors == (NVML,)
    assert "estimate" not in [status.name for status in found.statuses]
    assert found.cpu_power is not None
    assert found.cpu_power.energy_j(4.0) == pytest.approx(80.0)


def test_nothing_is_modelled_where_the_cpu_is_measured_or_nothing_is() -> None:
    """A CPU's own joules need none beside them, and without a measurement the estimate is the sensor."""
    model = {"estimate": lambda: EstimateSensor(cpu_tdp_w=80.0, cpu_count=4)}
    assert detect(None, openers=ALL | model).cpu_power is None
    assert detect(None, openers=NOTHING_MEASURES | model).cpu_power is None
    neither = {"rapl": absent("rapl", "no RAPL"), "estimate": absent("estimate", "no CPU count")}
    assert detect(None, openers=ALL | neither).cpu_power is None


def test_auto_estimates_where_nothing_measures() -> None:
    """Without any counter the estimate is taken, and the reasons of the others stay."""
    found = detect(None, openers=NOTHING_MEASURES)
    assert found.sensors == (ESTIMATE,)
    assert [(status.name, status.absent_because) for status in found.statuses] == [
        ("estimate", None),
        ("nvml", "no GPU"),
        ("rapl", "no RAPL"),
    ]
    assert found.statuses[0].provenance is Provenance.ESTIMATED


def test_auto_without_any_sensor_is_empty() -> None:
    """Where not even an estimate can be made there is no sensor, and each reason is told."""
    found = detect(None, openers=NOTHING_MEASURES | {"estimate": absent("estimate", "no CPU count")})
    assert found.sensors == ()
    assert [status.absent_because for status in found.statuses] == ["no GPU", "no RAPL", "no CPU count"]
    assert found.statuses[-1].provenance is Provenance.ESTIMATED


def test_a_named_sensor_is_the_only_one() -> None:
    """Only what is asked for is opened, in the order asked for, each once."""
    assert detect(("rapl",), openers=ALL).sensors == (RAPL,)
    assert detect(("rapl", "nvml", "rapl"), openers=ALL).sensors == (RAPL, NVML)


def test_a_named_sensor_that_is_absent_is_not_replaced() -> None:
    """A sensor asked for that isn't there leaves the run without, with the reason: no estimate instead."""
    found = detect(("nvml",), openers=NOTHING_MEASURES)
    assert found.sensors == ()
    assert [(status.name, status.absent_because) for status in found.statuses] == [("nvml", "no GPU")]


def test_the_estimate_can_be_asked_for() -> None:
    """Alone, the estimate is taken even where something measures."""
    assert detect(("estimate",), openers=ALL).sensors == (ESTIMATE,)


def test_mixing_provenances_is_refused() -> None:
    """Measured and estimated joules asked for together are an error of settings, and both are closed."""
    nvml, estimate = OtherSensor("nvml", "gpu:0"), OtherSensor("estimate", "cpu:processes")
    estimate.provenance = Provenance.ESTIMATED
    with pytest.raises(SettingsError, match=r"never mixed: nvml \(measured\), estimate \(estimated\)"):
        detect(("nvml", "estimate"), openers={"nvml": there(nvml), "estimate": there(estimate)})
    assert (nvml.close_count, estimate.close_count) == (1, 1)


@pytest.mark.parametrize(("names", "what"), [(("nvlm",), "is named nvlm"), ((), "no sensor is named.")])
def test_an_unknown_name_lists_the_known(names: tuple[str, ...], what: str) -> None:
    """A misspelt sensor stops the run, with the names there are; so does none at all."""
    with pytest.raises(SettingsError, match="It can be auto, nvml, rapl, estimate or replay:FILE") as caught:
        detect(names, openers=ALL)
    assert what in str(caught.value)


def test_a_former_sensor_is_refused_with_what_took_its_place() -> None:
    """Who asks for a sensor that this package had is told by which one its counters are read."""
    with pytest.raises(SettingsError, match=r"named pyrapl \(rapl reads the same counters\)"):
        detect(("pyrapl",), openers=ALL)


def test_a_plugin_s_sensor_is_taken_too() -> None:
    """In auto mode sensors of other plugins measure with ours; by name they can be asked for alone."""
    plug = OtherSensor("wallplug", "cpu:wall")
    assert detect(None, openers=ALL, extra={"wallplug": there(plug)}).sensors == (NVML, RAPL, plug)
    assert detect(("wallplug",), openers=ALL, extra={"wallplug": there(plug)}).sensors == (plug,)


def test_a_plugin_s_sensor_alone_keeps_the_estimate_away() -> None:
    """Where only another plugin's sensor measures, nothing is estimated."""
    plug = OtherSensor("wallplug", "cpu:wall")
    assert detect(None, openers=NOTHING_MEASURES, extra={"wallplug": there(plug)}).sensors == (plug,)


def test_a_plugin_s_estimate_gives_way_to_what_measures() -> None:
    """In auto mode an estimate of another plugin is closed and reported where something measures."""
    guess = OtherSensor("guess", "cpu:all", provenance=Provenance.ESTIMATED)
    found = detect(None, openers=ALL, extra={"guess": there(guess)})
    assert found.sensors == (NVML, RAPL)
    assert guess.close_count == 1
    assert "never mixed" in str(found.statuses[-1].absent_because)
    assert found.statuses[-1].provenance is Provenance.ESTIMATED


def test_a_plugin_s_estimate_stands_where_nothing_measures() -> None:
    """Where nothing measures, another plugin's estimate is taken, and ours isn't added to it."""
    guess = OtherSensor("guess", "cpu:all", provenance=Provenance.ESTIMATED)
    assert detect(None, openers=NOTHING_MEASURES, extra={"guess": there(guess)}).sensors == (guess,)


def test_a_plugin_may_not_take_our_name() -> None:
    """A sensor of another plugin named like ours is an error: no number under a false name."""
    with pytest.raises(SettingsError, match="named rapl, which this package has"):
        detect(None, openers=ALL, extra={"rapl": there(RAPL)})


class SparingSensor(OtherSensor):
    """One that can do without single channels."""

    def __init__(self, name: str, *channels: str) -> None:
        super().__init__(name, *channels)
        self.left_out: dict[str, str] = {}

    def leave_out(self, channel: str, because: str) -> None:
        self.left_out[channel] = because
        self.channels = tuple(one for one in self.channels if one.name != channel)


def test_a_sensor_goes_on_without_a_channel_that_another_reads() -> None:
    """Its other channels count; the one that is left out has its reason."""
    board = SparingSensor("board", "cpu:package-0", "gpu:xe-0")
    found = detect(("rapl", "board"), openers=ALL, extra={"board": there(board)})
    assert found.sensors == (RAPL, board)
    assert [channel.name for channel in board.channels] == ["gpu:xe-0"]
    assert absent_because(found.statuses, "board cpu:package-0") == (
        "rapl reads cpu:package-0 already, and each joule counts once"
    )
    only = SparingSensor("board", "cpu:package-0")
    assert detect(("rapl", "board"), openers=ALL, extra={"board": there(only)}).sensors == (RAPL,)


def test_no_device_is_read_under_two_names(tmp_path: Path) -> None:
    """AMD's library and the kernel's files know a card by one number; a second card is another device."""
    power = {"power1_input": 9_000_000, "power1_cap": 300_000_000}
    tree, clock = FakeHwmon(tmp_path), HandClock()
    tree.add_amdgpu("a1b2c3d4e5f60001", **power)
    tree.add_ina3221(("VDD_IN", 5000, 1600))

    def opened_hwmon() -> Sensor:
        return HwmonSensor(root=tree.root, read_text=tree.read_text, now_s=clock.now_s, sleep_s=clock.sleep_s)

    def opened_amdsmi(serial: str) -> Sensor:
        smi = FakeAmdSmi(FakeAmdGpu(serial=serial, idle_counts=1))
        return AmdSmiSensor(amdsmi=smi, environ={}, now_s=clock.now_s, sleep_s=clock.sleep_s)

    def channels(serial: str) -> list[str]:
        amdsmi: Callable[[], Sensor] = partial(opened_amdsmi, serial)
        openers = {"amdsmi": amdsmi, "hwmon": opened_hwmon}
        return [
            channel.name for sensor in detect(None, openers=openers).sensors for channel in sensor.channels
        ]

    assert channels("0xA1B2C3D4E5F60001") == ["gpu:0", "cpu:VDD_IN"]
    assert channels("0xA1B2C3D4E5F60002") == ["gpu:0", "cpu:VDD_IN", "gpu:amdgpu-0"]


@pytest.mark.parametrize(
    ("model", "is_counted"), [("AMD Instinct MI300A", False), ("AMD Instinct MI300X", True)]
)
def test_a_counter_of_a_socket_is_not_added_to_its_cpus(model: str, is_counted: object) -> None:
    """MI300A: what RAPL reads is in the GPU's counter already."""
    clock = HandClock()

    def opened() -> Sensor:
        smi = FakeAmdSmi(FakeAmdGpu(model=model, idle_counts=1))
        return AmdSmiSensor(amdsmi=smi, environ={}, now_s=clock.now_s, sleep_s=clock.sleep_s)

    found = detect(None, openers={"amdsmi": opened, "rapl": there(CPU)})
    assert (CPU in found.sensors) is is_counted
    if not is_counted:
        assert "is of the socket with its CPU" in str(absent_because(found.statuses, "rapl"))


def test_hardware_that_a_machine_does_not_have_is_told_to_who_asks() -> None:
    """A machine without an AMD GPU needs no sensor of it: that is no absence, unless it was named."""

    def opener() -> Sensor:
        raise NoSuchHardware("amdsmi", "no driver of an AMD GPU is loaded")

    openers = ALL | {"amdsmi": opener}
    assert absent_because(detect(None, openers=openers).statuses, "nvml") is None
    assert [status.name for status in detect(None, openers=openers).statuses] == ["nvml", "rapl"]
    named = detect(("nvml", "amdsmi"), openers=openers)
    assert absent_because(named.statuses, "amdsmi") == "no driver of an AMD GPU is loaded"


def test_no_channel_is_read_twice() -> None:
    """A sensor whose channel another reads already is closed and reported: each joule counts once."""
    second = OtherSensor("board", "cpu:package-0")
    found = detect(("rapl", "board"), openers=ALL, extra={"board": there(second)})
    assert found.sensors == (RAPL,)
    assert second.close_count == 1
    assert found.statuses[-1].absent_because == (
        "rapl reads cpu:package-0 already, and each joule counts once"
    )


def test_a_device_left_out_is_reported() -> None:
    """A device that a sensor can't read has a status of its own, with the reason."""
    partial = PartialSensor("nvml", "gpu:0")
    found = detect(("nvml",), openers={"nvml": there(partial)})
    assert found.sensors == (partial,)
    assert found.statuses[1] == SensorStatus(
        name="nvml gpu:1", provenance=Provenance.MEASURED, absent_because="MIG is on"
    )


@pytest.mark.parametrize(
    "error", [OSError("no such port"), AttributeError("cpu_freq"), TypeError("bytes"), ImportError("libx.so")]
)
def test_a_sensor_whose_library_fails_is_absent(error: Exception) -> None:
    """Whatever a library beside us raises, the run goes on with the others and says why."""
    other = OtherSensor("rapl", "cpu:package-0")
    sensors = detect(None, openers={"nvml": failing(error), "rapl": there(other)})
    assert sensors.sensors == (other,)
    because = f"opening it failed: {type(error).__name__}: {error}"
    assert absent_because(sensors.statuses, "nvml") == because


def ungiven() -> Facts:
    raise RuntimeError("board lost")


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        (ungiven, "it doesn't report what it reads: RuntimeError: board lost"),
        (lambda: None, "it doesn't report what it reads: AttributeError: 'NoneType' object has no"),
        (lambda: Facts(key_parts=(b"H100",)), "it reports b'H100' as what it reads, which is not text"),  # type: ignore[arg-type]
        (lambda: Facts(shown={"uuid": 7}), "it reports 7 as what it reads, which is not text"),  # type: ignore[dict-item]
        (lambda: Facts(fixed={"limit": None}), "it reports None as what it reads, which is not text"),  # type: ignore[dict-item]
        (lambda: Facts(fixed=[("limit", "7")]), "it doesn't report what it reads: AttributeError: 'list'"),  # type: ignore[arg-type]
        (Mock, "it doesn't report what it reads: TypeError: "),
    ],
)
def test_a_sensor_that_doesn_t_tell_what_it_reads_is_absent(
    facts: Callable[[], Facts], because: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's name is made of these texts: that sensor is closed, and the others measure."""
    odd, other = OtherSensor("board", "board:0"), OtherSensor("rapl", "cpu:package-0")
    monkeypatch.setattr(odd, "facts", facts)
    found = detect(None, openers={"rapl": there(other)}, extra={"board": there(odd)})
    assert found.sensors == (other,)
    assert odd.close_count == 1
    assert str(absent_because(found.statuses, "board")).startswith(because)


def test_a_run_that_is_stopped_leaves_none_open() -> None:
    """An interrupt while sensors are opened ends the run, with those closed that were open."""
    other = OtherSensor("rapl", "cpu:package-0")
    with pytest.raises(KeyboardInterrupt):
        detect(None, openers={"rapl": there(other), "nvml": failing(KeyboardInterrupt())})
    assert other.close_count == 1


def test_rapl_is_powercap_if_it_works() -> None:
    """Powercap is tried first."""
    assert open_rapl(there(RAPL), absent("rapl", "unused")) is RAPL


def test_rapl_is_perf_if_powercap_doesnt_work() -> None:
    """Where powercap is closed, perf may be open."""
    assert open_rapl(absent("rapl", "mode 0400"), there(RAPL)) is RAPL


def test_rapl_is_absent_with_both_reasons() -> None:
    """Where neither works, both reasons are told."""
    with pytest.raises(SensorUnavailable) as caught:
        open_rapl(absent("rapl", "mode 0400"), absent("rapl", "paranoid is 4"))
    assert caught.value.sensor == "rapl"
    assert caught.value.because == "through powercap: mode 0400; through perf: paranoid is 4"


def test_a_counter_of_a_whole_module_leaves_no_other_joules_of_it() -> None:
    """On a Grace Hopper module NVML's counter may hold the CPU, so that hwmon's would count twice."""
    gh200 = NvmlSensor(nvml=FakeNvml(FakeGpu(model="NVIDIA GH200 480GB")), environ={})
    grace = OtherSensor("hwmon", "cpu:grace-0")
    grace.channels = tuple(replace(channel, domain=Domain.CPU) for channel in grace.channels)
    found = detect(None, openers={"nvml": lambda: gh200, "hwmon": lambda: grace})
    assert found.sensors == (gh200,)
    (absent_one,) = (status for status in found.statuses if status.name == "hwmon")
    assert absent_one.absent_because is not None
    assert "GPU or its whole module, and each joule counts once" in absent_one.absent_because


def test_the_builtin_sensors_are_these() -> None:
    """The package has these, and the TDP goes to the estimate."""
    openers = builtin_openers(cpu_tdp_w=42.0)
    assert list(openers) == ["nvml", "amdsmi", "rapl", "hwmon", "apple", "mig", "estimate"]
    assert openers["estimate"]().facts().fixed["cpu_tdp_w"] == "42"


def test_looking_for_sensors_loads_nothing_heavy() -> None:
    """The module alone costs no pynvml, psutil, ctypes or numpy: the sensor that needs one loads it."""
    code = (
        "import sys, pytest_energy.sensors.detect, pytest_energy.sensors.replay; "
        "print([name for name in ('pynvml', 'psutil', 'ctypes', 'numpy') if name in sys.modules])"
    )
    shown = subprocess.run(  # noqa: S603  # our own interpreter and text
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


def test_this_machine_has_some_sensor() -> None:
    """On any Linux machine something is found, if only the estimate, of one provenance."""
    found = detect(None)
    assert found.sensors
    assert len({sensor.provenance for sensor in found.sensors}) == 1
    for sensor in found.sensors:
        sensor.close()
