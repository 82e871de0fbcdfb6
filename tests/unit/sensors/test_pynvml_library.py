"""The module `pynvml`, whichever it is: NVIDIA's own, an older one, or what a test has put in its place."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.sensors.detect import detect
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.pynvml_library import _NUMBERS, PynvmlLibrary, imported_pynvml
from tests.fakes.nvml import FakeGpu, FakeNvml, NVMLError

UUIDS = ("GPU-aaaa1111-0000-0000-0000-000000000001", "GPU-bbbb2222-0000-0000-0000-000000000002")


class OldNvml:
    """The module as the package `pynvml` had it: bytes for text, without the names in *lacking*.

    The functions in *broken* raise that error, as older ones do whose library or Python is a newer one.
    """

    def __init__(self, *lacking: str, broken: dict[str, Exception] | None = None) -> None:
        self._nvml = FakeNvml(*(FakeGpu(uuid=uuid) for uuid in UUIDS))
        self._lacking, self._broken = lacking, {} if broken is None else broken

    def __getattr__(self, name: str) -> object:
        if name in self._lacking:
            raise AttributeError(name)
        given = getattr(self._nvml, name)
        return self._function(name, given) if name.startswith("nvml") else given

    def _function(self, name: str, given: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            if name in self._broken:
                raise self._broken[name]
            value = given(*args)
            return value.encode() if isinstance(value, str) else value

        return call


def test_bytes_are_text() -> None:
    """Names, UUIDs and the driver's version are the same as with NVIDIA's own module."""
    new = NvmlSensor(nvml=FakeNvml(*(FakeGpu(uuid=uuid) for uuid in UUIDS)), environ={})
    old = NvmlSensor(nvml=OldNvml(), environ={})
    assert old.facts() == new.facts()
    assert old.channels == new.channels


def test_a_uuid_given_as_bytes_is_found_by_its_name() -> None:
    """`CUDA_VISIBLE_DEVICES` is text."""
    sensor = NvmlSensor(nvml=OldNvml(), environ={"CUDA_VISIBLE_DEVICES": "GPU-bbbb"})
    assert [channel.device for channel in sensor.channels] == [UUIDS[1]]


@pytest.mark.parametrize("name", sorted(_NUMBERS))
def test_a_number_that_it_lacks_is_that_of_the_header(name: str) -> None:
    """They never change, so that a look at them needs no module."""
    import pynvml

    assert getattr(PynvmlLibrary(OldNvml(name)), name) == getattr(pynvml, name)
    assert NvmlSensor(nvml=OldNvml(name), environ={}).read_j("gpu:0") == 5000.0


@pytest.mark.parametrize(
    "name",
    ["nvmlDeviceGetFieldValues", "nvmlDeviceGetCurrentClocksEventReasons", "nvmlSystemGetDriverVersion"],
)
def test_what_only_describes_may_be_missing(name: str) -> None:
    """The joules are known without it, and what it would tell is told as unknown."""
    sensor = NvmlSensor(nvml=OldNvml(name), environ={})
    assert sensor.read_j("gpu:0") == 5000.0
    assert sensor.snapshot("gpu:0").slowdowns == frozenset()
    is_unknown = sensor.facts().shown["gpu_driver"].startswith("unknown (this pynvml has no")
    assert is_unknown == (name == "nvmlSystemGetDriverVersion")


@pytest.mark.parametrize("name", ["nvmlDeviceGetMigMode", "nvmlDeviceGetVirtualizationMode"])
def test_what_can_not_say_no_refuses_the_gpu(name: str) -> None:
    """Whether the counter is this job's alone can't be told: that is no yes."""
    with pytest.raises(SensorUnavailable, match=rf"has no {name}.*nvidia-ml-py"):
        NvmlSensor(nvml=OldNvml(name), environ={})


@pytest.mark.parametrize("name", ["NVMLError_LibraryNotFound", "NVMLError_NotSupported"])
def test_an_error_that_it_lacks_is_never_raised(name: str) -> None:
    """And another error isn't taken for it."""
    with pytest.raises(
        SensorUnavailable, match="doesn't start: nvmlInit of this pynvml fails: OSError: broken"
    ):
        NvmlSensor(nvml=OldNvml(name, broken={"nvmlInit": OSError("broken")}), environ={})


@pytest.mark.parametrize(
    "error", [AttributeError("decode"), TypeError("bytes"), OSError("lib"), FutureWarning()]
)
@pytest.mark.parametrize("name", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetUUID"])
def test_an_odd_error_ends_the_sensor_alone(name: str, error: Exception) -> None:
    """The run goes on with the others, and the reason names function and error."""
    sensors = detect(
        ("nvml",), openers={"nvml": lambda: NvmlSensor(nvml=OldNvml(broken={name: error}), environ={})}
    )
    assert sensors.sensors == ()
    assert f"{name} of this pynvml fails: {type(error).__name__}" in str(sensors.statuses[0].absent_because)


def test_an_odd_error_of_a_read_is_a_fault_of_the_sensor() -> None:
    """The round is void with its reason."""
    broken: dict[str, Exception] = {}
    sensor = NvmlSensor(nvml=OldNvml(broken=broken), environ={})
    broken["nvmlDeviceGetTotalEnergyConsumption"] = TypeError("an integer is required")
    with pytest.raises(SensorError, match=r"gpu:0: .*TypeError: an integer is required"):
        sensor.read_j("gpu:0")


def test_no_value_of_a_read_is_a_fault_of_the_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is no 0 J."""
    nvml = FakeNvml(FakeGpu())
    sensor = NvmlSensor(nvml=nvml, environ={})
    monkeypatch.setattr(nvml, "nvmlDeviceGetTotalEnergyConsumption", lambda _: None)
    with pytest.raises(SensorError, match="gpu:0"):
        sensor.read_j("gpu:0")


def test_closing_forgives_a_library_that_has_gone() -> None:
    """The end of a run is no place for its errors."""
    sensor = NvmlSensor(nvml=OldNvml(broken={"nvmlShutdown": OSError("gone")}), environ={})
    sensor.close()
    assert sensor.read_j("gpu:1") == 5000.0


@pytest.mark.parametrize("stand_in", [MagicMock(), ModuleType("pynvml")])
def test_a_stand_in_is_no_library(monkeypatch: pytest.MonkeyPatch, stand_in: object) -> None:
    """What a test has put in the module's place counts no joules."""
    monkeypatch.setitem(sys.modules, "pynvml", stand_in)
    with pytest.raises(SensorUnavailable, match=r"not NVIDIA's.*nvidia-ml-py"):
        NvmlSensor(environ={})


@pytest.mark.parametrize("text", ["except NVMLError, error: pass", "import pynvml.gone", "1 / 0", "b'' + ''"])
def test_a_module_that_cant_be_imported_ends_the_sensor_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Whatever it raises; one for Python 2 is a syntax error."""
    (tmp_path / "pynvml.py").write_text(text)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SensorUnavailable, match="nvidia-ml-py"):
        NvmlSensor(environ={})


def test_a_module_that_warns_of_itself_warns_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that makes errors of warnings has not asked for it."""
    (tmp_path / "pynvml.py").write_text(
        "import warnings; warnings.warn('deprecated', FutureWarning); NVMLError = OSError"
    )
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PynvmlLibrary(imported_pynvml()).NVMLError is OSError


def test_errors_of_the_library_stay_its_own() -> None:
    """Their text is NVML's."""
    broken: dict[str, Exception] = {"nvmlDeviceGetCount": NVMLError("Unknown Error")}
    with pytest.raises(SensorUnavailable, match="can't list the GPUs: Unknown Error"):
        NvmlSensor(nvml=OldNvml(broken=broken), environ={})
