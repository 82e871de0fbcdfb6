"""Which joules of a record are compared: gross or net, of a round or of a sample. Pure."""

import math
from dataclasses import dataclass

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Reading, Record
from pytest_energy.stats.compare import RoundEnergies
from pytest_energy.units import to_text

# Of the marker's `basis` and `per`; the others, `gross` and `round`, are what a basis is without.
NET, SAMPLE = "net", "sample"


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
        """What is compared, or empty for gross joules a round."""
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
        count = record.samples if self.is_per_sample else 1
        if count is None:
            raise NotMeasurable("the samples of a round are not known; give samples=")
        usable = record.usable_rounds
        return RoundEnergies(
            energies_j=tuple(self._energy_j(reading, record) / count for reading in usable),
            uncertainties_j=tuple(reading.uncertainty_j / count for reading in usable),
        )

    def _energy_j(self, reading: Reading, record: Record) -> float:
        energy_j = math.fsum(reading.channels.values())
        if not self.is_net:
            return energy_j
        idle_w = record.idle_power_w or {}
        missing = [name for name in reading.channels if name not in idle_w]
        if missing:
            raise NotMeasurable(f"net joules take idle power, and that of {', '.join(missing)} is not known")
        net_j = energy_j - math.fsum(idle_w[name] for name in reading.channels) * reading.duration_s
        if net_j <= 0:
            raise NotMeasurable(
                f"a round has {to_text(net_j, 'J')} net: it used {to_text(energy_j, 'J')}, "
                "no more than idle power does in that time"
            )
        return net_j


def why_void(record: Record) -> str | None:
    """Why the joules of *record* must not be used, or `None`; `None` also where it has none at all."""
    if record.void_because is not None or record.unmeasured_because is not None:
        return record.void_because
    usable = record.usable_rounds
    if not usable:
        return next(reading.void_because for reading in record.rounds if reading.void_because is not None)
    try:
        Basis().round_energies(record)
    except NotMeasurable as error:
        return str(error)
    if not all(reading.duration_s > 0 for reading in usable):
        return "a round took 0 s: the clock stood still"
    return None
