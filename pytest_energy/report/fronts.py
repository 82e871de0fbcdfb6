"""Settings of one model against joules: which are dominated. Pure.

Rule 1: joules of a setting are those of its reference times their ratio, since rounds in turns know the ratio
far better than either side; the reference has no interval of its own.
Rule 2: a setting is dominated where another is at least as good in both values, and clearly better in one:
beyond both intervals. Nothing is dominated by chance.
Rule 3: a setting without a ratio is reported with its reason, and not drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance, Record
from pytest_energy.report.cells import bounds, percent
from pytest_energy.report.text import ORIGINS, short
from pytest_energy.report.view import View

_LOAD = ("rate", "burstiness", "concurrency", "schedule_seed", "prompt_tokens", "output_tokens")
_CHANGING_LOAD = ("rates", "latency_limit", "accuracy_loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What joules are compared with.

    Attributes:
        metric: Name in a record.
        of_reference: Name of the same of the reference.
        label: For people.
        is_more_better: Larger values are better.
    """

    metric: str
    of_reference: str
    label: str
    is_more_better: bool


QUALITY = Axis(
    metric="quality",
    of_reference="reference_quality",
    label="quality, as the test scores it",
    is_more_better=True,
)
AGREEMENT = Axis(
    metric="position_agreement",
    of_reference="self_position_agreement",
    label="tokens that are the same as the reference's",
    is_more_better=True,
)
LATENCY = Axis(
    metric="e2e_p99_s", of_reference="reference_e2e_p99_s", label="latency, p99 (s)", is_more_better=False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One setting.

    Attributes:
        energy_j: Joules per request, with their interval.
        value: On the other axis, with its interval; the value twice where it has none.
    """

    name: str
    energy_j: float
    interval_j: tuple[float, float]
    value: float
    interval: tuple[float, float]
    is_reference: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The settings of one model against one axis.

    Attributes:
        points: The reference first.
        lost: Of settings without a ratio or a value, the name and why.
        judgements: All that it is made of.
    """

    model: str
    reference: str
    provenance: Provenance
    axis: Axis
    points: tuple[Point, ...]
    lost: tuple[tuple[str, str], ...]
    judgements: tuple[Judgement, ...] = field(repr=False)

    @property
    def dominated(self) -> tuple[Point, ...]:
        """Points that another one dominates."""
        return tuple(
            point for point in self.points if any(self._beats(other, point) for other in self.points)
        )

    def _beats(self, one: Point, other: Point) -> bool:
        sign = 1.0 if self.axis.is_more_better else -1.0
        if one.energy_j > other.energy_j or sign * one.value < sign * other.value:
            return False
        is_cheaper = one.interval_j[1] < other.interval_j[0]
        if one.interval[0] == one.interval[1] and other.interval[0] == other.interval[1]:
            return is_cheaper  # without intervals nothing on this axis is clear
        low, high = (one.interval[0], other.interval[1]) if sign > 0 else (other.interval[0], one.interval[1])
        return is_cheaper or low > high


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one model against each axis.

    Attributes:
        fronts: At least one.
    """

    fronts: tuple[Front, ...]

    @property
    def model(self) -> str:
        return self.fronts[0].model


def is_pair(record: Record) -> bool:
    """Whether *record* is of a setting that was measured beside a reference."""
    names = {*record.metrics, *record.absent}
    return {"setting", "reference"} <= record.workload.keys() and "pair_energy_ratio" in names


def settings(run: View) -> tuple[Settings, ...]:
    """For each model, reference and load of *run*: its settings by agreement or quality, and by latency."""
    members: dict[tuple[object, ...], list[Judgement]] = {}
    for judgement in run.judgements:
        record = judgement.record
        if is_pair(record):
            load = tuple(record.workload.get(name) for name in (*_LOAD, *_CHANGING_LOAD))
            key = (_model(record), record.workload["reference"], record.provenance, record.machine.key, load)
            members.setdefault(key, []).append(judgement)
    all_fronts = (_fronts(judgements) for judgements in members.values())
    return tuple(Settings(fronts=fronts) for fronts in all_fronts if fronts)


def _fronts(judgements: Sequence[Judgement]) -> tuple[Front, ...]:
    has_quality = all(one.record.metrics.get("quality") is not None for one in judgements)
    both = (_front(judgements, axis) for axis in (QUALITY if has_quality else AGREEMENT, LATENCY))
    return tuple(front for front in both if len(front.points) > 1)


def _front(judgements: Sequence[Judgement], axis: Axis) -> Front:
    first = judgements[0].record
    base_j = _mean(judgements, "reference_energy_per_sample")
    value = _mean(judgements, axis.of_reference)
    points: list[Point] = []
    lost: list[tuple[str, str]] = []
    if base_j is not None and value is not None:
        ends = [_mean(judgements, f"{axis.of_reference}_{end}") for end in ("lower", "upper")]
        interval = (value if ends[0] is None else ends[0], value if ends[1] is None else ends[1])
        points.append(
            Point(
                name=first.workload["reference"],
                energy_j=base_j,
                interval_j=(base_j, base_j),
                value=value,
                interval=interval,
                is_reference=True,
            )
        )
    for judgement in judgements:
        made = _point(judgement.record, axis, base_j)
        if isinstance(made, Point):
            points.append(made)
        else:
            lost.append((judgement.record.workload["setting"], made))
    return Front(
        model=_model(first),
        reference=first.workload["reference"],
        provenance=first.provenance,
        axis=axis,
        points=tuple(points),
        lost=tuple(lost),
        judgements=tuple(judgements),
    )


def _point(record: Record, axis: Axis, base_j: float | None) -> Point | str:
    """The setting that *record* is of, or why it is not on the chart."""
    ratio, lower, upper = (_known(record, f"pair_energy_ratio{end}") for end in ("", "_lower", "_upper"))
    value = _known(record, axis.metric)
    if base_j is None or ratio is None or lower is None or upper is None:
        return record.absent.get("pair_energy_ratio") or "joules of the reference are not available"
    if value is None:
        return record.absent.get(axis.metric) or f"{axis.metric} is not available"
    ends = [_known(record, f"{axis.metric}_{end}") for end in ("lower", "upper")]
    return Point(
        name=record.workload["setting"],
        energy_j=ratio * base_j,
        interval_j=(lower * base_j, upper * base_j),
        value=value,
        interval=(value if ends[0] is None else ends[0], value if ends[1] is None else ends[1]),
    )


def _known(record: Record, name: str) -> float | None:
    return record.metrics.get(name)


def _mean(judgements: Sequence[Judgement], name: str) -> float | None:
    values = [value for one in judgements if (value := _known(one.record, name)) is not None]
    return fmean(values) if values else None


def _model(record: Record) -> str:
    """The reference's: a setting may be of a file with a name of its own."""
    return record.workload.get("reference_model") or record.model or "model"


# ---- in words ----


def lines(run: View) -> list[str]:
    """A line for each setting that was compared with a reference."""
    return [_line(one.record) for one in run.judgements if is_pair(one.record)]


def _line(record: Record) -> str:
    """Such as `-22.0 % energy per request [-24.0, -20.0] with fp8; 91.0 % of tokens as bf16`."""
    setting, reference = (short(record.workload[name]) for name in ("setting", "reference"))
    ratio, lower, upper = (_known(record, f"pair_energy_ratio{end}") for end in ("", "_lower", "_upper"))
    if ratio is None or lower is None or upper is None:
        because = short(record.absent.get("pair_energy_ratio") or "joules are not available")
        energy = f"no ratio of {setting} to {reference}: {because}"
    else:
        origin = ORIGINS[record.provenance]
        change = f"{percent(ratio)} {origin}energy per request {bounds((lower, upper))}"
        energy = f"{change} with {setting}"
    agreed, ceiling = (_known(record, f"{of}position_agreement") for of in ("", "self_"))
    if agreed is None or ceiling is None:
        return "; ".join([energy, *_scores(record, reference)]) if "rates" in record.workload else energy
    share, with_itself = (f"{100 * value:.1f} %" for value in (agreed, ceiling))
    return f"{energy}; {share} of tokens as {reference} (with itself {with_itself})"


def _scores(record: Record, reference: str) -> Iterator[str]:
    """Quality and latency beside those of the reference, as far as they are known."""
    for name, words, unit in (("quality", "quality", ""), ("e2e_p99_s", "p99", " s")):
        own, other = _known(record, name), _known(record, f"reference_{name}")
        if own is not None and other is not None:
            yield f"{words} {own:.3g}{unit} ({reference} {other:.3g}{unit})"
