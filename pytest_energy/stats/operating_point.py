"""The best setting of a sweep, under a limit of latency, and how far the default is from it. Pure.

Rule 1: best is the fewest joules per sample among the settings that keep the limit. A setting that is slower
    than the limit in its slowest round does not keep it.
Rule 2: the excess is the joules of the default over those of the best. Chance has a part in which setting
    looks best, so the default is compared with each other setting, at alpha over their number. The largest
    lower bound holds whichever is the best, and so does the largest upper one.
Rule 3: the excess is never below 1: a default that is slower than the limit may use less than the best.
Rule 4: without joules of the default, or of any setting that keeps the limit, there is no excess, and a
    reason.

Source:
    Simultaneous bounds at alpha over their number: Bonferroni; Hsu 1996, Multiple Comparisons, chapter 4
    (comparisons with the best).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Summary
from pytest_energy.model import Reading
from pytest_energy.stats.best_place import best_range
from pytest_energy.stats.bounded_mean import Interval
from pytest_energy.stats.compare import compare, summarise
from pytest_energy.stats.level import RoundEnergies

_ALPHA = 0.025  # of each bound: together 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptSetting:
    """One setting of a sweep.

    Attributes:
        name: As the test calls it, such as `64` or `fp16`.
        rounds: Joules per sample of each round; `None` if they were not measured.
        durations_s: Seconds of a call in each round; empty as well.
        samples: In a call.
        absent_because: Why it has no joules.
    """

    name: str
    rounds: RoundEnergies | None = None
    durations_s: tuple[float, ...] = ()
    samples: int = 1
    absent_because: str | None = None

    @classmethod
    def of(
        cls, name: str, rounds: Sequence[Reading], *, samples: int, call_count: float = 1.0
    ) -> "SweptSetting":
        """The setting as *rounds* have it; without joules if one of them is void or reads none.

        Args:
            name: Of the setting.
            rounds: At least one.
            samples: In a round.
            call_count: Calls in a round.
        """
        in_call = round(samples / call_count)
        because = next((one.void_because for one in rounds if one.void_because is not None), None)
        energies_j = [one.energy_j for one in rounds if one.energy_j is not None]
        if because is None:
            try:
                energies = RoundEnergies(
                    energies_j=tuple(energy_j / samples for energy_j in energies_j),
                    uncertainties_j=tuple(one.uncertainty_j / samples for one in rounds),
                )
            except NotMeasurable as error:
                because = str(error)
            else:
                durations_s = tuple(one.duration_s / call_count for one in rounds)
                return cls(name=name, rounds=energies, durations_s=durations_s, samples=in_call)
        return cls(name=name, samples=in_call, absent_because=because)

    @property
    def latency_s(self) -> float | None:
        """Seconds of a call in the slowest round, or `None`."""
        return max(self.durations_s, default=None)

    @property
    def summary(self) -> Summary | None:
        """Mean joules per sample with their 95 % interval, or `None`."""
        rounds = self.rounds
        return None if rounds is None else summarise(rounds.energies_j, rounds.uncertainties_j)

    def keeps(self, most_latency_s: float | None) -> bool:
        """Whether it has joules, and its latency is within the limit."""
        if self.rounds is None or most_latency_s is None:
            return self.rounds is not None
        return self.latency_s is not None and self.latency_s <= most_latency_s


@dataclass(frozen=True, kw_only=True)  # without slots: what is worked out is kept
class OperatingPoint:
    """The settings of a sweep, the best of them, and how far the default is from it.

    Attributes:
        settings: In the order of the sweep.
        default: Name of the setting that is used today; `None` if none is.
        most_latency_s: Limit of the seconds of a call, or `None`.
        what: What varies, such as `batch size`.
    """

    settings: tuple[SweptSetting, ...]
    default: str | None
    most_latency_s: float | None = None
    what: str = "setting"

    @property
    def default_setting(self) -> SweptSetting | None:
        """The one that is used today, or `None`."""
        return next((one for one in self.settings if one.name == self.default), None)

    @property
    def candidates(self) -> tuple[SweptSetting, ...]:
        """Those that have joules and keep the limit."""
        return tuple(one for one in self.settings if one.keeps(self.most_latency_s))

    @property
    def best(self) -> SweptSetting | None:
        """The one with the fewest joules per sample; of equals the first. `None` if no setting can be it."""
        energies = [(one.summary.energy_j, one) for one in self.candidates if one.summary is not None]
        return min(energies, key=lambda pair: pair[0])[1] if energies else None

    @cached_property
    def may_be_best(self) -> tuple[str, ...]:
        """Names, from the first to the last setting that may be the best: a 95 % interval, in their order."""
        summaries = [one.summary for one in self.candidates]
        means = [one.energy_j for one in summaries if one is not None]
        if not means:
            return ()
        first, last = best_range(means, [one.energy_ci_j[1] for one in summaries if one is not None])
        return tuple(one.name for one in self.candidates[first : last + 1])

    @cached_property
    def excess(self) -> Interval | None:
        """Joules per sample of the default over those of the best, with its 95 % interval (rule 2)."""
        default = self.default_setting
        if default is None or default.rounds is None or not self.candidates:
            return None
        others = [one.rounds for one in self.candidates if one.name != self.default]
        return excess(default.rounds, [rounds for rounds in others if rounds is not None])

    @property
    def absent_because(self) -> str | None:
        """Why there is no excess, or `None`."""
        default = self.default_setting
        if default is None:
            return "no default is given" if self.default is None else f"{self.default} is not in the sweep"
        if default.rounds is None:
            return f"{self.default}, the default: {default.absent_because}"
        if self.candidates:
            return None
        return f"no {self.what} keeps the latency limit of {self.most_latency_s:g} s"


def excess(default: RoundEnergies, others: Sequence[RoundEnergies]) -> Interval:
    """Joules of *default* over those of the best of itself and *others*, with its 95 % interval.

    >>> rounds = [RoundEnergies(energies_j=(j,) * 5, uncertainties_j=(0.0,) * 5) for j in (3.0, 2.0, 4.0)]
    >>> round(excess(rounds[0], rounds[1:]).value, 6)
    1.5
    """
    bounds = [compare(default, [one], tolerance=0.0, alpha=_ALPHA / len(others)) for one in others]
    return Interval(
        value=max([1.0, *(one.ratio for one in bounds)]),
        lower=max([1.0, *(one.lower for one in bounds)]),
        upper=max([1.0, *(one.upper for one in bounds)]),
    )
