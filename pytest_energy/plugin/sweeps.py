"""The fixture's `sweep`: the work at each setting, and where the default stands among them.

Rule 1: the test is measured with the default: budgets and baselines judge that one. Each other setting has
windows of its own.
Rule 2: a setting that does not fit into memory has that as its reason, and the sweep goes on.
Rule 3: in rounds that confirm, and in turns with a revision, the default alone is measured.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import TypeVar

from pytest_energy import quantities
from pytest_energy.codec import brief
from pytest_energy.errors import Absent, EnergyError
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.model import Reading
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.memory import why_out_of_memory
from pytest_energy.plugin.mistakes import sample_count
from pytest_energy.plugin.parts import Parts
from pytest_energy.stats.operating_point import OperatingPoint, SweptSetting
from pytest_energy.work import CallWork

V = TypeVar("V")

_NAME = re.compile(r"[A-Za-z0-9._+-]{1,40}")  # it is part of the names of metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What is swept: the arguments of `energy.sweep`, where they are described."""

    values: Mapping[str, object]
    default: str
    work: Callable[..., object]
    samples: int | Callable[..., int] | None
    most_latency_s: float | None
    most_excess: float | None
    what: str

    def call(self, name: str) -> CallWork[object]:
        """The work at one setting."""
        return CallWork(
            call=partial(self.work, self.values[name]),
            samples=self.samples_of(name),
            engine_settings={
                "sweep": self.what,
                "sweep_values": ", ".join(self.values),
                "sweep_default": self.default,
            },
        )

    def samples_of(self, name: str) -> int:
        """Samples in a call at one setting; 1 if the test gives none.

        Raises:
            EnergyError: They are no whole number of at least 1.
        """
        samples = self.samples
        return sample_count(samples(self.values[name]) if callable(samples) else samples) or 1

    def measure(self, measurement: Measurement) -> OperatingPoint:
        """Measure every setting, the default first.

        Raises:
            EnergyError: Rounds were measured already, or *samples* gives no whole number.
        """
        parts, share = Parts(measurement), 1 / len(self.values)
        measurement.measure(self.call(self.default), time_share=share)
        settings = {self.default: self._setting(self.default, measurement.own_rounds())}
        for name in self.values:
            if name != self.default:
                settings[name] = self._setting(name, self._rounds(name, parts, share))
        point = OperatingPoint(
            settings=tuple(settings[name] for name in self.values),
            default=self.default,
            most_latency_s=self.most_latency_s,
            what=self.what,
        )
        if parts.are_wanted:
            measurement.keep(self.metrics_of(point))
        return point

    def _rounds(self, name: str, parts: Parts, share: float) -> tuple[Reading, ...] | Absent:
        if not parts.are_wanted:
            return Absent("only the default is measured in this run of the test")
        try:
            return parts.measure(self.call(name), name, share)
        except (RuntimeError, MemoryError) as error:
            because = why_out_of_memory(error)
            if because is None:
                raise
            return Absent(because)

    def _setting(self, name: str, rounds: tuple[Reading, ...] | Absent) -> SweptSetting:
        samples = self.samples_of(name)
        if isinstance(rounds, Absent):
            return SweptSetting(name=name, samples=samples, absent_because=rounds.because)
        return SweptSetting.of(name, rounds, samples=samples)

    def metrics_of(self, point: OperatingPoint) -> Metrics:
        """*point* as metrics of the record."""
        figures: dict[str, float | None] = {}
        absent: dict[str, str] = {}
        for one in point.settings:
            summary, start = one.summary, f"sweep_at_{one.name}"
            ends_j = (None, None) if summary is None else summary.energy_ci_j
            own = {
                f"{start}_energy_per_sample": None if summary is None else summary.energy_j,
                f"{start}_energy_per_sample_lower": ends_j[0],
                f"{start}_energy_per_sample_upper": ends_j[1],
                f"{start}_duration_s": fmean(one.durations_s) if one.durations_s else None,
                f"{start}_fastest_s": min(one.durations_s, default=None),
                f"{start}_latency_s": one.latency_s,
            }
            figures |= own
            figures[f"{start}_samples"] = float(one.samples)
            absent |= {name: one.absent_because or "" for name, figure in own.items() if figure is None}
        excess = point.excess
        for end in ("value", "lower", "upper"):
            name = "sweep_excess" if end == "value" else f"sweep_excess_{end}"
            figures[name] = None if excess is None else getattr(excess, end)
            absent |= {} if excess is not None else {name: point.absent_because or ""}
        limits = {"sweep_most_latency_s": self.most_latency_s, "sweep_most_excess": self.most_excess}
        return Metrics(figures | {name: one for name, one in limits.items() if one is not None}, absent)


def sweep_of(
    values: Sequence[V],
    work: Callable[[V], object],
    *,
    default: V,
    samples: int | Callable[[V], int] | None,
    most_latency_s: float | str | None,
    most_excess: float | str | None,
    what: str,
) -> Sweep:
    """What the arguments of `energy.sweep` describe.

    Raises:
        EnergyError: One of them is not what it must be.
    """
    if isinstance(values, str) or len(values) < 2:
        raise EnergyError(f"energy.sweep takes two values or more: [8, 16, 32]. Got {brief(values)}.")
    names = [_name_of(value) for value in values]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise EnergyError(f"energy.sweep: {twice} is given twice. Give each value once.")
    if default not in values:
        raise EnergyError(f"energy.sweep: default= must be one of {', '.join(names)}. Got {brief(default)}.")
    return Sweep(
        values=dict(zip(names, values, strict=True)),
        default=names[values.index(default)],
        work=work,
        samples=samples,
        most_latency_s=_limit("most_latency_s", most_latency_s, quantities.time),
        most_excess=_limit("most_excess", most_excess, quantities.share),
        what=what,
    )


def _name_of(value: object) -> str:
    name = f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, int | float | str) and _NAME.fullmatch(name):
        return name
    raise EnergyError(
        "energy.sweep: a value must be a number, or a text of 1 to 40 letters, digits and ._+-. "
        f"Got {brief(value)}."
    )


def _limit(name: str, value: float | str | None, check: quantities.Quantity) -> float | None:
    try:
        return None if value is None else check(value)
    except ValueError as error:
        raise EnergyError(f"energy.sweep: {name} {error}") from None
