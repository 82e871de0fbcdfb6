"""Looking at this machine."""

from collections.abc import Iterable, Mapping

from pytest_energy.baselines.machine import fingerprint
from pytest_energy.doctor.examine import examine
from pytest_energy.doctor.permissions import permissions
from pytest_energy.doctor.report import Diagnosis, diagnosis_of
from pytest_energy.errors import Reason, SensorUnavailable
from pytest_energy.meter.clock import Clock, SystemClock
from pytest_energy.meter.sampler import Runner
from pytest_energy.model import Provenance
from pytest_energy.profiling.load import CpuLoad, GpuLoad, Load
from pytest_energy.sensors.detect import Opener, builtin_openers, detect


def diagnose(
    openers: Mapping[str, Opener] | None = None,
    *,
    loads: Iterable[Load] | None = None,
    clock: Clock | None = None,
    runner: Runner | None = None,
) -> Diagnosis:
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
        observations = examine(
            sensors,
            [GpuLoad(), CpuLoad()] if loads is None else loads,
            SystemClock() if clock is None else clock,
            runner,
        )
    finally:
        for sensor in sensors:
            sensor.close()
    tried = {status.name for status in sensor_set.statuses}
    return diagnosis_of(
        sensor_set,
        observations,
        others=_look_at({name: opener for name, opener in openers.items() if name not in tried}),
        permissions=permissions(),
        machine_key=machine.key,
    )


def _look_at(openers: Mapping[str, Opener]) -> dict[str, tuple[Reason, ...]]:
    """Why sensors that a run doesn't use by itself are absent; with no reason where they are there."""
    reasons: dict[str, tuple[Reason, ...]] = {}
    for name, opener in openers.items():
        try:
            opener().close()
        except SensorUnavailable as error:
            reasons[name] = error.reasons
        else:
            reasons[name] = ()
    return reasons
