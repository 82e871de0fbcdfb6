"""Which devices a test used, and which joules of its rounds are therefore its own. Pure.

Rule 1: only joules of what belongs to the test are its joules: a GPU that did nothing is no part of them.
Rule 2: the processor is always at work: it runs the test.
Rule 3: power decides. A GPU that drew more than in the quiet before its windows worked, in any case;
    one that drew no more was at rest, also where a context of the test's processes is open on it. Only what
    was at work before its windows and inside draws no more and works: then the computing processes decide.
Rule 4: where power can't decide, a context or a busy device does: short work is not taken for rest.
Rule 5: what a baseline counts is counted on, at work or not, so that its sessions can be compared.
Rule 6: of two works that take turns, what one of them used is counted in both, so that they can be compared.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pytest_energy.model import Channel, Domain, Phase, Provenance, Reading, Record
from pytest_energy.usage import DeviceUse

REST_SHARE = 0.015
"""Of quiet power. H100s at rest with a context open drew 0.6 and 0.7 % more than in the quiet before; the
lightest work, an endless row of launches, 1.9 and 3.2 % (docs/results/sessions/h100). Quiet ticks drift by up
to 1.5 % after a load."""

_PROOF = 3.0  # standard uncertainties by which work must show in power
_DOUBT = 2.0  # and within which rest may be work

# Power before the first test stands in for that of a channel without quiet ticks. It is read once, so a
# warmer room must not be work; an open context is half as much again, and more.
_IDLE_SHARE = 0.1

# What is computed all the while, and before, for nobody who has a name: an idle H100 draws 70 W, one with a
# context open 1.7 times that. A desktop, which computes all the time, has idle power.
_STEADY_RATIO = 3.0


def scoped(record: Record, counted: Collection[str] = (), in_turns: Sequence[Reading] = ()) -> Record:
    """*record* with what belongs to its test: without joules, and with the reason, where that is nothing.

    Args:
        record: With every channel that was measured.
        counted: Channels that its baseline counts.
        in_turns: Rounds of other work that took turns with the test's.
    """
    if record.provenance is Provenance.REPLAYED or not record.rounds or record.void_because is not None:
        return record
    names = frozenset(record.rounds[0].channels)
    idle_power_w = record.idle_power_w or {}
    resting = _resting(record.rounds, idle_power_w)
    if in_turns:
        resting &= _resting(in_turns, idle_power_w)
    record = replace(record, missing_domains=_missing_domains(record.rounds))
    if not resting:
        return record
    if resting == names:
        because = _why_unmeasured(record, len(names))
        return replace(record, rounds=_without(record.rounds, names), unmeasured_because=because)
    left_out = resting.difference(counted)
    idle_w = record.idle_power_w
    return replace(
        record,
        rounds=_without(record.rounds, left_out),
        idle_power_w=idle_w and {name: power_w for name, power_w in idle_w.items() if name not in left_out},
    )


def limited(readings: Sequence[Reading], names: Collection[str]) -> tuple[Reading, ...]:
    """*readings* with the joules of the channels *names* alone; void ones as they are."""
    return tuple(
        reading
        if reading.void_because is not None
        else _without((reading,), reading.channels.keys() - names)[0]
        for reading in readings
    )


def scope_text(record: Record) -> str:
    """Which devices the joules of *record* cover, if some that worked are missing: `GPU only`; else empty.

    >>> from tests.builders import reading, record
    >>> scope_text(scoped(record(rounds=[reading(channels={"gpu:0": 100.0})])))
    'GPU only'
    """
    names = {name for reading in record.usable_rounds for name in reading.channels}
    if not (names and record.missing_domains):
        return ""
    measured = {Channel.domain_of(name) for name in names}
    return f"{' and '.join(domain.upper() for domain in Domain if domain in measured)} only"


def estimated_j(record: Record) -> float | None:
    """Mean joules of a round that a model gives for what nothing measured; `None` if it gives none."""
    rounds = [one.estimated_channels for one in record.rounds if one.estimated_channels]
    return math.fsum(math.fsum(one.values()) for one in rounds) / len(rounds) if rounds else None


def is_at_rest(readings: Sequence[Reading], idle_power_w: Mapping[str, float]) -> bool:
    """Whether every device that *readings*, of one test, measure was at rest."""
    return bool(readings) and _resting(readings, idle_power_w) == readings[0].channels.keys()


def _missing_domains(readings: Sequence[Reading]) -> tuple[Domain, ...]:
    """Rule 2, and GPUs that a context is open on and that no channel measures."""
    measured = {Channel.domain_of(name) for name in readings[0].channels}
    used = {Domain.CPU, *(Channel.domain_of(name) for reading in readings for name in reading.device_use)}
    return tuple(domain for domain in Domain if domain in used - measured)


# ---- at work or at rest ----


def _resting(readings: Sequence[Reading], idle_power_w: Mapping[str, float]) -> frozenset[str]:
    """Channels of GPUs that did nothing."""
    usable = [reading for reading in readings if reading.void_because is None]
    names = {name for reading in usable for name in reading.channels}
    gpus = (name for name in names if Channel.domain_of(name) is Domain.GPU)
    return frozenset(name for name in gpus if not _has_worked(name, usable, idle_power_w.get(name)))


def _has_worked(name: str, readings: Sequence[Reading], idle_w: float | None) -> bool:
    uses = [reading.device_use.get(name) for reading in readings]
    if _has_computed(uses, _mean_power_w(name, readings), idle_w):
        return True
    quiet = [reading for reading in readings if name in reading.quiet_power_w and name in reading.channels]
    if not quiet:
        return idle_w is None or _mean_power_w(name, readings) > (1 + _IDLE_SHARE) * idle_w
    duration_s = math.fsum(reading.duration_s for reading in quiet)
    quiet_j = math.fsum(reading.quiet_power_w[name] * reading.duration_s for reading in quiet)
    excess_j = math.fsum(reading.channels[name] for reading in quiet) - quiet_j
    error_j = math.hypot(*(reading.uncertainty_j for reading in quiet))
    if excess_j > max(REST_SHARE * quiet_j, _PROOF * error_j):
        return True
    return any(uses) and duration_s > 0 and excess_j + _DOUBT * error_j > REST_SHARE * quiet_j


def _has_computed(uses: Sequence[DeviceUse | None], power_w: float, idle_w: float | None) -> bool:
    """Whether a process computed on it in half of the rounds; NVML's samples may be a second old."""
    busy_count = uses.count(DeviceUse.BUSY)
    if idle_w is not None and power_w > _STEADY_RATIO * idle_w:
        busy_count += uses.count(DeviceUse.UNNAMED)
    return 2 * busy_count >= max(1, len(uses))


def _mean_power_w(name: str, readings: Sequence[Reading]) -> float:
    duration_s = math.fsum(reading.duration_s for reading in readings)
    energy_j = math.fsum(reading.channels.get(name, 0.0) for reading in readings)
    return energy_j / duration_s if duration_s > 0 else math.inf


def _why_unmeasured(record: Record, gpu_count: int) -> str:
    gpus = "the GPU was" if gpu_count == 1 else f"all {gpu_count} GPUs were"
    has_cpu = any(name.startswith(f"{Domain.CPU}:") for sensor in record.sensors for name in sensor.channels)
    cpu = "the test's marker leaves the CPU out" if has_cpu else "nothing measures the CPU here"
    return f"{gpus} at rest and {cpu}"


# ---- what is left ----


def _without(readings: Sequence[Reading], names: Collection[str]) -> tuple[Reading, ...]:
    return tuple(_reading_without(reading, names) for reading in readings) if names else tuple(readings)


def _reading_without(reading: Reading, names: Collection[str]) -> Reading:
    """*reading* with the joules of *names* apart. Its uncertainty stays that of all, which is too careful."""
    counted, resting = _split(reading.channels, names)
    verb = "was" if len(resting) == 1 else "were"
    note = f"{', '.join(sorted(resting))} {verb} at rest: not counted"
    return replace(
        reading,
        channels=counted,
        resting_channels=resting,
        quality=(*reading.quality, note) if counted else reading.quality,
        quiet_power_w=_split(reading.quiet_power_w, names)[0] if counted else reading.quiet_power_w,
        phases=tuple(_phase_without(phase, names) for phase in reading.phases),
    )


def _phase_without(phase: Phase, names: Collection[str]) -> Phase:
    if phase.energy_j is None or not phase.channels:
        return phase
    counted, _ = _split(phase.channels, names)
    if not counted:
        return replace(phase, channels={}, energy_j=None, uncertainty_j=None)
    return replace(phase, channels=counted, energy_j=math.fsum(counted.values()))


def _split(values: Mapping[str, float], names: Collection[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Those of other channels, and those of *names*."""
    ours = {name: value for name, value in values.items() if name not in names}
    return ours, {name: value for name, value in values.items() if name in names}
