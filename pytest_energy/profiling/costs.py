"""Energy and time of a call and of its parts, and the share that the parts explain. Pure.

Rule 1: active joules are those above ready power, so that a part that waits longer than it did in the whole
    gets nothing for it. Whole and parts have the same ready power: that of all their rounds together.
Rule 2: where a part is absent there is no sum: it would be one of what happens to be there.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from pytest_energy.errors import Absent, NotMeasurable
from pytest_energy.model import Reading
from pytest_energy.ready import ReadyPower
from pytest_energy.stats.compare import summarise
from pytest_energy.units import to_text, with_uncertainty_text
from pytest_energy.work import CallWork


class TakeRounds(Protocol):
    """Measures work in rounds, each round a window."""

    def __call__(self, work: CallWork[None], part: str | None, time_share: float) -> "Rounds":
        """The rounds of *work*, or why nothing measures it; it is called at least once for the whole pass.

        Args:
            work: The whole, or one part of it.
            part: Its name, or `None` for the whole.
            time_share: Of the time that the test has.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Energy and time of one call of the work, or of a part of it. Joules are gross.

    Attributes:
        energy_j: Mean of the rounds, or `None`.
        uncertainty_j: Standard uncertainty of the mean, or `None`.
        duration_s: Mean of the rounds, or `None`.
        absent_because: Why they are `None`.
        active_energy_j: Joules above ready power, or `None`; not above 0 where they are less than their
            uncertainty.
        active_uncertainty_j: Standard uncertainty of these.
        ready_uncertainty_w: Its part from ready power, which whole and parts have in common.
        active_absent_because: Why those are `None`.
    """

    energy_j: float | None = None
    uncertainty_j: float | None = None
    duration_s: float | None = None
    absent_because: str | None = None
    active_energy_j: float | None = None
    active_uncertainty_j: float | None = None
    ready_uncertainty_w: float = 0.0
    active_absent_because: str | None = None

    @classmethod
    def of(cls, rounds: "Rounds", ready_power: Mapping[str, ReadyPower] | None = None) -> "Cost":
        """The mean cost of *rounds*, absent where they are; active joules where *ready_power* is given."""
        if isinstance(rounds, Absent):
            return cls(absent_because=rounds.because, active_absent_because=rounds.because)
        because = next((reading.void_because for reading in rounds if reading.void_because is not None), None)
        if because is not None:
            return cls(absent_because=because, active_absent_because=because)
        try:
            summary = summarise(
                [reading.energy_j for reading in rounds if reading.energy_j is not None],
                [reading.uncertainty_j for reading in rounds],
            )
        except NotMeasurable as error:
            return cls(absent_because=str(error), active_absent_because=str(error))
        gross = cls(
            energy_j=summary.energy_j,
            uncertainty_j=summary.uncertainty_j,
            duration_s=math.fsum(reading.duration_s for reading in rounds) / len(rounds),
        )
        return gross.with_active(rounds, ready_power or {})

    def with_active(self, rounds: Sequence[Reading], ready_power: Mapping[str, ReadyPower]) -> "Cost":
        """With the active joules of *rounds*; near 0 they may be below their uncertainty, and add up."""
        missing = {name for reading in rounds for name in reading.channels} - ready_power.keys()
        if missing or self.energy_j is None or self.uncertainty_j is None or self.duration_s is None:
            because = f"ready power of {', '.join(sorted(missing))} is not known"
            return replace(self, active_absent_because=self.absent_because or because)
        waiting_j = [
            ready_power[name].at(reading.temperatures_c.get(name)) * reading.duration_s
            for reading in rounds
            for name in reading.channels
        ]
        error_w = math.hypot(*(ready_power[name].uncertainty_w for name in rounds[0].channels))
        return replace(
            self,
            active_energy_j=self.energy_j - math.fsum(waiting_j) / len(rounds),
            active_uncertainty_j=math.hypot(self.uncertainty_j, error_w * self.duration_s),
            ready_uncertainty_w=error_w,
        )


PowerOf = Callable[[Sequence[Reading]], Mapping[str, ReadyPower]]
"""Ready power of the devices, from the quiet before all these rounds."""

Rounds: TypeAlias = Sequence[Reading] | Absent
"""Of the whole or of a part, or why there are none."""


def costs_of(whole: Rounds, parts: Sequence[Rounds], ready_power: PowerOf) -> tuple[Cost, tuple[Cost, ...]]:
    """The cost of the whole and of each part, by one ready power (rule 1)."""
    readings = [reading for own in (whole, *parts) if not isinstance(own, Absent) for reading in own]
    ready = ready_power(readings) if readings else {}
    return Cost.of(whole, ready), tuple(Cost.of(own, ready) for own in parts)


# ---- what the parts sum up to ----


_SLOWER = 1.2
"""Past it the seconds of the parts are no noise: for types of layers on an H100 they were 1.05 and 1.00 of
the whole's (docs/results/h100-layers.json, h100-layers-vit.json)."""


def reasons_of(figures: Mapping[str, tuple[float | None, str | None]]) -> dict[str, str]:
    """Why each of *figures*, which stand beside their reasons, is `None`, by its name."""
    return {
        name: because or "the whole call has none"
        for name, (figure, because) in figures.items()
        if figure is None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Parts over the whole; each may be above 1, and is `None` if a part or the whole is absent."""

    whole: Cost
    parts: tuple[Cost, ...]

    @property
    def energy_share(self) -> float | None:
        """Of joules."""
        return ratio([part.energy_j for part in self.parts], self.whole.energy_j)

    @property
    def energy_share_uncertainty(self) -> float | None:
        """Standard uncertainty of `energy_share`, the windows taken as independent.

        Source:
            JCGM 100:2008 (GUM), section 5.1.2.
        """
        return _share_uncertainty(
            self.energy_share,
            [part.uncertainty_j for part in self.parts],
            self.whole.energy_j,
            self.whole.uncertainty_j,
        )

    @property
    def active_share(self) -> float | None:
        """Of active joules; `None` also where the whole has none above their uncertainty."""
        whole_j, error_j = self.whole.active_energy_j, self.whole.active_uncertainty_j
        if whole_j is None or error_j is None or whole_j <= error_j:
            return None
        return ratio([part.active_energy_j for part in self.parts], whole_j)

    @property
    def active_share_uncertainty(self) -> float | None:
        """Standard uncertainty of `active_share`: that of windows, which are independent, and of ready power.

        Ready power q is the same in all of them: d(share)/dq = (share x seconds of the whole - seconds of the
        parts) / active joules of the whole.

        Source:
            JCGM 100:2008 (GUM), sections 5.1.2 and 5.2.2.
        """
        share, time_share, whole = self.active_share, self.time_share, self.whole
        own = _share_uncertainty(
            share, [part.uncertainty_j for part in self.parts], whole.active_energy_j, whole.uncertainty_j
        )
        if own is None or share is None or time_share is None or not whole.duration_s:
            return None
        apart_s = abs(share - time_share) * whole.duration_s
        return math.hypot(own, whole.ready_uncertainty_w * apart_s / (whole.active_energy_j or math.inf))

    @property
    def time_share(self) -> float | None:
        """Of seconds."""
        return ratio([part.duration_s for part in self.parts], self.whole.duration_s)

    @property
    def note(self) -> str | None:
        """That the parts take much longer than the whole, and what that means; or `None`."""
        share = self.time_share
        if share is None or share <= _SLOWER:
            return None
        return (
            f"the parts take {share:.1f} times as long as the whole: replayed alone they wait for the host, "
            f"and a device kept awake draws more than ready power"
        )

    @property
    def active_absent_because(self) -> str:
        """Why `active_share` is `None`."""
        costs = (self.whole, *self.parts)
        reasons = (cost.active_absent_because for cost in costs)
        return next(filter(None, reasons), "the whole uses no more than ready power does in that time")


def ratio(parts: Sequence[float | None], whole: float | None) -> float | None:
    """The sum of *parts* over *whole*, if all of them are there."""
    present = [part for part in parts if part is not None]
    return None if len(present) < len(parts) or not whole else math.fsum(present) / whole


def _share_uncertainty(
    share: float | None, errors_j: Sequence[float | None], whole_j: float | None, whole_error_j: float | None
) -> float | None:
    squares = ratio([None if error_j is None else error_j**2 for error_j in errors_j], whole_j)
    if share is None or squares is None or whole_j is None or whole_error_j is None:
        return None
    return math.hypot(math.sqrt(squares / whole_j), share * whole_error_j / whole_j)


def cost_text(cost: Cost, whole: Cost, *, is_active: bool = False) -> str:
    """Joules with their uncertainty, their share of the whole's, and seconds; or why there are none."""
    energy_j = cost.active_energy_j if is_active else cost.energy_j
    error_j = cost.active_uncertainty_j if is_active else cost.uncertainty_j
    if energy_j is None or error_j is None or cost.duration_s is None:
        return f"-  ({cost.active_absent_because if is_active else cost.absent_because})"
    share = ratio([energy_j], whole.active_energy_j if is_active else whole.energy_j)
    share_text = "" if share is None else f"  {100 * share:5.1f} %"
    energy = with_uncertainty_text(energy_j, error_j, "J")
    return f"{energy:>22}{share_text}  {to_text(cost.duration_s, 's')}"
