"""The cells of a report's tables, as text for people; one wording for the screen and for Markdown.

Rule 1: a joule that was not measured here carries its mark in the same cell.
Rule 2: a value that is absent is `-`, never 0; a value that is not 0 never reads as 0.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence

from pytest_energy import errors
from pytest_energy.judgement import FAILING, Comparison, Judgement, Verdict
from pytest_energy.meter.scope import estimated_j, scope_text
from pytest_energy.model import Domain, Machine, Provenance, Record, SensorStatus
from pytest_energy.report.count_cells import judged_ratio
from pytest_energy.report.view import AGAINST, Group, IdlePower, MetricCorrelation, ModelRow, Row, View
from pytest_energy.sensors.estimate import FACTOR, FACTOR_UNKNOWN, FROM, OF, UNKNOWN, error_text
from pytest_energy.units import percent_change_text, to_text, with_uncertainty_text
from pytest_energy.verdict.figures import change_text, count_text
from pytest_energy.verdict.prediction_words import prediction_texts

ABSENT = "-"


printable = errors.printable

# Of a bound. What binary fractions add beyond is no reason to round 27 % up to 28 %, and no change.
_MOST_DECIMALS = 9

MARKS = {
    Provenance.MEASURED: "",
    Provenance.ESTIMATED: "~",
    Provenance.REPLAYED: "r",
    Provenance.PREDICTED: "p",
}

_LEGEND = {
    Provenance.MEASURED: "",
    Provenance.ESTIMATED: "~ estimated, not measured: worked out from {source}, {error}",
    Provenance.REPLAYED: "r replayed from a file, not measured in this run",
    Provenance.PREDICTED: "p predicted from counts by a calibration of that machine, not measured",
}


def mark_text(provenance: Provenance, machines: Iterable[Machine]) -> str:
    """What the mark of *provenance* means, of records made on *machines*; empty without a mark."""
    given = list(machines)
    source = estimate_source(given, from_cpu_time="processor time and rated power")
    return _LEGEND[provenance].format(source=source, error=error_text(estimate_factor(given)))


def estimate_source(machines: Iterable[Machine], *, from_cpu_time: str) -> str:
    """From what the estimates of *machines* are made."""
    given = list(machines)
    sources = [printable(machine.varying[FROM]) for machine in given if FROM in machine.varying]
    if not all(FROM in machine.varying and OF not in machine.fixed for machine in given) or not given:
        sources.append(from_cpu_time)
    return " and ".join(dict.fromkeys(sources))


def estimate_factor(machines: Iterable[Machine]) -> int | None:
    """By which factor an estimate of one of *machines* may be wrong; `None` if that was not measured."""
    texts = [text for machine in machines for text in machine.varying.get(FACTOR, "").split(", ")]
    if UNKNOWN in texts:
        return None
    factors = (int(text) if re.fullmatch("[0-9]{1,3}", text) else FACTOR_UNKNOWN for text in texts)
    return max(factors, default=FACTOR_UNKNOWN)


def estimated_machines(view: View) -> list[Machine]:
    """Of the records that have an estimate, as their joules or beside them."""
    return [row.record.machine for row in view.rows if _has_estimate(row.record)]


def first_line(text: str) -> str:
    """First line of a reason, without what could harm a screen."""
    return printable(next(iter(text.strip().splitlines()), ""))


def verdict(outcome: Verdict) -> str:
    """The verdict; one that fails the test is in capitals."""
    return outcome.value.upper() if outcome in FAILING else outcome.value


def summary(view: View) -> str:
    """Tests by verdict, worst first: `5 tests: 1 REGRESSION, 4 pass`."""
    if not view.rows:
        return "0 tests"
    counts = ", ".join(f"{count} {verdict(outcome)}" for outcome, count in view.counts.items())
    used = _used(view)
    origin = f", every joule {used[0].value}" if len(used) == 1 and Provenance.MEASURED not in used else ""
    return f"{count_text(len(view.rows), 'test')}{origin}: {counts}"


def _used(view: View) -> list[Provenance]:
    """Provenances of the joules in the tables."""
    used = {row.record.provenance for row in view.rows if row.energy_j is not None}
    return [provenance for provenance in Provenance if provenance in used]


def sensor(status: SensorStatus) -> str:
    """One sensor in a line: `nvml: gpu:0, measured, a new value every 100 ms`, or why it is absent."""
    absent = "" if status.absent_because is None else "absent: "
    return f"{printable(status.name)}: {absent}{sensor_text(status)}"


def sensor_text(status: SensorStatus) -> str:
    """What a sensor reads and how often, or why it is absent."""
    if status.absent_because is not None:
        return printable(status.absent_because)
    tick = "" if status.tick_s is None else f", a new value every {to_text(status.tick_s, 's', digits=3)}"
    return f"{printable(', '.join(status.channels))}, {status.provenance.value}{tick}"


def idle_power(power: IdlePower) -> str:
    """A channel's power without work: `gpu:0: idle 77.8 W, ready 121 W`."""
    powers_w = {"idle": power.idle_power_w, "ready": power.ready_power_w}
    parts = (f"{name} {watts(power_w)}" for name, power_w in powers_w.items() if power_w is not None)
    return f"{printable(power.channel)}: {', '.join(parts)}"


def fixed_load(record: Record) -> str:
    """What a fixed load used: `yardstick gpu-compute: 290 J in 0.52 s`, or why there is nothing."""
    name = f"yardstick {printable(record.test_id.rpartition('::')[2])}"
    if record.energy_j is None or record.duration_s is None:
        return f"{name}: {first_line(record.absent_because or 'no round took any time')}"
    return f"{name}: {to_text(record.energy_j, 'J')} in {to_text(record.duration_s, 's')}"


def watts(power_w: float | None) -> str:
    return ABSENT if power_w is None else to_text(power_w, "W", digits=3)


def machine(view: View) -> list[str]:
    """The machine's key and, in a line each, what must be equal and what may differ."""
    if view.machine is None:
        return []
    facts = (view.machine.fixed, view.machine.varying)
    lines = ("; ".join(f"{name} {value}" for name, value in group.items()) for group in facts)
    return [printable(line) for line in (view.machine.key, *lines) if line]


def legend(view: View) -> list[str]:
    """What the marks in the tables mean, for those that are there."""
    machines = estimated_machines(view)
    marked = [*_used(view), *([Provenance.ESTIMATED] if machines else [])]
    lines = [*filter(None, (mark_text(provenance, machines) for provenance in dict.fromkeys(marked)))]
    if SCOPE in heads(view.rows):
        lines.append(
            "scope: what the joules include, if other hardware worked too; the estimate beside them is not "
            "added"
        )
    if any(row.uncertainty_j is not None for row in view.rows):
        lines.append("+- one standard uncertainty of the mean of the rounds")
    if any(row.judgement.comparison is not None for row in view.rows):
        lines.append("[ ] bounds of the true change, rounded outward")
    return lines


def _has_estimate(record: Record) -> bool:
    return record.provenance is Provenance.ESTIMATED or estimated_j(record) is not None


def predictions(view: View) -> list[str]:
    """A line for each test and machine that is not here, by machine: what a call would use there."""
    lines = [
        f"{name}: {printable(row.short_id)} {text}"
        for row in view.rows
        for name, text in prediction_texts(row.record).items()
    ]
    return sorted(lines, key=lambda line: line.partition(":")[0])


def roles(view: View) -> list[str]:
    """A line for each test whose channels have roles: the joules of each and its share."""
    return [
        f"{printable(row.short_id)}: {', '.join(f'{role} {text}' for role, text in texts.items())}"
        for row in view.rows
        if (texts := role_texts(row.record))
    ]


def role_texts(record: Record) -> dict[str, str]:
    """By role, joules per round and their share; nothing without roles."""
    energies_j, whole_j = record.energy_by_role_j or {}, record.energy_j
    return {
        printable(role): f"{energy(record.provenance, energy_j)} ({100 * energy_j / whole_j:.0f} %)"
        for role, energy_j in energies_j.items()
        if whole_j
    }


def ungrouped_metrics(view: View) -> list[str]:
    """A line for each test without a group that has metrics, such as those that it recorded itself."""
    return [
        printable(f"{row.short_id}: {', '.join(map(_metric_text, row.record.metrics.items()))}")
        for row in view.rows
        if row.record.group is None and row.record.metrics
    ]


def _metric_text(metric: tuple[str, float | None]) -> str:
    name, value = metric
    return f"{name} {ABSENT if value is None else plain(value)}"


NET_HEADS = {"training": "E_tr", "inference": "E_in"}
"""Heads of net joules by group, as the paper calls them."""


def net(record: Record) -> dict[str, str]:
    """Joules less idle power, by the head of their column; none for other groups or without idle power."""
    net_j, column = record.net_energy_j, NET_HEADS.get(record.group or "")
    if net_j is None or column is None:
        return {}
    return {column: MARKS[record.provenance] + to_text(net_j, "J", digits=3)}


VS_BASELINE = "vs baseline"
HEADS = ("energy", "W", "s", "J/sample", VS_BASELINE)
SCOPE = "scope"


def heads(rows: Iterable[Row]) -> tuple[str, ...]:
    """Of a table of *rows*, for the cells of `values`: the test's name stands before, its verdict behind."""
    return (*HEADS, SCOPE) if any(scope(row.record) != ABSENT for row in rows) else HEADS


def values(row: Row, columns: Sequence[str] = HEADS) -> list[str]:
    """What a table of tests with these *columns* says of each."""
    record, provenance = row.record, row.record.provenance
    texts = [
        energy(provenance, row.energy_j, row.uncertainty_j),
        power(provenance, record.power_w),
        duration(provenance, record.duration_s),
        energy_per_sample(provenance, record.energy_per_sample_j),
        against_baseline(row.judgement),
        scope(record),
    ]
    return texts[: len(columns)]


def scope(record: Record) -> str:
    """What its joules are of where more was at work, and beside it the estimate: `GPU only, CPU ~35.2 J`."""
    beside_j = estimated_j(record)
    beside = "" if beside_j is None else f"{Domain.CPU.upper()} {energy(Provenance.ESTIMATED, beside_j)}"
    return ", ".join(filter(None, (scope_text(record), beside))) or ABSENT


def energy(provenance: Provenance, energy_j: float | None, uncertainty_j: float | None = None) -> str:
    """Joules with their uncertainty where it is known, such as `~12.31 +- 0.22 J`."""
    if energy_j is None:
        return ABSENT
    mark = MARKS[provenance]
    if uncertainty_j is None:
        return mark + to_text(energy_j, "J")
    return mark + with_uncertainty_text(energy_j, uncertainty_j, "J")


def power(provenance: Provenance, power_w: float | None) -> str:
    """Watts, marked like the joules that they come from."""
    return ABSENT if power_w is None else MARKS[provenance] + plain(power_w, digits=3)


def duration(provenance: Provenance, duration_s: float | None) -> str:
    """Seconds; a replay's come from its file."""
    if duration_s is None:
        return ABSENT
    mark = MARKS[provenance] if provenance is Provenance.REPLAYED else ""
    return mark + plain(duration_s, digits=3)


def energy_per_sample(provenance: Provenance, energy_per_sample_j: float | None) -> str:
    if energy_per_sample_j is None:
        return ABSENT
    return MARKS[provenance] + to_text(energy_per_sample_j, "J", digits=3)


def against_baseline(judgement: Judgement) -> str:
    """Change of what is judged: of the joules, or of the counts: `counts +38.0 %`."""
    ratio = judged_ratio(judgement)
    return change(judgement.comparison) if ratio is None else f"counts {change_text(ratio)}"


def change(comparison: Comparison | None) -> str:
    """Change against the baseline in percent with its bounds, such as `+30.4 % [+27, +34]`.

    Where joules have parts it is that of the part that decided: `work +8.1 % [+7, +9]`.
    """
    if comparison is None:
        return ABSENT
    part = comparison.decisive
    if part is not None:
        return f"{part.part.value} {percent(part.ratio)} {bounds(part.ratio_ci)}"
    return f"{percent(comparison.ratio)} {bounds(comparison.ratio_ci)}"


def percent(ratio: float) -> str:
    """Change of *ratio* from 1; what is beyond 11 decimals is the rounding of floats, no change."""
    return percent_change_text(round(ratio, 11))


def bounds(ratio_ci: tuple[float, float]) -> str:
    """Bounds of a ratio as changes in percent, rounded outward by at most a fifth of their distance.

    >>> bounds((1.2713, 1.3391)), bounds((0.9908, 1.0131))
    ('[+27, +34]', '[-1.0, +1.4]')
    """
    lower, upper = ((ratio - 1.0) * 100.0 for ratio in ratio_ci)
    decimals = _decimals(2 * (upper - lower), digits=2) if upper > lower else 1
    return interval(lower, upper, decimals=min(decimals, _MOST_DECIMALS))


def interval(lower: float, upper: float, *, decimals: int) -> str:
    """Two signed numbers, each rounded away from the other, with more decimals where one would read as 0.

    >>> interval(0.004, 0.9912, decimals=2)
    '[+0.004, +1.00]'
    """
    return f"[{_outward(lower, decimals, math.floor)}, {_outward(upper, decimals, math.ceil)}]"


def _outward(value: float, decimals: int, rounded: Callable[[float], int]) -> str:
    exact = round(value, _MOST_DECIMALS)
    if exact == 0:
        return "0"
    rounded_value = rounded(round(exact * 10**decimals, 6)) / 10**decimals
    return f"{rounded_value:+.{decimals}f}" if rounded_value else _outward(value, decimals + 1, rounded)


def metric_columns(group: Group) -> tuple[str, ...]:
    """Columns of the metric table; the paper's `energy_per_sample` is what stands first in it already."""
    return (AGAINST, *(name for name in group.metrics if name != "energy_per_sample"))


def metric_unit(group: Group, name: str, form: str) -> str:
    """Unit for a column's title, in *form*; empty if there is none, or where it stands in the cells."""
    unit = group.units.get(name, "1")
    return "" if unit in {"1", "J"} else form.format(unit)


def absences(group: Group) -> list[str]:
    """Why there is a `-` in a column of the metric table."""
    return [printable(f"{name} {ABSENT}: {'; '.join(reasons)}") for name, reasons in group.absent.items()]


def metric(group: Group, row: ModelRow, name: str) -> str:
    """One metric of one model, marked if joules are in it and were not measured here."""
    value = row.energy_per_sample_j if name == AGAINST else row.metrics[name]
    if value is None:
        return ABSENT
    if name == AGAINST or group.units.get(name) == "J":
        return energy_per_sample(group.provenance, value)
    return (MARKS[group.provenance] if _has_joules(group, name) else "") + plain(value)


def _has_joules(group: Group, name: str) -> bool:
    """Whether *name* is worked out from joules: by its unit or, unknown to the table, by its name's end."""
    unit = group.units.get(name)
    return name.endswith(("_j", "_w")) if unit is None else any(symbol in unit for symbol in "JW")


def group_size(view: View, group: Group) -> str:
    """Such as `14 rows, estimated`, with the machine where it is not the report's."""
    parts = [count_text(len(group.rows), "row")]
    if group.provenance is not Provenance.MEASURED:
        parts.append(group.provenance.value)
    if view.machine is None or view.machine.key != group.machine_key:
        parts.append(f"on {printable(group.machine_key)}")
    return ", ".join(parts)


def hardware(group: Group) -> tuple[str, ...]:
    """Columns of the paper's values."""
    return tuple(dict.fromkeys(name for metric in group.correlations for name in metric.paper))


def correlation_heads(group: Group) -> list[str]:
    """Heads of the table of correlations: the metric's, and those of the cells of `correlation`."""
    return ["metric", "rho", "n", "p", "95 % interval", *(f"paper {name}" for name in hardware(group))]


def correlation(ranked: MetricCorrelation, columns: Sequence[str]) -> list[str]:
    """Rho, n, p, 95 % interval, and the paper's rho on the hardware of each of *columns*."""
    rho, ci = ranked.correlation.rho, ranked.correlation.ci
    exact, drawn = ranked.correlation.p_exact, ranked.correlation.p_monte_carlo
    p_value = drawn if exact is None else exact
    return [
        ABSENT if rho is None else _rho(rho),
        str(ranked.correlation.n),
        ABSENT if p_value is None else _p_value(p_value),
        ABSENT if ci is None else interval(*ci, decimals=2),
        *(_rho(ranked.paper[name]) if name in ranked.paper else ABSENT for name in columns),
    ]


def correlation_notes(group: Group) -> list[str]:
    """What limits the correlations, each note once with the metrics that it is true of."""
    metrics: dict[str, list[str]] = {}
    for ranked in group.correlations:
        if ranked.correlation.note:
            metrics.setdefault(ranked.correlation.note, []).append(ranked.metric)
    return [
        printable(note if len(names) == len(group.correlations) else f"{', '.join(names)}: {note}")
        for note, names in metrics.items()
    ]


def _rho(rho: float) -> str:
    """Three decimals, or one digit where that would read as 0; short of 1 it never reads as 1."""
    if rho and abs(rho) < 0.0005:
        return f"{rho:+.0e}"
    return f"{math.copysign(0.999, rho):+.3f}" if 0.9995 <= abs(rho) < 1 else f"{rho:+.3f}"


def _p_value(p_value: float) -> str:
    return f"{p_value:.3f}" if p_value >= 0.001 else "<0.001"


def plain(value: float, *, digits: int = 4) -> str:
    """A number without unit: whole numbers as they are, others with *digits* significant digits.

    >>> plain(61706.0), plain(11173962.0), plain(0.0451234), plain(1234.567, digits=3)
    ('61706', '11.17 M', '0.04512', '1235')
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    if abs(value) >= 1e6:
        return to_text(value, "", digits=digits).strip()
    if value.is_integer() and abs(value) >= 10 ** (digits - 1):
        return f"{value:.0f}"
    if abs(value) < 1e-4:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{_decimals(float(f'{value:.{digits}g}'), digits=digits)}f}"


def _decimals(value: float, *, digits: int) -> int:
    """Decimals that give *value* that many significant digits."""
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))
