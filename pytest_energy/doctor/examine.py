"""Reading each channel at rest and under load."""

import statistics
from collections.abc import Iterable, Sequence

from pytest_energy.doctor.report import ChannelReport, channel_report
from pytest_energy.errors import NotMeasurable, SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.rest import at_rest
from pytest_energy.meter.sampler import Runner, Sampler, ThreadRunner
from pytest_energy.model import Domain
from pytest_energy.profiling.load import Load
from pytest_energy.sensors.estimate import FROM
from pytest_energy.sensors.protocol import Sensor

# Calls whose median is the cost of one: an odd number, and at NVML's 3 ms done in a twentieth of a second.
_CALL_COUNT = 15

# Idle power is read over at least this, and power under load over twice that: 15 and 20 ticks of NVML.
_IDLE_S = 1.5
_LOAD_S = 2.0
# Power takes two ticks, and a third may lie across an edge.
_LEAST_TICKS = 3


def examine(
    sensors: Sequence[Sensor], loads: Iterable[Load], clock: Clock, runner: Runner | None = None
) -> dict[str, ChannelReport]:
    """Read each channel at rest and under load; a report of each, by its name.

    Args:
        sensors: Open sensors.
        loads: What to put on the machine, in the order in which they start; those whose domain has no
            channel stay away.
        clock: The clock of all times.
        runner: What runs the sampler; a thread by default.

    Raises:
        Exception: What a sensor raised that is no `SensorError`.
    """
    by_channel = {channel: sensor for sensor in sensors for channel in sensor.channels}
    channels = tuple(by_channel)
    calls_s = {channel.name: _call_s(sensor, channel.name, clock) for channel, sensor in by_channel.items()}
    since_s = clock.now_s()
    sampler = Sampler(sensors, clock, ThreadRunner(clock) if runner is None else runner)
    sampler.start()
    try:
        idle = at_rest(sampler, channels, clock, _IDLE_S)
        ticks_s = {c.name: sampler.tick_s(c.name) if c.is_ticked else None for c in channels}
        working, unloaded = _started(loads, {channel.domain for channel in channels})
        try:
            longest_tick_s = max((tick_s or 0.0 for tick_s in ticks_s.values()), default=0.0)
            load_s = max(_LOAD_S, _LEAST_TICKS * longest_tick_s)
            busy = at_rest(sampler, channels, clock, load_s, find_s=0.0) if working else {}
        finally:
            unloaded |= _stopped(working)
        faults = {c.name: sampler.fault_since(c.name, since_s) for c in channels}
    finally:
        sampler.stop()
    if sampler.failure is not None:
        raise sampler.failure
    worked = {d: load.what for load in working for d in load.domains if d not in unloaded}
    return {
        c.name: channel_report(
            c,
            sensor.provenance,
            tick_s=ticks_s[c.name],
            call_s=calls_s[c.name],
            idle=idle[c.name],
            busy=busy[c.name] if c.domain in worked else None,
            load=worked.get(c.domain) or unloaded.get(c.domain, "none is known for this domain"),
            fault=faults[c.name],
            estimate_from=sensor.facts().shown.get(FROM),
        )
        for c, sensor in by_channel.items()
    }


def _call_s(sensor: Sensor, channel: str, clock: Clock) -> float | None:
    """Median duration of a read; `None` if one fails, which the sampler will notice too."""
    durations_s = []
    for _ in range(_CALL_COUNT):
        before_s = clock.now_s()
        try:
            sensor.read_j(channel)
        except SensorError:
            return None
        durations_s.append(clock.now_s() - before_s)
    return statistics.median(durations_s)


def _started(loads: Iterable[Load], domains: set[Domain]) -> tuple[list[Load], dict[Domain, str]]:
    """The loads that are at work now, and why the other domains have none."""
    working: list[Load] = []
    unloaded: dict[Domain, str] = {}
    for load in loads:
        if not domains & load.domains:
            continue
        try:
            load.start()
        except NotMeasurable as error:
            unloaded |= dict.fromkeys(load.domains, str(error))
        except BaseException:
            _stopped(working)
            raise
        else:
            working.append(load)
    return working, unloaded


def _stopped(working: Iterable[Load]) -> dict[Domain, str]:
    """Stop the loads; why some weren't at work until then."""
    failed: dict[Domain, str] = {}
    for load in working:
        try:
            load.stop()
        except NotMeasurable as error:
            failed |= dict.fromkeys(load.domains, str(error))
    return failed
