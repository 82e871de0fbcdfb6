"""The joules of a record that are compared: gross or net, per round or sample, and their two parts. Pure.

Rule 1: a round's joules are E = A + q t: ready power q at the temperature of the round for its t seconds,
    and active joules A, which is what the work itself used. A wait adds to the first part alone.
Rule 2: there are parts only where every channel has a ready power: a sum that lacks one channel is none.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.ready import ReadyPower
from pytest_energy.sensors.estimate import is_of_cpu_time
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.units import to_text

# Of the marker's `basis` and `per`; `round`, the other one of the latter, is what a basis is without.
GROSS, NET, COUNTS = "gross", "net", "counts"
SAMPLE = "sample"


IDLE_UNCERTAINTY_SHARE = 0.05
"""Of idle power, in net joules: it is read once a run, before the first test, and a room warms up."""


ESTIMATE_SWING_SHARE = 0.04
"""Standard deviation of the CPU time of equal work between processes on a machine without other programs."""

ESTIMATE_CROWD_SHARE = 0.2
"""What other programs add to it where they have the whole machine: they share caches, memory and clocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The two parts of a record's rounds.

    Attributes:
        active: Active joules of each round.
        durations_s: Seconds of each round.
        waiting_powers_w: Ready power of each round, all channels: what a second of waiting costs, in the
            joules of the basis.
    """

    active: RoundEnergies
    durations_s: tuple[float, ...]
    waiting_powers_w: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Which joules are compared.

    Attributes:
        is_net: Less idle power times the time, as the paper's E_tr and E_in.
        is_per_sample: Of one sample, so that records with different samples can be compared.
    """

    is_net: bool = False
    is_per_sample: bool = False

    @property
    def text(self) -> str:
        """What is compared, or empty for gross joules per round."""
        joules = "net joules" if self.is_net else "joules"
        if self.is_per_sample:
            return f"{joules} a sample"
        return joules if self.is_net else ""

    @property
    def free_facts(self) -> frozenset[str]:
        """Facts of two records that may differ although they are compared."""
        return frozenset({"samples"}) if self.is_per_sample else frozenset()

    def round_energies(self, record: Record) -> RoundEnergies:
        """The rounds of *record* that have joules.

        Raises:
            NotMeasurable: There are no such joules, with the reason.
        """
        count = self._unit_count(record)
        usable = record.usable_rounds
        idle_share = IDLE_UNCERTAINTY_SHARE if self.is_net else 0.0
        idle_w = math.fsum((record.idle_power_w or {}).values())
        return RoundEnergies(
            energies_j=tuple(self._energy_j(reading, record) / count for reading in usable),
            uncertainties_j=tuple(
                math.hypot(reading.uncertainty_j, idle_share * idle_w * reading.duration_s, _swing_j(reading))
                / count
                for reading in usable
            ),
        )

    def parts(self, record: Record) -> Parts:
        """The two parts of the rounds of *record* that have joules.

        Raises:
            NotMeasurable: They can't be had, with the reason.
        """
        count, usable = self._unit_count(record), record.usable_rounds
        ready_w = [_ready_power_w(reading, record.ready_power) for reading in usable]
        error_w = math.hypot(*(line.uncertainty_w for line in record.ready_power.values()))
        energies_j = tuple(active_j(reading, record.ready_power) / count for reading in usable)
        idle_w = math.fsum((record.idle_power_w or {}).values()) if self.is_net else 0.0
        return Parts(
            active=RoundEnergies(
                energies_j=energies_j,
                uncertainties_j=tuple(
                    math.hypot(reading.uncertainty_j, error_w * reading.duration_s) / count
                    for reading in usable
                ),
            ),
            durations_s=tuple(reading.duration_s for reading in usable),
            waiting_powers_w=tuple((one_w - idle_w) / count for one_w in ready_w),
        )

    def _unit_count(self, record: Record) -> int:
        count = record.samples if self.is_per_sample else 1
        if count is None:
            raise NotMeasurable("the samples of a round are not known; give samples=")
        return count

    def _energy_j(self, reading: Reading, record: Record) -> float:
        energy_j = math.fsum(reading.channels.values())
        if not self.is_net:
            return energy_j
        idle_w = record.idle_power_w or {}
        missing = [name for name in reading.channels if name not in idle_w]
        if missing:
            raise NotMeasurable(f"net joules need the idle power of {', '.join(missing)}, which is not known")
        net_j = energy_j - math.fsum(idle_w[name] for name in reading.channels) * reading.duration_s
        if net_j <= 0:
            raise NotMeasurable(
                f"a round has {to_text(net_j, 'J')} net: it used {to_text(energy_j, 'J')}, "
                "no more than at idle power"
            )
        return net_j


def _swing_j(reading: Reading) -> float:
    """By how much CPU time of equal work may differ from one process to the next, in joules of an estimate.

    Others that are not known to be few may have had all the rest.

    Source:
        docs/results/estimate-classes.md, "Equal work in two processes".
    """
    if reading.provenance is not Provenance.ESTIMATED or not is_of_cpu_time(reading.channels):
        return 0.0
    other_share = None if reading.usage is None else reading.usage.other_cpu_share
    crowd_share = ESTIMATE_CROWD_SHARE * (1.0 if other_share is None else other_share)
    return math.hypot(ESTIMATE_SWING_SHARE, crowd_share) * math.fsum(reading.channels.values())


def active_j(reading: Reading, ready_power: Mapping[str, ReadyPower]) -> float:
    """Joules of *reading* above *ready_power*: A of rule 1.

    Raises:
        NotMeasurable: There are none, or a channel's ready power is not known.
    """
    energy_j = math.fsum(reading.channels.values())
    result_j = energy_j - _ready_power_w(reading, ready_power) * reading.duration_s
    if result_j <= 0:
        raise NotMeasurable(f"a round has {to_text(result_j, 'J')} above ready power: too little to compare")
    return result_j


def _ready_power_w(reading: Reading, ready_power: Mapping[str, ReadyPower]) -> float:
    """Ready power of all channels at the temperature of *reading*."""
    missing = reading.channels.keys() - ready_power.keys()
    if missing:
        raise NotMeasurable(f"ready power of {', '.join(sorted(missing))} is not known")
    return math.fsum([ready_power[name].at(reading.temperatures_c.get(name)) for name in reading.channels])


def why_void(record: Record) -> str | None:
    """Why the joules of *record* must not be used, or `None`; `None` also where it has none at all."""
    if record.void_because is not None or record.unmeasured_because is not None:
        return record.void_because
    usable = record.usable_rounds
    if not usable:
        return record.absent_because
    try:
        Basis().round_energies(record)
    except NotMeasurable as error:
        return str(error)
    if not all(reading.duration_s > 0 for reading in usable):
        return "a round took 0 s: the clock stood still"
    return None
