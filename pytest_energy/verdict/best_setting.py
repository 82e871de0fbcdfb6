"""A default compared with the best setting of its sweep: read, judged, and put into words. Pure.

Rule 1: the test fails if the default clearly uses more than is allowed above the best: the lower bound of its
excess is above the limit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_energy.judgement import Verdict
from pytest_energy.model import Record
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import bounds_text, change_text, share_text
from pytest_energy.verdict.findings import AgainstBest, BestUnknown
from pytest_energy.verdict.paragraph import Paragraph, Subject

MOST_EXCESS = "sweep_most_excess"
"""The metric that holds the limit of a test; without it the sweep fails nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptPoint:
    """One setting of a sweep, as a record has it; `None` where it was not measured.

    Attributes:
        name: Of the setting.
        energy_j: Joules per sample.
        interval_j: Their 95 % interval.
        durations_s: Seconds of a call: the mean of the rounds, the fastest and the slowest one.
        samples: In a call.
        absent_because: Why there are no joules.
        is_within: It keeps the limit of latency.
    """

    name: str
    energy_j: float | None
    interval_j: tuple[float, float] | None
    durations_s: tuple[float, float, float] | None
    samples: int
    absent_because: str
    is_within: bool

    @property
    def latency_s(self) -> float | None:
        """Seconds of a call in the slowest round, or `None`."""
        return None if self.durations_s is None else self.durations_s[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSweep:
    """The sweep of a record.

    Attributes:
        what: What varies.
        default: Name of the setting that the test is measured with.
        points: In the order of the sweep.
        ratio: Joules per sample, default over best, and the ends of its 95 % interval; or `None`.
        absent_because: Why there is no ratio.
        most_latency_s: Limit of latency, or `None`.
    """

    what: str
    default: str
    points: tuple[SweptPoint, ...]
    ratio: tuple[float, float, float] | None
    absent_because: str
    most_latency_s: float | None

    @property
    def best(self) -> SweptPoint | None:
        """The one with the fewest joules per sample of those that keep the limit."""
        energies = [(point.energy_j, point) for point in self.points if point.energy_j is not None]
        within = [pair for pair in energies if pair[1].is_within]
        return min(within, key=lambda pair: pair[0])[1] if within else None


def sweep_of(record: Record) -> RecordedSweep | None:
    """The sweep that *record* has, or `None`."""
    settings, metrics = record.engine_settings, record.metrics
    if "sweep_values" not in settings or "sweep_excess" not in {*metrics, *record.absent}:
        return None
    most_s = metrics.get("sweep_most_latency_s")
    ends = [metrics.get(f"sweep_excess{end}") for end in ("", "_lower", "_upper")]
    known = tuple(end for end in ends if end is not None)
    return RecordedSweep(
        what=settings.get("sweep", "setting"),
        default=settings.get("sweep_default", ""),
        points=tuple(_point(record, name, most_s) for name in settings["sweep_values"].split(", ")),
        ratio=(known[0], known[1], known[2]) if len(known) == len(ends) else None,
        absent_because=record.absent.get("sweep_excess", "the record has no ratio"),
        most_latency_s=most_s,
    )


def _point(record: Record, name: str, most_latency_s: float | None) -> SweptPoint:
    start, metrics = f"sweep_at_{name}", record.metrics
    energy_j, lower_j, upper_j = (
        metrics.get(f"{start}_energy_per_sample{end}") for end in ("", "_lower", "_upper")
    )
    mean_s, fastest_s, slowest_s = (
        metrics.get(f"{start}_{name}") for name in ("duration_s", "fastest_s", "latency_s")
    )
    durations_s = None
    if mean_s is not None and fastest_s is not None and slowest_s is not None:
        durations_s = (mean_s, fastest_s, slowest_s)
    return SweptPoint(
        name=name,
        energy_j=energy_j,
        interval_j=None if lower_j is None or upper_j is None else (lower_j, upper_j),
        durations_s=durations_s,
        samples=round(metrics.get(f"{start}_samples") or 1),
        absent_because=record.absent.get(f"{start}_energy_per_sample", ""),
        is_within=most_latency_s is None or (slowest_s is not None and slowest_s <= most_latency_s),
    )


# ---- judged ----


def has_limit(record: Record) -> bool:
    """Whether *record* has a limit of its joules above those of the best setting."""
    return record.metrics.get(MOST_EXCESS) is not None


def against_best(record: Record) -> Iterator[AgainstBest | BestUnknown]:
    """What the limit of *record* says, if it has one."""
    most_excess, sweep = record.metrics.get(MOST_EXCESS), sweep_of(record)
    if most_excess is None or sweep is None:
        return
    best = sweep.best
    if sweep.ratio is None or best is None:
        yield BestUnknown(most_excess=most_excess, because=sweep.absent_because)
        return
    _, lower, upper = sweep.ratio
    limit = 1 + most_excess
    verdict = Verdict.OVER_BUDGET if lower > limit else Verdict.INCONCLUSIVE
    yield AgainstBest(
        verdict=Verdict.PASS if upper <= limit else verdict,
        what=sweep.what,
        default=sweep.default,
        best=best.name,
        ratio=sweep.ratio,
        most_excess=most_excess,
    )


# ---- in words ----


def best_in_words(finding: AgainstBest, subject: Subject) -> Paragraph:
    """Such as `+42.0 % energy [+35.0, +50.0] above the best batch size, 64; allowed 10 %`."""
    ratio, *ends = finding.ratio
    change = change_text(ratio, finding.most_excess)
    bounds = bounds_text((ends[0], ends[1]), finding.most_excess)
    advice = {
        Verdict.OVER_BUDGET: f"Change the default to {finding.best}, or raise most_excess= in the test.",
        Verdict.INCONCLUSIVE: subject.more_rounds,
    }
    return Paragraph(
        headline=f"{change} energy {bounds} above the best {finding.what}, {finding.best}; "
        f"allowed {share_text(finding.most_excess)}",
        cause=f"the default {finding.what} is {finding.default}",
        advice=advice.get(finding.verdict, ""),
        details=(subject.energy, *_point_lines(subject.record)),
    )


def unknown_best(finding: BestUnknown, subject: Subject) -> Paragraph:
    """That the limit could not be checked, and why."""
    return Paragraph(
        headline=f"not checked: {share_text(finding.most_excess)} allowed above the best setting, which is "
        "unknown",
        cause=finding.because,
        advice="Raise most_latency_s=, or find out why settings have no joules.",
        details=(subject.energy, *_point_lines(subject.record)),
    )


def _point_lines(record: Record) -> Iterator[str]:
    sweep = sweep_of(record)
    if sweep is not None:
        yield from (point_text(point) for point in sweep.points)


def point_text(point: SweptPoint) -> str:
    """Such as `64: 8.4 mJ per sample, 12 ms`."""
    if point.energy_j is None:
        return f"{point.name}: no joules: {point.absent_because}"
    latency = "" if point.latency_s is None else f", {to_text(point.latency_s, 's', digits=3)}"
    late = "" if point.is_within else " (above the latency limit)"
    return f"{point.name}: {to_text(point.energy_j, 'J')} per sample{latency}{late}"
