"""Reasons that make a reading void, and notes on readings that aren't. Pure.

Rule 1: a reason is one sentence that names the channel and the value that was read.
Rule 2: what is known to be wrong is void; what is only worth knowing is a note.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import fmean, median, stdev

from pytest_energy.meter.clock import TimeMark
from pytest_energy.meter.integrate import How, Integral
from pytest_energy.model import SAME_CLOCK, Channel, ClockError, Domain, Provenance, Reading, Tick
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, Slowdown
from pytest_energy.units import to_text
from pytest_energy.usage import DeviceUse

# Two reads of two clocks differ by microseconds; a machine that sleeps does so for seconds.
_SUSPENDED_S = 0.01

# The kernel counts hundredths of a second, one off at each end; the rate of its clock is corrected by 0.05 %
# at most (adjtimex(2)).
_COUNTED_S, _COUNTED_SHARE = 0.03, 2e-3

# Joules that are known to no better than this share say little of the work: with 2 standard uncertainties
# the window could have used nothing.
_WORST_SHARE = 0.5

# More than this share of the joules, all to one side, is not known to be 1 % or less on average.
_ONE_SIDED_SHARE = 0.03

# Joules below zero by more than so many standard uncertainties are not chance.
_CHANCE = 2.0

# Quiet power that differs by more than this before and after the window was perhaps not quiet.
_QUIET_SHARE = 0.1

# A hardware slowdown without a cause is also reported for a moment when clocks change (nvml.h): seen once it
# may be that, seen twice it isn't.
_LONE_COUNT = 2

# Counter and integrated power of an H100 and an H200 agreed within 3 % and 0.5 % over 3.5 s. Of shorter
# windows, and of few powers, the edges and the delay of the power are too much.
_POWER_SHARE = 0.05
_POWER_S = 5.0
_POWER_COUNT = 10

# Silicon leaks more when it is hot. No figure for these boards is at hand, so this is an assumption: 0.1 to
# 0.5 % of the power for each degree. Then 10 degrees are 1 to 5 %, worth a word beside the default tolerance
# of 5 %; 25 degrees are 2.5 to 12 %, which is another measurement.
_BAND_C = 10.0
_FAR_C = 25.0

# Joules that may be somebody else's are worth a word from twice the default tolerance on, and so is processor
# time that others had beside an estimate: caches and clocks were shared with them.
_FOREIGN_SHARE = 0.1

# A test whose processes used less of a processor than this waited for somebody else's work. A look at the
# family costs up to 0.2 ms, which short windows can't be told from.
_LEAST_AT_WORK_SHARE = 0.01
_LOOK_S = 2e-4
_LEAST_WAIT_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHistory:
    """State of one channel's device shortly before a window, inside, and just after it.

    Attributes:
        snapshots: In between, and one just after the stop.
        is_kin: Process id to whether it belongs to this run; `None` if it can't be seen from here.
    """

    before: DeviceState
    after: DeviceState
    snapshots: tuple[DeviceSnapshot, ...] = ()
    is_kin: Mapping[int, bool | None] = field(default_factory=dict)

    @property
    def use(self) -> DeviceUse | None:
        """Use of the device by this run, as far as known; if another program computed, the window is void."""
        ours = [pid for pid, is_kin in self.is_kin.items() if is_kin]
        if any(self.after.processes.get(pid) for pid in ours):
            return DeviceUse.BUSY
        if self.after.is_busy:
            return DeviceUse.UNNAMED
        return DeviceUse.OPEN if ours else None


def why_clock_is_wrong(start_s: float, stop_s: float, before: TimeMark, after: TimeMark) -> str | None:
    """Why the seconds of a window, which lies between two moments, can't be used, or `None`."""
    if stop_s <= start_s:
        return f"the clock went from {start_s} s to {stop_s} s during the window: it went back or stopped"
    if before.suspended_s is not None and after.suspended_s is not None:
        slept_s = after.suspended_s - before.suspended_s
        if abs(slept_s) > _SUSPENDED_S:
            return f"the machine slept for {to_text(slept_s, 's')} during the window"
    if before.counted_s is not None and after.counted_s is not None:
        return _why_clock_errs(before, after, after.counted_s - before.counted_s)
    return None


def _why_clock_errs(before: TimeMark, after: TimeMark, counted_s: float) -> str | None:
    """Why two moments aren't as far apart as the kernel counts, however long each look at them took."""
    least_s, most_s = after.before_s - before.after_s, after.after_s - before.before_s
    if least_s - _slack_s(least_s) <= counted_s <= most_s + _slack_s(most_s):
        return None
    return (
        f"the clock went by {to_text(most_s, 's')} while the kernel counted {to_text(counted_s, 's')}: "
        "something replaced the clock below Python"
    )


def _slack_s(duration_s: float) -> float:
    return _COUNTED_S + _COUNTED_SHARE * duration_s


def why_joules_are_wrong(integrals: Mapping[str, Integral], may_be_off: Collection[str] = ()) -> str | None:
    """Why the joules of a window can't be used, or `None`; channels that *may_be_off* may read 0."""
    energy_j = total_j(integrals)
    return (
        why_counters_stand(integrals, may_be_off)
        or why_ticks_are_vague(integrals, energy_j)
        or why_too_uncertain(energy_j, total_uncertainty_j(integrals))
    )


def why_counters_stand(integrals: Mapping[str, Integral], may_be_off: Collection[str]) -> str | None:
    """Which counter has not moved in a window, or `None`; channels that *may_be_off* may read 0."""
    for name, integral in integrals.items():
        if integral.energy_j > 0:
            continue
        is_off = integral.energy_j == 0 and name in may_be_off
        # A device at rest beside another may read less than nothing by chance: its counter did tick.
        is_beside = len(integrals) > 1 and integral.how is How.ALIGNED
        is_chance = is_beside and integral.energy_j > -_CHANCE * integral.uncertainty_j
        if not (is_off or is_chance):
            return (
                f"{name} reads {to_text(integral.energy_j, 'J')} "
                f"(+- {to_text(integral.uncertainty_j, 'J')}): "
                "its counter does not move, or the window is too short for it"
            )
    return None


def why_ticks_are_vague(integrals: Mapping[str, Integral], energy_j: float) -> str | None:
    """Why joules, *energy_j* in all, may err to one side, or `None`."""
    one_sided_j = math.hypot(*[integral.one_sided_j for integral in integrals.values()])
    if one_sided_j > _ONE_SIDED_SHARE * energy_j:
        return (
            f"{to_text(energy_j, 'J')} may be off by {to_text(one_sided_j, 'J', digits=2)}: reads of the "
            "counters are slow, and when they tick is not known well enough for so short a window. Do more "
            "work per round"
        )
    return None


def why_too_uncertain(energy_j: float, uncertainty_j: float) -> str | None:
    """Why joules are too uncertain to be used, or `None`."""
    if uncertainty_j > _WORST_SHARE * energy_j:
        return (
            f"{to_text(energy_j, 'J')} are known only to +- {to_text(uncertainty_j, 'J')}: the window is "
            "too short for these counters. Do more work per round"
        )
    return None


def total_j(integrals: Mapping[str, Integral]) -> float:
    """Sum of the channels."""
    return math.fsum([integral.energy_j for integral in integrals.values()])


def total_uncertainty_j(integrals: Mapping[str, Integral], error: ClockError = SAME_CLOCK) -> float:
    """Standard uncertainty of the sum of the channels, whose errors are independent but for the clock's.

    A window that is shifted by d among the ticks of all channels loses (power at its start) x d and gains
    (power at its stop) x d; one edge that is off by d alone gains or loses the power there x d.
    """
    own_j = [integral.uncertainty_j for integral in integrals.values()]
    if error is SAME_CLOCK:
        return math.hypot(*own_j)
    start_w = math.fsum(integral.edge_powers_w[0] for integral in integrals.values())
    stop_w = math.fsum(integral.edge_powers_w[1] for integral in integrals.values())
    return math.hypot(*own_j, (stop_w - start_w) * error.alike_s, (start_w + stop_w) / 2 * error.apart_s)


def notes(integrals: Mapping[str, Integral]) -> tuple[str, ...]:
    """Notes on a window's joules, one sentence each."""
    sentences = []
    for name, integral in integrals.items():
        head_w, tail_w = integral.head_power_w, integral.tail_power_w
        if integral.how is How.INTERPOLATED:
            sentences.append(
                f"{name}: no whole quiet tick beside the window; its edges are interpolated between ticks"
            )
        elif integral.energy_j < 0:
            sentences.append(
                f"{name}: {to_text(integral.energy_j, 'J')} (+- {to_text(integral.uncertainty_j, 'J')}), "
                "counted as 0 J: it used less than can be known in so short a window"
            )
        elif head_w is not None and tail_w is not None and abs(tail_w - head_w) > _QUIET_SHARE * head_w:
            sentences.append(
                f"{name}: {to_text(head_w, 'W', digits=3)} before the window, "
                f"{to_text(tail_w, 'W', digits=3)} after it: not equally quiet"
            )
    return tuple(sentences)


def phase_notes(integrals: Mapping[str, Integral]) -> tuple[str, ...]:
    """Notes on a phase's joules."""
    names = ", ".join(name for name, integral in integrals.items() if integral.how is How.INTERPOLATED)
    return (f"{names}: interpolated between ticks, the power isn't quiet at its edges",) if names else ()


# How the devices were


def why_disturbed(devices: Mapping[str, DeviceHistory]) -> str | None:
    """Why a window's joules aren't those of its work at the device's usual speed, or `None`."""
    for name, device in devices.items():
        because = _why_slowed(device.snapshots) or _why_shared(device) or _why_changed(device)
        if because is not None:
            return f"{name}: {because}"
    return None


def _why_slowed(snapshots: Sequence[DeviceSnapshot]) -> str | None:
    slowed = [snapshot for snapshot in snapshots if snapshot.slowdowns - {Slowdown.HARDWARE}]
    lone = [snapshot for snapshot in snapshots if snapshot.slowdowns == {Slowdown.HARDWARE}]
    if not slowed and len(lone) < _LONE_COUNT:
        return None
    slowed += lone
    names = ", ".join(sorted(set().union(*(snapshot.slowdowns for snapshot in slowed))))
    return f"{names} in {len(slowed)} of {len(snapshots)} checks during the window"


def _why_shared(device: DeviceHistory) -> str | None:
    for pid, is_kin in device.is_kin.items():
        if is_kin is not False:
            continue
        process = f"process {pid} of another program"
        if (pid in device.before.processes) != (pid in device.after.processes):
            return f"{process} started or ended during the window"
        is_busy = device.after.processes[pid]
        if is_busy is None:
            return f"{process} may have computed during the window; this device does not report it"
        if is_busy:
            return f"{process} computed during the window"
    return None


def _why_changed(device: DeviceHistory) -> str | None:
    for name, before in device.before.settings.items():
        after = device.after.settings.get(name, before)
        if after != before:
            return f"{name} went from {before} to {after} during the window"
    return None


def why_counter_disagrees(
    channels: Mapping[str, float], duration_s: float, devices: Mapping[str, DeviceHistory]
) -> str | None:
    """Why a counter is wrong, as its device's power contradicts it; or `None`.

    Channels whose device doesn't report its power are not checked.
    """
    if duration_s < _POWER_S:
        return None
    for name, device in devices.items():
        # The first may be from before the start: NVML shows power with a delay of up to 0.1 s.
        powers_w = [s.power_w for s in device.snapshots[1:] if s.power_w is not None]
        if len(powers_w) < _POWER_COUNT:
            continue
        counted_w, power_w = channels[name] / duration_s, fmean(powers_w)
        # If the counter is right, powers deviate by this at most (Bhatia and Davis 2000). Of a load in waves
        # that the looks met low by chance, their own deviation is too small as well.
        most_w = math.sqrt(max(0.0, (max(powers_w) - counted_w) * (counted_w - min(powers_w))))
        chance_w = 3 * max(stdev(powers_w), most_w) / math.sqrt(len(powers_w))
        if abs(counted_w - power_w) > _POWER_SHARE * power_w + chance_w:
            return (
                f"{name}: its counter gives {to_text(counted_w, 'W')}, "
                f"{len(powers_w)} readings of its power give {to_text(power_w, 'W')}: one of them is wrong"
            )
    return None


def device_notes(devices: Mapping[str, DeviceHistory]) -> tuple[str, ...]:
    """Notes on the devices during a window that isn't void."""
    sentences = []
    for name, device in devices.items():
        if any(snapshot.slowdowns == {Slowdown.HARDWARE} for snapshot in device.snapshots):
            sentences.append(f"{name}: {Slowdown.HARDWARE} in one check, perhaps only a change of clocks")
        for pid, is_kin in device.is_kin.items():
            was_idle = pid in device.before.processes and device.after.processes.get(pid) is False
            if is_kin is False and was_idle:
                sentences.append(f"{name}: process {pid} of another program holds it, but didn't compute")
            elif is_kin is None and not was_idle:
                sentences.append(
                    f"{name}: process {pid} may have computed on it; its program isn't visible from here "
                    "(another container, or this run's under its number outside)"
                )
    return tuple(sentences)


# Whose processor time it was


def why_nothing_worked(provenance: Provenance, own_s: float | None, duration_s: float) -> str | None:
    """Why an estimate is of no use, as this run's processes hardly used the CPU; or `None`.

    A measurement remains: it may count the work of a server that this run did not start.
    """
    if provenance is not Provenance.ESTIMATED or own_s is None or duration_s < _LEAST_WAIT_S:
        return None
    if own_s >= _LEAST_AT_WORK_SHARE * duration_s + _LOOK_S:
        return None
    return (
        f"the test's processes used {to_text(own_s, 's', digits=2)} of CPU time in "
        f"{to_text(duration_s, 's', digits=2)}: it waited, and an estimate doesn't include what it waited for"
    )


def other_notes(other_share: float | None) -> tuple[str, ...]:
    """A note if other programs used much of the CPU, which an estimate doesn't include."""
    if other_share is None or other_share < _FOREIGN_SHARE:
        return ()
    return (f"{_foreign_sentence(other_share)}; the estimate doesn't include them",)


def foreign_notes(channels: Mapping[str, float], foreign_share: float | None) -> tuple[str, ...]:
    """Notes on joules, by channel, of counters that include other programs' CPU use.

    >>> foreign_notes({"cpu:package-0": 20.0, "gpu:0": 20.0}, 0.3)[0].partition(";")[0]
    'other programs used 30 % of the CPU'
    >>> foreign_notes({"cpu:package-0": 20.0, "gpu:0": 80.0}, 0.3)
    ()
    """
    energy_j = math.fsum(channels.values())
    if foreign_share is None or not energy_j:
        return ()
    counting = [name for name in channels if name.partition(":")[0] in {Domain.CPU, Domain.DRAM}]
    joule_share = foreign_share * math.fsum(channels[name] for name in counting) / energy_j
    if joule_share < _FOREIGN_SHARE:
        return ()
    counts = f"{', '.join(counting)} {'counts' if len(counting) == 1 else 'count'} them too"
    return (f"{_foreign_sentence(foreign_share)}; {counts}: at most {100 * joule_share:.0f} % of the joules",)


def _foreign_sentence(foreign_share: float) -> str:
    return f"other programs used {100 * foreign_share:.0f} % of the CPU"


def beside(reading: Reading, others: Iterable[Reading]) -> Reading:
    """*reading* with what its temperature says, beside the rounds of its test that count so far, or all."""
    if reading.void_because is not None:
        return reading
    others = tuple(others)
    for name, temperature_c in reading.temperatures_c.items():
        known_c = [other.temperatures_c[name] for other in others if name in other.temperatures_c]
        if not known_c:
            continue
        usual_c = median(known_c)
        off_c = abs(temperature_c - usual_c)
        sentence = f"{name}: {temperature_c:.0f} degrees C, the other rounds {usual_c:.0f} degrees C"
        if off_c > _FAR_C:
            because = f"{sentence}: more than {_FAR_C:g} degrees off, so not comparable"
            phases = tuple(replace(phase, energy_j=None, uncertainty_j=None) for phase in reading.phases)
            return replace(reading, channels={}, uncertainty_j=0.0, void_because=because, phases=phases)
        if off_c > _BAND_C:
            reading = replace(reading, quality=(*reading.quality, sentence))
    return reading


def drift_notes(before_w: Mapping[str, float], after_w: Mapping[str, float]) -> tuple[str, ...]:
    """Notes on idle power that changed over the run."""
    return tuple(
        f"{name}: {to_text(power_w, 'W', digits=3)} without work at the start of the run, "
        f"{to_text(after_w[name], 'W', digits=3)} at its end"
        for name, power_w in before_w.items()
        if name in after_w and abs(after_w[name] - power_w) > _QUIET_SHARE * power_w
    )


# Power that was integrated


def sampling_notes(channels: Iterable[Channel]) -> tuple[str, ...]:
    """A sentence for each channel whose joules aren't a counter's."""
    return tuple(
        f"{channel.name}: integrated power, not a counter; sampled every {to_text(channel.sampled_s, 's')}"
        for channel in channels
        if channel.sampled_s is not None
    )


def sampling_uncertainty_j(ticks: Sequence[Tick]) -> float:
    """Standard uncertainty of joules that are a sum of samples of power.

    What power does between samples is estimated from how neighbouring steps of the sum differ: for steps that
    have nothing to do with one another their half squared difference is the variance of one, for steady power
    it is nothing. Of what the samples did see of a change it takes too much: this is an upper bound.

    Args:
        ticks: The sum after each step, over the window and the steps beside its edges.
    """
    energies_j = [after.joules - before.joules for before, after in pairwise(ticks)]
    return math.sqrt(math.fsum((b - a) ** 2 for a, b in pairwise(energies_j)) / 2)
