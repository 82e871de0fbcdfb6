"""One meter made of the meters of several machines.

Rule 1: a window opens on all of them and closes on all of them: first all wait for quiet, then all take
        their edge.
Rule 2: if one part is void, the whole is void and names the machine. A sum is never smaller by a machine.
Rule 3: channels of this machine keep their names; others are `gpu:0@NODE`.
Rule 4: nothing is said of the whole that isn't known of each part.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.protocol import OpenPhase, StagedMeter, StagedWindow
from pytest_energy.model import Domain, Phase, Provenance, Reading, SensorStatus
from pytest_energy.usage import Usage

V = TypeVar("V")

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_LENGTH = 63  # of a label in a host's name (RFC 1035, section 2.3.4)


def node_name(text: str) -> str:
    """A node's name from what a machine says of itself: short, and of plain characters.

    >>> node_name("gpu-7 (rack 3)")
    'gpu-7-rack-3'
    """
    return _ODD.sub("-", text).strip("-.")[:_NAME_LENGTH] or "unnamed"


class JoinedMeter:
    """The readings of several machines as one.

    Args:
        meters: Their meters by node name, in order; each name as `node_name` makes it.
        here: The name of this machine, or `None` if none of them is this one. Processes that are adopted
            run on it.
        roles: Joint channel name to its role, where who starts the work knows it; wins over what a node
            finds.

    Raises:
        NotMeasurable: There is no meter, a name isn't plain, or the meters are of different provenance.
    """

    def __init__(
        self,
        meters: Mapping[str, StagedMeter],
        *,
        here: str | None = None,
        roles: Mapping[str, str] | None = None,
    ) -> None:
        self._meters, self._here, self._roles = dict(meters), here, dict(roles or {})
        odd = [name for name in meters if node_name(name) != name]
        if odd or not meters:
            raise NotMeasurable(f"nodes must have plain names, at least one. Got {odd}")
        provenances = {name: meter.provenance for name, meter in meters.items()}
        self.provenance: Provenance = next(iter(provenances.values()))
        if len(set(provenances.values())) > 1:
            listed = ", ".join(f"{name} ({provenance})" for name, provenance in provenances.items())
            raise NotMeasurable(f"joules of different provenance are never mixed: {listed}")

    def _names(self, node: str) -> Callable[[str], str]:
        """Makes the joint name of a channel of *node*."""
        return (lambda name: name) if node == self._here else (lambda name: f"{name}@{node}")

    def _each(self, ask: Callable[[StagedMeter], V]) -> dict[str, V]:
        return {node: ask(meter) for node, meter in self._meters.items()}

    def statuses(self) -> tuple[SensorStatus, ...]:
        return tuple(
            replace(
                status,
                name=self._names(node)(status.name),
                channels=tuple(map(self._names(node), status.channels)),
            )
            for node, statuses in self._each(lambda meter: meter.statuses()).items()
            for status in statuses
        )

    def start(self) -> None:
        self._each(lambda meter: meter.start())

    def pause(self) -> None:
        self._each(lambda meter: meter.pause())

    def rounds_left(self, test_id: str) -> int | None:
        lefts = self._each(lambda meter: meter.rounds_left(test_id)).values()
        return min((left for left in lefts if left is not None), default=None)

    def why_unmeasured(self, test_id: str) -> str | None:
        reasons = self._each(lambda meter: meter.why_unmeasured(test_id)).items()
        return next((_of_node(node, because) for node, because in reasons if because is not None), None)

    def open(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> "JoinedWindow":
        windows = self._each(lambda meter: meter.stage(test_id, domains=domains))
        for window in windows.values():
            window.get_ready()
        for window in windows.values():
            window.start()
        return JoinedWindow(windows, self.provenance, self._names)

    def idle_power_w(self) -> Mapping[str, float] | None:
        powers_w = self._each(lambda meter: meter.idle_power_w() or {})
        return _renamed(powers_w, self._names) or None

    def drift_notes(self) -> tuple[str, ...]:
        notes = self._each(lambda meter: meter.drift_notes())
        return tuple(_of_node(node, note) for node, ones in notes.items() for note in ones)

    def devices(self, domains: frozenset[Domain] | None) -> tuple[str, ...]:
        return tuple(
            sorted({*chain.from_iterable(self._each(lambda meter: meter.devices(domains)).values())})
        )

    def adopt(self, pids: Iterable[int], *, on: Collection[str] = ()) -> None:
        if self._here is not None:
            self._meters[self._here].adopt(pids, on=on)

    def roles(self) -> Mapping[str, str]:
        return {**_renamed(self._each(lambda meter: meter.roles()), self._names), **self._roles}

    def processes(self) -> Mapping[str, frozenset[int]]:
        here = self._here
        return {} if here is None else _renamed({here: self._meters[here].processes()}, self._names)

    def close(self) -> None:
        self._each(lambda meter: meter.close())


class JoinedWindow:
    """A window that is open on several machines.

    Args:
        windows: By node name; all have begun.
        provenance: Of all.
        names: For a node, what makes the joint name of a channel of it.
    """

    def __init__(
        self,
        windows: Mapping[str, StagedWindow],
        provenance: Provenance,
        names: Callable[[str], Callable[[str], str]],
    ) -> None:
        self._windows, self._provenance, self._names = dict(windows), provenance, names

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        return _JoinedPhase(
            [
                window.phase(name, samples=samples, waits_for_gpu=waits_for_gpu)
                for window in self._windows.values()
            ]
        )

    def abandon(self, because: str) -> None:
        """End the window everywhere without a wait; its reading is void."""
        for window in self._windows.values():
            window.abandon(because)

    def close(self) -> Reading:
        for window in self._windows.values():
            window.stop()
        for window in self._windows.values():
            window.end_watch()
        readings = {node: window.close() for node, window in self._windows.items()}
        return joined_reading(readings, self._provenance, self._names)


class _JoinedPhase:
    def __init__(self, phases: Sequence[OpenPhase]) -> None:
        self._phases = phases

    def close(self) -> None:
        for phase in self._phases:
            phase.close()


def joined_reading(
    readings: Mapping[str, Reading], provenance: Provenance, names: Callable[[str], Callable[[str], str]]
) -> Reading:
    """The reading of all nodes together, by node name; void if one of them is.

    Its uncertainty takes the nodes' as independent. It has no raw ticks: those of each node are beside edges
    of their own.
    """
    duration_s = max(reading.duration_s for reading in readings.values())
    phases = _joined_phases(readings, names)
    for node, reading in readings.items():
        if reading.void_because is not None:
            return Reading(
                channels={},
                duration_s=duration_s,
                uncertainty_j=0.0,
                provenance=provenance,
                void_because=_of_node(node, reading.void_because),
                phases=tuple(replace(p, energy_j=None, uncertainty_j=None, channels={}) for p in phases),
            )
    return Reading(
        channels=_renamed({node: one.channels for node, one in readings.items()}, names),
        duration_s=duration_s,
        uncertainty_j=math.hypot(*(one.uncertainty_j for one in readings.values())),
        provenance=provenance,
        quality=tuple(_of_node(node, note) for node, one in readings.items() for note in one.quality),
        usage=_joined_usage([one.usage for one in readings.values()]),
        phases=phases,
        quiet_power_w=_renamed({node: one.quiet_power_w for node, one in readings.items()}, names),
        temperatures_c=_renamed({node: one.temperatures_c for node, one in readings.items()}, names),
        resting_channels=_renamed({node: one.resting_channels for node, one in readings.items()}, names),
        estimated_channels=_renamed({node: one.estimated_channels for node, one in readings.items()}, names),
        device_use=_renamed({node: one.device_use for node, one in readings.items()}, names),
        power_trace=_renamed({node: one.power_trace for node, one in readings.items()}, names),
        start_unix_s=next(iter(readings.values())).start_unix_s,
    )


def _of_node(node: str, text: str) -> str:
    return f"{node}: {text}"


def _renamed(
    values: Mapping[str, Mapping[str, V]], names: Callable[[str], Callable[[str], str]]
) -> dict[str, V]:
    return {names(node)(name): value for node, ones in values.items() for name, value in ones.items()}


def _joined_phases(
    readings: Mapping[str, Reading], names: Callable[[str], Callable[[str], str]]
) -> tuple[Phase, ...]:
    """The phases of all nodes: the same ones, in the same order, on each."""
    rows = zip(*(reading.phases for reading in readings.values()), strict=True)
    return tuple(_joined_phase(dict(zip(readings, row, strict=True)), names) for row in rows)


def _joined_phase(phases: Mapping[str, Phase], names: Callable[[str], Callable[[str], str]]) -> Phase:
    energies_j = [phase.energy_j for phase in phases.values()]
    uncertainties_j = [phase.uncertainty_j for phase in phases.values() if phase.uncertainty_j is not None]
    known_j = [energy_j for energy_j in energies_j if energy_j is not None]
    is_known = len(known_j) == len(energies_j)
    return replace(
        next(iter(phases.values())),
        energy_j=math.fsum(known_j) if is_known else None,
        uncertainty_j=math.hypot(*uncertainties_j) if len(uncertainties_j) == len(energies_j) else None,
        quality=tuple(_of_node(node, note) for node, phase in phases.items() for note in phase.quality),
        channels=_renamed({node: p.channels for node, p in phases.items()}, names) if is_known else {},
    )


def _joined_usage(usages: Sequence[Usage | None]) -> Usage | None:
    """Means of the shares, sums of the memory; what one node doesn't know is unknown."""
    known = [usage for usage in usages if usage is not None]
    if len(known) < len(usages):
        return None
    return Usage(
        cpu_utilisation_share=_mean([one.cpu_utilisation_share for one in known]),
        gpu_utilisation_share=_mean([one.gpu_utilisation_share for one in known]),
        ram_used_bytes=_sum([one.ram_used_bytes for one in known]),
        gpu_memory_used_bytes=_sum([one.gpu_memory_used_bytes for one in known]),
        other_cpu_share=_mean([one.other_cpu_share for one in known]),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None


def _mean(values: Sequence[float | None]) -> float | None:
    total = _sum(values)
    return None if total is None else total / len(values)
