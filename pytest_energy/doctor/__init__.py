"""The doctor: which sensors work on this machine, which can fail a test, and how to enable the rest.

Rule 1: a counter that does not move while its hardware works is absent, not frugal.
Rule 2: looking (`examine`, `permissions`) touches hardware and clock; what is made of it (`report`) and its
        words (`text`) are pure.
"""

from collections.abc import Iterable, Mapping

from pytest_energy.baselines.machine import fingerprint
from pytest_energy.doctor.examine import examine
from pytest_energy.doctor.permissions import permissions
from pytest_energy.doctor.report import Report, report_of, to_json
from pytest_energy.doctor.text import render
from pytest_energy.errors import NoSuchHardware, Reason, SensorUnavailable
from pytest_energy.meter.clock import Clock, SystemClock
from pytest_energy.meter.sampler import Runner
from pytest_energy.model import Provenance
from pytest_energy.profiling.load import CpuLoad, GpuLoad, Load
from pytest_energy.sensors.detect import Opener, builtin_openers, detect

__all__ = ["Report", "diagnose", "render", "to_json"]


def diagnose(
    openers: Mapping[str, Opener] | None = None,
    *,
    loads: Iterable[Load] | None = None,
    clock: Clock | None = None,
    runner: Runner | None = None,
) -> Report:
    """Look at this machine: 4 s, and some more where torch must be imported to load a GPU.

    Args:
        openers: Sensors by name; those of this package by default.
        loads: What to put on the machine; all its GPUs, then also all its CPUs, by default.
        clock: The machine's by default.
        runner: What runs the sampler; a thread by default.
    """
    openers = builtin_openers() if openers is None else openers
    sensor_set = detect(None, openers=openers)
    sensors = sensor_set.sensors
    try:
        names = [sensor.name for sensor in sensors]
        provenance = sensors[0].provenance if sensors else Provenance.MEASURED
        machine = fingerprint([sensor.facts() for sensor in sensors], names, provenance)
        loads = [GpuLoad(), CpuLoad()] if loads is None else loads
        channels = examine(sensors, loads, SystemClock() if clock is None else clock, runner)
    finally:
        for sensor in sensors:
            sensor.close()
    tried = {status.name for status in sensor_set.statuses}
    untried = {name: opener for name, opener in openers.items() if name not in tried}
    others = {name: reasons for name, one in untried.items() if (reasons := _why_absent(one)) is not None}
    return report_of(sensor_set, channels, others=others, permissions=permissions(), machine_key=machine.key)


def _why_absent(opener: Opener) -> tuple[Reason, ...] | None:
    """Why a sensor that a run doesn't use by itself is absent; no reason where it is there.

    `None` if this machine has no such hardware.
    """
    try:
        opener().close()
    except NoSuchHardware:
        return None
    except SensorUnavailable as error:
        return error.reasons
    return ()
